package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// TestSizes holds what a model pays for, in bytes of compact JSON. -v prints what each
// bound leaves. The bounds of instructions and results are round numbers above what was
// measured.
func TestSizes(t *testing.T) {
	for _, approvals := range []tools.Approvals{tools.ApprovalsHuman, tools.ApprovalsAgent} {
		list := readTools(t, approvals)
		s := testbed.New(t, func(o *tools.Options) { o.Approvals = approvals }, nil).Connect(testbed.Newest, nil)
		instructions := tools.Instructions(tools.Options{Approvals: approvals})
		intent := map[string]any{"intent": "Find overdue invoices and remind the account owners", "context": "sandbox: step_ms=0"}
		created, _ := testbed.Raw(t, s, "create_run", intent)
		for range 9 {
			testbed.Raw(t, s, "create_run", intent)
		}
		runs, _ := testbed.Raw(t, s, "list_runs", nil)
		long := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{
			"intent": "Find overdue invoices and remind the account owners", "context": "sandbox: steps=497 step_ms=0", "waitSeconds": 45})
		run, _ := testbed.Raw(t, s, "get_run", map[string]any{"runId": long.RunID})
		for _, tt := range []struct {
			what string
			size int
			most int
		}{
			{"the tools as a model sees them", compactSize(t, list.Tools), maxSeen},
			{"tools/list", compactSize(t, list.answer), maxToolsList},
			{"the instructions", len(instructions), 1_500},
			{"create_run", len(created), 1_500},
			{"list_runs of 10", len(runs), 4_000},
			{"get_run of 500 events", len(run), 6_000},
		} {
			t.Logf("%s: %s: %d bytes, %d left", approvals, tt.what, tt.size, tt.most-tt.size)
			if tt.size >= tt.most {
				t.Errorf("%s: %s takes %d bytes, want less than %d: shorten texts rather than raise the bound", approvals, tt.what, tt.size, tt.most)
			}
		}
	}
}

func compact(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestMaxResultBytes: whatever a run holds, no result is larger than the
// operator wants, all of it is JSON, and what is left out says so.
func TestMaxResultBytes(t *testing.T) {
	long := strconv.Quote(strings.Repeat("many words ", 3_000))
	fat := func(status string, step func(i int) string) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler {
			run := func(events int) string {
				return fmt.Sprintf(`{"runId":%q,"status":%q,"intent":%s,"context":%s,"executionPlanId":"p","result":{"a":[%s,%s],"b":{"c":%s}},"events":%s}`,
					unknownRun, status, long, long, long, long, long, fatSteps(events, step))
			}
			plan := fmt.Sprintf(`{"planType":"json","plan":{"title":%s,"description":%s,"steps":[{"id":"1","description":%s},{"id":"2","description":%s}]}}`, long, long, long, long)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/sse"):
					w.Header().Set("Content-Type", "text/event-stream")
					w.(http.Flusher).Flush()
					<-r.Context().Done()
				case strings.Contains(r.URL.Path, "/execution-plans/"):
					fmt.Fprint(w, plan)
				case r.URL.Path == "/v1/runs" && r.Method == http.MethodGet:
					fmt.Fprintf(w, "[%s]", strings.TrimSuffix(strings.Repeat(run(3)+",", 10), ","))
				default:
					fmt.Fprint(w, run(60))
				}
			})
		}
	}
	links := func(i int) string {
		return fmt.Sprintf(`"approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=a-token-%d"}]`, i)
	}
	fronts := map[string]func(http.Handler) http.Handler{
		"ended":         fat("SUCCESS", func(int) string { return `"runStatus":"RUNNING","step":{"approval":"NOT_REQUIRED"` }),
		"a step waits":  fat("PAUSED", func(i int) string { return `"runStatus":"PAUSED","step":{"approval":"PENDING",` + links(i) }),
		"the run waits": fat("PAUSED", func(i int) string { return `"runStatus":"PAUSED",` + links(i) + `,"step":{"approval":"PENDING"` }),
	}
	calls := []struct {
		tool string
		args map[string]any
	}{
		{"get_run", map[string]any{"runId": unknownRun}},
		{"get_run", map[string]any{"runId": unknownRun, "includeContext": true, "includeToolCalls": true, "limit": 200}},
		{"get_run", map[string]any{"runId": unknownRun, "includeToolCalls": true, "limit": 200, "afterEventId": 0}},
		{"list_runs", map[string]any{"pageSize": 50, "includeEvents": true}},
		{"create_run", map[string]any{"intent": "x"}},
	}
	for name, front := range fronts {
		for _, most := range []int{tools.MinMaxResultBytes, tools.DefaultMaxResultBytes} {
			s := testbed.New(t, func(o *tools.Options) { o.MaxResultBytes = most }, front).Connect(testbed.Newest, nil)
			for _, c := range calls {
				text, failed := testbed.Raw(t, s, c.tool, c.args)
				if failed || len(text) > most {
					t.Errorf("%s, %d: %s %v: %d bytes: %.300s", name, most, c.tool, c.args, len(text), text)
				}
				if !strings.Contains(text, "left out") && !strings.Contains(text, "eftOut") {
					t.Errorf("%s, %d: %s does not say that something is left out: %.300s", name, most, c.tool, text)
				}
			}
		}
	}
}

// TestToolsList holds the live answer to what clients take: see what is known
// to break them in the decisions.
func TestToolsList(t *testing.T) {
	eachRevision(t, func(t *testing.T, version string) {
		s := testbed.New(t, func(o *tools.Options) { o.AllowPassThrough = true }, nil).Connect(version, nil)
		list, err := s.ListTools(t.Context(), nil)
		if err != nil || len(list.Tools) != len(tools.Names()) {
			t.Fatalf("%d tools, %v", len(list.Tools), err)
		}
		for _, tool := range list.Tools {
			a := tool.Annotations
			if tool.Title == "" || a == nil || a.DestructiveHint == nil || a.OpenWorldHint == nil {
				t.Errorf("%s: title or hints lack", tool.Name)
			}
			if n := len(tool.Description); n < 60 || n > 700 {
				t.Errorf("%s: a description of %d bytes", tool.Name, n)
			}
			for _, schema := range []any{tool.InputSchema, tool.OutputSchema} {
				root := schema.(map[string]any)
				if root["type"] != "object" || root["anyOf"] != nil || root["oneOf"] != nil || root["allOf"] != nil || root["$ref"] != nil {
					t.Errorf("%s: the root of a schema is %v", tool.Name, root)
				}
				checkSchema(t, tool.Name, root)
			}
		}
	})
}

// checkSchema refuses what breaks clients: a list of types, and true or false
// in the place of a schema.
func checkSchema(t *testing.T, at string, node map[string]any) {
	t.Helper()
	if _, several := node["type"].([]any); several {
		t.Errorf("%s has several types", at)
	}
	properties, _ := node["properties"].(map[string]any)
	for name, p := range properties {
		child, ok := p.(map[string]any)
		if !ok {
			t.Errorf("%s.%s is the schema %v", at, name, p)
			continue
		}
		checkSchema(t, at+"."+name, child)
	}
	if items, ok := node["items"].(map[string]any); ok {
		checkSchema(t, at+"[]", items)
	}
}
