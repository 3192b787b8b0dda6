package tools_test

import (
	"encoding/json"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// mistakes are what models get wrong: ID stands for a run that there is, ENDED for
// one that has ended, WAITS for one that waits for approval.
var mistakes = []struct{ tool, args, message, next string }{
	{"create_run", `{}`, "intent is required", "Correct the arguments"},
	{"create_run", `{"intent":""}`, "intent must have at least 1 characters", "Correct the arguments"},
	{"create_run", `{"intent":" "}`, "intent must say what the run shall achieve", "Correct the arguments"},
	{"create_run", `{"intent":["x"]}`, "intent must be of type string, not array", "Correct the arguments"},
	{"create_run", `{"prompt":"x"}`, "there is no argument prompt", "Correct the arguments"},
	{"create_run", `{"intent":"x","wait":30}`, "did you mean waitSeconds?", "Correct the arguments"},
	{"create_run", `{"intent":"x","waitSeconds":600}`, "waitSeconds must be at most 45", "Correct the arguments"},
	{"create_run", `{"intent":"x","approvalStrategy":"ALWAYS"}`, "approvalStrategy must be one of NONE, ON_START, ON_TOOL_CALL", "Correct the arguments"},
	{"create_run", `{"intent":"x","selectedCustomerIntegrationIds":[5]}`, "selectedCustomerIntegrationIds.0 must be of type string", "Correct the arguments"},
	{"create_run", `{"intent":"x","dryRun":true}`, "there is no argument dryRun; there are intent, ", "Correct the arguments"},
	{"create_run", `{"intent":"x","integrations":["slack"]}`, "did you mean selectedCustomerIntegrationIds?", "Correct the arguments"},
	{"create_run", `{"intent":"x","userId":"somebody-else"}`, "userId may not name another user", "Correct the arguments"},
	{"create_run", `{"intent":"x","outputSchema":{"type":"array"}}`, `outputSchema: the root must have "type": "object"`, "Correct the arguments"},
	{"create_run", `{"intent":"x","outputSchema":{"type":"object","anyOf":[]}}`, "outputSchema: anyOf is not supported", "Correct the arguments"},
	{"create_run", `{"intent":"x","passThrough":[]}`, "there is no argument passThrough", "Correct the arguments"},

	{"get_run", `{}`, "runId is required", "Correct the arguments"},
	{"get_run", `{"id":"ID"}`, "runId is required", "Correct the arguments"},
	{"get_run", `{"runId":"17"}`, "runId must be a UUID such as", "Correct the arguments"},
	{"get_run", `{"runId":17}`, "runId must be of type string, not number", "Correct the arguments"},
	{"get_run", `{"runId":"latest"}`, "runId must be a UUID", "Correct the arguments"},
	{"get_run", `{"runId":"123e4567-e89b-12d3-a456-426614174000"}`, "Run not found", "list_runs shows the runs there are"},
	{"get_run", `{"runId":"ID","waitSeconds":60}`, "waitSeconds must be at most 45", "Correct the arguments"},
	{"get_run", `{"runId":"ID","waitSeconds":-1}`, "waitSeconds must be at least 0", "Correct the arguments"},
	{"get_run", `{"runId":"ID","offset":1000}`, "offset goes with part: say part result or part plan", "Correct the arguments"},
	{"get_run", `{"runId":"ID","limit":1000}`, "limit must be at most 200", "Correct the arguments"},
	{"get_run", `{"runId":"ID","after":3}`, "did you mean afterEventId?", "Correct the arguments"},
	{"get_run", `{"runId":"ID","afterEventId":"last"}`, "afterEventId must be of type integer", "Correct the arguments"},
	{"get_run", `{"runId":"ID","includeEvents":"some"}`, "includeEvents must be of type boolean", "Correct the arguments"},
	{"get_run", `{"runId":"ID","eventTypes":{"step":true}}`, "eventTypes must be of type array", "Correct the arguments"},

	{"list_runs", `{"status":"DONE"}`, "status must be one of QUEUED, RUNNING", "Correct the arguments"},
	{"list_runs", `{"state":"RUNNING"}`, "did you mean status?", "Correct the arguments"},
	{"list_runs", `{"status":["RUNNING","PAUSED"]}`, "status must be of type string, not array", "Correct the arguments"},
	{"list_runs", `{"pageSize":500}`, "pageSize must be at most 100", "Correct the arguments"},
	{"list_runs", `{"pageSize":-1}`, "pageSize must be at least 1", "Correct the arguments"},
	{"list_runs", `{"page":5000}`, "page must be at most 1000", "Correct the arguments"},
	{"list_runs", `{"page":"last"}`, "page must be of type integer", "Correct the arguments"},
	{"list_runs", `{"integrations":["slack"]}`, "did you mean customerIntegrationIds?", "Correct the arguments"},
	{"list_runs", `{"size":5}`, "did you mean pageSize?", "Correct the arguments"},
	{"list_runs", `{"userId":"somebody-else"}`, "userId may not name another user", "Correct the arguments"},
	{"list_runs", `{"includeEvents":"all"}`, "includeEvents must be of type boolean", "Correct the arguments"},

	{"abort_run", `{}`, "runId is required", "Correct the arguments"},
	{"abort_run", `{"run_id":"ID"}`, "did you mean runId?", "Correct the arguments"},
	{"abort_run", `{"runId":""}`, "runId must be a UUID", "Correct the arguments"},
	{"abort_run", `{"runId":null}`, "runId must be of type string, not null", "Correct the arguments"},
	{"abort_run", `{"runId":["ID"]}`, "runId must be of type string, not array", "Correct the arguments"},
	{"abort_run", `{"runId":"the last one"}`, "runId must be a UUID", "Correct the arguments"},
	{"abort_run", `{"runId":"https://example.com/runs/ID"}`, "runId must be a UUID", "Correct the arguments"},
	{"abort_run", `{"runId":"123e4567-e89b-12d3-a456-426614174000"}`, "not found", "list_runs shows the runs there are"},
	{"abort_run", `{"runId":"ID","force":true}`, "there is no argument force", "Correct the arguments"},
	{"abort_run", `{"runId":"ID","reason":"x"}`, "there is no argument reason", "Correct the arguments"},

	{"approve", `{}`, "runId is required", "Correct the arguments"},
	{"approve", `{"runId":"WAITS"}`, "decision is required", "Correct the arguments"},
	{"approve", `{"runId":"WAITS","decision":"yes"}`, "decision must be one of approve, deny", "Correct the arguments"},
	{"approve", `{"runId":"WAITS","decision":true}`, "decision must be of type string, not boolean", "Correct the arguments"},
	{"approve", `{"runId":"WAITS","approve":true}`, "there is no argument approve", "Correct the arguments"},
	{"approve", `{"runId":"WAITS","decision":"approve"}`, "approvalId is required: what waits was not shown yet", "Call get_run with runId to see what would happen"},
	{"approve", `{"runId":"WAITS","decision":"approve","approvalId":"1"}`, "names no approval that waits now; there are: ", "Correct the arguments"},
	{"approve", `{"runId":"WAITS","decision":"approve","approval":"1"}`, "did you mean approvalId?", "Correct the arguments"},
	{"approve", `{"runId":"ENDED","decision":"approve"}`, "nothing waits for an approval in this run; it is SUCCESS", "call get_run"},
	{"approve", `{"runId":"WAITS","decision":"approve","token":"made-up-token"}`, "unknown to this run; nothing was sent", "Correct the arguments"},
	{"approve", `{"runId":"123e4567-e89b-12d3-a456-426614174000","decision":"approve"}`, "Run not found", "list_runs shows the runs there are"},
}

// TestMistakes has each answered by what was wrong and what to do instead.
func TestMistakes(t *testing.T) {
	eachRevision(t, func(t *testing.T, version string) {
		bed := testbed.New(t, nil, nil)
		s := bed.Connect(version, nil)
		running := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=60000"})
		ended := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0", "waitSeconds": 30})
		waits, err := bed.API.CreateRun(t.Context(), bed.Caller, client.CreateRunRequest{ // and nobody has looked at it
			Intent: "x", Context: "sandbox: step_ms=0", UserID: "u", Integrations: []string{"*"}, ApprovalStrategy: client.ApproveStart})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mistakes {
			var args map[string]any
			text := m.args
			for name, id := range map[string]string{`"ID"`: string(running.RunID), `"ENDED"`: string(ended.RunID), `"WAITS"`: string(waits.RunID)} {
				text = strings.ReplaceAll(text, name, `"`+id+`"`)
			}
			if err := json.Unmarshal([]byte(text), &args); err != nil {
				t.Fatal(err)
			}
			f := testbed.Fail(t, s, m.tool, args)
			if !strings.Contains(f.Message, m.message) || !strings.Contains(f.NextStep, m.next) || f.Retryable {
				t.Errorf("%s %s: got %+v, want %q", m.tool, m.args, f, m.message)
			}
		}
		if n := bed.Sandbox.Stats().Creates; n != 3 {
			t.Errorf("a mistake created a run: %d", n)
		}
	})
}
