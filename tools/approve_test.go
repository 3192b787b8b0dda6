package tools_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// scripted answers every read of a run with a status and events, its stream
// with silence, and takes everything else.
func scripted(status, events string) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/sse"):
				w.Header().Set("Content-Type", "text/event-stream")
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			case isRead(r):
				fmt.Fprintf(w, `{"runId":%q,"status":%q,"events":%s}`, unknownRun, status, events)
			}
		})
	}
}

// isRead reports whether a request reads one run.
func isRead(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/runs/") && !strings.HasSuffix(r.URL.Path, "/sse") && !strings.HasSuffix(r.URL.Path, "/approval")
}

// tokensOf returns the tokens of a run's stored links with a decision.
func tokensOf(t *testing.T, bed *testbed.Bed, runID, decision string) (tokens []string) {
	t.Helper()
	run, err := bed.API.GetRun(t.Context(), bed.Caller, client.RunID(runID), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range run.Events {
		for _, link := range e.Links() {
			if link.Action == decision {
				tokens = append(tokens, link.Token())
			}
		}
	}
	return tokens
}

// TestUnnamedApprovalMustHaveBeenShown: what waits may be another approval
// than the one that was looked at.
func TestUnnamedApprovalMustHaveBeenShown(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	s := bed.Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: steps=2 step_ms=1", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30})
	// A person decides in the vendor's console, and the next step asks.
	if err := bed.API.Approve(t.Context(), bed.Caller, tokensOf(t, bed, string(got.RunID), "approve")[0]); err != nil {
		t.Fatal(err)
	}
	for len(tokensOf(t, bed, string(got.RunID), "approve")) < 2 {
	}
	args := map[string]any{"runId": got.RunID, "decision": "approve"}
	f := testbed.Fail(t, s, "approve", args)
	for f.Code == "conflict" { // the feed has not seen it yet; the spent token was refused
		f = testbed.Fail(t, s, "approve", args)
	}
	if f.Code != "invalid_argument" || !strings.Contains(f.NextStep, "get_run") || strings.Contains(f.Message, got.PendingApprovals[0].ApprovalID) {
		t.Errorf("got %+v", f)
	}
	seen := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": got.RunID})
	if len(seen.PendingApprovals) != 1 || !strings.Contains(f.Message, seen.PendingApprovals[0].ApprovalID) {
		t.Errorf("%q does not name what waits: %+v", f.Message, seen.PendingApprovals)
	}
	testbed.Call[tools.RunResult](t, s, "approve", args)
	if d := bed.Sandbox.Decisions(string(got.RunID)); len(d) != 2 {
		t.Errorf("the API took %v", d)
	}
}

// TestTokenOfAnotherProcess's run is refused where the run's own links are
// known; where none is, the summary claims nothing of it.
func TestTokenOfAnotherProcess(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	paused := map[string]any{"intent": "x", "context": "sandbox: step_ms=0", "approvalStrategy": "ON_START", "waitSeconds": 30}
	theirs := testbed.Call[tools.RunResult](t, bed.Connect(testbed.Newest, nil), "create_run", paused)
	deny := tokensOf(t, bed, string(theirs.RunID), "deny")[0]

	s := testbed.New(t, nil, func(http.Handler) http.Handler { return bed.Sandbox }).Connect(testbed.Newest, nil)
	ours := testbed.Call[tools.RunResult](t, s, "create_run", paused)
	f := testbed.Fail(t, s, "approve", map[string]any{"runId": ours.RunID, "decision": "approve", "token": deny})
	if f.Code != "invalid_argument" || !strings.Contains(f.Message, "unknown to this run; nothing was sent") || bed.Sandbox.Stats().ApprovalCalls != 0 {
		t.Errorf("got %+v; %d tokens were sent", f, bed.Sandbox.Stats().ApprovalCalls)
	}
	running := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=60000 queue_ms=0"})
	got := testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": running.RunID, "decision": "approve", "token": deny})
	if !strings.HasPrefix(got.Summary, "The API took the token; which decision that was, and in which run, is not known") || !strings.Contains(got.Summary, "RUNNING") {
		t.Errorf("got %q", got.Summary)
	}
}

// TestOneOfTwoDecided offers the other alone, and skips no event.
func TestOneOfTwoDecided(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	s := bed.Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{
		"intent": "x", "context": "sandbox: steps=2 step_ms=300 queue_ms=0 approvals=parallel:2", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30,
	})
	for len(got.PendingApprovals) < 2 {
		got = testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": got.RunID, "waitSeconds": 1})
	}
	one, other := got.PendingApprovals[0], got.PendingApprovals[1]
	decided := testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": got.RunID, "decision": "approve", "approvalId": one.ApprovalID})
	if len(decided.PendingApprovals) != 1 || decided.PendingApprovals[0].ApprovalID != other.ApprovalID || decided.LastEventID != one.EventID || decided.EventsLeftOut == 0 {
		t.Errorf("got %+v", decided)
	}
	if f := testbed.Fail(t, s, "approve", map[string]any{"runId": got.RunID, "decision": "deny", "approvalId": one.ApprovalID}); f.Code == "outcome_unknown" {
		t.Errorf("decided again: %+v", f)
	}
	testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": got.RunID, "decision": "approve"})
	if d := bed.Sandbox.Decisions(string(got.RunID)); len(d) != 2 {
		t.Errorf("the API took %v", d)
	}
}

// TestSentIsNotOffered again, though the run does not show the decisions yet.
func TestSentIsNotOffered(t *testing.T) {
	events := fatSteps(2, func(i int) string {
		return fmt.Sprintf(`"runStatus":"PAUSED","step":{"approval":"PENDING","approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=a-token-%d"}]`, i)
	})
	s := testbed.New(t, nil, scripted("PAUSED", events)).Connect(testbed.Newest, nil)
	seen := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": unknownRun})
	one := map[string]any{"runId": unknownRun, "decision": "approve", "approvalId": seen.PendingApprovals[0].ApprovalID}
	if got := testbed.Call[tools.RunResult](t, s, "approve", one); len(got.PendingApprovals) != 1 || !strings.Contains(got.NextStep, "call approve") {
		t.Errorf("after one of two: %+v", got)
	}
	if f := testbed.Fail(t, s, "approve", one); f.Code != "conflict" || !strings.Contains(f.Message, "sent for this approval before") {
		t.Errorf("the same again: %+v", f)
	}
	got := testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": unknownRun, "decision": "approve"})
	if len(got.PendingApprovals) != 0 || got.LastEventID != 2 || strings.Contains(got.NextStep, "call approve") {
		t.Errorf("after both: %+v", got)
	}
}

// TestPlanIsShownWithItsApproval, to whoever reads the run, as the API tells it
// by then; and with nothing else.
func TestPlanIsShownWithItsApproval(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	s := bed.Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0 plan=placeholder", "approvalStrategy": "ON_START", "waitSeconds": 30})
	seen := testbed.Call[tools.RunResult](t, bed.Connect(testbed.Oldest, nil), "get_run", map[string]any{"runId": got.RunID})
	for name, r := range map[string]tools.RunResult{"create_run": got, "get_run": seen} {
		if r.Plan == nil || len(r.Plan.Steps) == 0 {
			t.Errorf("%s: the run waits for approval of %+v", name, r.Plan)
		}
	}
	testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": got.RunID, "decision": "approve"})
	if seen = testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": got.RunID, "waitSeconds": 30}); seen.Plan != nil {
		t.Errorf("a plan though nothing waits: %+v", seen.Plan)
	}
}

// TestPlanOfCreate is what the person is asked about where the API has none
// under the plan's own address.
func TestPlanOfCreate(t *testing.T) {
	bed := testbed.New(t, human, func(box http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/v1/execution-plans/") {
				http.NotFound(w, r)
				return
			}
			box.ServeHTTP(w, r)
		})
	})
	created := paused(t, bed, testbed.Newest, "ON_START", "")
	who := &person{answers: []answer{chooses("deny")}}
	testbed.Call[tools.RunResult](t, bed.ConnectWith(testbed.Newest, who.options()), "approve", map[string]any{"runId": created.RunID})
	checkQuestion(t, "ON_START", who.questions()[0])
}

// TestPausedWithoutEvents: the run's status alone says that it waits.
func TestPausedWithoutEvents(t *testing.T) {
	t.Parallel() // it takes the patience that a link is looked for
	s := testbed.New(t, nil, scripted("PAUSED", "null")).Connect(testbed.Newest, nil)
	if f := testbed.Fail(t, s, "approve", map[string]any{"runId": unknownRun, "decision": "approve"}); f.Code != "approval_link_unavailable" {
		t.Errorf("got %+v", f)
	}
}

// TestUpperCaseRunID is the same run: one feed, the same approval ids, and one decision.
func TestUpperCaseRunID(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	s := bed.Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0", "approvalStrategy": "ON_START", "waitSeconds": 30})
	upper := strings.ToUpper(string(got.RunID))
	again := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": upper, "waitSeconds": 1, "afterEventId": 0})
	if len(again.PendingApprovals) != 1 || again.PendingApprovals[0].ApprovalID != got.PendingApprovals[0].ApprovalID {
		t.Fatalf("got %+v, then %+v", got.PendingApprovals, again.PendingApprovals)
	}
	if n := bed.Sandbox.Stats().StreamsOpened; n != 1 {
		t.Errorf("%d streams for one run", n)
	}
	testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": upper, "decision": "approve", "approvalId": got.PendingApprovals[0].ApprovalID})
	testbed.Fail(t, s, "approve", map[string]any{"runId": got.RunID, "decision": "deny"})
	if n := bed.Sandbox.Stats().ApprovalCalls; n != 1 {
		t.Errorf("%d tokens were sent", n)
	}
}
