// Package attend follows a run for a call until the run has ended, needs a person
// or the call's time is up, and asks the person on the way.
//
// A question belongs to the person's session and not to the call that asks it: the
// call returns in time, the question stays open, and its answer counts once. Other
// calls of the session join it. An answer counts for the content that the question
// was made of ([approval.Request.Digest]).
//
// How a person gets a question:
//
//  1. follower.act (follow.go) sees that the run needs a person, and
//     follower.askPerson (ask.go) decides whether and for what they are asked.
//  2. The text is made by [approval.Request.Question] for a decision, and by
//     follower.askAuthorization (ask.go) for a link. package tools adds the form with
//     the two choices (decisionForm in tools/call.go).
//  3. It is sent while the call waits, through Person.Ask, which is sendQuestion in
//     tools/call.go. In revision 2026-07-28 the call ends with a [Round] instead, which
//     inputRequired in tools/call.go sends.
//
// The files, from the top down:
//
//	attend.go         the Attendant: what all calls share
//	follow.go         the loop of one call over the state of one run
//	round.go          a call of the stateless protocol, and the state that travels
//	ask.go            what the call asks its person, and whether it may ask now
//	join.go           how the call waits for a question, and what its outcome means for it
//	task.go           what a task asks its person, between calls
//	open_question.go  one question and its goroutine: ask, watch the run, act on the answer
//	decision.go       sending what the person decided
//	history.go        what people were asked before: open questions, refusals, outcomes
//	seal.go           the encryption of the state that travels
//	call.go           Call and Result, and the call in progress
//	outcome.go, person.go  the other types that callers use
//	stats.go          how often people were asked, and what came of it
package attend

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/audit"
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
	// Channel says, for the audit log, where people decide. Default [audit.Client].
	Channel audit.Channel
	// ReadingTime is the shortest time in which a person can read a question. A
	// client that refuses faster has shown the question to nobody. Default 1 s.
	ReadingTime time.Duration
}

const defaultReadingTime = time.Second

// Attendant follows runs for calls, and remembers what people were asked. It is
// safe for concurrent use.
type Attendant struct {
	Options
	*Sealer

	ctx  context.Context // parent of all questions and decisions; canceled at the end of Close
	stop context.CancelFunc
	wg   sync.WaitGroup // one for each question's goroutine

	mu        sync.Mutex // guards all below
	histories *bounded.Map[personRun, *history]
	rounds    *bounded.Map[need, *question] // input rounds that wait for their answer
	open      map[*question]struct{}        // questions without an outcome yet, but not rounds
	closed    bool                          // no more questions are started
	asked     map[Kind]int64                // see [Stats]
	outcomes  map[OutcomeCount]int64        // see [Stats]
}

// personRun names what one person is asked about one run.
type personRun struct {
	key    client.Key
	person string
	runID  client.RunID
}

// size returns what the names take, in bytes.
func (pr personRun) size() int { return len(pr.key) + len(pr.person) + len(pr.runID) }

// need names one thing that a run needs of a person, as one caller sees it.
type need struct {
	key     client.Key
	runID   client.RunID
	subject string
}

const (
	// maxHistories and maxRounds bound what is remembered of questions, also in bytes.
	// The oldest are forgotten: then a person may be asked once more.
	maxHistories      = 10_000
	maxHistoriesBytes = 8 << 20
	maxRounds         = 10_000
	maxRoundsBytes    = 2 << 20
	// maxOpen and maxOpenPerCaller bound the questions that wait for an answer at
	// a time.
	maxOpen          = 1_024
	maxOpenPerCaller = 64
)

// New returns an Attendant. The caller closes it.
func New(o Options) *Attendant {
	o.ReadingTime = cmp.Or(o.ReadingTime, defaultReadingTime)
	if o.Channel == "" {
		o.Channel = audit.Client
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Attendant{
		Options: o, Sealer: newSealer(), ctx: ctx, stop: stop,
		histories: bounded.New[personRun, *history](bounded.Limits{Entries: maxHistories, Bytes: maxHistoriesBytes}),
		rounds:    bounded.New[need, *question](bounded.Limits{Entries: maxRounds, Bytes: maxRoundsBytes}),
		open:      map[*question]struct{}{},
		asked:     map[Kind]int64{}, outcomes: map[OutcomeCount]int64{},
	}
}

// closeTimeout is how long Close waits for decisions that are being sent.
const closeTimeout = 5 * time.Second

// Close withdraws all questions. It waits up to 5 s until the decisions that people
// have made are sent.
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
