package tools_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden holds a JSON text to a file of testdata.
func golden(t *testing.T, name string, text []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	checkFile(t, filepath.Join("testdata", name+".json"), pretty.Bytes())
}

// checkFile holds a text to a file, so that a change of what clients and models see
// is a visible diff. go test ./tools -update writes the file.
func checkFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a missing file counts as empty
		t.Fatal(err)
	}
	if bytes.Equal(text, want) {
		return
	}
	got, old := strings.Split(string(text), "\n"), strings.Split(string(want), "\n")
	line := 0
	for line < min(len(got), len(old))-1 && got[line] == old[line] {
		line++
	}
	t.Errorf("%s:%d is %q, but clients get %q; if that is intended: go test ./tools -update", path, line+1, old[line], got[line])
}

// changing lists what differs from one run of the sandbox to the next.
var changing = []struct {
	form *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`"approvalId":"[a-z2-7]+"`), `"approvalId":"ID"`},
	{regexp.MustCompile(`"url":"https://[^"]+"`), `"url":"LINK"`},
	{regexp.MustCompile(`"toolCallId":"[^"]+"`), `"toolCallId":"CALL"`},
}

// TestGoldenResults is the shape of each result.
func TestGoldenResults(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	s := bed.Connect(testbed.Newest, nil)
	call := func(name, tool string, args map[string]any) (runID client.RunID) {
		t.Helper()
		result, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
		if err != nil {
			t.Fatal(err)
		}
		text := []byte(result.Content[0].(*sdk.TextContent).Text)
		if result.IsError {
			text = compact(t, map[string]any{"text": string(text), "_meta": result.Meta})
		}
		var run struct{ RunID client.RunID }
		if err := json.Unmarshal(text, &run); err != nil {
			t.Fatal(err)
		}
		for _, c := range changing {
			text = c.form.ReplaceAll(text, []byte(c.as))
		}
		golden(t, "result_"+name, text)
		return run.RunID
	}
	create := func(name, context, strategy string, wait int) client.RunID {
		return call(name, "create_run", map[string]any{"intent": "Find overdue invoices", "context": "sandbox: " + context, "approvalStrategy": strategy, "waitSeconds": wait})
	}
	create("create_run", "steps=2 queue_ms=60000", "NONE", 0)
	ended := create("create_run_ended", "steps=2 step_ms=1", "NONE", 30)
	call("get_run", "get_run", map[string]any{"runId": ended, "afterEventId": 0, "limit": 3, "includeToolCalls": true})
	create("authorization", "steps=1 step_ms=1 auth=required auth_ms=60000", "NONE", 30)
	run := create("run_waits", "steps=2 step_ms=1", "ON_START", 30)
	call("abort_run", "abort_run", map[string]any{"runId": run})
	step := create("step_waits", "steps=1 step_ms=1", "ON_TOOL_CALL", 30)
	call("get_run_waits", "get_run", map[string]any{"runId": step})
	call("approve_denied", "approve", map[string]any{"runId": step, "decision": "deny"})
	call("list_runs", "list_runs", map[string]any{"pageSize": 2, "includeEvents": true})
	call("failure", "get_run", map[string]any{"runId": "17", "waitSecond": 5})
}
