package attend

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
)

// question is one question to one person.
type question struct {
	personRun
	kind    Kind
	subject string // an approval's id, or an authorisation
	digest  string // of what the person decides on
	eventID int64  // of the event that asked
	text    Question
	pending approval.Pending // of a decision, as it was read; else zero

	withdraw  context.CancelCauseFunc // takes the question back from the client; a decision is sent all the same
	decided   atomic.Bool             // the person has decided, and the decision is being sent
	completed atomic.Bool             // the client was told that the link has done its work
	done      chan struct{}           // closed when the outcome is set
	outcome   Outcome                 // may be read once done is closed

	// answered says that the answer came with the call, to an earlier input round.
	answered bool
	// isRound says that this stands for an input round of the stateless protocol: it
	// has no outcome, and is done when the round was answered or has expired.
	isRound bool
	// ofTask says that a task asks this: see [Attendant.TaskQuestions].
	ofTask bool

	waiters int // calls that wait for the outcome; guarded by Attendant.mu
}

// decisionQuestion returns the question about an approval that waits in a run. changed
// says that the person answered before and the content has changed since.
func (a *Attendant) decisionQuestion(ctx context.Context, person personRun, caller client.Caller, run *client.Run, p approval.Pending, changed bool) *question {
	r := a.Decider.Request(ctx, caller, run, p, a.Secrets)
	return &question{
		personRun: person, kind: Decision, subject: p.ID, digest: r.Digest(), eventID: p.EventID, pending: p,
		text: Question{Kind: Decision, Message: r.Question(changed)},
	}
}

// maxIntegrationName bounds an integration's name in a question, in bytes.
const maxIntegrationName = 128

// linkQuestion returns the question to open the link with which the integration is
// authorised that a run waits for. It has no ID yet.
func (a *Attendant) linkQuestion(person personRun, caller client.Caller, st feed.State, link string) *question {
	name := approval.Quote(a.Secrets.With(string(caller.Key)), st.Auth.IntegrationName, maxIntegrationName)
	return &question{
		personRun: person, kind: Authorization, subject: AuthorizationSubject(st), digest: linkDigest(link), eventID: st.Since,
		text: Question{
			Kind: Authorization, URL: link,
			Message: "A run needs your permission to use " + name + ". Open the link to give it; the run goes on by itself.",
		},
	}
}

// linkDigest returns a hash that stands for a link.
func linkDigest(link string) string {
	sum := sha256.Sum256([]byte(link))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// need returns what the question asks for.
func (q *question) need() need { return need{q.key, q.runID, q.subject} }

// withStatus returns an outcome of the question.
func (q *question) withStatus(s Status, err error) Outcome {
	return Outcome{Status: s, Kind: q.kind, Subject: q.subject, EventID: q.eventID, Err: err}
}

// Causes for which a question is withdrawn, or not asked.
var (
	errGone      = errors.New("the run no longer waits for it")
	errNoWaiters = errors.New("no call waits for the answer")
	errClosed    = errors.New("the server is stopping")
	errTooMany   = errors.New("too many questions wait for an answer")
)

// startQuestion starts the goroutine of a question: it asks, waits for the answer and
// acts on it. asked is when the person was first asked. It returns false where the
// Attendant is closed or too many questions are open. a.mu is held.
func (a *Attendant) startQuestion(q *question, caller client.Caller, asked time.Time, ask func(context.Context) (Answer, error)) bool {
	full := len(a.open) >= maxOpen || a.countOpen(q.key) >= maxOpenPerCaller
	if a.closed || full && !q.answered { // an answered one is done soon
		return false
	}
	asking, withdraw := context.WithCancelCause(a.ctx)
	q.withdraw, q.done = withdraw, make(chan struct{})
	a.open[q] = struct{}{}
	if !q.answered { // else a round has asked it
		a.asked[q.kind]++
	}
	a.wg.Go(func() {
		q.outcome = a.askAndAct(asking, q, caller, asked, ask)
		withdraw(nil)
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.open, q)
		a.recordOutcome(q)
		close(q.done)
	})
	return true
}

// countOpen returns how many questions of a caller are open; a.mu is held.
func (a *Attendant) countOpen(key client.Key) (n int) {
	for q := range a.open {
		if q.key == key {
			n++
		}
	}
	return n
}

// decidedQuestion returns the question about a need, of any person, whose decision is
// being sent; nil for none. a.mu is held.
func (a *Attendant) decidedQuestion(n need) *question {
	for q := range a.open {
		if q.need() == n && q.decided.Load() {
			return q
		}
	}
	return nil
}

// askAndAct asks the question and acts on its answer. After a panic the question
// counts as not asked.
func (a *Attendant) askAndAct(asking context.Context, q *question, caller client.Caller, asked time.Time, ask func(context.Context) (Answer, error)) (o Outcome) {
	defer func() {
		if r := recover(); r != nil {
			a.Log.Error("asking a person panicked", "runId", q.runID, "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			o = Outcome{Status: NotAsked, Err: errors.New("panic")}
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
		return unanswered(err, gone)
	}
	return a.actOnAnswer(q, caller, answer, time.Since(asked))
}

// awaitGone waits until the run no longer needs what the question asks for, and
// reports whether that came before ctx was done. A need that the feed has never seen
// does not count as gone.
func (a *Attendant) awaitGone(ctx context.Context, q *question, caller client.Caller) bool {
	seen := false
	return a.Feeds.Await(ctx, caller, q.runID, func(st feed.State) bool {
		needed := st.Status == client.AuthRequired && st.Auth != nil && AuthorizationSubject(st) == q.subject
		if q.kind == Decision {
			needed = st.Waits(q.subject)
		}
		seen = seen || needed
		return st.Ended || seen && !needed
	}) == nil
}

// AuthorizationSubject names the authorisation that a run waits for.
func AuthorizationSubject(st feed.State) string { return fmt.Sprintf("authorization %d", st.Since) }

// unanswered returns the outcome of a question that failed with err.
func unanswered(err error, gone bool) Outcome {
	switch {
	case gone:
		return Outcome{Status: Gone}
	case errors.Is(err, context.DeadlineExceeded):
		return Outcome{Status: TimedOut}
	case errors.Is(err, context.Canceled):
		return Outcome{Status: Withdrawn}
	}
	return Outcome{Status: NotAsked, Err: err}
}

// actOnAnswer returns the outcome of an answer. If the answer is a decision, it is
// sent. took is how long the person had the question.
func (a *Attendant) actOnAnswer(q *question, caller client.Caller, answer Answer, took time.Duration) Outcome {
	switch {
	case answer.Action == Accept && q.kind == Authorization:
		return Outcome{Status: Opened}
	case answer.Action == Accept && answer.Decision == "":
		return Outcome{Status: NoChoice}
	case answer.Action == Accept:
		q.decided.Store(true)
		o := a.sendIfUnchanged(q, caller, answer.Decision)
		a.Log.Info("a person decided", "runId", q.runID, "approvalId", q.subject, "decision", o.Decision, "outcome", o.Status)
		return o
	case answer.Action == Decline:
		return Outcome{Status: Declined, AtOnce: took < a.ReadingTime}
	}
	return Outcome{Status: Canceled, AtOnce: took < a.ReadingTime}
}

// recordOutcome records the outcome of a question that is done; a.mu is held.
func (a *Attendant) recordOutcome(q *question) {
	a.outcomes[OutcomeCount{q.kind, q.outcome.Status}]++
	record := a.recordOf(q.personRun, q.subject)
	if record.open == q {
		record.open = nil
	}
	if q.answered {
		a.endRound(q.need(), nil)
	}
	if q.ofTask {
		record.noteTaskAnswer(q)
	}
	if q.waiters == 0 && q.outcome.Status == Canceled {
		q.outcome.Status = Withdrawn // by the client: some do so when their model's turn ends
	}
	if q.outcome.isRefusal() {
		record.refusal, record.digest, record.refusedAt = q.outcome, q.digest, time.Now()
	}
	if q.waiters > 0 || q.outcome.Status == Withdrawn {
		return
	}
	if h, ok := a.histories.Get(q.personRun); ok {
		unreported := q.outcome
		h.unreported = &unreported
	}
}

// stopWaiting ends a call's waiting for a question, and reports whether the question
// is done. If only this call waited and it was cancelled, the question is withdrawn.
func (a *Attendant) stopWaiting(q *question, cancelled bool) (done bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q.waiters--
	select {
	case <-q.done:
		return true
	default:
	}
	if cancelled && q.waiters == 0 && !q.isRound && !q.decided.Load() {
		q.withdraw(errNoWaiters)
	}
	return false
}

// roundTimeout is how long a round keeps other calls from asking the same: its client
// may have lost it.
const roundTimeout = 60 * time.Second

// roundBytes is what a round takes beside its names: its entry, the question with its
// channel, and the timer.
const roundBytes = 1 << 10

// startRound keeps other calls of the caller from asking the same while a round, or a
// task, asks it. a.mu is held.
func (a *Attendant) startRound(q *question) {
	round := &question{personRun: q.personRun, kind: q.kind, subject: q.subject, eventID: q.eventID, isRound: true, ofTask: q.ofTask, done: make(chan struct{})}
	a.rounds.Add(q.need(), round, roundBytes+q.personRun.size()+len(q.subject))
	time.AfterFunc(roundTimeout, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.endRound(q.need(), round)
	})
}

// endRound lets other calls ask again. round is the one to end, nil for any. a.mu is
// held.
func (a *Attendant) endRound(n need, round *question) {
	current, ok := a.rounds.Get(n)
	if !ok || round != nil && current != round {
		return
	}
	a.rounds.Remove(n)
	close(current.done)
}
