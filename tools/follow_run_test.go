package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// followed is what a test reads of the result of follow_run.
type followed struct {
	tools.RunResult
	Decide           string
	Whole, More      bool
	PlanStepsLeftOut int
}

// follow calls follow_run.
func follow(t *testing.T, w *testbed.Wire, arguments string) followed {
	t.Helper()
	result := testbed.Result[struct {
		IsError           bool
		Content           []struct{ Text string }
		StructuredContent followed
	}](w, "tools/call", `"name":"follow_run","arguments":`+arguments)
	if result.IsError {
		t.Fatal(result.Content)
	}
	return result.StructuredContent
}

// createFor creates a run for a test of the view.
func createFor(t *testing.T, w *testbed.Wire, more string) (runID string) {
	t.Helper()
	result := testbed.Result[struct{ StructuredContent tools.RunResult }](w, "tools/call", `"name":"create_run","arguments":{"intent":"Find overdue invoices",`+more+`}`)
	if !result.StructuredContent.RunID.Valid() {
		t.Fatalf("got %+v", result)
	}
	return string(result.StructuredContent.RunID)
}

// TestFollowRun reads a run as the view does, from its creation to its end.
func TestFollowRun(t *testing.T) {
	for _, version := range appRevisions {
		t.Run(version, func(t *testing.T) {
			w := testbed.New(t, nil, nil).ConnectWire(version, withApps)
			runID := createFor(t, w, `"context":"sandbox: steps=3 step_ms=30"`)
			got := follow(t, w, fmt.Sprintf(`{"runId":%q}`, runID))
			if !got.Whole || got.Intent != "Find overdue invoices" || got.Plan == nil || len(got.Plan.Steps) != 3 || got.Finished {
				t.Fatalf("got %+v", got)
			}
			ids := []int64{}
			for n := 0; ; n++ {
				for _, e := range got.Events {
					ids = append(ids, e.EventID)
				}
				if got.Finished {
					break
				}
				if n > 50 {
					t.Fatal("the run does not end")
				}
				got = follow(t, w, fmt.Sprintf(`{"runId":%q,"afterEventId":%d,"waitSeconds":20}`, runID, got.LastEventID))
			}
			if fmt.Sprint(ids) != "[1 2 3 4 5 6]" || got.Status != "SUCCESS" || got.Result == nil || !got.Whole || got.Decide != "" {
				t.Errorf("events %v, %+v", ids, got)
			}
			if got := follow(t, w, fmt.Sprintf(`{"runId":%q,"beforeEventId":4}`, runID)); len(got.Events) != 3 || len(got.Events[2].ToolCalls) != 1 || got.Plan != nil {
				t.Errorf("before event 4: %+v", got)
			}
		})
	}
}

// TestFollowManyEvents: pages have a limit, say what is left out, and miss nothing.
func TestFollowManyEvents(t *testing.T) {
	w := testbed.New(t, nil, nil).ConnectWire(testbed.Newest, withApps)
	runID := createFor(t, w, `"context":"sandbox: steps=250 step_ms=0","waitSeconds":20`)
	const events = 253
	newest := follow(t, w, fmt.Sprintf(`{"runId":%q}`, runID))
	if n := len(newest.Events); n == 0 || n > 100 || newest.EventsLeftOut != events-n || newest.LastEventID != events {
		t.Errorf("%d events, %d left out, the last is %d", n, newest.EventsLeftOut, newest.LastEventID)
	}
	seen := int64(0)
	for page := newest; page.EventsLeftOut > 0; {
		first := page.Events[0].EventID
		page = follow(t, w, fmt.Sprintf(`{"runId":%q,"beforeEventId":%d}`, runID, first))
		if last := page.Events[len(page.Events)-1].EventID; last != first-1 || page.EventsLeftOut != int(page.Events[0].EventID-1) {
			t.Fatalf("before %d: up to %d, %d left out", first, last, page.EventsLeftOut)
		}
	}
	for more := true; more; {
		page := follow(t, w, fmt.Sprintf(`{"runId":%q,"afterEventId":%d}`, runID, seen))
		for _, e := range page.Events {
			if e.EventID != seen+1 {
				t.Fatalf("event %d follows %d", e.EventID, seen)
			}
			seen = e.EventID
		}
		more = page.More
	}
	if seen != events {
		t.Errorf("%d events, want %d", seen, events)
	}
	if got := follow(t, w, fmt.Sprintf(`{"runId":%q,"afterEventId":100000}`, runID)); got.LastEventID != 0 {
		t.Errorf("after an event beyond the newest one: go on from %d, want 0", got.LastEventID)
	}
}

// TestFollowAsksNobody: a view that looks opens no dialog, says how to decide, and does
// not count as shown to the model.
func TestFollowAsksNobody(t *testing.T) {
	for name, tt := range map[string]struct {
		change       func(*tools.Options)
		capabilities string
		decide       string
	}{
		"the client asks":          {human, withApps, "Answer the question that your client shows when the assistant asks for your decision. Or decide in a terminal: `runs-mcp-server approve ID`, or in the vendor's console."},
		"a client that cannot ask": {human, `{"extensions":{"io.modelcontextprotocol/ui":{}}}`, "Decide in a terminal: `runs-mcp-server approve ID`, or in the vendor's console."},
		"the model may decide":     {nil, withApps, "The assistant may decide this. You can decide in the vendor's console."},
		"the operator's hint": {func(o *tools.Options) {
			o.Approvals, o.DecideHint = tools.ApprovalsOff, "at https://runs.example/RUN_ID"
		}, withApps,
			"Decide at https://runs.example/ID."},
	} {
		t.Run(name, func(t *testing.T) {
			for _, version := range appRevisions[1:] {
				w := testbed.New(t, tt.change, nil).ConnectWire(version, tt.capabilities)
				asked := 0
				w.Answer = func(string, json.RawMessage) string { asked++; return `{"action":"cancel"}` }
				runID := createFor(t, w, `"context":"sandbox: steps=1 step_ms=0","approvalStrategy":"ON_TOOL_CALL"`)
				got := follow(t, w, fmt.Sprintf(`{"runId":%q}`, runID))
				for n := 0; len(got.PendingApprovals) == 0 && n < 20; n++ {
					got = follow(t, w, fmt.Sprintf(`{"runId":%q,"afterEventId":%d,"waitSeconds":20}`, runID, got.LastEventID))
				}
				if want := strings.ReplaceAll(tt.decide, "ID", runID); got.Decide != want || asked > 0 || len(got.PendingApprovals) != 1 {
					t.Errorf("%s: asked %d times, %d approvals, decide %q, want %q", version, asked, len(got.PendingApprovals), got.Decide, want)
				}
				if name != "the model may decide" {
					continue
				}
				result := testbed.Result[struct{ IsError bool }](w, "tools/call", fmt.Sprintf(`"name":"approve","arguments":{"runId":%q,"decision":"approve"}`, runID))
				if !result.IsError {
					t.Error("the model decided on what only the view was shown")
				}
			}
		})
	}
}

// TestFollowAuthorization: the view has the link where the operator lets results have it
// and the client does not send its person there itself.
func TestFollowAuthorization(t *testing.T) {
	const link, url = `{"extensions":{"io.modelcontextprotocol/ui":{}}}`, `{"elicitation":{"url":{}},"extensions":{"io.modelcontextprotocol/ui":{}}}`
	for name, tt := range map[string]struct {
		change               func(*tools.Options)
		capabilities, decide string
		hasLink              bool
	}{
		"a link":                {human, link, "Open the link to authorise.", true},
		"the client opens it":   {human, url, "Your client sends you to the link when the assistant asks for it.", false},
		"links are not allowed": {func(o *tools.Options) { o.AuthLinks = false }, link, "Authorise the integration in the vendor's console.", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := testbed.New(t, tt.change, nil).ConnectWire("2025-11-25", tt.capabilities)
			runID := createFor(t, w, `"context":"sandbox: steps=1 step_ms=0 auth=required auth_ms=60000"`)
			got := follow(t, w, fmt.Sprintf(`{"runId":%q}`, runID))
			for n := 0; got.Status != "AUTH_REQUIRED" && n < 20; n++ {
				got = follow(t, w, fmt.Sprintf(`{"runId":%q,"afterEventId":%d,"waitSeconds":20}`, runID, got.LastEventID))
			}
			if got.Authorization == nil || (got.Authorization.URL != "") != tt.hasLink || got.Decide != tt.decide+" The run goes on by itself." {
				t.Errorf("got %+v, %q", got.Authorization, got.Decide)
			}
		})
	}
}

// TestFollowHidesTokens: tokens that a run repeats in its texts reach no view, whether
// its events come from the API or from the stream.
func TestFollowHidesTokens(t *testing.T) {
	const token = "CaNaRy-tok-0123456789"
	step := fmt.Sprintf(`"runId":%q,"runStatus":"PAUSED","timestamp":"2026-01-01T00:00:01Z","step":{"approval":"PENDING","reason":"use %[2]s",`+
		`"approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=%[2]s"}],"toolCalls":[{"toolCallId":"1","toolName":"t","toolParameters":{"a":"%[2]s"}}]}`, unknownRun, token)
	for _, stored := range []bool{true, false} {
		bed := testbed.New(t, human, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/sse"):
					w.Header().Set("Content-Type", "text/event-stream")
					fmt.Fprintf(w, "id: 1\nevent: step\ndata: {%s}\n\n", step)
					w.(http.Flusher).Flush()
					<-r.Context().Done()
				case isRead(r) && stored:
					fmt.Fprintf(w, `{"runId":%q,"status":"PAUSED","events":[{"id":1,"event":"step",%s}]}`, unknownRun, step)
				case isRead(r):
					fmt.Fprintf(w, `{"runId":%q,"status":"PAUSED","events":[]}`, unknownRun)
				}
			})
		})
		w := bed.ConnectWire(testbed.Newest, withApps)
		for _, arguments := range []string{`"afterEventId":0,"waitSeconds":20`, `"beforeEventId":9`} {
			m := w.Call("tools/call", fmt.Sprintf(`"name":"follow_run","arguments":{"runId":%q,%s}`, unknownRun, arguments))
			if text := string(m.Result); strings.Contains(text, token) || (stored || !strings.Contains(arguments, "before")) && !strings.Contains(text, "use [removed]") {
				t.Errorf("stored %t, %s: %s", stored, arguments, text)
			}
		}
	}
}

// TestFollowFindsTheNewRun: a view that has only the intent of a call finds the run that
// the call creates, and none if there are two.
func TestFollowFindsTheNewRun(t *testing.T) {
	w := testbed.New(t, nil, nil).ConnectWire(testbed.Newest, withApps)
	const search = `{"intent":"Find overdue invoices","secondsAgo":5}`
	if got := follow(t, w, search); got.RunID != "" || got.Summary != "The run is not found yet." {
		t.Errorf("before the create: %+v", got)
	}
	runID := createFor(t, w, `"context":"sandbox: step_ms=60000"`)
	if got := follow(t, w, search); string(got.RunID) != runID || !got.Whole {
		t.Errorf("found %+v, want %s", got, runID)
	}
	if got := follow(t, w, `{"intent":"Another one"}`); got.RunID != "" {
		t.Errorf("another intent finds %s", got.RunID)
	}
	createFor(t, w, `"context":"sandbox: step_ms=60000"`)
	if got := follow(t, w, search); got.RunID != "" {
		t.Errorf("with two runs of the intent, found %s", got.RunID)
	}
	result := testbed.Result[struct {
		IsError bool
		Content []struct{ Text string }
	}](w, "tools/call", `"name":"follow_run","arguments":{}`)
	if !result.IsError || !strings.HasPrefix(result.Content[0].Text, "invalid_argument: runId is required") {
		t.Errorf("without run and intent: %+v", result)
	}
}
