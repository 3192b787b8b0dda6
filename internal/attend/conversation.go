package attend

import (
	"slices"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/bounded"
)

// conversation is what one person was asked about one run.
type conversation struct {
	topics *bounded.Map[string, *topic] // by subject
	late   *Outcome                     // of a question that no call waited for any more; nil once a call has told it
}

// topic is what a person was asked about one need of a run.
type topic struct {
	open   *question // nil: none
	byHand []time.Time
	// refusal is how the person did not decide on what digest names, zero where
	// they were not asked in vain.
	refusal   Outcome
	digest    string
	refusedAt time.Time
}

const (
	// maxTopics bounds what is kept of one run; the oldest are forgotten.
	maxTopics = 64
	// refusalLife is how long a refusal is remembered.
	refusalLife = time.Hour
	// maxByHand is how often the approve tool has a person asked about one
	// approval in that time.
	maxByHand = 3
)

// topicOf returns the topic of a need, and makes it where there is none; a.mu is held.
func (a *Attendant) topicOf(w who, subject string) *topic {
	c, ok := a.conversations.Get(w)
	if !ok {
		c = &conversation{topics: bounded.New[string, *topic](maxTopics)}
		a.conversations.Add(w, c)
	}
	t, ok := c.topics.Get(subject)
	if !ok {
		t = &topic{}
		c.topics.Add(subject, t)
	}
	return t
}

// lookUp returns the topic of a need, an empty one where there is none; a.mu is held.
func (a *Attendant) lookUp(w who, subject string) *topic {
	if c, ok := a.conversations.Get(w); ok {
		if t, ok := c.topics.Get(subject); ok {
			return t
		}
	}
	return &topic{}
}

// refused reports whether a person did not decide on the same within the hour.
func (t *topic) refused(digest string) bool {
	return t.refusal.Fate != "" && t.digest == digest && time.Since(t.refusedAt) < refusalLife
}

// refuse remembers a refusal.
func (t *topic) refuse(o Outcome, digest string) {
	t.refusal, t.digest, t.refusedAt = o, digest, time.Now()
}

// mayAskByHand counts one more question of the approve tool; false where there
// were enough.
func (t *topic) mayAskByHand() bool {
	t.byHand = slices.DeleteFunc(t.byHand, func(at time.Time) bool { return time.Since(at) >= refusalLife })
	if len(t.byHand) >= maxByHand {
		return false
	}
	t.byHand = append(t.byHand, time.Now())
	return true
}

// conclude files what came of a question; a.mu is held.
func (a *Attendant) conclude(q *question) {
	t := a.topicOf(q.who, q.subject)
	if t.open == q {
		t.open = nil
	}
	if q.answered {
		a.endRound(approvalOf{q.key, q.runID, q.subject}, nil)
	}
	if q.joined == 0 && q.outcome.Fate == Canceled {
		q.outcome.Fate = Withdrawn // by the client: some do when their model's turn ends
	}
	if q.outcome.refuses() {
		t.refuse(q.outcome, q.digest)
	}
	if q.joined > 0 || q.outcome.Fate == Withdrawn {
		return
	}
	if c, ok := a.conversations.Get(q.who); ok {
		late := q.outcome
		c.late = &late
	}
}

// TakeLate returns what came of a question about a run after its calls were over,
// once; nil where there is nothing to tell.
func (a *Attendant) TakeLate(key client.Key, person string, runID client.RunID) *Outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.conversations.Get(who{key, person, runID})
	if !ok {
		return nil
	}
	late := c.late
	c.late = nil
	return late
}

// leave ends a call's waiting for a question and returns the outcome, nil where
// there is none yet. A question that only a cancelled call waited for is withdrawn.
func (a *Attendant) leave(q *question, cancelled bool) *Outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	q.joined--
	select {
	case <-q.done:
		return &q.outcome
	default:
	}
	if cancelled && q.joined == 0 && !q.round && !q.decided.Load() {
		q.withdraw(errNotIn)
	}
	return nil
}

// RefusedBefore returns how a person did not decide on a need within the hour, nil
// where they were not asked in vain. The content may be another by now.
func (a *Attendant) RefusedBefore(key client.Key, person string, runID client.RunID, subject string) *Outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.lookUp(who{key, person, runID}, subject)
	if t.refusal.Fate == "" || time.Since(t.refusedAt) >= refusalLife {
		return nil
	}
	o := t.refusal
	return &o
}

// clearLate forgets an outcome that the call which left just before has heard.
func (a *Attendant) clearLate(q *question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, ok := a.conversations.Get(q.who); ok && c.late != nil && c.late.Subject == q.subject {
		c.late = nil
	}
}
