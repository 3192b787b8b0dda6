package tools_test

import (
	"maps"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// clientExtras are what known clients add to the arguments of every call.
var clientExtras = map[string]any{
	"toolCallId": "call_1", "sessionId": "s", "action": "sendMessage", "chatInput": "do it", "tool": "get_run",
	"task_progress": "- [x] started", "wait_for_previous": true,
}

// TestClientArguments: what a client adds by itself fails no call and is not
// spoken of.
func TestClientArguments(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	with := func(args map[string]any) map[string]any {
		maps.Copy(args, clientExtras)
		return args
	}
	run := testbed.Call[tools.RunResult](t, s, "create_run", with(map[string]any{"intent": "x", "context": "sandbox: step_ms=0", "approvalStrategy": "ON_START", "waitSeconds": 30}))
	for tool, args := range map[string]map[string]any{
		"get_run": {"runId": run.RunID}, "list_runs": {}, "approve": {"runId": run.RunID, "decision": "approve"},
	} {
		if text, failed := testbed.Raw(t, s, tool, with(args)); failed || strings.Contains(text, "Ignored") {
			t.Errorf("%s: %s", tool, text)
		}
	}
	if text, failed := testbed.Raw(t, s, "abort_run", with(map[string]any{"runId": run.RunID})); failed {
		t.Errorf("abort_run: %s", text)
	}
}

// TestUnknownArguments: a reading tool ignores them and says so; one with
// effects refuses them, and does nothing.
func TestUnknownArguments(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	s := bed.Connect(testbed.Newest, nil)
	run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=60000"})
	for _, tt := range []struct {
		tool, name, want string
	}{
		{"get_run", "verbose", `Ignored: this tool has no argument "verbose".`},
		{"list_runs", "query", `Ignored: this tool has no argument "query".`},
		{"list_runs", "name", `Ignored: this tool has no argument "name".`},
		{"list_runs", "", `Ignored: this tool has no argument "".`},
		{"get_run", "text", `Ignored: this tool has no argument "text".`},
		{"get_run", "turn_id", `Ignored: this tool has no argument "turn_id".`},
		{"get_run", "_", `Ignored: this tool has no argument "_".`},
		{"list_runs", strings.Repeat("long name ", 20), `Ignored: this tool has no argument "long name`},
		{"list_runs", "order\n\u202eby", `Ignored: this tool has no argument "order\n\u202eby".`},
	} {
		args := map[string]any{tt.name: "x"}
		if tt.tool == "get_run" {
			args["runId"] = run.RunID
		}
		got := testbed.Call[struct{ Summary string }](t, s, tt.tool, args)
		if !strings.Contains(got.Summary, tt.want) || len(got.Summary) > 300 {
			t.Errorf("%s with %q: %q", tt.tool, tt.name, got.Summary)
		}
	}
	for tool, args := range map[string]map[string]any{
		"create_run": {"intent": "x", "dryRun": true},
		"abort_run":  {"runId": run.RunID, "dryRun": true},
		"approve":    {"runId": run.RunID, "decision": "approve", "dryRun": true},
	} {
		if f := testbed.Fail(t, s, tool, args); !strings.Contains(f.Message, "there is no argument dryRun") {
			t.Errorf("%s: %+v", tool, f)
		}
	}
	if got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": run.RunID}); got.Finished || bed.Sandbox.Stats().Creates != 1 {
		t.Errorf("a refused call had an effect: %+v", got)
	}
}

// TestUnsetArguments: many models fill in every argument there is, with what
// stands for nothing.
func TestUnsetArguments(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{
		"intent": "x", "context": " ", "selectedCustomerIntegrationIds": []any{}, "userId": "", "approvalStrategy": "",
		"repeatKey": "", "outputSchema": map[string]any{}, "waitSeconds": 0,
	})
	for _, ids := range []any{nil, "", "[]", []any{""}, []any{" ", nil}} {
		testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "selectedCustomerIntegrationIds": ids, "outputSchema": ""})
	}
	got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{
		"runId": run.RunID, "afterEventId": "", "eventTypes": []any{}, "limit": 0, "includeEvents": "", "includeToolCalls": nil,
		"part": "", "offset": 0, "waitSeconds": "",
	})
	if got.RunID != run.RunID || len(got.Events) == 0 || got.Piece != nil {
		t.Errorf("got %+v", got)
	}
	list := testbed.Call[tools.RunList](t, s, "list_runs", map[string]any{"status": "", "userId": " ", "customerIntegrationIds": []any{}, "page": 0, "pageSize": "", "includeEvents": nil})
	if len(list.Runs) != 6 || list.PageSize != 10 {
		t.Errorf("%d runs, pages of %d", len(list.Runs), list.PageSize)
	}
	// What is required is not optional, and 0 is a cursor.
	testbed.Fail(t, s, "create_run", map[string]any{"intent": ""})
	if got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": run.RunID, "afterEventId": 0, "limit": 1}); got.Events[0].EventID != 1 {
		t.Errorf("from the start: %+v", got.Events)
	}
}
