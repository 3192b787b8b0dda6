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

// TestFollowWithoutQuestions: a call ends when the run has ended, when a person is
// needed who cannot be asked, and when its time is up.
func TestFollowWithoutQuestions(t *testing.T) {
	nobody := Person{Name: "nobody", Ask: (&fakePerson{}).ask}
	for name, tt := range map[string]struct {
		during func(*fakeAPI)
		after  int64
		end    string
		took   time.Duration
	}{
		"ended":         {func(a *fakeAPI) { a.add("end", client.Success, "") }, 0, Finished, 3 * time.Second},
		"waits":         {func(a *fakeAPI) { a.askStep(1, "pay") }, 0, NeedsPerson, 3 * time.Second},
		"waits already": {func(a *fakeAPI) { a.askStep(1, "pay") }, 2, TimeUp, 10 * time.Second},
		"beyond":        {func(a *fakeAPI) { a.askStep(1, "pay") }, 100, NeedsPerson, 3 * time.Second},
		"calls are missing": {func(a *fakeAPI) {
			a.add("step", client.Paused, strings.ReplaceAll(stepFields(1, "pay"), "toolCalls", "x"))
		}, 0, NeedsPerson, 4 * time.Second},
		"link is missing": {func(a *fakeAPI) { a.add("status", client.Paused, "") }, 0, NeedsPerson, 4 * time.Second},
		"link is missing at the end": {func(a *fakeAPI) {
			time.Sleep(6 * time.Second)
			a.add("status", client.Paused, "")
		}, 0, NeedsPerson, 10 * time.Second},
		"needs authorising": {func(a *fakeAPI) { a.add("authentication", client.AuthRequired, `,"auth":{"status":"required"}`) }, 0, NeedsPerson, 3 * time.Second},
		"nothing happens":   {func(*fakeAPI) {}, 0, TimeUp, 10 * time.Second},
		"a pause that is over": {func(a *fakeAPI) {
			a.add("status", client.Paused, "")
			time.Sleep(500 * time.Millisecond)
			a.add("status", client.Running, "")
		}, 0, TimeUp, 10 * time.Second},
		"a second pause without its link": {func(a *fakeAPI) {
			a.add("status", client.Paused, "")
			time.Sleep(500 * time.Millisecond)
			a.add("status", client.Running, "")
			time.Sleep(3 * time.Second)
			a.add("status", client.Paused, "")
		}, 0, NeedsPerson, 7500 * time.Millisecond},
	} {
		inBubble(t, func(t *testing.T, b *bed) {
			go func() {
				time.Sleep(3 * time.Second)
				tt.during(b.api)
			}()
			c := b.call(nobody, 10)
			c.After = tt.after
			began := time.Now()
			r := b.follow(t, c)
			if took := time.Since(began); r.End != tt.end || took != tt.took || r.Outcome != nil || r.Drained {
				t.Errorf("%s: %s after %v, %+v", name, r.End, took, r.Outcome)
			}
		})
	}
}

// TestDecidedNeed: an approval with a decision that the run has not noticed yet is no
// need, and neither is one before the cursor.
func TestDecidedNeed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		b.api.askStep(2, "refund")
		c := b.call((&fakePerson{answer: approve}).person("p"), 5)
		c.Only = b.follow(t, b.call(Person{}, 5)).State.Pending[1].ID
		if r := b.follow(t, c); statusOf(r) != Sent {
			t.Fatalf("%+v", r.Outcome)
		}
		c = b.call(Person{}, 5)
		c.After = 2
		if r := b.follow(t, c); r.End != TimeUp || len(r.State.Pending) != 2 {
			t.Errorf("%+v", r)
		}
	})
}

// TestDeadlineWithNeed: a call whose time is up asks nobody.
func TestDeadlineWithNeed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		p := &fakePerson{}
		b.api.askStep(1, "pay")
		r := b.follow(t, b.call(p.person("p"), 5))
		if r = b.follow(t, b.call(p.person("p"), 0)); r.End != TimeUp && r.End != NeedsPerson || p.asked() != 1 {
			t.Errorf("%s, asked %d times", r.End, p.asked())
		}
		c := b.call(p.person("p"), 0)
		c.Only = "an approval"
		if r = b.follow(t, c); r.End != TimeUp {
			t.Errorf("with one approval alone: %s", r.End)
		}
	})
}

// TestDraining: a call that must stop ends at once.
func TestDraining(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		draining := make(chan struct{})
		time.AfterFunc(3*time.Second, func() { close(draining) })
		c := b.call(Person{}, 30)
		c.Draining = draining
		began := time.Now()
		if r := b.follow(t, c); r.End != TimeUp || !r.Drained || time.Since(began) != 3*time.Second {
			t.Errorf("%+v after %v", r, time.Since(began))
		}
	})
}

// TestFollowCanceled: the error of a cancelled call has the cause of the
// cancellation.
func TestFollowCanceled(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		reason := errors.New("the reason")
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { stop(reason) })
		if _, err := b.Follow(ctx, b.call(Person{}, 30)); !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
			t.Error(err)
		}
	})
}

// TestObserver: the observer gets each event once and in order, the tokens, and a
// heartbeat after each 15 s without news.
func TestObserver(t *testing.T) {
	for skip, want := range map[bool]string{false: "[1 2 3 4 5]", true: "[-1 -2 3 4 5]"} {
		inBubble(t, func(t *testing.T, b *bed) {
			b.api.askStep(1, "pay")
			b.api.add("run_action", client.Running, "")
			c := b.call(Person{}, 40)
			c.SkipHistory = skip
			o := c.Observer.(*fakeObserver)
			time.AfterFunc(20*time.Second, func() {
				b.api.add("step", client.Running, `,"step":{"text":"x"}`)
				b.api.add("step", client.Running, `,"step":{"text":"y"}`)
			})
			if r := b.follow(t, c); r.End != TimeUp || r.State.Last != 5 {
				t.Errorf("%+v", r)
			}
			if got := fmt.Sprint(o.events); got != want || !slices.Equal(o.tokens, []string{"approve-link-1", "deny-link-1"}) {
				t.Errorf("skip %t: events %s, tokens %v", skip, got, o.tokens)
			}
			if got := fmt.Sprint(o.silent); got != "[15s RUNNING false 35s RUNNING false]" {
				t.Errorf("heartbeats %s", got)
			}
		})
	}
	inBubble(t, func(t *testing.T, b *bed) {
		c := b.call(Person{}, 5)
		c.SkipHistory, c.After = true, 100
		if b.follow(t, c); len(c.Observer.(*fakeObserver).events) != 0 {
			t.Error("an event before the cursor")
		}
	})
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		c := b.call((&fakePerson{after: time.Hour}).person("p"), 30)
		b.follow(t, c)
		if got := fmt.Sprint(c.Observer.(*fakeObserver).silent); got != "[15s PAUSED true]" {
			t.Errorf("heartbeats while asking, none at the deadline: %s", got)
		}
	})
}

// TestAuthorization: the person is sent to the link once. Their client is told when
// the run has gone on.
func TestAuthorization(t *testing.T) {
	required := func(b *bed, url string) {
		b.api.add("authentication", client.AuthRequired, fmt.Sprintf(`,"auth":{"status":"required","url":%q,"integrationName":"Mail"}`, url))
	}
	inBubble(t, func(t *testing.T, b *bed) {
		p := &fakePerson{after: 2 * time.Second, answer: Answer{Action: Accept}}
		required(b, "https://x/a")
		time.AfterFunc(5*time.Second, func() { b.api.add("authentication", client.Running, `,"auth":{"status":"success"}`) })
		time.AfterFunc(6*time.Second, func() { b.api.add("step", client.Running, `,"step":{"text":"x"}`) })
		time.AfterFunc(7*time.Second, func() { b.api.add("step", client.Running, `,"step":{"text":"y"}`) })
		r := b.follow(t, b.call(p.person("p"), 10))
		if r.End != TimeUp || statusOf(r) != Opened || r.Outcome.Kind != Authorization || r.LinkOpened != 2 || p.asked() != 1 {
			t.Fatalf("%+v, asked %d times", r, p.asked())
		}
		q := p.questions[0]
		if q.URL != "https://x/a" || q.Kind != Authorization || !strings.Contains(q.Message, `"Mail"`) || !slices.Equal(p.completed, []string{q.ID}) {
			t.Errorf("%+v, completed %v", q, p.completed)
		}
		required(b, "https://x/b")
		if r = b.follow(t, b.call(p.person("p"), 10)); p.asked() != 2 || r.LinkOpened != 6 || len(p.completed) != 1 {
			t.Errorf("the next authorisation: %+v, asked %d times, completed %v", r, p.asked(), p.completed)
		}
	})
	for name, change := range map[string]func(*Call){
		"no links":          func(c *Call) { c.Person.Links = false },
		"no link to open":   func(c *Call) { c.LinkOf = func(*client.Auth) string { return "" } },
		"one approval only": func(c *Call) { c.Only = "an approval" },
	} {
		inBubble(t, func(t *testing.T, b *bed) {
			p := &fakePerson{}
			required(b, "https://x/a")
			c := b.call(p.person("p"), 10)
			change(&c)
			if r := b.follow(t, c); r.End != NeedsPerson || p.asked() != 0 {
				t.Errorf("%s: %+v, asked %d times", name, r, p.asked())
			}
		})
	}
	inBubble(t, func(t *testing.T, b *bed) {
		p := &fakePerson{after: 2 * time.Second, answer: decline}
		required(b, "https://x/a")
		for i := range 3 {
			if r := b.follow(t, b.call(p.person("p"), 10)); r.End != NeedsPerson || statusOf(r) != Declined || r.Outcome.Before != (i > 0) || p.asked() != 1 {
				t.Errorf("refused: %+v, %+v, asked %d times", r, r.Outcome, p.asked())
			}
		}
	})
}

// TestAuthorizationIsJoined: a later call waits for the open question.
func TestAuthorizationIsJoined(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.add("authentication", client.AuthRequired, `,"auth":{"status":"required","url":"https://x/a"}`)
		p := &fakePerson{after: 8 * time.Second, answer: Answer{Action: Accept}}
		if r := b.follow(t, b.call(p.person("p"), 5)); statusOf(r) != Open || r.Outcome.Kind != Authorization || r.Outcome.EventID != 2 {
			t.Errorf("%+v", r.Outcome)
		}
		if r := b.follow(t, b.call(p.person("p"), 5)); statusOf(r) != Opened || p.asked() != 1 || len(p.completed) != 0 {
			t.Errorf("%+v, asked %d times, completed %v", r.Outcome, p.asked(), p.completed)
		}
	})
}

// TestAuthorizationIsWithdrawn: the question is withdrawn when the run goes on, or
// needs another authorisation.
func TestAuthorizationIsWithdrawn(t *testing.T) {
	for name, tt := range map[string]struct {
		status client.Status
		fields string
		asked  int
	}{
		"the run goes on":       {client.Running, `,"auth":{"status":"success"}`, 1},
		"another authorisation": {client.AuthRequired, `,"auth":{"status":"required","url":"https://x/b"}`, 2},
	} {
		inBubble(t, func(t *testing.T, b *bed) {
			b.api.add("authentication", client.AuthRequired, `,"auth":{"status":"required","url":"https://x/a"}`)
			time.AfterFunc(5*time.Second, func() { b.api.add("authentication", tt.status, tt.fields) })
			p := &fakePerson{after: time.Hour}
			r := b.follow(t, b.call(p.person("p"), 10))
			if !errors.Is(p.cause(), errGone) || p.asked() != tt.asked || (statusOf(r) == Open) != (tt.asked == 2) {
				t.Errorf("%s: %+v, withdrawn: %v, asked %d times", name, r.Outcome, p.cause(), p.asked())
			}
		})
	}
}

// TestDroppedEvents: events that the feed has dropped are read from the API. If that
// takes long, heartbeats are sent and the call ends in time. If it fails, the call
// fails.
func TestDroppedEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		for range 300 {
			b.api.add("status", client.Running, "")
		}
		watch := b.Feeds.Watch(alice, runID, 0)
		defer watch.Close()
		time.Sleep(time.Second)
		c := b.call(Person{}, 1)
		b.follow(t, c)
		if n := len(c.Observer.(*fakeObserver).events); n != 301 {
			t.Errorf("%d events", n)
		}
		b.api.set(func() { b.api.frozen = true })
		c = b.call(Person{}, 20)
		began := time.Now()
		r := b.follow(t, c)
		if silent := c.Observer.(*fakeObserver).silent; r.End != TimeUp || time.Since(began) != 20*time.Second || len(silent) != 1 {
			t.Errorf("%+v after %v, heartbeats %v", r, time.Since(began), silent)
		}
		b.api.set(func() { b.api.frozen, b.api.failure = false, 404 })
		if _, err := b.Follow(t.Context(), b.call(Person{}, 20)); client.KindOf(err) != client.NotFound {
			t.Error(err)
		}
	})
}

// TestQuestionsOfOneCall: a call asks eight questions at most.
func TestQuestionsOfOneCall(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		p := &fakePerson{answer: approve}
		for n := range 9 {
			b.api.askStep(n, "pay")
		}
		r := b.follow(t, b.call(p.person("p"), 60))
		if r.End != NeedsPerson || statusOf(r) != TooMany || p.asked() != 8 || len(b.api.sent()) != 8 {
			t.Errorf("%+v, asked %d times, sent %v", r.Outcome, p.asked(), b.api.sent())
		}
		if r = b.follow(t, b.call(p.person("p"), 60)); p.asked() != 9 || statusOf(r) != Sent || r.End != TimeUp {
			t.Errorf("the next call: %+v, asked %d times", r, p.asked())
		}
	})
}

// TestWithoutDeadline: a call without a deadline waits until the person answers.
func TestWithoutDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		id := b.follow(t, b.call(Person{}, 5)).State.Pending[0].ID
		p := &fakePerson{after: 10 * time.Minute, answer: approve}
		c := b.call(p.person("p"), 0)
		c.Deadline, c.Only = time.Time{}, id
		began := time.Now()
		if r := b.follow(t, c); statusOf(r) != Sent || r.End != NeedsPerson || time.Since(began) != 10*time.Minute {
			t.Errorf("%+v after %v", r, time.Since(began))
		}
		if n := len(c.Observer.(*fakeObserver).silent); n != 39 && n != 40 {
			t.Errorf("%d heartbeats in 10 minutes", n)
		}
	})
}

// TestFrozenRun: if the run cannot be read, a call that wants to ask ends one second
// after its deadline.
func TestFrozenRun(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		watch := b.Feeds.Watch(alice, runID, 0)
		defer watch.Close()
		time.Sleep(time.Second)
		b.api.set(func() { b.api.frozen = true })
		began := time.Now()
		r := b.follow(t, b.call((&fakePerson{}).person("p"), 5))
		if statusOf(r) != NotAsked || r.Outcome.Kind != Decision || r.Outcome.Err == nil || time.Since(began) != 6*time.Second {
			t.Errorf("%+v after %v", r.Outcome, time.Since(began))
		}
	})
}

// TestDecidedElsewhere: an approval that the stored run no longer has is not asked
// about, even if the stream still has it.
func TestDecidedElsewhere(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		watch := b.Feeds.Watch(alice, runID, 0)
		defer watch.Close()
		time.Sleep(time.Second)
		b.api.change(1, "PENDING", "APPROVED")
		p := &fakePerson{}
		c := b.call(p.person("p"), 5)
		if r := b.follow(t, c); r.End != TimeUp || r.Outcome != nil || p.asked() != 0 {
			t.Errorf("%+v, asked %d times", r, p.asked())
		}
		c = b.call(p.person("p"), 5)
		c.Only = c.Person.Name
		if r := b.follow(t, c); statusOf(r) != Gone || r.Outcome.Subject != c.Only {
			t.Errorf("an unknown one: %+v", r.Outcome)
		}
	})
}
