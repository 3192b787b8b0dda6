// Package attend follows a run for a call until the run has ended, needs a person
// or the call's time is up, and asks the person on the way.
//
// A question belongs to the person's session and not to the call that asks: the
// call returns in time, the question stays open, and its answer counts once. Other
// calls of the session join it. An answer counts for the content that the question
// was made of ([approval.Request.Digest]).
package attend

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/bounded"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
)

// Options are what an Attendant works with.
type Options struct {
	Feeds   *feed.Hub
	Decider *approval.Decider
	Secrets *redact.Set // the operator's: no question shows them
	Log     *slog.Logger
	// ReadingTime is the time in which no person reads a question and refuses:
	// who is faster is a client that shows it to nobody. Default 1 s.
	ReadingTime time.Duration
}

const defaultReadingTime = time.Second

// Attendant follows runs for calls, and keeps what people were asked. It is safe
// for concurrent use.
type Attendant struct {
	Options
	*Sealer

	ctx  context.Context // ends the sending of decisions
	stop context.CancelFunc
	wg   sync.WaitGroup // one for each goroutine of a question

	mu            sync.Mutex // guards all below
	conversations *bounded.Map[who, *conversation]
	rounds        *bounded.Map[approvalOf, *question] // of the stateless protocol, until they are answered
	closed        bool                                // no more questions are put
	open          map[*question]struct{}              // questions that have no outcome yet, but rounds
}

// who names what one person is asked about one run.
type who struct {
	key    client.Key
	person string
	runID  client.RunID
}

// approvalOf names one thing that a run needs, as one caller sees it.
type approvalOf struct {
	key     client.Key
	runID   client.RunID
	subject string
}

const (
	// maxConversations and maxRounds bound what is kept of questions that were
	// put; the oldest are forgotten: then a person may be asked once more.
	maxConversations = 10_000
	maxRounds        = 10_000
	// maxOpen and maxOpenPerCaller bound the questions that wait for an answer at
	// a time.
	maxOpen          = 1_024
	maxOpenPerCaller = 64
)

// New returns an Attendant. The caller closes it.
func New(o Options) *Attendant {
	o.ReadingTime = cmp.Or(o.ReadingTime, defaultReadingTime)
	ctx, stop := context.WithCancel(context.Background())
	return &Attendant{
		Options: o, Sealer: NewSealer(), ctx: ctx, stop: stop,
		conversations: bounded.New[who, *conversation](maxConversations),
		rounds:        bounded.New[approvalOf, *question](maxRounds),
		open:          map[*question]struct{}{},
	}
}

// closeTimeout is how long Close waits for decisions that are being sent.
const closeTimeout = 5 * time.Second

// Close withdraws all questions and waits for what people decided before to be
// sent, for some seconds.
func (a *Attendant) Close() {
	a.mu.Lock()
	a.closed = true
	for q := range a.open {
		q.withdraw(errClosed)
	}
	a.mu.Unlock()
	done := make(chan struct{})
	go func() {
		a.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(closeTimeout):
		a.Log.Warn("a decision was still being sent when the server stopped")
	}
	a.stop()
}
