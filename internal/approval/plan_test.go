package approval

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/inmem"
)

// TestPlanIsNotWaitedForLong: if the API does not answer for 5 s, the plan from the
// answer to create is returned.
func TestPlanIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := inmem.Transport(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		api, err := client.New(client.Options{URL: "http://localhost", Transport: silent})
		if err != nil {
			t.Fatal(err)
		}
		d := NewDecider(api)
		d.RememberPlan(caller, runID, &client.Plan{Text: "as created"})
		asked := time.Now()
		plan, err := d.Plan(t.Context(), caller, &client.Run{RunID: runID, ExecutionPlanID: "p"})
		if took := time.Since(asked); err != nil || plan == nil || plan.Text != "as created" || took != 5*time.Second {
			t.Errorf("after %v: %+v", took, plan)
		}
		if plan, _ := d.Plan(t.Context(), client.Caller{Key: "another"}, &client.Run{RunID: runID}); plan != nil {
			t.Errorf("another caller's: %+v", plan)
		}
	})
}

// TestPlanError: an address of which the API has no plan is no error. Another failure is
// one, unless a plan is known from elsewhere.
func TestPlanError(t *testing.T) {
	for status, kind := range map[int]client.Kind{404: "", 400: client.InvalidArgument} {
		d := newDecider(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			io.WriteString(w, `{"message":"as the API answers"}`)
		})
		run := &client.Run{RunID: runID, ExecutionPlanID: "p"}
		if plan, err := d.Plan(t.Context(), caller, run); plan != nil || client.KindOf(err) != kind {
			t.Errorf("%d: %+v, %v", status, plan, err)
		}
		run.Plan = &client.Plan{Title: "as it was read"}
		if plan, err := d.Plan(t.Context(), caller, run); plan != run.Plan || err != nil {
			t.Errorf("%d: %+v, %v", status, plan, err)
		}
	}
}

// TestPlaceholderHidesNoPlan: a plan with steps is preferred to one with text only,
// wherever the two stand.
func TestPlaceholderHidesNoPlan(t *testing.T) {
	const steps, text = `{"plan":{"steps":[{"id":"1","description":"Pay"}]}}`, `{"plan":"Will be available shortly"}`
	pay := &client.Plan{Steps: []client.PlanStep{{Description: "Pay"}}}
	soon := &client.Plan{Text: "soon"}
	for name, tt := range map[string]struct {
		address      string
		stored, kept *client.Plan
		want         string
	}{
		"kept":           {text, nil, pay, "Pay"},
		"stored":         {`{"plan":""}`, pay, soon, "Pay"},
		"at its address": {steps, soon, soon, "Pay"},
		"none yet":       {text, soon, soon, "Will be available shortly"},
		"nowhere":        {`{}`, nil, nil, ""},
	} {
		d := newDecider(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, tt.address) })
		d.RememberPlan(caller, runID, tt.kept)
		plan, err := d.Plan(t.Context(), caller, &client.Run{RunID: runID, ExecutionPlanID: "p", Plan: tt.stored})
		got := ""
		if plan != nil {
			got = plan.Text
			for _, s := range plan.Steps {
				got = s.Description
			}
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}
