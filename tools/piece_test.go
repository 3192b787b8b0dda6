package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// maxAnswer is where Codex cuts an answer for a model that it does not know.
const maxAnswer = 12_000

// readPieces reads a part of a run to its end with get_run alone, and returns
// every answer.
func readPieces(t *testing.T, bed *testbed.Bed, runID, part string) (all []tools.RunResult) {
	t.Helper()
	s := bed.Connect(testbed.Newest, nil)
	for offset := 0; ; {
		text, failed := testbed.Raw(t, s, "get_run", map[string]any{"runId": runID, "part": part, "offset": offset})
		var got tools.RunResult
		if err := json.Unmarshal([]byte(text), &got); failed || err != nil || len(text) >= maxAnswer || got.Piece == nil {
			t.Fatalf("offset %d: %d bytes, %v: %s", offset, len(text), err, text)
		}
		if all = append(all, got); got.Piece.NextOffset == 0 {
			return all
		}
		if got.Piece.NextOffset <= offset || !strings.HasPrefix(got.NextStep, "For the next piece, call get_run with runId, part "+part) {
			t.Fatalf("offset %d: then %d, %q", offset, got.Piece.NextOffset, got.NextStep)
		}
		offset = got.Piece.NextOffset
	}
}

// TestResultInPieces: a result of any size and text is read to its end by
// get_run alone.
func TestResultInPieces(t *testing.T) {
	long, odd := strings.Repeat("many words ", 3_000), strings.Repeat("ä\"\\\n😀 ", 3_000)
	for name, result := range map[string]string{
		"small": `{"a":1}`, "no object": `"x"`, "plain": mustJSON(t, map[string]any{"text": long}), "odd": mustJSON(t, []any{odd, odd, 3.50}),
	} {
		t.Run(name, func(t *testing.T) {
			bed := testbed.New(t, nil, scriptedRun(`"status":"SUCCESS","intent":"x","result":`+result))
			var whole strings.Builder
			all := readPieces(t, bed, unknownRun, "result")
			for _, got := range all {
				whole.WriteString(got.Piece.Text)
				if got.Piece.Digest != all[0].Piece.Digest || got.Piece.Total != all[0].Piece.Total || got.Result != nil || got.Events != nil {
					t.Errorf("piece at %d of another whole: %+v", got.Piece.Offset, got.Piece)
				}
			}
			var want bytes.Buffer
			if err := json.Compact(&want, []byte(result)); err != nil {
				t.Fatal(err)
			}
			if whole.String() != want.String() {
				t.Errorf("%d pieces make %.100q…, want %.100q…", len(all), whole.String(), want.String())
			}
			if last := all[len(all)-1]; last.NextStep != "Report the result to the user." {
				t.Errorf("at the end: %q", last.NextStep)
			}
		})
	}
}

// scriptedRun stands for an API that has one run of these fields, without events.
func scriptedRun(fields string) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/v1/runs/") || strings.HasSuffix(r.URL.Path, "/sse") {
				http.NotFound(w, r)
				return
			}
			fmt.Fprintf(w, `{"runId":%q,"events":[],%s}`, unknownRun, fields)
		})
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestPlanInPieces reads a plan of many steps to its end by get_run alone.
func TestPlanInPieces(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	s := bed.Connect(testbed.Newest, nil)
	created := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: steps=400 step_ms=60000"})
	if !strings.Contains(created.Plan.Description, "get_run with part plan reads it") {
		t.Errorf("a cut plan does not say how it is read: %q", created.Plan.Description)
	}
	var ids []string
	for _, got := range readPieces(t, bed, string(created.RunID), "plan") {
		if got.Piece.Total != 400 {
			t.Errorf("piece at %d: %+v", got.Piece.Offset, got.Piece)
		}
		for _, step := range got.Plan.Steps {
			ids = append(ids, step.ID)
		}
	}
	if len(ids) != 400 || ids[0] != "1" || ids[399] != "400" {
		t.Errorf("%d steps, from %v to %v", len(ids), ids[0], ids[len(ids)-1])
	}
}

// TestNoSuchPiece: what is not there says so.
func TestNoSuchPiece(t *testing.T) {
	const running, ended = `"status":"RUNNING","intent":"x"`, `"status":"SUCCESS","intent":"x","result":{"a":1}`
	for _, tt := range []struct {
		run    string
		part   string
		offset int
		want   string
	}{
		{running, "result", 0, "It has no result yet."},
		{running, "plan", 0, "The API does not tell its plan (yet)."},
		{ended, "result", 100, "The result ends before offset 100: it has 7 characters."},
		{ended, "plan", 0, "The API does not tell its plan."},
	} {
		session := testbed.New(t, nil, scriptedRun(tt.run)).Connect(testbed.Newest, nil)
		got := testbed.Call[tools.RunResult](t, session, "get_run", map[string]any{"runId": unknownRun, "part": tt.part, "offset": tt.offset})
		if !strings.Contains(got.Summary, tt.want) || got.Piece == nil || got.Piece.NextOffset != 0 {
			t.Errorf("%s, %s: %q, %+v", tt.run, tt.part, got.Summary, got.Piece)
		}
	}
}

// TestPieceAfterWait: a call may wait for the end of the run and then show its result.
func TestPieceAfterWait(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	created := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: steps=2 step_ms=50 result_kb=30"})
	got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": created.RunID, "part": "result", "waitSeconds": 30})
	if !got.Finished || got.WaitEnded != "finished" || got.Piece.Total < 30<<10 || got.Piece.NextOffset == 0 {
		t.Errorf("got %s, %+v", got.Status, got.Piece)
	}
}

// TestEveryDefaultAnswerIsSmall: no default answer reaches the size at which a
// client cuts it.
func TestEveryDefaultAnswerIsSmall(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	created, _ := testbed.Raw(t, s, "create_run", map[string]any{"intent": strings.Repeat("long ", 3000), "context": "sandbox: steps=200 step_ms=0 result_kb=100", "waitSeconds": 45})
	var run tools.RunResult
	if err := json.Unmarshal([]byte(created), &run); err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{"create_run": created}
	for name, args := range map[string]map[string]any{
		"get_run": {"runId": run.RunID}, "get_run, all": {"runId": run.RunID, "limit": 200, "includeToolCalls": true, "includeContext": true},
		"get_run, the result": {"runId": run.RunID, "part": "result"}, "get_run, the plan": {"runId": run.RunID, "part": "plan"},
	} {
		answers[name], _ = testbed.Raw(t, s, "get_run", args)
	}
	answers["list_runs"], _ = testbed.Raw(t, s, "list_runs", map[string]any{"pageSize": 100, "includeEvents": true})
	for name, text := range answers {
		if len(text) >= maxAnswer {
			t.Errorf("%s: %d bytes", name, len(text))
		}
	}
}

// TestIntegrationsByTool: a create that lacks integrations names those there are,
// for clients that read no resources.
func TestIntegrationsByTool(t *testing.T) {
	s := testbed.New(t, func(o *tools.Options) { o.Integrations = nil }, nil).Connect(testbed.Newest, nil)
	f := testbed.Fail(t, s, "create_run", map[string]any{"intent": "x"})
	if !strings.Contains(f.Message, "selectedCustomerIntegrationIds is required") || !strings.Contains(f.NextStep, "active are salesforce") {
		t.Errorf("got %+v", f)
	}
}
