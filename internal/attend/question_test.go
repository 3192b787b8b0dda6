package attend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
)

// TestAnswers: what comes of each answer, what is sent, and what the next call says.
func TestAnswers(t *testing.T) {
	failed := errors.New("the client failed")
	for name, tt := range map[string]struct {
		person *fakePerson
		want   Outcome
		end    string
		sent   string
	}{
		"approve":    {&fakePerson{answer: approve}, Outcome{Status: Sent, Decision: "approve"}, TimeUp, "approve-link-1"},
		"deny":       {&fakePerson{answer: deny}, Outcome{Status: Sent, Decision: "deny"}, TimeUp, "deny-link-1"},
		"no choice":  {&fakePerson{answer: Answer{Action: Accept}}, Outcome{Status: NoChoice}, NeedsPerson, ""},
		"decline":    {&fakePerson{answer: decline, after: time.Second}, Outcome{Status: Declined}, NeedsPerson, ""},
		"at once":    {&fakePerson{answer: decline, after: 999 * time.Millisecond}, Outcome{Status: Declined, AtOnce: true}, NeedsPerson, ""},
		"cancel":     {&fakePerson{answer: cancel, after: time.Second}, Outcome{Status: Canceled}, NeedsPerson, ""},
		"nothing":    {&fakePerson{after: time.Second}, Outcome{Status: Canceled}, NeedsPerson, ""},
		"not at all": {&fakePerson{answer: cancel}, Outcome{Status: Canceled, AtOnce: true}, NeedsPerson, ""},
		"silence":    {&fakePerson{err: fmt.Errorf("x: %w", context.DeadlineExceeded)}, Outcome{Status: TimedOut}, NeedsPerson, ""},
		"failure":    {&fakePerson{err: failed}, Outcome{Status: NotAsked, Err: failed}, NeedsPerson, ""},
		"panic":      {&fakePerson{during: func() { panic("x") }}, Outcome{Status: NotAsked, Err: errors.New("panic")}, NeedsPerson, ""},
	} {
		inBubble(t, func(t *testing.T, b *bed) {
			b.api.askStep(1, "pay")
			r := b.follow(t, b.call(tt.person.person("p"), 10))
			got := *r.Outcome
			if got.Subject == "" || got.EventID != 2 || got.Kind != Decision || !strings.Contains(tt.person.questions[0].Message, `"pay"`) {
				t.Errorf("%s: %+v", name, got)
			}
			subject := got.Subject
			got.Subject, got.EventID, got.Kind = "", 0, ""
			if fmt.Sprint(got) != fmt.Sprint(tt.want) || r.End != tt.end || strings.Join(b.api.sent(), " ") != tt.sent {
				t.Errorf("%s: got %+v, %s, sent %v", name, got, r.End, b.api.sent())
			}
			if b.TakeUnreported(alice.Key, "p", runID) != nil {
				t.Errorf("%s: an outcome that the call has reported", name)
			}
			if logged := strings.Contains(b.log.String(), fmt.Sprintf("decision=%s outcome=sent", got.Decision)); logged != (tt.sent != "") {
				t.Errorf("%s: the log says %s", name, b.log)
			}
			if panicked := strings.Contains(b.log.String(), "panic=string stack="); panicked != (name == "panic") {
				t.Errorf("%s: the log says %s", name, b.log)
			}
			next := b.follow(t, b.call(tt.person.person("p"), 10))
			if tt.person.asked() != 1 {
				t.Errorf("%s: asked %d times", name, tt.person.asked())
			}
			refused := tt.sent == ""
			if last := b.LastRefusal(alice.Key, "p", runID, subject); (last != nil) != refused || refused && (last.Status != tt.want.Status || last.Before) {
				t.Errorf("%s: the last refusal is %+v", name, last)
			}
			if refused && (next.End != NeedsPerson || statusOf(next) != tt.want.Status || !next.Outcome.Before) {
				t.Errorf("%s: the next call: %+v", name, next.Outcome)
			}
		})
	}
}

// TestRefusalLifetime: after an hour, and after a change, the same person is asked
// again; another person is asked at once.
func TestRefusalLifetime(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		p, other := &fakePerson{answer: decline}, &fakePerson{answer: decline}
		b.api.askStep(1, "pay")
		b.follow(t, b.call(p.person("p"), 10))
		id := b.follow(t, b.call(other.person("other"), 10)).Outcome.Subject
		if other.asked() != 1 {
			t.Errorf("another person was asked %d times", other.asked())
		}
		time.Sleep(time.Hour - time.Second)
		if b.follow(t, b.call(p.person("p"), 0)); p.asked() != 1 || b.LastRefusal(alice.Key, "p", runID, id) == nil {
			t.Errorf("asked %d times within the hour", p.asked())
		}
		time.Sleep(time.Second)
		if b.LastRefusal(alice.Key, "p", runID, id) != nil {
			t.Error("a refusal is remembered for more than an hour")
		}
		if b.follow(t, b.call(p.person("p"), 10)); p.asked() != 2 {
			t.Errorf("asked %d times after the hour", p.asked())
		}
		for i := range 5 {
			b.api.change(1, "pay", "pay-")
			if b.follow(t, b.call(p.person("p"), 10)); p.asked() != 3+i || strings.Contains(p.questions[2+i].Message, "Changed") {
				t.Errorf("asked %d times after change %d", p.asked(), i+1)
			}
		}
	})
}

// TestOnlyOneApproval: a call for one approval asks again what was refused before,
// three times within an hour.
func TestOnlyOneApproval(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		p := &fakePerson{answer: decline}
		b.api.askStep(1, "pay")
		b.api.askStep(2, "refund")
		id := b.follow(t, b.call(p.person("p"), 10)).State.Pending[1].ID
		only := func() Result {
			c := b.call(p.person("p"), 10)
			c.Only = id
			return b.follow(t, c)
		}
		asked := p.asked()
		for i := range 5 {
			r := only()
			want := Declined
			if i >= 3 {
				want = TooOften
			}
			if statusOf(r) != want || r.Outcome.Subject != id || r.End != NeedsPerson {
				t.Errorf("%d: %+v", i+1, r.Outcome)
			}
		}
		if p.asked() != asked+3 || !strings.Contains(p.questions[asked].Message, `"refund"`) {
			t.Errorf("asked %d times", p.asked()-asked)
		}
		time.Sleep(time.Hour)
		p.answer = approve
		if r := only(); statusOf(r) != Sent || r.End != NeedsPerson || !slices.Equal(b.api.sent(), []string{"approve-link-2"}) {
			t.Errorf("after the hour: %+v, sent %v", r.Outcome, b.api.sent())
		}
		if r := only(); statusOf(r) != Gone || r.Outcome.Kind != Decision || r.Outcome.Subject != id {
			t.Errorf("once it is decided: %+v", r.Outcome)
		}
	})
}

// TestChangedOnlyApproval: a question that is asked anew since its content changed is not
// one more of the three.
func TestChangedOnlyApproval(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		c := b.call(Person{}, 5)
		c.Only = b.follow(t, c).State.Pending[0].ID
		for i := range 4 {
			p := &fakePerson{answer: approve}
			p.during = func() {
				b.api.change(1, "pay", "pay-")
				p.during, p.answer = nil, decline
			}
			first := true
			c.Person, c.Deadline = p.person("p"), time.Now().Add(10*time.Second)
			c.Person.Ask = func(ctx context.Context, q Question) (Answer, error) {
				a, err := p.ask(ctx, q)
				if first {
					first, a = false, approve
				}
				return a, err
			}
			want, asked := Declined, 2
			if i == 3 {
				want, asked = TooOften, 0
			}
			if r := b.follow(t, c); statusOf(r) != want || p.asked() != asked {
				t.Errorf("%d: %+v, asked %d times", i, r.Outcome, p.asked())
			}
		}
	})
}

// TestJoinedBehindCursor: a call waits for the open question about what its cursor has
// passed.
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

// TestQuestionOutlivesCall: the call ends in time, a later one joins the question,
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

// TestJoinedQuestion: two calls of a person wait for one question; another person's
// is withdrawn by the decision.
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
		if sent != 2 || p.asked() != 1 || other.asked() != 1 || len(b.api.sent()) != 1 || !errors.Is(other.withdrawn, errGone) {
			t.Errorf("%d calls know it, asked %d and %d times, sent %v, withdrawn: %v", sent, p.asked(), other.asked(), b.api.sent(), other.withdrawn)
		}
	})
}

// TestCanceledCall withdraws its question, unless another call waits for it or the
// person has decided.
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
			if !errors.Is(p.withdrawn, tt.withdrawn) || len(b.api.sent()) != tt.sent {
				t.Errorf("%s: withdrawn: %v, sent %v", name, p.withdrawn, b.api.sent())
			}
		})
	}
}

// TestDecisionBeingSent: a call whose time is up waits 2 s for it, and says so.
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

// TestChangedContent: nothing is sent for content that the person did not see. They
// are asked anew, and after the third change the call ends.
func TestChangedContent(t *testing.T) {
	for changes, want := range map[int]Status{1: Sent, 2: Sent, 3: ChangedOften} {
		inBubble(t, func(t *testing.T, b *bed) {
			b.api.askStep(1, "pay-0")
			n := 0
			p := &fakePerson{answer: approve}
			p.during = func() {
				if n < changes {
					b.api.change(1, fmt.Sprint("pay-", n), fmt.Sprint("pay-", n+1))
					n++
				}
			}
			r := b.follow(t, b.call(p.person("p"), 20))
			if statusOf(r) != want || len(b.api.sent()) != map[Status]int{Sent: 1}[want] || p.asked() != min(changes+1, 3) {
				t.Errorf("%d changes: %+v, sent %v, asked %d times", changes, r.Outcome, b.api.sent(), p.asked())
			}
			for i, q := range p.questions {
				if strings.HasPrefix(q.Message, "Changed: ") != (i > 0) || !strings.Contains(q.Message, fmt.Sprint("pay-", i)) {
					t.Errorf("question %d: %s", i, q.Message)
				}
			}
		})
	}
}

// TestChangedIsAskedFirst, although an earlier event asks for another approval by then.
func TestChangedIsAskedFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.add("step", client.Paused, strings.ReplaceAll(stepFields(1, "pay"), "approvalActions", "linksToCome"))
		b.api.askStep(2, "refund-0")
		p := &fakePerson{answer: approve}
		p.during = func() {
			b.api.change(1, "linksToCome", "approvalActions")
			b.api.change(2, "refund-0", "refund-1")
		}
		b.follow(t, b.call(p.person("p"), 20))
		var asked []string
		for _, q := range p.questions {
			tool, _, _ := strings.Cut(strings.SplitN(q.Message, "\"", 3)[1], "\"")
			asked = append(asked, tool)
		}
		if got := strings.Join(asked, " "); !strings.HasPrefix(got, "refund-0 refund-1") {
			t.Errorf("asked about %s; sent %v", got, b.api.sent())
		}
	})
}

// TestTokensAreObserved before the person is asked: their question is made of them.
func TestTokensAreObserved(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.add("step", client.Paused, strings.ReplaceAll(stepFields(1, "pay"), "approvalActions", "linksToCome"))
		b.api.askStep(2, "refund")
		watch := b.Feeds.Watch(alice, runID, 0)
		defer watch.Close()
		time.Sleep(time.Second)
		b.api.change(1, "linksToCome", "approvalActions")
		c := b.call((&fakePerson{answer: decline}).person("p"), 20)
		b.follow(t, c)
		if got := c.Observer.(*fakeObserver).tokens; len(got) != 4 {
			t.Errorf("tokens %v", got)
		}
	})
}

// TestUnreadableRun: a decision is kept for two minutes, and sent when the run can be
// read. What does not pass ends it at once.
func TestUnreadableRun(t *testing.T) {
	for _, tt := range []struct {
		failure int
		outage  time.Duration
		want    Status
		took    time.Duration // at most
	}{
		{503, time.Minute, Sent, 70 * time.Second},
		{429, time.Minute, Sent, 70 * time.Second},
		{503, 3 * time.Minute, Unsent, 121 * time.Second},
		{403, 3 * time.Minute, Unsent, 5 * time.Second},
	} {
		inBubble(t, func(t *testing.T, b *bed) {
			p := &fakePerson{answer: approve}
			p.during = func() {
				b.api.set(func() { b.api.failure = tt.failure })
				time.AfterFunc(tt.outage, func() { b.api.set(func() { b.api.failure = 0 }) })
			}
			b.api.askStep(1, "pay")
			o := b.follow(t, b.call(p.person("p"), 1)).Outcome
			began := time.Now()
			for o.Status == Sending && time.Since(began) < 5*time.Minute {
				time.Sleep(time.Second)
				if unreported := b.TakeUnreported(alice.Key, "p", runID); unreported != nil {
					o = unreported
				}
			}
			if o.Status != tt.want || (o.Err != nil) != (tt.want == Unsent) || o.Decision != "approve" || p.asked() != 1 || time.Since(began) > tt.took {
				t.Errorf("%+v: %+v after %v, asked %d times", tt, o, time.Since(began), p.asked())
			}
			time.Sleep(tt.outage)
			if n := len(b.api.sent()); n != map[Status]int{Sent: 1}[tt.want] {
				t.Errorf("%+v: %d sent", tt, n)
			}
		})
	}
}

// TestMeanwhile: what another call does while this one reads the run.
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

// TestWithdrawnByTheClient: a cancel that comes while no call waits is no refusal, and
// an end of the session ends the wait.
func TestWithdrawnByTheClient(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		p := &fakePerson{answer: cancel, after: 10 * time.Second}
		b.follow(t, b.call(p.person("p"), 5))
		time.Sleep(10 * time.Second)
		if o := b.TakeUnreported(alice.Key, "p", runID); o != nil {
			t.Errorf("unreported: %+v", o)
		}
		if r := b.follow(t, b.call(p.person("p"), 20)); p.asked() != 2 || statusOf(r) != Canceled {
			t.Errorf("%+v, asked %d times", r.Outcome, p.asked())
		}
	})
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		p := &fakePerson{err: context.Canceled, after: time.Second}
		if r := b.follow(t, b.call(p.person("p"), 20)); r.End != TimeUp || !r.Drained || r.Outcome != nil {
			t.Errorf("%+v", r)
		}
	})
}

// TestLeave: how long a call that ends waits for its question, and what it says of it.
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
			if (p.withdrawn != nil) != (tt.want == "") {
				t.Errorf("%s: withdrawn: %v", name, p.withdrawn)
			}
		})
	}
}

// TestRunEnds while its question is open: the question is withdrawn before the call is
// answered.
func TestRunEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		p := &fakePerson{after: time.Hour}
		time.AfterFunc(10*time.Second, func() { b.api.add("end", client.Failed, "") })
		began := time.Now()
		if r := b.follow(t, b.call(p.person("p"), 60)); r.End != Finished || statusOf(r) == Open || time.Since(began) != 10*time.Second || !errors.Is(p.withdrawn, errGone) {
			t.Errorf("%+v, withdrawn: %v", r, p.withdrawn)
		}
	})
}

// TestDecisionTaken: a decision whose answer was lost may have been taken.
func TestDecisionTaken(t *testing.T) {
	for i, tt := range []struct {
		o    Outcome
		want bool
	}{
		{Outcome{Status: Sent}, true},
		{Outcome{Status: Sent, Err: &client.Error{Kind: client.OutcomeUnknown}}, true},
		{Outcome{Status: Sent, Err: &client.Error{Kind: client.Conflict}}, false},
		{Outcome{Status: Gone}, false},
	} {
		if tt.o.DecisionTaken() != tt.want {
			t.Errorf("%d: %t", i, !tt.want)
		}
	}
}

// TestMaybeSeen: a person can have seen a question unless it was refused at once or
// could not be asked.
func TestMaybeSeen(t *testing.T) {
	for o, want := range map[Outcome]bool{{Status: Declined}: true, {Status: Declined, AtOnce: true}: false, {Status: NotAsked}: false} {
		if o.MaybeSeen() != want {
			t.Errorf("%+v: %t", o, !want)
		}
	}
}

// TestOpenQuestionsAreBounded, for a caller and in all.
func TestOpenQuestionsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		p := &fakePerson{after: time.Hour}
		b.api.askStep(1, "pay")
		ask := func(caller client.Caller, n int) Result {
			c := b.call(p.person(fmt.Sprint("person ", n)), 1)
			c.Caller = caller
			return b.follow(t, c)
		}
		for i := range maxOpenPerCaller {
			if r := ask(alice, i); statusOf(r) != Open {
				t.Fatalf("%d: %+v", i, r.Outcome)
			}
		}
		if r := ask(alice, maxOpenPerCaller); statusOf(r) != NotAsked || !errors.Is(r.Outcome.Err, errTooMany) {
			t.Errorf("one more: %+v", r.Outcome)
		}
		if r := ask(client.Caller{Key: "bob-key"}, 0); statusOf(r) != Open {
			t.Errorf("another caller: %+v", r.Outcome)
		}
		for i := len(b.open); i < maxOpen; i++ {
			b.open[&question{personRun: personRun{person: fmt.Sprint(i)}, withdraw: func(error) {}}] = struct{}{}
		}
		if r := ask(client.Caller{Key: "carol-key"}, 0); statusOf(r) != NotAsked {
			t.Errorf("too many in all: %+v", r.Outcome)
		}
	})
}

// TestClose withdraws what is open, waits for what is being sent, and starts nothing
// more.
func TestClose(t *testing.T) {
	for slow, want := range map[time.Duration]time.Duration{0: 0, 3 * time.Second: 3 * time.Second, 10 * time.Second: 5 * time.Second} {
		inBubble(t, func(t *testing.T, b *bed) {
			open, decided := &fakePerson{after: time.Hour}, &fakePerson{answer: approve}
			b.api.slow = slow
			b.api.askStep(1, "pay")
			b.follow(t, b.call(open.person("open"), 1))
			go b.follow(t, b.call(decided.person("decided"), 30))
			time.Sleep(time.Millisecond)
			began := time.Now()
			b.Close()
			if took := time.Since(began); took.Round(time.Second) != want || !errors.Is(open.withdrawn, errClosed) || len(b.api.sent()) != 1 {
				t.Errorf("%v: took %v, withdrawn: %v, sent %v", slow, took, open.withdrawn, b.api.sent())
			}
			if warned := strings.Contains(b.log.String(), "a decision was still being sent"); warned != (slow > closeTimeout) || b.ctx.Err() == nil {
				t.Errorf("%v: log %s, context %v", slow, b.log, b.ctx.Err())
			}
			b.api.askStep(2, "refund")
			late := &fakePerson{}
			if r := b.follow(t, b.call(late.person("late"), 5)); statusOf(r) != NotAsked || late.asked() != 0 {
				t.Errorf("%v: after Close: %+v", slow, r.Outcome)
			}
			time.Sleep(time.Minute)
		})
	}
}
