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

// TestAnswers: the outcome of each answer, what is sent, and what the next call
// reports.
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

// TestRefusalLifetime: the same person is asked again after an hour, and after the
// content has changed. Another person is asked at once.
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

// TestOnlyOneApproval: a call for one approval asks again what was refused before, up
// to three times within an hour.
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

// TestTokensAreObserved: the observer gets all tokens of the run before the person is
// asked.
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

// TestWithdrawnByTheClient: a cancel while no call waits is no refusal. The end of
// the session ends the wait.
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

// TestDecisionTaken: a decision may have been taken if the API's answer was lost.
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

// TestMaybeSeen: a person may have seen a question unless it was refused at once or
// not asked.
func TestMaybeSeen(t *testing.T) {
	for o, want := range map[Outcome]bool{{Status: Declined}: true, {Status: Declined, AtOnce: true}: false, {Status: NotAsked}: false} {
		if o.MaybeSeen() != want {
			t.Errorf("%+v: %t", o, !want)
		}
	}
}

// TestOpenQuestionsAreBounded: open questions are limited for each caller and in all.
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

// TestClose: Close withdraws open questions, waits for decisions that are being sent,
// and no question is started after it.
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
			if took := time.Since(began); took.Round(time.Second) != want || !errors.Is(open.cause(), errClosed) || len(b.api.sent()) != 1 {
				t.Errorf("%v: took %v, withdrawn: %v, sent %v", slow, took, open.cause(), b.api.sent())
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
