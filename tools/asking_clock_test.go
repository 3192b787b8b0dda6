package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/sandbox"
)

// asking is a server in a bubble of its own time, and a run that waits for a
// person.
type asking struct {
	*handlers
	box   *sandbox.Sandbox
	runID client.RunID
	first *call // of the first session
}

// bubbles runs a test in a bubble for a client of each era: who answers as said.
// modern calls are answered at once.
func askingBubble(t *testing.T, who *slowPerson, front func(http.Handler) http.Handler, test func(t *testing.T, a *asking)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		box := sandbox.New(sandbox.Options{})
		defer box.Close()
		api := http.Handler(box)
		if front != nil {
			api = front(api)
		}
		s, c := bubble(t, api, who)
		run, err := s.createRun(t.Context(), c, createRunArgs{Intent: "x", Context: "sandbox: steps=1", ApprovalStrategy: "ON_START"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) // then it waits
		test(t, &asking{s, box, run.RunID, c})
		s.Attend.Close()
	})
}

// session returns a call of another session of the same key.
func (a *asking) session(name string, who *slowPerson) *call {
	who.name, who.notes = name, make(chan mcp.JSONRPCNotification, 10_000)
	c := a.again(a.first)
	c.session, c.personName, c.progress = who, "session "+name, newProgress(who, mcp.CallToolRequest{})
	return c
}

func (a *asking) wait(t *testing.T, c *call, seconds int) RunResult {
	t.Helper()
	c = a.again(c)
	got, err := a.getRun(t.Context(), c, getRunArgs{RunID: a.runID, WaitSeconds: seconds})
	if err != nil {
		t.Errorf("get_run: %v", err)
	}
	if took := time.Since(c.at); took > time.Duration(seconds+5)*time.Second {
		t.Errorf("a wait of %d s took %v", seconds, took)
	}
	return got
}

// TestAnswerInTheLastMoment of a call is neither lost nor sent twice, and told once.
func TestAnswerInTheLastMoment(t *testing.T) {
	for takes := 8800 * time.Millisecond; takes <= 10200*time.Millisecond; takes += 100 * time.Millisecond {
		for _, decision := range []string{"approve", "deny"} {
			who := &slowPerson{takes: takes, decision: decision}
			askingBubble(t, who, nil, func(t *testing.T, a *asking) {
				told := 0
				for range 3 {
					if got := a.wait(t, a.first, 10); strings.Contains(got.Summary, "The decision to "+decision+" was accepted") {
						told++
					}
				}
				if d := a.box.Decisions(string(a.runID)); len(d) != 1 || string(d[0]) != decision || told != 1 || len(who.messages) != 1 {
					t.Errorf("after %v: %v sent, told %d times, asked %d times", takes, d, told, len(who.messages))
				}
			})
		}
	}
}

// TestSilence is no decision, and is not asked again by a waiting call.
func TestSilence(t *testing.T) {
	who := &slowPerson{silent: 5 * time.Minute}
	askingBubble(t, who, nil, func(t *testing.T, a *asking) {
		got := a.wait(t, a.first, 45)
		if !strings.Contains(got.Summary, "The user is being asked") || !strings.Contains(got.NextStep, "call get_run with runId and waitSeconds 45 now") {
			t.Errorf("%q, %q", got.Summary, got.NextStep)
		}
		for range 5 {
			got = a.wait(t, a.first, 45)
		}
		time.Sleep(2 * time.Minute)
		got = a.wait(t, a.first, 45)
		if len(who.messages) != 1 || !strings.Contains(got.Summary, "did not decide: no answer came in time") && !strings.Contains(got.Summary, "asked to decide before") || got.NextStep != a.undecidedStep(a.runID) {
			t.Errorf("asked %d times: %q, %q", len(who.messages), got.Summary, got.NextStep)
		}
	})
}

// TestRefusalIsRemembered for an hour, by session and by content; the approve tool
// asks again, three times an hour.
func TestRefusalIsRemembered(t *testing.T) {
	who := &slowPerson{takes: 2 * time.Second}
	askingBubble(t, who, nil, func(t *testing.T, a *asking) {
		got := a.wait(t, a.first, 20)
		if !strings.Contains(got.Summary, "they declined to answer") || got.NextStep != a.undecidedStep(a.runID) {
			t.Errorf("%q, %q", got.Summary, got.NextStep)
		}
		for range 3 {
			if got = a.wait(t, a.first, 20); got.NextStep != a.undecidedStep(a.runID) || got.WaitEnded != attend.NeedsPerson {
				t.Errorf("%q, %q", got.Summary, got.NextStep)
			}
		}
		if got := a.wait(t, a.first, 0); !strings.HasPrefix(got.NextStep, a.undecidedStep(a.runID)) {
			t.Errorf("a look: %q", got.NextStep)
		}
		if len(who.messages) != 1 {
			t.Errorf("asked %d times by waiting", len(who.messages))
		}
		for i := range 4 {
			_, err := a.askApproval(t.Context(), a.again(a.first), askArgs{RunID: a.runID})
			if (err != nil) != (i == 3) {
				t.Errorf("approve %d: %v", i+1, err)
			}
			if err != nil && (!strings.Contains(err.Error(), "3 times within an hour") || !strings.HasPrefix(err.Error(), "conflict")) {
				t.Error(err)
			}
		}
		other := &slowPerson{takes: 2 * time.Second}
		if a.wait(t, a.session("other", other), 20); len(other.messages) != 1 {
			t.Errorf("another session was asked %d times", len(other.messages))
		}
		time.Sleep(time.Hour)
		if a.wait(t, a.first, 20); len(who.messages) != 5 {
			t.Errorf("asked %d times, want once more after an hour", len(who.messages))
		}
	})
}

// TestManyCallsOneQuestion: 60 calls that wait for one approval put one question,
// and all go on by its answer.
func TestManyCallsOneQuestion(t *testing.T) {
	for _, decision := range []string{"approve", "deny", ""} {
		who := &slowPerson{takes: 5 * time.Second, decision: decision}
		askingBubble(t, who, nil, func(t *testing.T, a *asking) {
			ended := make(chan RunResult, 61)
			for range 60 {
				go func() { ended <- a.wait(t, a.first, 30) }()
			}
			go func() {
				got, err := a.askApproval(t.Context(), a.again(a.first), askArgs{RunID: a.runID})
				if err != nil {
					t.Error(err, errors.Unwrap(err))
				}
				ended <- got
			}()
			says := map[string]string{"": "they declined to answer"}[decision]
			if decision != "" {
				says = "The decision to " + decision + " was accepted"
			}
			for range 61 {
				if got := <-ended; !strings.Contains(got.Summary, says) {
					t.Errorf("%s: %q", decision, got.Summary)
				}
			}
			if n := len(a.box.Decisions(string(a.runID))); len(who.messages) != 1 || n != min(1, len(decision)) {
				t.Errorf("%s: asked %d times, %d sent", decision, len(who.messages), n)
			}
		})
	}
}

// TestSessionsOfOneKey are all asked; the first decision wins, and the others'
// questions are withdrawn.
func TestSessionsOfOneKey(t *testing.T) {
	fast, slow := &slowPerson{takes: 5 * time.Second, decision: "approve"}, &slowPerson{takes: 20 * time.Second, decision: "deny"}
	askingBubble(t, fast, nil, func(t *testing.T, a *asking) {
		ended := make(chan RunResult, 2)
		go func() { ended <- a.wait(t, a.first, 30) }()
		go func() { ended <- a.wait(t, a.session("other", slow), 30) }()
		for range 2 {
			if got := <-ended; got.Status != "SUCCESS" {
				t.Errorf("%s: %q", got.Status, got.Summary)
			}
		}
		if d := a.box.Decisions(string(a.runID)); len(d) != 1 || len(fast.messages) != 1 || len(slow.messages) != 1 || slow.withdrawn != 1 {
			t.Errorf("sent %v, asked %d and %d times, %d withdrawn", d, len(fast.messages), len(slow.messages), slow.withdrawn)
		}
	})
}

// TestWithdrawn: the question goes when the run no longer waits, and when its call
// is cancelled and no other waits for it.
func TestWithdrawn(t *testing.T) {
	elsewhere := func(a *asking, d string) {
		token := tokenOf(t, a, d)
		if err := a.API.Approve(context.Background(), caller, token); err != nil {
			t.Error(err)
		}
	}
	for name, do := range map[string]func(a *asking, cancel func()){
		"decided elsewhere": func(a *asking, _ func()) { elsewhere(a, "approve") },
		"denied elsewhere":  func(a *asking, _ func()) { elsewhere(a, "deny") },
		"aborted":           func(a *asking, _ func()) { _ = a.API.AbortRun(context.Background(), caller, a.runID) },
		"cancelled":         func(_ *asking, cancel func()) { cancel() },
	} {
		who := &slowPerson{takes: time.Hour, decision: "approve"}
		askingBubble(t, who, nil, func(t *testing.T, a *asking) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(5*time.Second, func() { do(a, cancel) })
			began := time.Now()
			_, err := a.getRun(ctx, a.again(a.first), getRunArgs{RunID: a.runID, WaitSeconds: 30})
			if took := time.Since(began); (err != nil) != (name == "cancelled") || took > 20*time.Second || len(who.messages) != 1 || who.withdrawn != 1 {
				t.Errorf("%s: after %v asked %d times, %d withdrawn: %v", name, took, len(who.messages), who.withdrawn, err)
			}
		})
	}
}

// TestWithdrawnWhileTheRunGoesOn: a decision made elsewhere takes the question away,
// however long the run goes on.
func TestWithdrawnWhileTheRunGoesOn(t *testing.T) {
	who := &slowPerson{takes: time.Hour}
	askingBubble(t, who, nil, func(t *testing.T, a *asking) {
		run, err := a.createRun(t.Context(), a.again(a.first), createRunArgs{Intent: "x", Context: "sandbox: steps=1 queue_ms=0 step_ms=600000", ApprovalStrategy: "ON_START"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		a.runID = run.RunID
		time.Sleep(10 * time.Second)
		ended := make(chan RunResult, 1)
		go func() { ended <- a.wait(t, a.first, 30) }()
		time.Sleep(5 * time.Second)
		if err := a.API.Approve(t.Context(), caller, tokenOf(t, a, "approve")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(who.messages) != 1 || who.withdrawn != 1 {
			t.Errorf("asked %d times, %d withdrawn", len(who.messages), who.withdrawn)
		}
		if got := <-ended; got.Status != "RUNNING" {
			t.Errorf("%s: %q", got.Status, got.Summary)
		}
	})
}

// TestCancelledButJoined: a question stays open as long as a call waits for it.
func TestCancelledButJoined(t *testing.T) {
	who := &slowPerson{takes: 15 * time.Second, decision: "approve"}
	askingBubble(t, who, nil, func(t *testing.T, a *asking) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = a.getRun(ctx, a.again(a.first), getRunArgs{RunID: a.runID, WaitSeconds: 30}) }()
		time.Sleep(2 * time.Second)
		time.AfterFunc(3*time.Second, cancel)
		if got := a.wait(t, a.first, 30); got.Status != "SUCCESS" || who.withdrawn != 0 || len(who.messages) != 1 {
			t.Errorf("%s, %d withdrawn, %d asked", got.Status, who.withdrawn, len(who.messages))
		}
	})
}

// TestDecisionIsKept while the API cannot be read: the call returns in time, and
// the decision is sent once as soon as it can be.
func TestDecisionIsKept(t *testing.T) {
	var down atomic.Bool
	front := func(box http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if down.Load() && !strings.HasSuffix(r.URL.Path, "/approval") {
				http.Error(w, "", http.StatusServiceUnavailable)
				return
			}
			box.ServeHTTP(w, r)
		})
	}
	for _, back := range []bool{true, false} {
		who := &slowPerson{takes: 5 * time.Second, decision: "approve"}
		askingBubble(t, who, front, func(t *testing.T, a *asking) {
			time.AfterFunc(4*time.Second, func() { down.Store(true) })
			c := a.again(a.first)
			_, err := a.askApproval(t.Context(), c, askArgs{RunID: a.runID})
			if took := time.Since(c.at); err == nil || took > 50*time.Second || c.decisionNote() != "the user has decided, and the decision is being sent" {
				t.Errorf("after %v: %v, %q", took, err, c.decisionNote())
			}
			if back {
				down.Store(false)
			}
			time.Sleep(3 * time.Minute)
			down.Store(false)
			got := a.wait(t, a.first, 0)
			want, n := "The decision to approve was not sent, for what the run waits for could not be read again: upstream_unavailable.", 0
			if back {
				want, n = "The decision to approve was accepted by the API.", 1
			}
			if len(a.box.Decisions(string(a.runID))) != n || !strings.HasPrefix(got.Summary, want) {
				t.Errorf("back %t: %v sent, %q", back, a.box.Decisions(string(a.runID)), got.Summary)
			}
		})
	}
}

// TestFrozenAPI: whatever the API does not answer, a call is answered in time.
func TestFrozenAPI(t *testing.T) {
	for name, frozen := range map[string]func(r *http.Request) bool{
		"all":        func(*http.Request) bool { return true },
		"reads":      func(r *http.Request) bool { return !strings.HasSuffix(r.URL.Path, "/sse") },
		"the stream": func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/sse") },
		"plans":      func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/execution-plans/") },
		"decisions":  func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/approval") },
	} {
		for _, after := range []time.Duration{0, 3 * time.Second} { // before the person is asked, or while they are
			var freeze atomic.Bool
			front := func(box http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if freeze.Load() && frozen(r) {
						<-r.Context().Done()
						return
					}
					box.ServeHTTP(w, r)
				})
			}
			who := &slowPerson{takes: 6 * time.Second, decision: "approve"}
			askingBubble(t, who, front, func(t *testing.T, a *asking) {
				time.AfterFunc(after, func() { freeze.Store(true) })
				synctest.Wait()
				for tool, call := range map[string]func(*call) error{
					"get_run": func(c *call) error {
						_, err := a.getRun(t.Context(), c, getRunArgs{RunID: a.runID, WaitSeconds: 10})
						return err
					},
					"get_run at once": func(c *call) error {
						_, err := a.getRun(t.Context(), c, getRunArgs{RunID: a.runID})
						return err
					},
					"approve by the model": func(c *call) error {
						_, err := a.approve(t.Context(), c, approveArgs{RunID: a.runID, Decision: "deny"})
						return err
					},
					"create_run": func(c *call) error {
						_, err := a.createRun(t.Context(), c, createRunArgs{Intent: "x", ApprovalStrategy: "ON_START", WaitSeconds: 45}, nil)
						return err
					},
					"approve": func(c *call) error {
						_, err := a.askApproval(t.Context(), c, askArgs{RunID: a.runID})
						return err
					},
				} {
					c := a.again(a.first)
					err := call(c)
					limit := map[string]time.Duration{"get_run": 15 * time.Second, "get_run at once": 5 * time.Second}[tool]
					limit = cmp.Or(limit, 50*time.Second)
					if took := time.Since(c.at); took > limit {
						t.Errorf("%s frozen after %v: %s took %v: %v", name, after, tool, took, err)
					}
				}
				freeze.Store(false)
				time.Sleep(5 * time.Minute) // what is under way ends
			})
		}
	}
}

// TestClientThatReadsNothing holds up no call beyond its time.
func TestClientThatReadsNothing(t *testing.T) {
	who := &slowPerson{takes: time.Hour}
	askingBubble(t, who, nil, func(t *testing.T, a *asking) {
		who.notes = make(chan mcp.JSONRPCNotification) // nobody receives
		ctx := server.NewMCPServer("test", "1").WithContext(client.WithCaller(t.Context(), caller), who)
		c, err := a.newCall(ctx, "create_run", mcp.CallToolRequest{Params: mcp.CallToolParams{Meta: &mcp.Meta{ProgressToken: "p"}}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.getRun(ctx, c, getRunArgs{RunID: a.runID, AfterEventID: new(int64), WaitSeconds: 10})
		if took := time.Since(c.at); err != nil || took > 15*time.Second || got.Status != "PAUSED" {
			t.Errorf("after %v: %s, %v", took, got.Status, err)
		}
	})
}

// TestCancelledByTheClient: some clients take a question away when their model's turn
// ends. Nobody refused it: the next waiting call asks again.
func TestCancelledByTheClient(t *testing.T) {
	who := &slowPerson{takes: 20 * time.Second, cancels: true}
	askingBubble(t, who, nil, func(t *testing.T, a *asking) {
		a.wait(t, a.first, 10)
		time.Sleep(20 * time.Second) // then it is taken away
		synctest.Wait()
		who.cancels, who.decision = false, "approve"
		if got := a.wait(t, a.first, 30); got.Status != "SUCCESS" || len(who.messages) != 2 {
			t.Errorf("asked %d times: %s, %q", len(who.messages), got.Status, got.Summary)
		}
	})
	// Who dismisses it while a call waits has refused.
	who = &slowPerson{takes: 5 * time.Second, cancels: true}
	askingBubble(t, who, nil, func(t *testing.T, a *asking) {
		for range 2 {
			if got := a.wait(t, a.first, 10); got.NextStep != a.undecidedStep(a.runID) || len(who.messages) != 1 {
				t.Errorf("asked %d times: %q", len(who.messages), got.NextStep)
			}
		}
	})
}

// TestUnaskable: where the client answers with an error it could not ask; nobody is
// said to have been.
func TestUnaskable(t *testing.T) {
	who := &slowPerson{takes: time.Second, fails: fmt.Errorf("no")}
	askingBubble(t, who, nil, func(t *testing.T, a *asking) {
		for range 2 {
			got := a.wait(t, a.first, 20)
			if strings.Contains(got.Summary, "user was asked") || !strings.HasPrefix(got.NextStep, "Tell the user to decide ") || got.WaitEnded != attend.NeedsPerson {
				t.Errorf("%q, %q", got.Summary, got.NextStep)
			}
		}
		if len(who.messages) != 1 {
			t.Errorf("asked %d times", len(who.messages))
		}
	})
}

func tokenOf(t *testing.T, a *asking, decision string) string {
	run, err := a.API.GetRun(context.Background(), caller, a.runID, true)
	if err != nil {
		t.Error(err)
		return ""
	}
	for _, e := range run.Events {
		for _, link := range e.ApprovalActions {
			if strings.EqualFold(link.Action, decision) {
				return link.Token()
			}
		}
	}
	t.Error("no token")
	return ""
}

// TestApproveAfterALateAnswer tells what came of it, and asks nobody.
func TestApproveAfterALateAnswer(t *testing.T) {
	who := &slowPerson{takes: 20 * time.Second, decision: "deny"}
	askingBubble(t, who, nil, func(t *testing.T, a *asking) {
		a.wait(t, a.first, 10)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		got, err := a.askApproval(t.Context(), a.again(a.first), askArgs{RunID: a.runID})
		if err != nil || !strings.HasPrefix(got.Summary, "The decision to deny was accepted by the API.") || len(who.messages) != 1 {
			t.Errorf("asked %d times: %q, %v", len(who.messages), got.Summary, err)
		}
	})
}

// TestRoundThatIsLost keeps other calls from asking for a minute, and no longer.
func TestRoundThatIsLost(t *testing.T) {
	who := &slowPerson{}
	askingBubble(t, who, nil, func(t *testing.T, a *asking) {
		asks := func(seconds int) (bool, time.Duration) {
			c := a.again(a.first)
			c.modern, c.personName = true, "client test"
			_, err := a.getRun(t.Context(), c, getRunArgs{RunID: a.runID, WaitSeconds: seconds})
			_, round := errors.AsType[*attend.Round](err)
			return round, time.Since(c.at)
		}
		if round, _ := asks(45); !round {
			t.Fatal("not asked")
		}
		if round, took := asks(45); round || took < 45*time.Second {
			t.Errorf("asked again: %t, after %v", round, took)
		}
		if round, took := asks(45); !round || took > 16*time.Second {
			t.Errorf("asked after a minute: %t, after %v", round, took)
		}
	})
}

// TestLinkThatIsOpenStill: a later call joins the question whose link the person has
// not opened yet, whatever its cursor.
func TestLinkThatIsOpenStill(t *testing.T) {
	who := &slowPerson{takes: 20 * time.Second, decision: "approve"} // accepts
	askingBubble(t, who, nil, func(t *testing.T, a *asking) {
		a.AskAuthorization = true
		c := a.again(a.first)
		c.canElicit = &mcp.ElicitationCapability{Form: &struct{}{}, URL: &struct{}{}}
		a.first = c
		run, err := a.createRun(t.Context(), c, createRunArgs{Intent: "x", Context: "sandbox: steps=1 queue_ms=0 step_ms=1 auth=required auth_ms=60000", WaitSeconds: 10}, nil)
		if err != nil || !strings.Contains(run.Summary, "is being asked to open the link") || run.Authorization == nil || run.Authorization.URL != "" {
			t.Fatalf("%+v, %v", run, err)
		}
		beyond := run.LastEventID
		got, err := a.getRun(t.Context(), a.again(c), getRunArgs{RunID: run.RunID, AfterEventID: &beyond, WaitSeconds: 15})
		if err != nil || len(who.messages) != 1 || !strings.HasPrefix(got.NextStep, "The user was sent to the link") {
			t.Errorf("asked %d times: %q, %v", len(who.messages), got.NextStep, err)
		}
	})
}
