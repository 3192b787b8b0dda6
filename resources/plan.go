package resources

import (
	"context"
	"fmt"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/view"
)

// RunPlan is what the plan of a run reads as.
type RunPlan struct {
	RunID           string     `json:"runId"`
	Status          string     `json:"status"`
	Summary         string     `json:"summary"` // in our words
	ExecutionPlanID string     `json:"executionPlanId,omitempty"`
	Plan            *view.Plan `json:"plan,omitempty"`
	StepsLeftOut    int        `json:"stepsLeftOut,omitempty"`
}

func (s *set) plan(ctx context.Context, caller client.Caller, run *client.Run) (any, error) {
	plan, err := s.Desk.Plan(ctx, caller, run)
	if err != nil {
		return nil, err
	}
	shown := s.View.Run(run)
	out := RunPlan{RunID: shown.RunID, Status: shown.Status, ExecutionPlanID: shown.ExecutionPlanID}
	switch {
	case plan == nil && run.Status.Terminal():
		out.Summary = "The Run API does not tell the plan of this run."
		return out, nil
	case plan == nil:
		out.Summary = "The plan is not there yet, or the Run API does not tell it: the run is " + shown.Status + ". Read this again later."
		return out, nil
	}
	out.Plan = s.View.PlanWithin(plan, maxPage)
	out.Plan.Steps = withinPage(out.Plan.Steps)
	out.StepsLeftOut = len(plan.Steps) - len(out.Plan.Steps)
	switch {
	case len(plan.Steps) > 0:
		out.Summary = fmt.Sprintf("The plan has %d step(s).", len(plan.Steps))
	case run.Status.Terminal():
		out.Summary = "The plan is a text."
	default:
		out.Summary = "The plan is a text. Soon after a run's start that may be a placeholder: then read this again later."
	}
	return out, nil
}

// withinPage returns the first items, as many as take [maxPage] bytes of JSON.
func withinPage[T any](items []T) []T {
	left := maxPage
	for i := range items {
		if left -= len(view.JSON(items[i])); left < 0 {
			return items[:i]
		}
	}
	return items
}
