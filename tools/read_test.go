package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// oldReads answers reads of a run as the last one was of which isFresh says so: it gets
// the true answer of each read, one after the other. The first one is fresh anyway.
func oldReads(isFresh func(answer []byte) bool) func(http.Handler) http.Handler {
	var mu sync.Mutex // guards old, and what isFresh uses
	var old []byte
	return func(box http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !isRead(r) {
				box.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			box.ServeHTTP(rec, r)
			mu.Lock()
			defer mu.Unlock()
			if isFresh(rec.Body.Bytes()) || old == nil {
				old = rec.Body.Bytes()
			}
			w.Write(old)
		})
	}
}

// lagging answers reads of a run as they were when it had so many events at
// most; after fresh of those answers, where that is not 0, they are true again.
func lagging(events, fresh int) func(http.Handler) http.Handler {
	stale := 0
	return oldReads(func(answer []byte) bool {
		var run struct{ Events []any }
		json.Unmarshal(answer, &run)
		if len(run.Events) <= events {
			return true
		}
		stale++
		return fresh > 0 && stale > fresh
	})
}

// TestLaggingReadHidesNoApproval: the wait saw it, whatever the read says.
func TestLaggingReadHidesNoApproval(t *testing.T) {
	s := testbed.New(t, nil, lagging(2, 0)).Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=100", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 10})
	if got.WaitEnded != "needs_person" || got.Status != "PAUSED" || len(got.PendingApprovals) != 1 {
		t.Errorf("got %+v", got)
	}
}

// TestLaggingReadOfAnEndedRun is repeated; in the end the caller is told to.
func TestLaggingReadOfAnEndedRun(t *testing.T) {
	for fresh, want := range map[int]string{2: "Report the result", 0: "in a few seconds call get_run"} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := testbed.New(t, nil, lagging(3, fresh)).Connect(testbed.Newest, nil)
			got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: steps=2 step_ms=100", "waitSeconds": 10})
			if got.WaitEnded != "finished" || !got.Finished || got.Status != "SUCCESS" || (got.Result != nil) != (fresh > 0) || !strings.Contains(got.NextStep, want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestEndedIsFinished, though no event told the end and the time was up.
func TestEndedIsFinished(t *testing.T) {
	t.Parallel()
	reads := 0
	var mu sync.Mutex
	s := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/sse") {
				w.Header().Set("Content-Type", "text/event-stream")
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return
			}
			mu.Lock()
			defer mu.Unlock()
			status := "RUNNING"
			if reads++; reads > 1 {
				status = "FAILED"
			}
			fmt.Fprintf(w, `{"runId":%q,"status":%q,"events":[{"id":1,"event":"status","runStatus":"RUNNING"}]}`, unknownRun, status)
		})
	}).Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": unknownRun, "waitSeconds": 1})
	if !got.Finished || got.WaitEnded != "finished" {
		t.Errorf("got %+v", got)
	}
}

// TestDoubtfulAbort of a run that is CANCELED claims nothing either way.
func TestDoubtfulAbort(t *testing.T) {
	s := testbed.New(t, nil, func(box http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete {
				box.ServeHTTP(httptest.NewRecorder(), r)
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			box.ServeHTTP(w, r)
		})
	}).Connect(testbed.Newest, nil)
	run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=60000"})
	got := testbed.Call[tools.RunResult](t, s, "abort_run", map[string]any{"runId": run.RunID})
	if got.Summary != "The run is CANCELED; whether by this call is unknown." {
		t.Errorf("got %q", got.Summary)
	}
}

// TestRunTooLargeWithEvents is read without them, whatever was asked for.
func TestRunTooLargeWithEvents(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 17<<20)
	status := "PAUSED"
	s := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			events := "[]"
			switch {
			case strings.HasSuffix(r.URL.Path, "/sse"):
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprint(w, "id: 1\nevent: run_approval\ndata: {\"runStatus\":\"PAUSED\",\"approvalActions\":[{\"action\":\"approve\",\"url\":\"https://x/v1/runs/approval?token=approve-this\"}]}\n\n")
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return
			case !isRead(r):
				return
			case r.URL.Query().Get("includeEvents") == "true":
				events = `[{"id":1,"event":"step","runStatus":"RUNNING","step":{"text":"` + large + `"}}]`
			}
			fmt.Fprintf(w, `{"runId":%q,"status":%q,"result":{"a":1},"events":%s}`, unknownRun, status, events)
		})
	}).Connect(testbed.Newest, nil)
	args := map[string]any{"runId": unknownRun}
	seen := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": unknownRun, "afterEventId": 0, "waitSeconds": 10})
	if len(seen.PendingApprovals) != 1 || !strings.Contains(seen.Summary, "events cannot be shown") {
		t.Fatalf("got %+v", seen)
	}
	for _, tool := range []string{"approve", "abort_run", "get_run"} {
		if tool == "approve" {
			args["decision"] = "approve"
		}
		got := testbed.Call[tools.RunResult](t, s, tool, args)
		if !strings.Contains(got.Summary, "events cannot be shown") {
			t.Errorf("%s: got %q", tool, got.Summary)
		}
		delete(args, "decision")
	}
}
