package tools_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// TestMoreThanIsRead: what an answer holds beyond what is read is counted, and the
// tokens of the events that are not read are hidden all the same.
func TestMoreThanIsRead(t *testing.T) {
	const events, runs = 70_050, 130
	run := fmt.Sprintf(`{"runId":%q,"status":"SUCCESS","result":"it said an-early-token","events":[{"approvalActions":[{"action":"approve","url":"?token=an-early-token"}]}%s]}`,
		unknownRun, strings.Repeat(`,{"runStatus":"RUNNING"}`, events-1))
	s := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/runs" {
				fmt.Fprintf(w, "[{}%s]", strings.Repeat(",{}", runs-1))
				return
			}
			fmt.Fprint(w, run)
		})
	}).Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": unknownRun})
	if n := len(got.Events) + got.EventsLeftOut; n != events || got.LastEventID != events || got.Result != "it said [removed]" {
		t.Errorf("%d events of %d to %d, result %v", n, events, got.LastEventID, got.Result)
	}
	first := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": unknownRun, "afterEventId": 0, "limit": 1})
	if e := first.Events[0]; e.EventID != 51 || e.MissingBefore != 50 {
		t.Errorf("the first event that is read is %+v", e)
	}
	list := testbed.Call[tools.RunList](t, s, "list_runs", nil)
	if len(list.Runs)+list.RunsLeftOut != runs || !list.More || !strings.HasPrefix(list.Summary, "130 runs on page 1, of which the first 100 are shown") {
		t.Errorf("%d runs, %d left out: %s", len(list.Runs), list.RunsLeftOut, list.Summary)
	}
}
