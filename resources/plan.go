package resources

import (
	"context"
	"fmt"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/view"
)

// RunPlan is what the plan of a run reads as: some of its steps, in order.
type RunPlan struct {
	RunID           client.RunID `json:"runId"`
	Status          string       `json:"status"`
	Summary         string       `json:"summary"` // in our words
	ExecutionPlanID string       `json:"executionPlanId,omitempty"`
	Plan            *view.Plan   `json:"plan,omitempty"`
	More            bool         `json:"more"`           // there are later steps
	Next            string       `json:"next,omitempty"` // where they are
}

// readPlan reads the plan of a run from an offset on.
func (h *handlers) readPlan(ctx context.Context, caller client.Caller, a address) (any, error) {
	run, err := h.API.GetRun(ctx, caller, a.runID, false)
	if err != nil {
		return nil, err
	}
	plan, err := h.Decider.Plan(ctx, caller, run)
	if err != nil {
		return nil, err
	}
	v := h.viewOf(caller, h.Feeds.Tokens(caller, a.runID))
	shown := v.Run(run)
	out := RunPlan{RunID: shown.RunID, Status: shown.Status, ExecutionPlanID: shown.ExecutionPlanID}
	switch {
	case plan == nil && run.Status.Terminal():
		out.Summary = "The Run API does not tell the plan of this run."
		return out, nil
	case plan == nil:
		out.Summary = "The plan is not there yet, or the Run API does not tell it: the run is " + shown.Status + ". Read this again later."
		return out, nil
	case len(plan.Steps) > 0:
		showSteps(v, &out, plan, a)
		return out, nil
	}
	out.Plan, _ = v.Plan(plan, 0, maxPage)
	out.Summary = "The plan is a text."
	if !run.Status.Terminal() {
		out.Summary += " Soon after a run's start that may be a placeholder: then read this again later."
	}
	return out, nil
}

// showSteps shows the steps from an offset on, as many as the limit and [maxPage]
// allow.
func showSteps(v view.View, out *RunPlan, plan *client.Plan, a address) {
	total, from := len(plan.Steps), int(a.from)
	asked := *plan
	asked.Steps = plan.Steps[:min(from+a.limit, total)]
	out.Plan, _ = v.Plan(&asked, from, maxPage)
	end := from + len(out.Plan.Steps)
	switch {
	case from >= total:
		out.Summary = fmt.Sprintf("The plan ends before offset %d: it has %d steps.", from, total)
	case from == 0 && end == total:
		out.Summary = fmt.Sprintf("The whole plan: %d steps.", total)
	default:
		out.Summary = fmt.Sprintf("Steps %d to %d of %d.", from+1, end, total)
	}
	if end < total && from < total {
		a.from = int64(end)
		out.More, out.Next = true, a.String()
	}
}
