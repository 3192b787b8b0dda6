package tools_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
)

// person sits at a client: asked, they answer what is next in their list, and
// nothing when it is over.
type person struct {
	mu      sync.Mutex // guards all below
	answers []answer
	seen    []*sdk.ElicitParams
}

// answer is how a person answers a question.
type answer func(context.Context, *sdk.ElicitParams) (*sdk.ElicitResult, error)

func chooses(decision string) answer {
	return func(context.Context, *sdk.ElicitParams) (*sdk.ElicitResult, error) {
		return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"decision": decision}}, nil
	}
}

func does(action string) answer {
	return func(context.Context, *sdk.ElicitParams) (*sdk.ElicitResult, error) {
		return &sdk.ElicitResult{Action: action}, nil
	}
}

// first does something before the answer.
func first(do func(), then answer) answer {
	return func(ctx context.Context, p *sdk.ElicitParams) (*sdk.ElicitResult, error) {
		do()
		return then(ctx, p)
	}
}

// waits answers when the client no longer waits for it.
func waits(ctx context.Context, _ *sdk.ElicitParams) (*sdk.ElicitResult, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (p *person) answer(ctx context.Context, r *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
	p.mu.Lock()
	p.seen = append(p.seen, r.Params)
	next := does("cancel")
	if len(p.answers) > 0 {
		next, p.answers = p.answers[0], p.answers[1:]
	}
	p.mu.Unlock()
	return next(ctx, r.Params)
}

// questions returns what the person was asked so far.
func (p *person) questions() []*sdk.ElicitParams {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// options are a client's that asks this person.
func (p *person) options() *sdk.ClientOptions {
	return &sdk.ClientOptions{ElicitationHandler: p.answer, Capabilities: &sdk.ClientCapabilities{
		Elicitation: &sdk.ElicitationCapabilities{Form: &sdk.FormElicitationCapabilities{}, URL: &sdk.URLElicitationCapabilities{}},
	}}
}

// human lets a person decide, and none but them.
func human(o *tools.Options) {
	o.Approvals, o.AskApprovals, o.AskAuthorization = tools.ApprovalsHuman, true, true
	o.DecideCommand, o.Local = "runs-mcp-server approve RUN_ID", true
}

// paused creates a run that waits for an approval, without asking the person.
func paused(t *testing.T, bed *testbed.Bed, version, strategy, context string) tools.RunResult {
	t.Helper()
	got := testbed.Call[tools.RunResult](t, bed.Connect(version, nil), "create_run", map[string]any{
		"intent": "Find overdue invoices", "context": "sandbox: step_ms=1 " + context, "approvalStrategy": strategy, "waitSeconds": 30,
	})
	if got.WaitEnded != "needs_person" || len(got.PendingApprovals) == 0 {
		t.Fatalf("it does not wait: %+v", got)
	}
	return got
}

// TestPersonDecides has the approve tool ask: what the person answers is what
// is sent, whatever the model wished.
func TestPersonDecides(t *testing.T) {
	run, step := "ON_START", "ON_TOOL_CALL"
	tests := []struct {
		name, strategy string
		answer         answer
		decisions      []sandbox.Decision
		summary        string
	}{
		{"approves the run", run, chooses("approve"), []sandbox.Decision{"approve"}, "The decision to approve was accepted"},
		{"denies the run", run, chooses("deny"), []sandbox.Decision{"deny"}, "The decision to deny was accepted"},
		{"approves a step", step, chooses("approve"), []sandbox.Decision{"approve"}, "The decision to approve was accepted"},
		{"denies a step", step, chooses("deny"), []sandbox.Decision{"deny"}, "The decision to deny was accepted"},
		{"declines", run, does("decline"), nil, "did not decide: they declined"},
		{"cancels", step, does("cancel"), nil, "did not decide: they dismissed the question"},
		{"accepts without a choice", run, does("accept"), nil, "did not decide: the form came back without a choice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachAskingRevision(t, func(t *testing.T, version string) {
				bed := testbed.New(t, human, nil)
				created := paused(t, bed, version, tt.strategy, "steps=1")
				who := &person{answers: []answer{tt.answer}}
				got := testbed.Call[tools.RunResult](t, bed.ConnectWith(version, who.options()), "approve",
					map[string]any{"runId": created.RunID, "approvalId": created.PendingApprovals[0].ApprovalID, "decision": "approve"})
				if !strings.Contains(got.Summary, tt.summary) {
					t.Errorf("summary %q, want %q in it", got.Summary, tt.summary)
				}
				if tt.decisions == nil && (got.Status != "PAUSED" || !strings.Contains(got.NextStep, "Do not ask again")) {
					t.Errorf("undecided: %s, %q", got.Status, got.NextStep)
				}
				if d := bed.Sandbox.Decisions(string(created.RunID)); !slices.Equal(d, tt.decisions) {
					t.Errorf("the API took %v, want %v", d, tt.decisions)
				}
				asked := who.questions()
				if len(asked) != 1 {
					t.Fatalf("%d questions", len(asked))
				}
				checkQuestion(t, tt.strategy, asked[0])
			})
		})
	}
}

// checkQuestion holds a question to what a person needs to judge, and to what
// must not be in it.
func checkQuestion(t *testing.T, strategy string, q *sdk.ElicitParams) {
	t.Helper()
	want := []string{"Find overdue invoices", `It would call "`, `with {"`, "The run's own reason:"}
	if strategy == "ON_START" {
		want = []string{"Find overdue invoices", ": the whole run, ", ".\n1. \"Look up"}
	}
	for _, w := range want {
		if !strings.Contains(q.Message, w) {
			t.Errorf("%q is not in the question:\n%s", w, q.Message)
		}
	}
	form := fmt.Sprint(q.RequestedSchema)
	if !strings.Contains(form, "enum:[deny approve]") {
		t.Errorf("deny is not the first choice: %s", form)
	}
	if strings.Contains(q.Message+form, "token") || strings.Contains(q.Message, "://") || strings.Contains(form, "default") || !strings.Contains(form, "required:[decision]") {
		t.Errorf("the question holds a link or a default: %s %s", q.Message, form)
	}
}

// TestClientCannotAsk refuses, and says what the person can do instead.
func TestClientCannotAsk(t *testing.T) {
	eachAskingRevision(t, func(t *testing.T, version string) {
		bed := testbed.New(t, human, nil)
		created := paused(t, bed, version, "ON_START", "")
		f := testbed.Fail(t, bed.Connect(version, nil), "approve", map[string]any{"runId": created.RunID, "decision": "approve"})
		if f.Code != "conflict" || !strings.Contains(f.NextStep, string("runs-mcp-server approve "+created.RunID)) || !strings.Contains(f.NextStep, "console") || !strings.Contains(f.NextStep, "--approvals=agent") {
			t.Errorf("got %+v", f)
		}
		if !strings.Contains(created.NextStep, string("runs-mcp-server approve "+created.RunID)) {
			t.Errorf("nextStep %q", created.NextStep)
		}
		linksOnly := (&person{}).options()
		linksOnly.Capabilities.Elicitation.Form = nil
		testbed.Fail(t, bed.ConnectWith(version, linksOnly), "approve", map[string]any{"runId": created.RunID})
		if n := bed.Sandbox.Stats().ApprovalCalls; n != 0 {
			t.Errorf("%d tokens were sent", n)
		}
	})
}

// TestNoAnswerInTime is no decision. A client of the 2026-07-28 protocol keeps
// the time itself.
func TestNoAnswerInTime(t *testing.T) {
	bed := testbed.New(t, human, nil)
	bed.AskTime = 20 * time.Millisecond
	created := paused(t, bed, testbed.Oldest, "ON_START", "")
	who := &person{answers: []answer{waits}}
	got := testbed.Call[tools.RunResult](t, bed.ConnectWith(testbed.Oldest, who.options()), "approve", map[string]any{"runId": created.RunID})
	if !strings.Contains(got.Summary, "no answer came") || got.Status != "PAUSED" || bed.Sandbox.Stats().ApprovalCalls != 0 {
		t.Errorf("got %s: %s", got.Status, got.Summary)
	}
}

// TestAskedWhileWaiting: a run that waits for several decisions is decided in
// the call that waits for it, and created once.
func TestAskedWhileWaiting(t *testing.T) {
	eachAskingRevision(t, func(t *testing.T, version string) {
		for _, behaviour := range []string{"steps=2", "steps=2 approvals=parallel:2", "steps=2 links=stream-only", "steps=2 plan=placeholder"} {
			t.Run(behaviour, func(t *testing.T) {
				bed := testbed.New(t, human, nil)
				who := &person{answers: []answer{chooses("approve"), chooses("approve")}}
				said := make(chan string, 100)
				o := who.options()
				o.ProgressNotificationHandler = func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { said <- r.Params.Message }
				got := testbed.Call[tools.RunResult](t, bed.ConnectWith(version, o), "create_run", map[string]any{
					"intent": "Find overdue invoices", "context": "sandbox: step_ms=1 " + behaviour, "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30,
				})
				if got.Status != "SUCCESS" || got.WaitEnded != "finished" || got.Plan == nil || got.ApprovalStrategy != "ON_TOOL_CALL" || len(got.Events) == 0 {
					t.Errorf("got %+v", got)
				}
				if s := bed.Sandbox.Stats(); s.Creates != 1 || s.ApprovalCalls != 2 || len(who.questions()) != 2 {
					t.Errorf("%d runs, %d tokens sent, %d questions", s.Creates, s.ApprovalCalls, len(who.questions()))
				}
				once := map[string]bool{}
				for message := ""; !strings.Contains(message, "ended: SUCCESS"); {
					message = <-said
					if once[message] {
						t.Errorf("told twice: %s", message)
					}
					once[message] = !strings.HasPrefix(message, "still") && !strings.HasPrefix(message, "waiting")
				}
			})
		}
	})
}

// TestUndecidedEndsTheWait: the run waits on, and is not created again.
func TestUndecidedEndsTheWait(t *testing.T) {
	eachAskingRevision(t, func(t *testing.T, version string) {
		bed := testbed.New(t, human, nil)
		who := &person{answers: []answer{chooses("approve"), does("decline")}}
		s := bed.ConnectWith(version, who.options())
		args := map[string]any{"intent": "x", "context": "sandbox: step_ms=1 steps=3", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30}
		got := testbed.Call[tools.RunResult](t, s, "create_run", args)
		if got.Status != "PAUSED" || got.WaitEnded != "needs_person" || !strings.Contains(got.Summary, "declined") || !strings.Contains(got.NextStep, "Do not ask again") {
			t.Errorf("got %+v", got)
		}
		if d := bed.Sandbox.Decisions(string(got.RunID)); !slices.Equal(d, []sandbox.Decision{"approve"}) || bed.Sandbox.Stats().Creates != 1 {
			t.Errorf("%d runs, the API took %v", bed.Sandbox.Stats().Creates, d)
		}
		// Who waits again does not ask again by itself; approve does, and then the rest is asked.
		who.answers = []answer{chooses("approve"), chooses("deny")}
		again := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": got.RunID, "waitSeconds": 30})
		if again.Status != "PAUSED" || again.WaitEnded != "needs_person" || len(who.questions()) != 2 || !strings.Contains(again.Summary, "a waiting call does not ask again") || again.NextStep != got.NextStep {
			t.Errorf("%d questions, got %+v", len(who.questions()), again)
		}
		testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": got.RunID})
		got = testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": got.RunID, "waitSeconds": 30})
		if got.Status != "CANCELED" {
			t.Errorf("got %+v", got)
		}
		if d := bed.Sandbox.Decisions(string(got.RunID)); !slices.Equal(d, []sandbox.Decision{"approve", "approve", "deny"}) {
			t.Errorf("the API took %v", d)
		}
	})
}

// TestEnoughQuestions: one call asks so often and no more.
func TestEnoughQuestions(t *testing.T) {
	eachAskingRevision(t, func(t *testing.T, version string) {
		bed := testbed.New(t, human, nil)
		who := &person{answers: slices.Repeat([]answer{chooses("approve")}, 20)}
		got := testbed.Call[tools.RunResult](t, bed.ConnectWith(version, who.options()), "create_run", map[string]any{
			"intent": "x", "context": "sandbox: step_ms=1 steps=10", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30})
		if got.Status != "PAUSED" || !strings.Contains(got.Summary, "often enough") || len(bed.Sandbox.Decisions(string(got.RunID))) != 8 || len(who.questions()) != 8 {
			t.Errorf("%d decisions, %d questions; got %+v", len(bed.Sandbox.Decisions(string(got.RunID))), len(who.questions()), got)
		}
	})
}

// TestApprovalGone meanwhile: decided elsewhere, or the run ended.
func TestApprovalGone(t *testing.T) {
	eachAskingRevision(t, func(t *testing.T, version string) {
		t.Run("decided elsewhere", func(t *testing.T) {
			bed := testbed.New(t, human, nil)
			created := paused(t, bed, version, "ON_START", "")
			elsewhere := func() {
				if err := bed.API.Approve(context.WithoutCancel(t.Context()), bed.Caller, tokensOf(t, bed, string(created.RunID), "deny")[0]); err != nil {
					t.Error(err)
				}
			}
			who := &person{answers: []answer{first(elsewhere, chooses("approve"))}}
			f := testbed.Fail(t, bed.ConnectWith(version, who.options()), "approve", map[string]any{"runId": created.RunID})
			if f.Code != "conflict" || !slices.Equal(bed.Sandbox.Decisions(string(created.RunID)), []sandbox.Decision{"deny"}) {
				t.Errorf("got %+v; the API took %v", f, bed.Sandbox.Decisions(string(created.RunID)))
			}
		})
		t.Run("aborted", func(t *testing.T) {
			bed := testbed.New(t, human, nil)
			created := paused(t, bed, version, "ON_TOOL_CALL", "")
			abort := func() {
				if err := bed.API.AbortRun(context.WithoutCancel(t.Context()), bed.Caller, created.RunID); err != nil {
					t.Error(err)
				}
			}
			who := &person{answers: []answer{first(abort, chooses("approve"))}}
			f := testbed.Fail(t, bed.ConnectWith(version, who.options()), "approve", map[string]any{"runId": created.RunID})
			if f.Code != "conflict" || len(bed.Sandbox.Decisions(string(created.RunID))) != 0 {
				t.Errorf("got %+v", f)
			}
		})
		for _, status := range []int{400, 404, 409} {
			t.Run(fmt.Sprint(status), func(t *testing.T) {
				sent := 0
				bed := testbed.New(t, human, func(box http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if strings.HasSuffix(r.URL.Path, "/approval") {
							sent++
							http.Error(w, `{"statusCode":`+fmt.Sprint(status)+`,"message":"gone"}`, status)
							return
						}
						box.ServeHTTP(w, r)
					})
				})
				created := paused(t, bed, version, "ON_START", "")
				who := &person{answers: []answer{chooses("approve")}}
				f := testbed.Fail(t, bed.ConnectWith(version, who.options()), "approve", map[string]any{"runId": created.RunID})
				if f.Code != "conflict" || sent != 1 {
					t.Errorf("got %+v, sent %d times", f, sent)
				}
			})
		}
	})
}

// TestAnswerLost: the API took the decision and its answer never came. It is
// not sent again, and the run says what is known.
func TestAnswerLost(t *testing.T) {
	eachAskingRevision(t, func(t *testing.T, version string) {
		bed := testbed.New(t, human, func(box http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				box.ServeHTTP(w, r)
				if strings.HasSuffix(r.URL.Path, "/approval") {
					panic(http.ErrAbortHandler)
				}
			})
		})
		created := paused(t, bed, version, "ON_START", "")
		who := &person{answers: []answer{chooses("approve")}}
		got := testbed.Call[tools.RunResult](t, bed.ConnectWith(version, who.options()), "approve", map[string]any{"runId": created.RunID})
		if !strings.Contains(got.Summary, "The API's answer was lost, but the run no longer waits for it") || bed.Sandbox.Stats().ApprovalCalls != 1 {
			t.Errorf("sent %d times: %s", bed.Sandbox.Stats().ApprovalCalls, got.Summary)
		}
	})
}

// TestClientGoneAfterTheAnswer: the person has decided, and that is sent.
func TestClientGoneAfterTheAnswer(t *testing.T) {
	eachAskingRevision(t, func(t *testing.T, version string) {
		reached, proceed, sent := make(chan bool, 1), make(chan bool), make(chan bool, 1)
		bed := testbed.New(t, human, func(box http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/approval") {
					box.ServeHTTP(w, r)
					return
				}
				reached <- true
				<-proceed
				select { // who calls the request back is noticed within this
				case <-r.Context().Done():
				case <-time.After(300 * time.Millisecond):
				}
				if r.Context().Err() == nil {
					box.ServeHTTP(w, r)
				}
				sent <- r.Context().Err() == nil
			})
		})
		created := paused(t, bed, version, "ON_START", "")
		who := &person{answers: []answer{chooses("deny")}}
		s := bed.ConnectWith(version, who.options())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := s.CallTool(ctx, &sdk.CallToolParams{Name: "approve", Arguments: map[string]any{"runId": created.RunID}})
			ended <- err
		}()
		<-reached
		cancel()
		if err := <-ended; err == nil {
			t.Error("the call was not cancelled")
		}
		proceed <- true
		if !<-sent {
			t.Error("the decision was called back")
		}
		if d := bed.Sandbox.Decisions(string(created.RunID)); !slices.Equal(d, []sandbox.Decision{"deny"}) {
			t.Errorf("the API took %v", d)
		}
	})
}

// TestPlanOfAPendingRun is told to whoever must judge it, also where create
// answered a placeholder, and where the API has no plans of their own.
func TestPlanOfAPendingRun(t *testing.T) {
	noPlans := func(box http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/execution-plans/") {
				http.NotFound(w, r)
				return
			}
			box.ServeHTTP(w, r)
		})
	}
	for _, tt := range []struct {
		name, behaviour string
		front           func(http.Handler) http.Handler
		want            string
	}{
		{"from its address", "plan=placeholder steps=2", nil, "Look up"},
		{"from create's answer", "steps=2", noPlans, "Look up"},
		{"text", "plan=text steps=2", nil, "1. Look up"},
		{"nobody tells it", "plan=placeholder", noPlans, "available shortly"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bed := testbed.New(t, human, tt.front)
			created := paused(t, bed, testbed.Newest, "ON_START", tt.behaviour)
			who := &person{}
			s := bed.ConnectWith(testbed.Newest, who.options())
			got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": created.RunID})
			if said := fmt.Sprint(got.Plan); got.Plan == nil || !strings.Contains(said, tt.want) {
				t.Errorf("get_run tells the plan %s", said)
			}
			testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": created.RunID})
			if q := who.questions()[0].Message; !strings.Contains(q, tt.want) {
				t.Errorf("asked:\n%s", q)
			}
		})
	}
}
