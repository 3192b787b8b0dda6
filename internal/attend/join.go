package attend

import (
	"context"
	"errors"
	"time"
)

// joinQuestion makes the call wait for a question; f.mu is held.
func (f *follower) joinQuestion(q *question) {
	q.waiters++
	f.question = q
}

// joinOpenQuestion joins the question that the person has open about what the run
// needs, if there is one. The call's cursor does not matter to that.
func (f *follower) joinOpenQuestion() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.undecided(f.state.Pending) {
		if r := f.findRecord(f.personRun, p.ID); r.open != nil {
			f.joinQuestion(r.open)
			return
		}
	}
	if r := f.findRecord(f.personRun, AuthorizationSubject(f.state)); r.open != nil {
		f.joinQuestion(r.open)
	}
}

// receiveOutcome takes the outcome of the question that the call waits for, if there
// is one yet. It returns why the call ends with it, "" where it goes on.
func (f *follower) receiveOutcome() (end string) {
	if f.question == nil {
		return ""
	}
	select {
	case <-f.question.done:
	default:
		return ""
	}
	q := f.question
	f.question = nil
	f.stopWaiting(q, false)
	if q.isRound {
		return ""
	}
	return f.applyOutcome(q)
}

// applyOutcome goes on, or ends the call, by the outcome of a question.
func (f *follower) applyOutcome(q *question) (end string) {
	o := q.outcome
	f.outcome = &o
	switch {
	case o.Status == Changed:
		f.changedID = o.Subject
		if f.changes++; f.changes >= maxChanges {
			o.Status = ChangedOften
			return NeedsPerson
		}
		return ""
	case o.Status == Withdrawn: // the session ends
		f.outcome, f.drained = nil, true
		return ""
	case f.Only != "":
		return NeedsPerson
	case o.DecisionTaken():
		return ""
	case o.Status == Opened:
		f.openedLink = q
		return ""
	case o.Status == Gone:
		f.noLongerPending = append(f.noLongerPending, o.Subject)
		if o.Decision == "" {
			f.outcome = nil
		}
		return ""
	}
	return NeedsPerson
}

const (
	// withdrawTimeout is how long a call that ends waits for its question to be
	// withdrawn: the call's response may be the only way to the client.
	withdrawTimeout = 1500 * time.Millisecond
	// sendingTimeout is how long a call whose time is up waits for a decision that is
	// being sent.
	sendingTimeout = 2 * time.Second
)

// leaveQuestion ends the call's waiting for its question, and keeps its outcome. err
// is why the call ends. It returns nil instead if the person has decided, because the
// call then tells what became of the decision.
func (f *follower) leaveQuestion(ctx context.Context, end string, err error) error {
	q := f.question
	if q == nil {
		return err
	}
	cancelled := err != nil && errors.Is(ctx.Err(), context.Canceled)
	done := f.stopWaiting(q, cancelled)
	if timeout := f.leaveTimeout(q, end, cancelled); !done && timeout > 0 {
		select {
		case <-q.done:
			done = true
		case <-time.After(timeout):
		}
	}
	o := q.withStatus(Open, nil)
	switch {
	case done && (q.isRound || q.outcome.Status == Withdrawn):
		return err
	case done:
		o = q.outcome
		f.clearUnreported(q)
	case q.isRound:
		o.Status = AskedElsewhere
	case q.decided.Load():
		o.Status = Sending
	}
	f.outcome = &o
	if o.Decision != "" {
		return nil
	}
	return err
}

// leaveTimeout returns how long a call that ends waits for the outcome of its
// question.
func (f *follower) leaveTimeout(q *question, end string, cancelled bool) time.Duration {
	switch {
	case q.isRound:
		return 0
	case cancelled && q.decided.Load():
		return sendTimeout
	case q.decided.Load():
		return sendingTimeout
	case cancelled || f.drained || end == Finished:
		return withdrawTimeout
	}
	return 0
}
