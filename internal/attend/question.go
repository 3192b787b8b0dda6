package attend

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
)

// question is one that was put to a person.
type question struct {
	who
	kind    Kind
	subject string
	digest  string
	eventID int64
	linkID  string
	pending approval.Pending // of a decision, as it was read

	withdraw context.CancelCauseFunc // takes it back from the client; a decision is sent all the same
	done     chan struct{}           // closed when outcome is set
	// outcome is for those who saw done closed.
	outcome Outcome
	decided atomic.Bool // the person has decided, and the decision is being sent
	told    atomic.Bool // the client was told that the person has done what the link is for
	// answered says that the call brought its answer, to a round before.
	answered bool
	round    bool // of the stateless protocol: it only tells whether it is answered

	joined int // calls that wait for it; guarded by Attendant.mu
}

// Causes for which a question is withdrawn.
var (
	errGone    = errors.New("the run no longer waits for it")
	errNotIn   = errors.New("nobody waits for the answer")
	errClosed  = errors.New("the server is stopping")
	errTooMany = errors.New("too many questions wait for an answer")
)

// askFunc puts one question and returns its answer, see [Person].
type askFunc func(context.Context) (Answer, error)

// put puts a question to a person, in a goroutine that waits for the answer and
// sends a decision. asked is when it was first put. a.mu is held. It returns nil
// where too many are open.
func (a *Attendant) put(q *question, caller client.Caller, asked time.Time, ask askFunc) *question {
	full := len(a.open) >= maxOpen || a.openOf(q.key) >= maxOpenPerCaller
	if a.closed || full && !q.answered { // what was answered is over soon
		return nil
	}
	asking, withdraw := context.WithCancelCause(a.ctx)
	q.withdraw, q.done = withdraw, make(chan struct{})
	a.open[q] = struct{}{}
	a.wg.Go(func() {
		q.outcome = a.outcome(asking, q, caller, asked, ask)
		withdraw(nil)
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.open, q)
		a.conclude(q)
		close(q.done)
	})
	return q
}

// openOf returns how many questions of a caller are open; a.mu is held.
func (a *Attendant) openOf(key client.Key) (n int) {
	for q := range a.open {
		if q.key == key {
			n++
		}
	}
	return n
}

// outcome puts the question and does what the answer says. A panic is a question
// that could not be put.
func (a *Attendant) outcome(asking context.Context, q *question, caller client.Caller, asked time.Time, ask askFunc) (o Outcome) {
	defer func() {
		if r := recover(); r != nil {
			a.Log.Error("asking a person panicked", "runId", q.runID, "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			o = Outcome{Fate: Unasked, Err: errors.New("panic")}
		}
		o.Kind, o.Subject, o.EventID = q.kind, q.subject, q.eventID
	}()
	asking, stop := context.WithCancelCause(asking)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if a.awaitGone(asking, q, caller) {
			stop(errGone)
		}
	}()
	answer, err := ask(asking)
	gone := errors.Is(context.Cause(asking), errGone)
	stop(nil)
	<-watched
	if err != nil {
		return failed(err, gone)
	}
	return a.judge(q, caller, answer, time.Since(asked))
}

// failed is the outcome of a question without an answer.
func failed(err error, gone bool) Outcome {
	switch {
	case gone:
		return Outcome{Fate: Gone}
	case errors.Is(err, context.DeadlineExceeded):
		return Outcome{Fate: Silent}
	case errors.Is(err, context.Canceled):
		return Outcome{Fate: Withdrawn}
	}
	return Outcome{Fate: Unasked, Err: err}
}

// judge does what an answer says.
func (a *Attendant) judge(q *question, caller client.Caller, answer Answer, took time.Duration) Outcome {
	switch {
	case answer.Action == Accept && q.kind == Authorization:
		return Outcome{Fate: Opened}
	case answer.Action == Accept && answer.Decision == "":
		return Outcome{Fate: Empty}
	case answer.Action == Accept:
		q.decided.Store(true)
		o := a.send(q, caller, answer.Decision)
		a.Log.Info("a person decided", "runId", q.runID, "approvalId", q.subject, "decision", o.Decision, "outcome", o.Fate)
		return o
	case answer.Action == Decline:
		return Outcome{Fate: Declined, AtOnce: took < a.ReadingTime}
	}
	return Outcome{Fate: Canceled, AtOnce: took < a.ReadingTime}
}

// awaitGone waits until the run no longer needs what the question asks for, and
// reports whether that came before ctx was done. A need that the feed never told
// is not missed by it.
func (a *Attendant) awaitGone(ctx context.Context, q *question, caller client.Caller) bool {
	seen := false
	return a.Feeds.Await(ctx, caller, q.runID, func(st feed.State) bool {
		waits := st.Auth != nil && SubjectOf(st) == q.subject && st.Status == client.AuthRequired
		if q.kind == Decision {
			waits = st.Waits(q.subject)
		}
		seen = seen || waits
		return st.Ended || seen && !waits
	}) == nil
}

// SubjectOf names the authorisation that a run waits for.
func SubjectOf(st feed.State) string { return fmt.Sprintf("authorization %d", st.Since) }

const (
	// sendTimeout bounds the sending of a decision.
	sendTimeout = 30 * time.Second
	// maxResend is how long a person's decision waits for the run to be readable.
	maxResend = 2 * time.Minute
	// resendPause and maxResendPause are the pauses between two tries.
	resendPause    = time.Second
	maxResendPause = 5 * time.Second
)

// send sends what a person decided if the run still asks for that. While the run
// cannot be read the decision is kept, for a failing API must not burn it.
func (a *Attendant) send(q *question, caller client.Caller, d approval.Decision) Outcome {
	o := Outcome{Decision: d}
	ctx, stop := context.WithTimeout(a.ctx, maxResend)
	defer stop()
	for pause := resendPause; ; pause = min(2*pause, maxResendPause) {
		now, waits, err := a.request(ctx, caller, q.runID, q.subject)
		switch {
		case err != nil && passing(err) && sleep(ctx, pause):
			continue
		case err != nil:
			o.Fate, o.Err = Unsent, err
		case !waits:
			o.Fate = Gone
		case now.Digest() != q.digest:
			o.Fate = Changed
		default:
			o.Fate, o.Err = Sent, a.decide(ctx, caller, now.Pending, d)
			if errors.Is(o.Err, approval.ErrAlreadySent) {
				o.Fate, o.Err = Gone, nil
			}
		}
		return o
	}
}

// decide sends a decision. Nothing stops it on the way.
func (a *Attendant) decide(ctx context.Context, caller client.Caller, p approval.Pending, d approval.Decision) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer stop()
	return a.Decider.Decide(ctx, caller, p, d)
}

// passing reports whether a run may be readable a little later.
func passing(err error) bool {
	switch client.KindOf(err) {
	case client.Unavailable, client.Timeout, client.RateLimited, client.Invalid:
		return true
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// request reads what an approval is about now; waits is false where the run no
// longer waits for it. Somebody else may have decided meanwhile.
func (a *Attendant) request(ctx context.Context, caller client.Caller, runID client.RunID, approvalID string) (r approval.Request, waits bool, err error) {
	read, err := a.Feeds.Snapshot(ctx, caller, runID, feed.Wanted{Decidable: true})
	if err != nil {
		return approval.Request{}, false, err
	}
	for _, p := range read.Pending {
		if p.ID == approvalID {
			return a.Decider.Request(ctx, caller, read.Run, p, a.Secrets), true, nil
		}
	}
	return approval.Request{}, false, nil
}
