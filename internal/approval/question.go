package approval

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

// Bounds of a question, in bytes: it should fit a dialog, and a person's patience.
const (
	maxIntent   = 400
	maxReason   = 500
	maxCalls    = 3000 // the parameters of all tool calls together
	maxPlanText = 2000 // a plan of text, or all steps of another together
	maxStep     = 300  // one step of a plan
	maxName     = 128  // one tool's name
	maxAsked    = 10   // tool calls that are listed
	maxSteps    = 50   // steps of a plan that are
)

// Request is what a person is asked about one pending approval, by one snapshot
// of its run.
type Request struct {
	Pending
	Run *client.Run
	// Plan is what a whole run would do as the API tells it now, nil where it
	// tells nothing.
	Plan *client.Plan

	remembered *client.Plan // as the answer to create told it, to this process alone
	secrets    *redact.Set  // what a person is not shown
}

// Request returns what a person is asked about an approval that waits in a run, as
// it was read with its events. secrets are the operator's; the caller's key and
// the tokens of the run's links are hidden, too.
func (d *Decider) Request(ctx context.Context, caller client.Caller, run *client.Run, p Pending, secrets *redact.Set) Request {
	r := Request{Pending: p, Run: run}
	if p.Scope == OfRun {
		r.Plan, _ = d.toldPlan(ctx, caller, run) // the question says that it is not told
		r.remembered = d.kept(caller, run.RunID)
	}
	hidden := []string{string(caller.Key), p.tokens[Approve], p.tokens[Deny]}
	for _, e := range run.Events {
		for _, tokens := range linksOf(e) {
			hidden = append(hidden, tokens...)
		}
	}
	r.secrets = secrets.With(hidden...)
	return r
}

// Question says for a person what would happen if the request were granted. Line
// 1 tells how much that is and whether all of it is shown; the tool calls with
// their parameters, or the plan, follow at once, for many clients show three
// lines of 80 columns. What the run says stands in quotes that it cannot end, so
// that it cannot pass for the question's own words. changed says that the person
// answered before, and the run asks for something else by now.
func (r Request) Question(changed bool) string {
	w := &writer{secrets: r.secrets}
	var b strings.Builder
	if r.Scope == OfRun {
		w.writePlans(&b, r)
	} else {
		w.writeCalls(&b, r.calls())
	}
	head := r.headline(changed)
	if w.cut || w.hidden > 0 {
		head += " Not all is shown."
	}
	if r.Step != nil {
		if reason := cmp.Or(r.Step.Reason, r.Step.Text); strings.TrimSpace(reason) != "" {
			writeLine(&b, "The run's own reason: "+w.quote(reason, maxReason))
		}
	}
	if r.Run.Intent != "" {
		writeLine(&b, "What the run is for: "+w.quote(r.Run.Intent, maxIntent))
	}
	if w.hidden > 0 {
		are := " are"
		if w.hidden == 1 {
			are = " is"
		}
		writeLine(&b, count(w.hidden, "secret")+are+" hidden, by "+redact.Removed+": keys, or tokens of this run's approval links.")
	}
	if r.Run.RunID.Valid() {
		writeLine(&b, "Run "+string(r.Run.RunID))
	}
	var question strings.Builder
	writeLine(&question, head)
	return strings.TrimSpace(question.String() + b.String())
}

func (r Request) calls() []client.ToolCall {
	if r.Step == nil {
		return nil
	}
	return r.Step.ToolCalls
}

// headline says how much would happen.
func (r Request) headline(changed bool) string {
	who, calls := "A run asks", r.calls()
	if changed {
		who = "Changed: it asks"
	}
	switch plan := bestPlan(r.Plan, r.remembered); {
	case r.Scope == OfRun && plan == nil:
		return who + " to start: the whole run. The API does not tell its plan."
	case r.Scope == OfRun && len(plan.Steps) == 0:
		return fmt.Sprintf("%s to start: the whole run, a plan of %s.", who, count(len(plan.Title+plan.Description+plan.Text), "byte"))
	case r.Scope == OfRun:
		return fmt.Sprintf("%s to start: the whole run, %s.", who, count(len(plan.Steps), "step"))
	case len(calls) == 0:
		return who + " to go on. It does not say which tools it would call."
	}
	bytes := 0
	for _, c := range calls {
		bytes += len(compact(c.ToolParameters))
	}
	return fmt.Sprintf("%s for %s, %s of parameters.", who, count(len(calls), "tool call"), count(bytes, "byte"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// writeCalls writes the names of the tools, if they are several, then each call.
func (w *writer) writeCalls(b *strings.Builder, calls []client.ToolCall) {
	if len(calls) > 1 {
		b.WriteString(w.nameLine(calls))
	}
	left, listed := maxCalls, min(len(calls), maxAsked)
	for i, c := range calls[:listed] {
		parameters := "parameters that the API does not tell"
		if value := compact(c.ToolParameters); value != nil {
			parameters = w.value(value, 0, max(left/(listed-i), 200))
		}
		left -= len(parameters)
		call := w.quote(c.ToolName, maxName) + " with " + parameters
		if len(calls) == 1 {
			writeLine(b, "It would call "+call)
		} else {
			writeLine(b, fmt.Sprintf("%d. %s", i+1, call))
		}
	}
	if n := len(calls) - listed; n > 0 {
		w.cut = true
		fmt.Fprintf(b, "and %s not listed here\n", count(n, "more tool call"))
	}
}

// nameLine returns one line with as many names of tools as it holds, "" if that
// is none. Each name stands once more with its parameters.
func (w *writer) nameLine(calls []client.ToolCall) string {
	names := &writer{secrets: w.secrets}
	line, rest := "It would call ", ""
	for i, c := range calls {
		next := line + names.quote(c.ToolName, maxName)
		rest = fmt.Sprintf(" and %d more", len(calls)-i)
		if widthOf(next+rest) > columns {
			if i == 0 {
				return ""
			}
			return strings.TrimSuffix(line, ", ") + rest + "\n"
		}
		line = next + ", "
	}
	return strings.TrimSuffix(line, ", ") + "\n"
}

// writePlans writes the plan of a whole run. One that only this process
// remembers is shown as such.
func (w *writer) writePlans(b *strings.Builder, r Request) {
	shown := bestPlan(r.Plan, r.remembered)
	if shown == nil {
		return
	}
	if shown != r.Plan && r.Plan != nil { // a placeholder, or another plan
		writeLine(b, "The API says of its plan: "+w.quote(r.Plan.Title+r.Plan.Description+r.Plan.Text, maxPlanText/2))
	}
	w.writePlan(b, shown)
	if shown != r.Plan {
		b.WriteString("This is its plan as it was created. The API does not tell these steps now.\n")
	}
}

func (w *writer) writePlan(b *strings.Builder, plan *client.Plan) {
	if plan.Text != "" {
		writeLine(b, "Its plan: "+w.quote(plan.Text, maxPlanText))
	}
	left := maxPlanText
	for i, s := range plan.Steps {
		if left <= 0 || i == maxSteps {
			w.cut = true
			fmt.Fprintf(b, "and %s not listed here\n", count(len(plan.Steps)-i, "more step"))
			break
		}
		step := w.quote(s.Description, maxStep)
		left -= len(step)
		writeLine(b, fmt.Sprintf("%d. %s", i+1, step))
	}
	if plan.Title != "" {
		writeLine(b, "The plan's title: "+w.quote(plan.Title, maxStep))
	}
	if plan.Description != "" {
		writeLine(b, "The plan's description: "+w.quote(plan.Description, maxStep))
	}
}
