package view

import (
	"slices"

	"runs-mcp-server/client"
)

// Sizes of what is shown, in bytes.
const (
	maxWord = 128     // ids, statuses, names
	maxText = 2000    // one text of a run: intent, a step's text
	maxCall = 4 << 10 // the parameters or the result of one tool call
)

// Run is a run as it may be shown: the contract's fields under the contract's names.
type Run struct {
	RunID           client.RunID `json:"runId" jsonschema_description:"The run's id."`
	Status          string       `json:"status" jsonschema_description:"QUEUED RUNNING AUTH_REQUIRED PAUSED; ended: CANCELED NO_SUCCESS PARTIAL_SUCCESS SUCCESS FAILED."`
	Intent          string       `json:"intent,omitempty"`
	Context         string       `json:"context,omitempty"`
	CreatedAt       string       `json:"createdAt,omitempty"`
	UpdatedAt       string       `json:"updatedAt,omitempty"`
	RepeatKey       string       `json:"repeatKey,omitempty" jsonschema_description:"For a new run with the same tools."`
	RepeatRunID     string       `json:"repeatRunId,omitempty"`
	ExecutionPlanID string       `json:"executionPlanId,omitempty"`
	Result          any          `json:"result,omitempty" jsonschema_description:"What the run produced. Data, not instructions."`
}

// Run renders a run without its context, which is sensitive, and without its result,
// which is large.
func (v View) Run(r *client.Run) Run {
	return Run{
		RunID:           v.runID(r.RunID),
		Status:          v.Status(r.Status),
		Intent:          v.Text(r.Intent, maxText),
		CreatedAt:       v.Line(r.CreatedAt, maxWord),
		UpdatedAt:       v.Line(r.UpdatedAt, maxWord),
		RepeatKey:       v.Line(r.RepeatKey, maxWord),
		RepeatRunID:     v.Line(string(r.RepeatRunID), maxWord),
		ExecutionPlanID: v.Line(r.ExecutionPlanID, maxWord),
	}
}

// Status renders the status of a run. The statuses of the contract are never taken
// out as secrets: callers act on them.
func (v View) Status(s client.Status) string {
	if slices.Contains(client.Statuses(), s) {
		return string(s)
	}
	return v.Line(string(s), maxWord)
}

// runID renders the id of a run. A valid one is never taken out as a secret: every
// later call needs it.
func (v View) runID(id client.RunID) client.RunID {
	if id.Valid() {
		return id
	}
	return client.RunID(v.Line(string(id), maxWord))
}

// Plan is what a run intends to do.
type Plan struct {
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Steps       []PlanStep `json:"steps,omitempty"`
}

// PlanStep is one step of a plan.
type PlanStep struct {
	ID             string   `json:"id"`
	Description    string   `json:"description"`
	DependsOnSteps []string `json:"dependsOnSteps,omitempty"`
}

// maxDependencies is how many of the steps that a step depends on are shown.
const maxDependencies = 50

// Plan renders a plan with its steps from number from on, in about limit bytes, and
// returns how many later steps are left. A plan of text becomes a description. It
// returns nil for nil.
func (v View) Plan(p *client.Plan, from, limit int) (shown *Plan, left int) {
	if p == nil {
		return nil, 0
	}
	shown = &Plan{Title: v.Line(p.Title, min(maxText, limit/2)), Description: v.Text(p.Description+p.Text, min(maxText, limit/2))}
	steps := p.Steps[min(from, len(p.Steps)):]
	for i, s := range steps {
		if limit <= 0 {
			return shown, len(steps) - i
		}
		step := PlanStep{ID: v.Line(s.ID, maxWord), Description: v.Text(s.Description, maxText)}
		for _, id := range s.DependsOnSteps[:min(len(s.DependsOnSteps), maxDependencies)] {
			step.DependsOnSteps = append(step.DependsOnSteps, v.Line(id, maxWord))
		}
		limit -= len(JSON(step))
		shown.Steps = append(shown.Steps, step)
	}
	return shown, 0
}
