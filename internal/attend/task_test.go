package attend

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
)

// task returns the run as a task of a person's client.
func (b *bed) task(caller client.Caller, p Person) Task {
	return Task{Caller: caller, RunID: runID, Person: p, LinkOf: func(a *client.Auth) string { return a.URL }}
}

// read returns the run as it is now.
func (b *bed) read(t *testing.T) feed.Snapshot {
	t.Helper()
	s, err := b.Feeds.Snapshot(t.Context(), alice, runID, feed.Wanted{Decidable: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keys returns the keys of what a task asks, and why it does not ask, "" where it does.
func (b *bed) keys(t *testing.T, task Task) (keys []string, why Status) {
	t.Helper()
	asked, notAsked := b.TaskQuestions(t.Context(), task, b.read(t))
	for _, q := range asked {
		keys = append(keys, q.Key)
	}
	if notAsked != nil {
		why = notAsked.Status
	}
	return keys, why
}

// key returns the key of the one question of a task.
func (b *bed) key(t *testing.T, task Task) string {
	t.Helper()
	keys, why := b.keys(t, task)
	if len(keys) != 1 {
		t.Fatalf("%d questions, %s", len(keys), why)
	}
	return keys[0]
}

// answer brings an answer to a task.
func (b *bed) answer(t *testing.T, task Task, key string, answer Answer) {
	t.Helper()
	if err := b.AnswerTask(t.Context(), task, b.read(t), map[string]Answer{key: answer}); err != nil {
		t.Error(err)
	}
}

// TestTaskKeys: a key stays as long as its question does. It is another one for another
// caller, user, run's need or content, and after an answer.
func TestTaskKeys(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		mine := b.task(alice, stateless("client"))
		first := b.key(t, mine)
		if again := b.key(t, b.task(alice, stateless("another client"))); again != first {
			t.Errorf("%s, then %s", first, again)
		}
		replica := New(b.Options)
		defer replica.Close()
		if asked, _ := replica.TaskQuestions(t.Context(), mine, b.read(t)); len(asked) != 1 || asked[0].Key != first {
			t.Errorf("a replica asks %+v", asked)
		}
		seen := map[string]string{first: "the first"}
		check := func(what, key string) {
			if seen[key] != "" {
				t.Errorf("%s has the key of %s", what, seen[key])
			}
			seen[key] = what
		}
		check("another key", b.key(t, b.task(client.Caller{Key: "bob", UserID: alice.UserID}, stateless("client"))))
		check("another user", b.key(t, b.task(client.Caller{Key: alice.Key, UserID: "bob"}, stateless("client"))))
		b.api.change(1, "pay", "pay_more")
		check("other content", b.key(t, mine))
		b.answer(t, mine, first, approve) // superseded
		if len(b.api.sent()) != 0 {
			t.Errorf("sent %v", b.api.sent())
		}
		b.api.change(1, "pay_more", "pay")
		b.answer(t, mine, first, decline)
		time.Sleep(refusalLifetime)
		check("after a refusal", b.key(t, mine))
	})
}

// TestTaskKeyOfCutContent: content that the question has no room for counts, too.
func TestTaskKeyOfCutContent(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.add("step", client.Paused, strings.Replace(stepFields(1, "pay"), `"toolParameters":{}`, `"toolParameters":{"x":"`+strings.Repeat("x", 10_000)+`end"}`, 1))
		task := b.task(alice, stateless("client"))
		first, _ := b.TaskQuestions(t.Context(), task, b.read(t))
		b.api.change(1, "xend", "xEND")
		second, _ := b.TaskQuestions(t.Context(), task, b.read(t))
		if len(first) != 1 || len(second) != 1 || first[0].Message != second[0].Message || first[0].Key == second[0].Key {
			t.Errorf("%+v, then %+v", first, second)
		}
	})
}

// TestTaskAnswers: what came of an answer, and whether the client declined by itself.
func TestTaskAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer Answer
		after  time.Duration
		want   Status
		atOnce bool
		sent   int
	}{
		"approve":          {approve, 0, "", false, 1},
		"deny":             {deny, time.Second, "", false, 1},
		"decline":          {decline, 2 * time.Second, Declined, false, 0},
		"decline at once":  {decline, 0, Declined, true, 0},
		"cancel":           {cancel, 2 * time.Second, Canceled, false, 0},
		"without a choice": {Answer{Action: Accept}, 0, NoChoice, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bed) {
				b.api.askStep(1, "pay")
				task := b.task(alice, stateless("client"))
				key := b.key(t, task)
				time.Sleep(tt.after)
				b.answer(t, task, key, tt.answer)
				asked, notAsked := b.TaskQuestions(t.Context(), task, b.read(t))
				if len(asked) != 0 || len(b.api.sent()) != tt.sent || (notAsked == nil) != (tt.want == "") {
					t.Fatalf("asks %+v, not %+v, sent %v", asked, notAsked, b.api.sent())
				}
				if notAsked != nil && (notAsked.Status != tt.want || notAsked.AtOnce != tt.atOnce) {
					t.Errorf("%+v", *notAsked)
				}
				b.answer(t, task, key, approve) // used
				if len(b.api.sent()) != tt.sent {
					t.Errorf("sent %v", b.api.sent())
				}
			})
		})
	}
}

// TestTaskAnswersMeet: of two answers under one key that come at a time, one counts.
func TestTaskAnswersMeet(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		b.api.slow = 3 * time.Second
		task := b.task(alice, stateless("client"))
		key, snapshot := b.key(t, task), b.read(t)
		done := make(chan error)
		go func() { done <- b.AnswerTask(t.Context(), task, snapshot, map[string]Answer{key: deny}) }()
		time.Sleep(time.Second)
		if _, why := b.keys(t, task); why != "" && why != Sending { // "": it is decided
			t.Errorf("while the decision is sent: %s", why)
		}
		b.answer(t, task, key, approve)
		if err := <-done; err != nil || len(b.api.sent()) != 1 {
			t.Errorf("%v, sent %v", err, b.api.sent())
		}
	})
}

// TestTaskAndCall: while a task asks, a stateless call does not, and the other way round.
func TestTaskAndCall(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		task := b.task(alice, stateless("client"))
		key := b.key(t, task)
		if r := b.follow(t, b.call(stateless("client"), 5)); statusOf(r) != AskedElsewhere {
			t.Errorf("a call while the task asks: %+v", r)
		}
		time.Sleep(roundTimeout)
		b.round(t, b.call(stateless("client"), 5))
		if _, why := b.keys(t, task); why != AskedElsewhere {
			t.Errorf("the task while a call asks: %s", why)
		}
		time.Sleep(roundTimeout)
		if again := b.key(t, task); again != key {
			t.Errorf("asked by %s, then by %s", key, again)
		}
	})
}

// TestTaskLink: a link that was opened is not asked for again, another one is.
func TestTaskLink(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.add("authentication", client.AuthRequired, `,"auth":{"status":"required","url":"https://auth.test/one","integrationName":"Jira"}`)
		task := b.task(alice, stateless("client"))
		b.answer(t, task, b.key(t, task), Answer{Action: Accept})
		if keys, why := b.keys(t, task); len(keys) != 0 || why != Opened {
			t.Errorf("%s, %s", keys, why)
		}
		b.api.add("authentication", client.AuthRequired, `,"auth":{"status":"required","url":"https://auth.test/two","integrationName":"Jira"}`)
		b.key(t, task)
	})
}

// TestAskTask: the person at a stateful client is asked in the background, once. A call
// of the session joins. A client that could not be asked refused nothing.
func TestAskTask(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		absent := &fakePerson{err: errors.New("no stream"), after: time.Millisecond}
		b.AskTask(t.Context(), b.task(alice, absent.person("session")), b.read(t))
		time.Sleep(time.Second)
		p := &fakePerson{answer: approve, after: 10 * time.Second}
		task := b.task(alice, p.person("session"))
		for range 3 {
			b.AskTask(t.Context(), task, b.read(t))
		}
		if _, why := b.keys(t, task); why != Open {
			t.Errorf("while the question is open: %s", why)
		}
		r := b.follow(t, b.call(p.person("session"), 30))
		if statusOf(r) != Sent || absent.asked() != 1 || p.asked() != 1 || len(b.api.sent()) != 1 {
			t.Errorf("%+v, asked %d times, sent %v", r, p.asked(), b.api.sent())
		}
	})
}

// TestTaskOfAClosedAttendant: an answer is refused, not lost.
func TestTaskOfAClosedAttendant(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		task := b.task(alice, stateless("client"))
		key, snapshot := b.key(t, task), b.read(t)
		b.Close()
		if err := b.AnswerTask(context.Background(), task, snapshot, map[string]Answer{key: approve}); err == nil {
			t.Error("no error")
		}
	})
}
