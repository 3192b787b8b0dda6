package tools_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
)

// TestMain runs eight parallel tests at a time on any machine: they wait more than they work.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const unknownRun = "123e4567-e89b-12d3-a456-426614174000"

func eachRevision(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range []string{testbed.Oldest, testbed.Newest} {
		t.Run(version, func(t *testing.T) { test(t, version) })
	}
}

// eachAskingRevision runs a test in the first revision in which a server may ask
// a person, and in the newest, which asks in another way.
func eachAskingRevision(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range []string{"2025-06-18", testbed.Newest} {
		t.Run(version, func(t *testing.T) { test(t, version) })
	}
}

// TestWholeJob starts a run, watches it, and gets its result.
func TestWholeJob(t *testing.T) {
	eachRevision(t, func(t *testing.T, version string) {
		seen := make(chan string, 100)
		s := testbed.New(t, nil, nil).Connect(version, func(_ any, message string) { seen <- message })
		got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "Find overdue invoices", "context": "sandbox: steps=3 step_ms=1", "waitSeconds": 30})
		if !got.Finished || got.Status != "SUCCESS" || got.WaitEnded != "finished" || got.Result == nil || got.Plan == nil {
			t.Fatalf("got %+v", got)
		}
		again := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": got.RunID, "afterEventId": 0})
		if len(again.Events) != 6 || again.LastEventID != got.LastEventID { // status, start, 3 steps, end
			t.Errorf("%d events up to %d, want 6 up to %d", len(again.Events), again.LastEventID, got.LastEventID)
		}
		if again.Context != "" {
			t.Error("the context is shown without being asked for")
		}
		if message := <-seen; message != "run "+string(got.RunID)+" was created" {
			t.Errorf("progress first said %q", message)
		}
		for i, want := range []string{"QUEUED", "started", "step: Look up", "step: Search", "step: Find", "ended: SUCCESS"} {
			if message := <-seen; !strings.HasPrefix(message, fmt.Sprintf("%d: %s", i+1, want)) {
				t.Errorf("progress said %q, want %d: %s", message, i+1, want)
			}
		}
	})
}

// TestEveryStatus lets runs end in each terminal status.
func TestEveryStatus(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	for _, outcome := range []string{"SUCCESS", "FAILED", "PARTIAL_SUCCESS", "NO_SUCCESS"} {
		got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0 outcome=" + outcome, "waitSeconds": 30})
		if got.Status != outcome || !got.Finished {
			t.Errorf("outcome %s: got %s, finished %t", outcome, got.Status, got.Finished)
		}
	}
}

// TestApproveAndDeny decides on steps and on whole runs.
func TestApproveAndDeny(t *testing.T) {
	tests := []struct{ name, strategy, context, decision, status, scope string }{
		{"approve the run", "ON_START", "", "approve", "SUCCESS", "run"},
		{"deny the run", "ON_START", "", "deny", "CANCELED", "run"},
		{"approve a step", "ON_TOOL_CALL", "steps=1", "approve", "SUCCESS", "step"},
		{"deny a step", "ON_TOOL_CALL", "steps=1", "deny", "CANCELED", "step"},
		{"links on the stream alone", "ON_START", "links=stream-only", "approve", "SUCCESS", "run"},
		{"bare stored events", "ON_TOOL_CALL", "steps=1 events=bare", "approve", "SUCCESS", "step"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bed := testbed.New(t, nil, nil)
			s := bed.Connect(testbed.Newest, nil)
			got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{
				"intent": "x", "context": "sandbox: step_ms=1 " + tt.context, "approvalStrategy": tt.strategy, "waitSeconds": 30,
			})
			if got.Status != "PAUSED" || got.WaitEnded != "needs_person" || len(got.PendingApprovals) != 1 || got.PendingApprovals[0].Scope != tt.scope {
				t.Fatalf("got %+v", got)
			}
			decided := testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": got.RunID, "approvalId": got.PendingApprovals[0].ApprovalID, "decision": tt.decision})
			if len(decided.PendingApprovals) != 0 {
				t.Errorf("still pending: %+v", decided.PendingApprovals)
			}
			ended := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": got.RunID, "afterEventId": got.LastEventID, "waitSeconds": 30})
			if ended.Status != tt.status {
				t.Errorf("ended %s, want %s", ended.Status, tt.status)
			}
			if d := bed.Sandbox.Decisions(string(got.RunID)); len(d) != 1 || string(d[0]) != tt.decision {
				t.Errorf("the API took %v", d)
			}
			if f := testbed.Fail(t, s, "approve", map[string]any{"runId": got.RunID, "decision": "approve"}); f.Code != "conflict" {
				t.Errorf("a second decision: %+v", f)
			}
		})
	}
}

// TestLaggingEvents: what was decided is not offered again, though the stored
// run has not noticed yet.
func TestLaggingEvents(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var stored []byte // the run as it was before the decision
	bed := testbed.New(t, nil, func(box http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case strings.HasSuffix(r.URL.Path, "/sse"):
				w.WriteHeader(503)
			case strings.HasSuffix(r.URL.Path, "/approval") || r.Method == http.MethodPost:
				box.ServeHTTP(w, r)
			case stored != nil:
				w.Write(stored)
			default:
				rec := httptest.NewRecorder()
				box.ServeHTTP(rec, r)
				if strings.Contains(rec.Body.String(), `"run_approval"`) {
					stored = rec.Body.Bytes()
				}
				w.Write(rec.Body.Bytes())
			}
		})
	})
	s := bed.Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0", "approvalStrategy": "ON_START", "waitSeconds": 30})
	decided := testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": got.RunID, "decision": "approve"})
	if decided.Status != "PAUSED" || len(decided.PendingApprovals) != 0 || strings.Contains(decided.NextStep, "approve") || !strings.Contains(decided.NextStep, "get_run") {
		t.Errorf("got %+v", decided)
	}
	if f := testbed.Fail(t, s, "approve", map[string]any{"runId": got.RunID, "decision": "deny"}); f.Code != "conflict" || !strings.Contains(f.Message, "sent") {
		t.Errorf("decided again: %+v", f)
	}
	waited := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": got.RunID, "afterEventId": 0, "waitSeconds": 2})
	if waited.WaitEnded != "time_up" || !strings.Contains(waited.Summary, "decision was sent") {
		t.Errorf("what was decided ended a wait: %+v", waited)
	}
}

// TestTwoPendingApprovals must be told apart.
func TestTwoPendingApprovals(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	s := bed.Connect(testbed.Oldest, nil)
	got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{
		"intent": "x", "context": "sandbox: steps=2 step_ms=0 approvals=parallel:2", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30,
	})
	for len(got.PendingApprovals) < 2 {
		got = testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": got.RunID, "afterEventId": got.LastEventID, "waitSeconds": 30})
	}
	f := testbed.Fail(t, s, "approve", map[string]any{"runId": got.RunID, "decision": "approve"})
	if f.Code != "invalid_argument" || !strings.Contains(f.Message, got.PendingApprovals[1].ApprovalID) {
		t.Errorf("without approvalId: %+v", f)
	}
	if f := testbed.Fail(t, s, "approve", map[string]any{"runId": got.RunID, "decision": "approve", "approvalId": "nonesuch"}); f.Code != "invalid_argument" {
		t.Errorf("with another approvalId: %+v", f)
	}
	for _, p := range got.PendingApprovals {
		testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": got.RunID, "decision": "approve", "approvalId": p.ApprovalID})
	}
	ended := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": got.RunID, "afterEventId": 1 << 30, "waitSeconds": 30})
	if ended.Status != "SUCCESS" {
		t.Errorf("ended %s", ended.Status)
	}
	if d := bed.Sandbox.Decisions(string(got.RunID)); len(d) != 2 {
		t.Errorf("the API took %v", d)
	}
}

// TestApproveByToken takes a token that came another way, and refuses one that
// is known to be another's.
func TestApproveByToken(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	s := bed.Connect(testbed.Newest, nil)
	paused := func() (tools.RunResult, map[string]string) {
		got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0", "approvalStrategy": "ON_START", "waitSeconds": 30})
		run, err := bed.API.GetRun(t.Context(), bed.Caller, got.RunID, true)
		if err != nil {
			t.Fatal(err)
		}
		tokens := map[string]string{}
		for _, e := range run.Events {
			for _, link := range e.Links() {
				tokens[link.Action] = link.Token()
			}
		}
		return got, tokens
	}
	one, ofOne := paused()
	two, ofTwo := paused()
	for name, args := range map[string]map[string]any{
		"the other decision's": {"runId": one.RunID, "decision": "approve", "token": ofOne["deny"]},
		"another run's":        {"runId": one.RunID, "decision": "approve", "token": ofTwo["approve"]},
		"nobody's":             {"runId": one.RunID, "decision": "approve", "token": "a-token-nobody-knows"},
	} {
		f := testbed.Fail(t, s, "approve", args)
		if f.Code != "invalid_argument" || strings.Contains(f.Message, args["token"].(string)) {
			t.Errorf("%s token: %+v", name, f)
		}
	}
	if n := bed.Sandbox.Stats().ApprovalCalls; n != 0 {
		t.Fatalf("%d tokens were sent", n)
	}
	testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": two.RunID, "decision": "deny", "token": ofTwo["deny"]})
	if f := testbed.Fail(t, s, "approve", map[string]any{"runId": two.RunID, "decision": "deny", "token": ofTwo["deny"]}); f.Code != "conflict" {
		t.Errorf("sent twice: %+v", f)
	}
	testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": two.RunID, "afterEventId": two.LastEventID, "waitSeconds": 30}) // until it has ended, and no link waits
	if f := testbed.Fail(t, s, "approve", map[string]any{"runId": two.RunID, "decision": "deny", "token": "a-token-nobody-knows"}); f.Code != "conflict" {
		t.Errorf("an unknown token, where no link is known: %+v", f)
	}
}

// TestHumanModeRefuses names the operator's choice and sends nothing.
func TestHumanModeRefuses(t *testing.T) {
	bed := testbed.New(t, func(o *tools.Options) { o.Approvals, o.Local = tools.ApprovalsHuman, true }, nil)
	s := bed.Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0", "approvalStrategy": "ON_START", "waitSeconds": 30})
	f := testbed.Fail(t, s, "approve", map[string]any{"runId": got.RunID, "decision": "approve"})
	if !strings.Contains(f.NextStep, "--approvals=agent") {
		t.Errorf("got %+v", f)
	}
	if n := bed.Sandbox.Stats().ApprovalCalls; n != 0 {
		t.Errorf("%d tokens were sent", n)
	}
	if f := testbed.Fail(t, s, "approve", map[string]any{"runId": got.RunID, "decision": "approve", "token": "some-token-1234"}); !strings.Contains(f.Message, "token") {
		t.Errorf("a token in human mode: %+v", f)
	}
}

// TestAuthRequired shows the one link a person needs.
func TestAuthRequired(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0 auth=required auth_ms=500", "waitSeconds": 30})
	if got.Status != "AUTH_REQUIRED" || got.Authorization == nil || !strings.HasPrefix(got.Authorization.URL, "https://") {
		t.Fatalf("got %+v", got)
	}
	ended := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": got.RunID, "afterEventId": got.LastEventID, "waitSeconds": 30})
	if ended.Status != "SUCCESS" || ended.Authorization != nil {
		t.Errorf("got %+v", ended)
	}
}

// TestAbort stops a run, and says so when there was nothing to stop.
func TestAbort(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=60000"})
	aborted := testbed.Call[tools.RunResult](t, s, "abort_run", map[string]any{"runId": got.RunID})
	if aborted.Status != "CANCELED" || !strings.Contains(aborted.Summary, "was aborted") {
		t.Errorf("got %+v", aborted)
	}
	again := testbed.Call[tools.RunResult](t, s, "abort_run", map[string]any{"runId": got.RunID})
	if !strings.Contains(again.Summary, "had ended already") {
		t.Errorf("got %q", again.Summary)
	}
	if f := testbed.Fail(t, s, "abort_run", map[string]any{"runId": unknownRun}); f.Code != "not_found" {
		t.Errorf("got %+v", f)
	}
}

// TestWaitEnds covers the time being up and a need that is not new.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	slow := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=60000", "waitSeconds": 1})
	if slow.WaitEnded != "time_up" || slow.Finished {
		t.Errorf("got %+v", slow)
	}
	paused := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0", "approvalStrategy": "ON_START", "waitSeconds": 30})
	old := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": paused.RunID, "afterEventId": paused.LastEventID, "waitSeconds": 1})
	if old.WaitEnded != "time_up" || len(old.PendingApprovals) != 1 {
		t.Errorf("a need from before the cursor: got %+v", old)
	}
	fresh := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": paused.RunID, "afterEventId": 0, "waitSeconds": 30})
	if fresh.WaitEnded != "needs_person" {
		t.Errorf("got %+v", fresh)
	}
}

// TestEventPages goes through 500 events in pages, without loss.
func TestEventPages(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: steps=497 step_ms=0", "waitSeconds": 45})
	if !run.Finished || len(run.Events) != 20 || run.EventsLeftOut != 480 {
		t.Fatalf("%d events, %d left out, finished %t", len(run.Events), run.EventsLeftOut, run.Finished)
	}
	next, after := int64(1), int64(0)
	for next <= 500 {
		page := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": run.RunID, "afterEventId": after, "limit": 70})
		for _, e := range page.Events {
			if e.EventID != next {
				t.Fatalf("event %d, want %d", e.EventID, next)
			}
			next++
		}
		if page.EventsLeftOut != int(501-next) {
			t.Fatalf("%d left out after %d", page.EventsLeftOut, next-1)
		}
		after = page.LastEventID
	}
	ends := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": run.RunID, "afterEventId": 0, "eventTypes": []string{"end", "start"}, "limit": 1})
	if len(ends.Events) != 1 || ends.Events[0].Event != "start" || ends.EventsLeftOut != 1 || ends.LastEventID != 499 {
		t.Errorf("got %+v", ends)
	}
	none := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": run.RunID, "includeEvents": false})
	if len(none.Events) != 0 || none.LastEventID != 500 {
		t.Errorf("without events: %+v", none)
	}
}

// TestOptionalParts shows tool calls and context when asked for.
func TestOptionalParts(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: steps=1 step_ms=0", "waitSeconds": 30})
	got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": run.RunID, "includeToolCalls": true, "includeContext": true, "eventTypes": []string{"step"}})
	if got.Context != "sandbox: steps=1 step_ms=0" || len(got.Events) != 1 || len(got.Events[0].ToolCalls) == 0 {
		t.Errorf("got %+v", got)
	}
}

// TestListRuns filters and pages, over both list forms.
func TestListRuns(t *testing.T) {
	for _, form := range []string{"array", "wrapped"} {
		t.Run(form, func(t *testing.T) {
			// A front of any kind lets the form through that the contract lacks.
			s := testbed.New(t, nil, func(box http.Handler) http.Handler { return box }).Connect(testbed.Newest, nil)
			for range 5 {
				testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0 steps=1 list=" + form, "waitSeconds": 30})
			}
			testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "y", "context": "sandbox: step_ms=0 outcome=FAILED", "waitSeconds": 30})
			page := testbed.Call[tools.RunList](t, s, "list_runs", map[string]any{"pageSize": 4, "includeEvents": true})
			if len(page.Runs) != 4 || !page.More || len(page.Runs[0].Events) != 3 || page.Runs[0].EventsLeftOut == 0 {
				t.Errorf("got %+v", page)
			}
			last := testbed.Call[tools.RunList](t, s, "list_runs", map[string]any{"pageSize": 4, "page": 2})
			if len(last.Runs) != 2 || last.More {
				t.Errorf("got %+v", last)
			}
			failed := testbed.Call[tools.RunList](t, s, "list_runs", map[string]any{"status": "FAILED"})
			if len(failed.Runs) != 1 || failed.Runs[0].Intent != "y" {
				t.Errorf("got %+v", failed)
			}
			none := testbed.Call[tools.RunList](t, s, "list_runs", map[string]any{"status": "PAUSED"})
			if tellsTotal := none.Total != nil && *none.Total == 0; len(none.Runs) != 0 || none.More || tellsTotal != (form == "wrapped") {
				t.Errorf("got %+v", none)
			}
		})
	}
}

// TestOutputSchemaAndRepeat go through to the API.
func TestOutputSchemaAndRepeat(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	schema := map[string]any{"type": "object", "properties": map[string]any{"count": map[string]any{"type": "integer"}}, "required": []string{"count"}}
	run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0", "outputSchema": schema, "waitSeconds": 30})
	if result, ok := run.Result.(map[string]any); !ok || result["count"] == nil {
		t.Errorf("result %v", run.Result)
	}
	again := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0", "repeatKey": run.RepeatKey, "waitSeconds": 30})
	if again.RepeatRunID != string(run.RunID) {
		t.Errorf("repeats %q, want %q", again.RepeatRunID, run.RunID)
	}
}

// TestWrongArguments names the mistake and what would be right.
func TestWrongArguments(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	tests := []struct {
		tool string
		args map[string]any
		want string
	}{
		{"create_run", nil, "intent is required"},
		{"create_run", map[string]any{"intent": ""}, "intent must have at least 1 characters"},
		{"create_run", map[string]any{"intent": "  "}, "intent must say what"},
		{"create_run", map[string]any{"intent": 5}, "intent must be of type string, not number"},
		{"create_run", map[string]any{"intent": "x", "approvalStrategy": "SOMETIMES"}, "approvalStrategy must be one of NONE, ON_START, ON_TOOL_CALL"},
		{"create_run", map[string]any{"intent": "x", "waitSeconds": 46}, "waitSeconds must be at most 45"},
		{"create_run", map[string]any{"intent": "x", "waitSeconds": -1}, "waitSeconds must be at least 0"},
		{"create_run", map[string]any{"intent": "x", "integrations": []string{"a"}}, "there is no argument integrations; "},
		{"create_run", map[string]any{"intent": "x", "user_id": "u"}, "there is no argument user_id; did you mean userId?"},
		{"create_run", map[string]any{"intent": "x", "passThrough": []any{}}, "there is no argument passThrough"},
		{"create_run", map[string]any{"intent": "x", "outputSchema": map[string]any{"type": "array"}}, `outputSchema: the root must have "type": "object"`}, // the API's words
		{"get_run", map[string]any{}, "runId is required"},
		{"get_run", map[string]any{"runId": "17"}, "runId must be a UUID such as"},
		{"get_run", map[string]any{"runId": unknownRun, "limit": -1}, "limit must be at least 1"},
		{"get_run", map[string]any{"runId": unknownRun, "afterEventId": 1.5}, "afterEventId must be of type integer"},
		{"get_run", map[string]any{"runId": unknownRun, "wait": 5}, "did you mean waitSeconds?"},
		{"list_runs", map[string]any{"status": "DONE"}, "status must be one of QUEUED, RUNNING"},
		{"list_runs", map[string]any{"pageSize": 101}, "pageSize must be at most 100"},
		{"abort_run", map[string]any{"id": unknownRun}, "runId is required"},
		{"approve", map[string]any{"runId": unknownRun}, "decision is required"},
		{"approve", map[string]any{"runId": unknownRun, "decision": "yes"}, "decision must be one of approve, deny"},
	}
	for _, tt := range tests {
		f := testbed.Fail(t, s, tt.tool, tt.args)
		if f.Code != "invalid_argument" || !strings.Contains(f.Message, tt.want) || f.NextStep == "" || f.Retryable {
			t.Errorf("%s %v: got %+v, want %q", tt.tool, tt.args, f, tt.want)
		}
	}
}

// TestOperatorsWordIsACeiling: calls narrow, and never widen.
func TestOperatorsWordIsACeiling(t *testing.T) {
	var body struct {
		UserID           string   `json:"userId"`
		Integrations     []string `json:"selectedCustomerIntegrationIds"`
		ApprovalStrategy string   `json:"approvalStrategy"`
	}
	bed := testbed.New(t, func(o *tools.Options) {
		o.Integrations = []string{"slack_5e6f7a8b", "jira_9c0d1e2f"}
		o.LeastApproval = client.ApproveStart
	}, func(sandbox http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				data, _ := io.ReadAll(r.Body)
				json.Unmarshal(data, &body)
				w.WriteHeader(http.StatusCreated)
				fmt.Fprintf(w, `{"runId":%q,"status":"QUEUED","events":[]}`, unknownRun)
				return
			}
			http.NotFound(w, r)
		})
	})
	s := bed.Connect(testbed.Newest, nil)
	testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "approvalStrategy": "NONE"})
	if body.UserID != "user-1" || !slices.Equal(body.Integrations, []string{"slack_5e6f7a8b", "jira_9c0d1e2f"}) || body.ApprovalStrategy != "ON_START" {
		t.Errorf("sent %+v", body)
	}
	testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "approvalStrategy": "ON_TOOL_CALL", "selectedCustomerIntegrationIds": []string{"jira_9c0d1e2f"}})
	if len(body.Integrations) != 1 || body.ApprovalStrategy != "ON_TOOL_CALL" {
		t.Errorf("sent %+v", body)
	}
	for name, args := range map[string]map[string]any{
		"userId":                         {"intent": "x", "userId": "user-2"},
		"selectedCustomerIntegrationIds": {"intent": "x", "selectedCustomerIntegrationIds": []string{"*"}},
	} {
		if f := testbed.Fail(t, s, "create_run", args); f.Code != "invalid_argument" || !strings.Contains(f.Message, name) {
			t.Errorf("%v: got %+v", args, f)
		}
	}
	if f := testbed.Fail(t, s, "list_runs", map[string]any{"userId": "user-2"}); f.Code != "invalid_argument" {
		t.Errorf("got %+v", f)
	}
}

// TestWhatIsThere follows the operator's switches.
func TestWhatIsThere(t *testing.T) {
	for _, tt := range []struct {
		name       string
		change     func(*tools.Options)
		isExcluded func(*sdk.Tool) bool
	}{
		{"default", func(*tools.Options) {}, func(*sdk.Tool) bool { return false }},
		{"approvals off", func(o *tools.Options) { o.Approvals = tools.ApprovalsOff }, func(tool *sdk.Tool) bool { return tool.Name == "approve" }},
		{"read only", func(o *tools.Options) { o.ReadOnly = true }, func(tool *sdk.Tool) bool { return !tool.Annotations.ReadOnlyHint }},
	} {
		var names []string
		for _, tool := range listTools(t, tt.change) {
			names = append(names, tool.Name)
			checkTool(t, tool)
		}
		var want []string
		for _, tool := range listTools(t, nil) {
			if !tt.isExcluded(tool) {
				want = append(want, tool.Name)
			}
		}
		if !slices.Equal(names, want) || len(names) == 0 {
			t.Errorf("%s: %v, want %v", tt.name, names, want)
		}
	}
}

func listTools(t *testing.T, change func(*tools.Options)) []*sdk.Tool {
	t.Helper()
	list, err := testbed.New(t, change, nil).Connect(testbed.Newest, nil).ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return list.Tools
}

// checkTool holds what every tool keeps: clients depend on it.
func checkTool(t *testing.T, tool *sdk.Tool) {
	a := tool.Annotations
	if tool.Title == "" || a == nil || a.DestructiveHint == nil || a.OpenWorldHint == nil {
		t.Errorf("%s lacks a title or hints", tool.Name)
	}
	if len(tool.Description) > 2000 || tool.Description == "" {
		t.Errorf("%s has a description of %d bytes", tool.Name, len(tool.Description))
	}
	for _, schema := range []any{tool.InputSchema, tool.OutputSchema} {
		m, ok := schema.(map[string]any)
		if !ok || m["type"] != "object" {
			t.Errorf("%s has a schema that is no object: %v", tool.Name, schema)
		}
		for _, word := range []string{"anyOf", "oneOf", "allOf", "$ref"} {
			if _, ok := m[word]; ok {
				t.Errorf("%s has %s at a schema's root", tool.Name, word)
			}
		}
	}
}

// TestPassThrough: the operator's and, where allowed, the call's data reach the
// API; no value reaches the model or the log.
func TestPassThrough(t *testing.T) {
	var sent string
	bed := testbed.New(t, func(o *tools.Options) {
		o.AllowPassThrough = true
		var err error
		if o.PassThrough, err = client.ParsePassThrough([]byte(`{"jira_9c0d1e2f":{"headers":{"X-Secret":"operators-secret"}}}`)); err != nil {
			t.Fatal(err)
		}
	}, func(box http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				data, _ := io.ReadAll(r.Body)
				sent = string(data)
				http.Error(w, `{"statusCode":400,"message":"bad: callers-secret-1 operators-secret"}`, 400)
				return
			}
			box.ServeHTTP(w, r)
		})
	})
	s := bed.Connect(testbed.Newest, nil)
	f := testbed.Fail(t, s, "create_run", map[string]any{"intent": "x", "passThrough": []any{map[string]any{
		"customerIntegrationId": "aws", "values": map[string]any{"accessKeyId": "callers-secret-1", "secretAccessKey": "callers-secret-2", "sessionToken": "callers-secret-3"},
	}}})
	for _, secret := range []string{"callers-secret-1", "callers-secret-3", "operators-secret"} {
		if !strings.Contains(sent, secret) {
			t.Errorf("%s was not sent: %s", secret, sent)
		}
		if strings.Contains(fmt.Sprint(f), secret) || strings.Contains(bed.Log.String(), secret) {
			t.Errorf("%s came back: %+v; log %s", secret, f, bed.Log)
		}
	}
	for name, values := range map[string]map[string]any{
		"mix":       {"accessKeyId": "v-secret-1", "secretAccessKey": "v", "sessionToken": "v", "roleArn": "v"},
		"lack":      {"roleArn": "v-secret-1"},
		"no fields": {},
	} {
		f := testbed.Fail(t, s, "create_run", map[string]any{"intent": "x", "passThrough": []any{map[string]any{"customerIntegrationId": "aws", "values": values}}})
		if f.Code != "invalid_argument" || strings.Contains(f.Message, "v-secret") {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

// TestLeakyRun: a run that puts its approval links and tokens everywhere.
func TestLeakyRun(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	s := bed.Connect(testbed.Newest, nil)
	run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: leak=1 steps=2 step_ms=0", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30})
	stored, err := bed.API.GetRun(t.Context(), bed.Caller, run.RunID, true)
	if err != nil {
		t.Fatal(err)
	}
	var tokens []string
	for _, e := range stored.Events {
		for _, link := range e.Links() {
			tokens = append(tokens, link.Token())
		}
	}
	if len(tokens) != 2 || !strings.Contains(string(stored.Result)+stored.Events[len(stored.Events)-1].Step.Text, tokens[0]) {
		t.Fatalf("the sandbox leaks nothing: %+v", stored)
	}
	var shown strings.Builder
	for _, args := range []map[string]any{{"runId": run.RunID, "includeToolCalls": true, "includeContext": true}, {"runId": run.RunID, "afterEventId": 0, "waitSeconds": 5}} {
		text, _ := testbed.Raw(t, s, "get_run", args)
		shown.WriteString(text)
	}
	testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": run.RunID, "decision": "deny"})
	text, _ := testbed.Raw(t, s, "list_runs", map[string]any{"includeEvents": true})
	shown.WriteString(text)
	read, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: string("run://" + run.RunID + "/events")})
	if err != nil {
		t.Fatal(err)
	}
	shown.WriteString(read.Contents[0].Text)
	shown.WriteString(bed.Log.String())
	for _, token := range tokens {
		if strings.Contains(shown.String(), token) {
			t.Errorf("a token is shown: %s", shown.String())
		}
	}
	if strings.Contains(shown.String(), "runs/approval") || strings.Contains(shown.String(), sandbox.DefaultKey) {
		t.Errorf("a link or the key is shown: %s", shown.String())
	}
}

// TestUpstreamFailures become codes with advice.
func TestUpstreamFailures(t *testing.T) {
	tests := []struct {
		status    int
		tool      string
		code      string
		retryable bool
	}{
		{401, "get_run", "unauthorized", false}, {403, "get_run", "not_found", false}, {404, "get_run", "not_found", false},
		{429, "get_run", "rate_limited", true}, {500, "get_run", "upstream_unavailable", true}, {302, "get_run", "misconfigured", false},
		{200, "get_run", "upstream_invalid", false}, {400, "list_runs", "invalid_argument", false}, {403, "list_runs", "unauthorized", false},
		{500, "create_run", "outcome_unknown", false}, {200, "create_run", "outcome_unknown", false}, {429, "create_run", "rate_limited", true},
		{422, "create_run", "invalid_argument", false}, {503, "abort_run", "outcome_unknown", false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.tool, tt.status), func(t *testing.T) {
			bed := testbed.New(t, nil, func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Retry-After", "31")
					w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
					w.WriteHeader(tt.status)
					fmt.Fprintf(w, `{"message":["said by the API", "key %s"]}`, r.Header.Get("x-api-key"))
				})
			})
			args := map[string]map[string]any{"create_run": {"intent": "x"}, "list_runs": {}}[tt.tool]
			if args == nil {
				args = map[string]any{"runId": unknownRun}
			}
			f := testbed.Fail(t, bed.Connect(testbed.Newest, nil), tt.tool, args)
			if f.Code != tt.code || f.Retryable != tt.retryable || f.NextStep == "" {
				t.Errorf("got %+v", f)
			}
			if strings.Contains(f.Message, sandbox.DefaultKey) || tt.status >= 400 && tt.status < 500 && !strings.Contains(f.Message, "said by the API") {
				t.Errorf("message %q", f.Message)
			}
			if tt.status == 429 && f.RetryAfterSeconds != 31 {
				t.Errorf("wait of %d s", f.RetryAfterSeconds)
			}
		})
	}
}
