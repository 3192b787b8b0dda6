package attend

import (
	"errors"
	"testing"
	"time"

	"runs-mcp-server/client"
)

// stateless is a person whose client speaks the stateless protocol.
func stateless(name string) Person { return Person{Name: name, Approvals: true, Links: true} }

// round follows the run for a call that must end with a question.
func (b *bed) round(t *testing.T, c Call) *Round {
	t.Helper()
	_, err := b.Follow(t.Context(), c)
	r, ok := errors.AsType[*Round](err)
	if !ok {
		t.Fatalf("no question: %v", err)
	}
	return r
}

// resume returns the call that brings the answer to a round.
func (b *bed) resume(r *Round, answer Answer) Call {
	c := b.call(stateless("client"), 0)
	c.Deadline = time.Now().Add(r.TimeLeft)
	c.Resume = &Resume{RoundState: r.RoundState, Answer: answer, Sealed: b.Seal(alice, "a_tool", r.RoundState)}
	return c
}

// TestRound: a call of the stateless protocol ends with a question, and the call with
// the answer goes on, once.
func TestRound(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		c := b.call(stateless("client"), 30)
		c.SkipHistory = true
		round := b.round(t, c)
		s := round.RoundState
		if s.RunID != runID || s.Kind != Decision || s.Subject == "" || s.Digest == "" || s.EventID != 2 || s.Asked != 1 || s.Reported != 2 ||
			s.TimeLeft != 30*time.Second || s.AskedAt != time.Now().UnixMilli() || round.Message == "" {
			t.Errorf("%+v", round)
		}
		time.Sleep(5 * time.Second)
		c = b.resume(round, approve)
		r := b.follow(t, c)
		if statusOf(r) != Sent || r.End != TimeUp || len(b.api.sent()) != 1 {
			t.Errorf("%+v, sent %v", r, b.api.sent())
		}
		if o := c.Observer.(*fakeObserver); len(o.events) != 2 || o.events[0] != -1 || o.events[1] != -2 {
			t.Errorf("events that the round before reported: %v", o.events)
		}
		if _, err := b.Follow(t.Context(), c); !errors.Is(err, ErrUsed) {
			t.Errorf("the same answer again: %v", err)
		}
	})
}

// TestRoundKeepsOthersFromAsking: no other call asks the same for 60 s or until the
// round is answered.
func TestRoundKeepsOthersFromAsking(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		round := b.round(t, b.call(stateless("client"), 30))
		if r := b.follow(t, b.call(stateless("another"), 10)); statusOf(r) != AskedElsewhere || r.End != TimeUp || r.Outcome.Subject != round.Subject || r.Outcome.EventID != 2 {
			t.Errorf("%+v", r.Outcome)
		}
		began := time.Now()
		again := b.round(t, b.call(stateless("client"), 60))
		if took := time.Since(began); took != 50*time.Second {
			t.Errorf("asked again after %v", took)
		}
		results := make(chan error)
		go func() {
			_, err := b.Follow(t.Context(), b.call(stateless("another"), 30))
			results <- err
		}()
		time.Sleep(5 * time.Second)
		if r := b.follow(t, b.resume(again, decline)); statusOf(r) != Declined || r.Outcome.AtOnce {
			t.Errorf("%+v", r.Outcome)
		}
		answered := time.Now()
		if _, asks := errors.AsType[*Round](<-results); !asks || time.Since(answered) != 0 {
			t.Errorf("another person was asked: %t, after %v", asks, time.Since(answered))
		}
	})
}

// TestRoundState: the next round goes on from the state of the one before.
func TestRoundState(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		b.api.add("step", client.Paused, stepFields(2, "refund"))
		first := b.round(t, b.call(stateless("client"), 30))
		second := b.round(t, b.resume(first, approve))
		if second.Asked != 2 || second.Subject == first.Subject || second.EventID != 3 {
			t.Errorf("%+v", second.RoundState)
		}
		b.api.change(2, "refund", "pay")
		third := b.round(t, b.resume(second, approve))
		if third.Asked != 3 || third.Changes != 1 || third.Subject != second.Subject || third.Digest == second.Digest {
			t.Errorf("after a change: %+v", third.RoundState)
		}
		third.Changes = maxChanges - 1
		b.api.change(2, "pay", "refund")
		if r := b.follow(t, b.resume(third, approve)); statusOf(r) != ChangedOften || len(b.api.sent()) != 1 {
			t.Errorf("after the third change: %+v, sent %v", r.Outcome, b.api.sent())
		}
	})
}

// TestRoundAtOnce: the time of an answer counts from the question, in the round
// before.
func TestRoundAtOnce(t *testing.T) {
	for took, atOnce := range map[time.Duration]bool{999 * time.Millisecond: true, time.Second: false} {
		inBubble(t, func(t *testing.T, b *bed) {
			b.api.askStep(1, "pay")
			round := b.round(t, b.call(stateless("client"), 30))
			time.Sleep(took)
			if r := b.follow(t, b.resume(round, cancel)); statusOf(r) != Canceled || r.Outcome.AtOnce != atOnce {
				t.Errorf("%v: %+v", took, r.Outcome)
			}
		})
	}
}

// TestNewRoundOutlivesOldTimer: the timer of an answered round does not end a later
// round about the same need.
func TestNewRoundOutlivesOldTimer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		first := b.round(t, b.call(stateless("client"), 30))
		time.Sleep(5 * time.Second)
		b.follow(t, b.resume(first, decline))
		time.Sleep(5 * time.Second)
		b.round(t, b.call(stateless("another"), 30))
		time.Sleep(51 * time.Second) // 61 s after the first
		if r := b.follow(t, b.call(stateless("a third"), 1)); statusOf(r) != AskedElsewhere {
			t.Errorf("%+v", r.Outcome)
		}
	})
}

// TestResumeAfterClose: after Close an answer is refused, because its decision would
// not be sent.
func TestResumeAfterClose(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		round := b.round(t, b.call(stateless("client"), 30))
		b.Close()
		if _, err := b.Follow(t.Context(), b.resume(round, approve)); !errors.Is(err, errClosed) || len(b.api.sent()) != 0 {
			t.Errorf("%v, sent %v", err, b.api.sent())
		}
	})
}
