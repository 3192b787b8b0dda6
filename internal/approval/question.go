package approval

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

// Bounds of a question, in bytes but for the last two: it should fit a dialog, and a
// person should read it.
const (
	maxIntent   = 400
	maxReason   = 500
	maxCalls    = 3000 // the parameters of all tool calls together
	maxPlanText = 2000 // a plan of text, or all steps of another together
	maxStep     = 300  // one step, the title or the description of a plan
	maxToolName = 128  // one tool's name
	// minParameters is what each listed tool call may use for its parameters, if the
	// calls before it used up maxCalls.
	minParameters = 200

	maxListedCalls = 10 // tool calls that are listed
	maxListedSteps = 50 // steps of a plan that are listed
)

// Request is what a person is asked about one pending approval, by one snapshot of
// its run.
type Request struct {
	Pending
	Run *client.Run
	// Plan is what a whole run would do by the API's plan now, nil where it has none.
	Plan *client.Plan

	remembered *client.Plan // from the answer to create; only this process may have it
	secrets    *redact.Set  // hidden from the person
}

// Request returns what a person is asked about an approval that waits in a run. run
// was read with its events. The question hides secrets, which are the operator's, the
// caller's key and the tokens of the run's approval links.
func (d *Decider) Request(ctx context.Context, caller client.Caller, run *client.Run, p Pending, secrets *redact.Set) Request {
	r := Request{Pending: p, Run: run}
	if p.Scope == OfRun {
		r.Plan, _ = d.currentPlan(ctx, caller, run) // without one, the question says so
		r.remembered = d.rememberedPlan(caller, run.RunID)
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

// Question says for a person what would happen if the request were granted. changed
// says that the person has answered before and the content has changed since.
//
// Line 1 says how much would happen and whether all of it is shown. The tool calls
// with their parameters, or the plan, come next, because many clients show only
// three lines of 80 columns. Texts of the run stand in quotes that they cannot end,
// so that they cannot look like the question's own words.
func (r Request) Question(changed bool) string {
	w := &writer{secrets: r.secrets}
	if r.Scope == OfRun {
		w.writePlans(r)
	} else {
		w.writeCalls(r.calls())
	}
	head := r.headline(changed)
	if w.cut || w.hidden > 0 {
		head += " Not all is shown."
	}
	w.writeReasons(r)
	if w.hidden > 0 {
		w.writeLine(hiddenNote(w.hidden))
	}
	if r.Run.RunID.Valid() {
		w.writeLine("Run " + string(r.Run.RunID))
	}
	return strings.TrimSpace(breakLines(head) + w.lines.String())
}

// writeReasons writes why the run asks, and what it is for, in the run's words.
func (w *writer) writeReasons(r Request) {
	if r.Step != nil {
		if reason := cmp.Or(r.Step.Reason, r.Step.Text); strings.TrimSpace(reason) != "" {
			w.writeLine("The run's own reason: " + w.quote(reason, maxReason))
		}
	}
	if r.Run.Intent != "" {
		w.writeLine("What the run is for: " + w.quote(r.Run.Intent, maxIntent))
	}
}

// hiddenNote says how many secrets the question hides.
func hiddenNote(n int) string {
	verb := "are"
	if n == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%s %s hidden, by %s: keys, or tokens of this run's approval links.", count(n, "secret"), verb, redact.Removed)
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

// count returns a number with its noun, in the plural where that is due.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// writeCalls writes each tool call. Before several calls it writes their names.
func (w *writer) writeCalls(calls []client.ToolCall) {
	if len(calls) > 1 {
		w.lines.WriteString(w.nameLine(calls))
	}
	left, listed := maxCalls, min(len(calls), maxListedCalls)
	for i, c := range calls[:listed] {
		parameters := "parameters that the API does not tell"
		if value := compact(c.ToolParameters); value != nil {
			parameters = w.showValue(value, 0, max(left/(listed-i), minParameters))
		}
		left -= len(parameters)
		call := w.quote(c.ToolName, maxToolName) + " with " + parameters
		if len(calls) == 1 {
			w.writeLine("It would call " + call)
		} else {
			w.writeLine(fmt.Sprintf("%d. %s", i+1, call))
		}
	}
	if n := len(calls) - listed; n > 0 {
		w.writeNotListed(n, "more tool call")
	}
}

// nameLine returns one line with as many names of tools as fit, "" if not even the
// first does. The names are not counted as cut: each is shown again with its call.
func (w *writer) nameLine(calls []client.ToolCall) string {
	names := &writer{secrets: w.secrets}
	line, rest := "It would call ", ""
	for i, c := range calls {
		next := line + names.quote(c.ToolName, maxToolName)
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

// writePlans writes the plan of a whole run, and says so if the plan is not what the
// API has now but what the answer to create had.
func (w *writer) writePlans(r Request) {
	shown := bestPlan(r.Plan, r.remembered)
	if shown == nil {
		return
	}
	if shown != r.Plan && r.Plan != nil { // a placeholder, or another plan
		w.writeLine("The API says of its plan: " + w.quote(r.Plan.Title+r.Plan.Description+r.Plan.Text, maxPlanText/2))
	}
	w.writePlan(shown)
	if shown != r.Plan {
		w.writeLine("This is its plan as it was created. The API does not tell these steps now.")
	}
}

func (w *writer) writePlan(plan *client.Plan) {
	if plan.Text != "" {
		w.writeLine("Its plan: " + w.quote(plan.Text, maxPlanText))
	}
	left := maxPlanText
	for i, s := range plan.Steps {
		if left <= 0 || i == maxListedSteps {
			w.writeNotListed(len(plan.Steps)-i, "more step")
			break
		}
		step := w.quote(s.Description, maxStep)
		left -= len(step)
		w.writeLine(fmt.Sprintf("%d. %s", i+1, step))
	}
	if plan.Title != "" {
		w.writeLine("The plan's title: " + w.quote(plan.Title, maxStep))
	}
	if plan.Description != "" {
		w.writeLine("The plan's description: " + w.quote(plan.Description, maxStep))
	}
}

// writeNotListed writes how many items are left out of a list.
func (w *writer) writeNotListed(n int, what string) {
	w.cut = true
	w.writeLine("and " + count(n, what) + " not listed here")
}
