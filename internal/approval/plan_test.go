package approval

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/inmem"
	"runs-mcp-server/internal/view"
)

// TestPlanIsNotWaitedForLong: an API that does not answer costs seconds, and
// the plan that create told is shown.
func TestPlanIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := inmem.Transport(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		api, err := client.New(client.Options{URL: "http://localhost", Transport: silent})
		if err != nil {
			t.Fatal(err)
		}
		d := NewDesk(api, view.New())
		d.KeepPlan(caller, runID, &client.Plan{Text: "as created"})
		asked := time.Now()
		plan := d.Plan(t.Context(), caller, &client.Run{RunID: runID, ExecutionPlanID: "p"})
		if took := time.Since(asked); plan == nil || plan.Text != "as created" || took != 5*time.Second {
			t.Errorf("after %v: %+v", took, plan)
		}
		if plan := d.Plan(t.Context(), client.Caller{Key: "another"}, &client.Run{RunID: runID}); plan != nil {
			t.Errorf("another caller's: %+v", plan)
		}
	})
}
