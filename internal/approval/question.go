package approval

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

// Bounds of a question, in bytes: it should fit a dialog, and a person's patience.
const (
	maxIntent   = 400
	maxReason   = 500
	maxCalls    = 3000 // the parameters of all tool calls together
	maxPlanText = 2000 // a plan of text, or all steps of another together
	maxAsked    = 10   // tool calls that are listed
	maxSteps    = 50   // steps of a plan that are
)

// Question reads what a pending approval's run is about and puts the approval
// into words for the person whose view v is, see [Question]. The error is a
// [client.Error].
func (d *Desk) Question(ctx context.Context, v view.View, caller client.Caller, runID string, p Pending) (string, error) {
	run, err := d.api.GetRun(ctx, caller, runID, false)
	if err != nil {
		return "", err
	}
	var plan *client.Plan
	if p.Scope == OfRun {
		plan, _ = d.Plan(ctx, caller, run) // the question says that it is not told
	}
	return Question(v, p, run, plan), nil
}

// Question says for a person what would happen if a pending approval were
// granted: the tool calls with their parameters first, or the plan of the run,
// then the run's own reason. What the run says stands in quotes that it cannot
// end, so that it cannot pass for the question's own words. Where something is
// hidden, the question says so. v is a person's view; run and plan may be nil where
// they are not known.
func Question(v view.View, p Pending, run *client.Run, plan *client.Plan) string {
	told := tells(plan)
	hid := v.Hid()
	var b strings.Builder
	if p.Scope == OfRun {
		b.WriteString("A run asks to start.\n")
		writePlan(&b, v, plan, told)
	} else {
		b.WriteString("A run asks to go on.\n")
		writeCalls(&b, v, p.Step)
	}
	if p.Step != nil {
		if reason := v.Line(cmp.Or(p.Step.Reason, p.Step.Text), maxReason); reason != "" {
			fmt.Fprintf(&b, "The run's own reason: %s\n", view.Quote(reason))
		}
	}
	if v.Hid() > hid { // what the run is for says nothing of what would happen
		b.WriteString("Something above is hidden: the API key, a secret of the operator's or the token of an approval stands there. Approve only if you know what it is.\n")
	}
	if run != nil {
		fmt.Fprintf(&b, "What the run is for: %s\n", view.Quote(v.Line(run.Intent, maxIntent)))
		if client.IsRunID(run.RunID) {
			b.WriteString("Run " + run.RunID)
		}
	}
	return strings.TrimSpace(b.String())
}

func writeCalls(b *strings.Builder, v view.View, step *client.Step) {
	if step == nil || len(step.ToolCalls) == 0 {
		b.WriteString("It does not say which tools it would call.\n")
		return
	}
	calls, left := step.ToolCalls, maxCalls
	for i, c := range calls[:min(len(calls), maxAsked)] {
		parameters := "parameters that the API does not tell"
		if value := v.Value(c.ToolParameters, max(left/(min(len(calls), maxAsked)-i), 200)); value != nil {
			parameters = view.Inline(value)
		}
		left -= len(parameters)
		fmt.Fprintf(b, "It would call %s with %s\n", view.Quote(v.Line(c.ToolName, 128)), parameters)
	}
	if n := len(calls) - maxAsked; n > 0 {
		fmt.Fprintf(b, "and %d more tools that are not listed here\n", n)
	}
}

// tells reports whether a plan says anything.
func tells(plan *client.Plan) bool {
	return plan != nil && (len(plan.Steps) > 0 || strings.TrimSpace(redact.Visible(plan.Description+plan.Text)) != "")
}

func writePlan(b *strings.Builder, v view.View, plan *client.Plan, told bool) {
	if !told {
		b.WriteString("The API does not tell its plan.\n")
		return
	}
	left := maxPlanText
	if len(plan.Steps) == 0 {
		fmt.Fprintf(b, "Its plan: %s\n", view.Quote(v.Line(plan.Description+plan.Text, left)))
		return
	}
	b.WriteString("Its plan:\n")
	for i, s := range plan.Steps {
		if left <= 0 || i == maxSteps {
			fmt.Fprintf(b, "and %d more steps that are not listed here\n", len(plan.Steps)-i)
			return
		}
		line := v.Line(s.Description, 300)
		left -= len(line)
		fmt.Fprintf(b, "%d. %s\n", i+1, view.Quote(line))
	}
}
