package attend

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"runs-mcp-server/client"
)

// TestQuestionOutlivesCall: the call ends in time, a later call joins the question,
// and the outcome is reported once.
func TestQuestionOutlivesCall(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		p := &fakePerson{after: 15 * time.Second, answer: approve}
		b.api.askStep(1, "pay")
		began := time.Now()
		if r := b.follow(t, b.call(p.person("p"), 5)); r.End != TimeUp || statusOf(r) != Open || time.Since(began) != 5*time.Second {
			t.Errorf("%+v after %v", r.Outcome, time.Since(began))
		}
		if r := b.follow(t, b.call(p.person("p"), 5)); statusOf(r) != Open || p.asked() != 1 {
			t.Errorf("the second: %+v, asked %d times", r.Outcome, p.asked())
		}
		time.Sleep(10 * time.Second)
		o := b.TakeUnreported(alice.Key, "p", runID)
		if o == nil || o.Status != Sent || o.Subject == "" || b.TakeUnreported(alice.Key, "p", runID) != nil {
			t.Errorf("unreported: %+v", o)
		}
		if b.TakeUnreported(alice.Key, "another", runID) != nil {
			t.Error("unreported to another person")
		}
	})
}

// TestJoinedQuestion: two calls of one person wait for one question. The decision
// withdraws the question of another person.
func TestJoinedQuestion(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		p, other := &fakePerson{after: 5 * time.Second, answer: approve}, &fakePerson{after: time.Hour}
		b.api.askStep(1, "pay")
		p.during = func() { time.AfterFunc(time.Second, func() { b.api.add("run_action", client.Running, "") }) }
		results := make(chan Result, 3)
		for _, person := range []Person{p.person("p"), p.person("p"), other.person("other")} {
			go func() { results <- b.follow(t, b.call(person, 20)) }()
		}
		sent := 0
		for range 3 {
			if r := <-results; statusOf(r) == Sent {
				sent++
			} else if r.Outcome != nil || r.End != TimeUp {
				t.Errorf("%+v", r)
			}
		}
		if sent != 2 || p.asked() != 1 || other.asked() != 1 || len(b.api.sent()) != 1 || !errors.Is(other.cause(), errGone) {
			t.Errorf("%d calls know it, asked %d and %d times, sent %v, withdrawn: %v", sent, p.asked(), other.asked(), b.api.sent(), other.cause())
		}
	})
}

// TestJoinedBehindCursor: a call waits for an open question, even if its cursor is
// beyond the event that asked.
func TestJoinedBehindCursor(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		p := &fakePerson{after: 8 * time.Second, answer: approve}
		b.api.askStep(1, "pay")
		b.api.askStep(2, "refund")
		id := b.follow(t, b.call(p.person("p"), 5)).State.Pending[1].ID
		c := b.call(p.person("p"), 1)
		c.After = 3
		if r := b.follow(t, c); statusOf(r) != Open || r.Outcome.EventID != 2 || p.asked() != 1 {
			t.Errorf("a call for any: %+v", r.Outcome)
		}
		c = b.call(p.person("p"), 1)
		c.After, c.Only = 3, id
		if r := b.follow(t, c); statusOf(r) != Open || r.Outcome.Subject != id || p.asked() != 2 {
			t.Errorf("a call for another approval: %+v", r.Outcome)
		}
	})
}

// TestChangedBesideOther holds that a call for one approval, whose content changes while
// its person answers, asks again and does not join their question about another.
func TestChangedBesideOther(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		b.api.askStep(2, "refund")
		other := &fakePerson{after: time.Hour}
		id := b.follow(t, b.call(other.person("p"), 5)).State.Pending[1].ID
		p := &fakePerson{answer: approve}
		p.during = sync.OnceFunc(func() { b.api.change(2, "refund", "refund-all") })
		c := b.call(p.person("p"), 20)
		c.Only = id
		if r := b.follow(t, c); statusOf(r) != Sent || r.Outcome.Subject != id || p.asked() != 2 || other.asked() != 1 {
			t.Errorf("%+v, asked %d and %d times", r.Outcome, p.asked(), other.asked())
		}
	})
}

// TestMeanwhile: while a call reads the run, another call may ask, be refused or
// decide.
func TestMeanwhile(t *testing.T) {
	for name, tt := range map[string]struct {
		other        string // the name of the other call's person
		answer       Answer
		after        time.Duration // from the start of the first call to that of the other; a read takes 2 s
		want         Status
		asked, first int // by the other person, and the first
	}{
		"a decision is being sent": {"other", approve, time.Second, Sent, 0, 1},
		"a decision was sent":      {"other", approve, 2500 * time.Millisecond, "", 0, 1},
		"the person refused":       {"p", decline, time.Second, Declined, 0, 1},
		"another person refused":   {"other", decline, time.Second, Canceled, 1, 1},
	} {
		inBubble(t, func(t *testing.T, b *bed) {
			b.api.askStep(1, "pay")
			watch := b.Feeds.Watch(alice, runID, 0)
			defer watch.Close()
			time.Sleep(time.Second)
			b.api.set(func() { b.api.slowRead = 2 * time.Second })
			p, other := &fakePerson{answer: tt.answer}, &fakePerson{answer: cancel, after: time.Second}
			done := make(chan struct{})
			go func() {
				defer close(done)
				b.follow(t, b.call(p.person("p"), 20))
			}()
			time.Sleep(tt.after)
			r := b.follow(t, b.call(other.person(tt.other), 20))
			<-done
			if asked := p.asked() + other.asked(); statusOf(r) != tt.want || asked != tt.first+tt.asked || r.Outcome != nil && r.Outcome.Before {
				t.Errorf("%s: %+v, asked %d times", name, r.Outcome, asked)
			}
		})
	}
}

// TestCanceledCall: a cancelled call withdraws its question, unless another call
// waits for it or the person has decided.
func TestCanceledCall(t *testing.T) {
	for name, tt := range map[string]struct {
		joined    bool
		cancelAt  time.Duration
		withdrawn error
		sent      int
		err       error
	}{
		"alone":   {false, 3 * time.Second, errNoWaiters, 0, context.Canceled},
		"joined":  {true, 3 * time.Second, nil, 1, context.Canceled},
		"decided": {false, 6 * time.Second, nil, 1, nil},
	} {
		inBubble(t, func(t *testing.T, b *bed) {
			p := &fakePerson{after: 5 * time.Second, answer: approve}
			b.api.slow = 10 * time.Second
			b.api.askStep(1, "pay")
			ctx, stop := context.WithCancel(t.Context())
			time.AfterFunc(tt.cancelAt, stop)
			if tt.joined {
				go b.follow(t, b.call(p.person("p"), 30))
			}
			r, err := b.Follow(ctx, b.call(p.person("p"), 30))
			if !errors.Is(err, tt.err) || tt.err == nil && statusOf(r) != Sent {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
			time.Sleep(40 * time.Second)
			if !errors.Is(p.cause(), tt.withdrawn) || len(b.api.sent()) != tt.sent {
				t.Errorf("%s: withdrawn: %v, sent %v", name, p.cause(), b.api.sent())
			}
		})
	}
}

// TestDecisionBeingSent: a call whose time is up waits 2 s for a decision that is
// being sent, then reports that.
func TestDecisionBeingSent(t *testing.T) {
	for slow, want := range map[time.Duration]Status{2 * time.Second: Sent, 3 * time.Second: Sending} {
		inBubble(t, func(t *testing.T, b *bed) {
			p := &fakePerson{after: 4 * time.Second, answer: approve}
			b.api.slow = slow
			b.api.askStep(1, "pay")
			began := time.Now()
			if r := b.follow(t, b.call(p.person("p"), 5)); statusOf(r) != want || time.Since(began) > 7*time.Second {
				t.Errorf("%v: %+v after %v", slow, r.Outcome, time.Since(began))
			}
			time.Sleep(5 * time.Second)
			if o := b.TakeUnreported(alice.Key, "p", runID); (o != nil) != (want == Sending) {
				t.Errorf("%v: unreported %+v", slow, o)
			}
		})
	}
}

// TestLeave: how long a call that ends waits for its question, and the outcome that
// it reports.
func TestLeave(t *testing.T) {
	for name, tt := range map[string]struct {
		person Person // another call's client asks where it speaks the stateless protocol
		end    func(b *bed, draining chan struct{}, stop context.CancelFunc)
		want   Status
		took   time.Duration
	}{
		"the server stops":          {Person{}, func(_ *bed, draining chan struct{}, _ context.CancelFunc) { close(draining) }, Open, withdrawTimeout},
		"canceled":                  {Person{}, func(_ *bed, _ chan struct{}, stop context.CancelFunc) { stop() }, "", 0},
		"a round, the server stops": {stateless("p"), func(_ *bed, draining chan struct{}, _ context.CancelFunc) { close(draining) }, AskedElsewhere, 0},
		"a round, the run ends":     {stateless("p"), func(b *bed, _ chan struct{}, _ context.CancelFunc) { b.api.add("end", client.Failed, "") }, AskedElsewhere, 0},
	} {
		inBubble(t, func(t *testing.T, b *bed) {
			b.api.askStep(1, "pay")
			p := &fakePerson{after: time.Hour}
			c := b.call(p.person("p"), 60)
			if tt.person.Name != "" {
				b.round(t, b.call(stateless("another"), 60))
				c.Person = tt.person
			}
			ctx, stop := context.WithCancel(t.Context())
			draining := make(chan struct{})
			c.Draining = draining
			var ended time.Time
			time.AfterFunc(10*time.Second, func() {
				ended = time.Now()
				tt.end(b, draining, stop)
			})
			r, err := b.Follow(ctx, c)
			if took := time.Since(ended); statusOf(r) != tt.want || took != tt.took || (err != nil) != (tt.want == "") {
				t.Errorf("%s: %+v, %v after %v", name, r.Outcome, err, took)
			}
			if (p.cause() != nil) != (tt.want == "") {
				t.Errorf("%s: withdrawn: %v", name, p.cause())
			}
		})
	}
}

// TestRunEnds: when the run ends, its open question is withdrawn before the call
// returns.
func TestRunEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		p := &fakePerson{after: time.Hour}
		time.AfterFunc(10*time.Second, func() { b.api.add("end", client.Failed, "") })
		began := time.Now()
		if r := b.follow(t, b.call(p.person("p"), 60)); r.End != Finished || statusOf(r) == Open || time.Since(began) != 10*time.Second || !errors.Is(p.cause(), errGone) {
			t.Errorf("%+v, withdrawn: %v", r, p.cause())
		}
	})
}
