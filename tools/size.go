package tools

import (
	"fmt"

	"runs-mcp-server/internal/view"
)

// DefaultMaxResultBytes is how large a result may be where the operator does not
// say: below the 12,000 bytes at which Codex cuts for models it does not know.
const DefaultMaxResultBytes = 10_000

// MinMaxResultBytes is the least that the operator may set.
const MinMaxResultBytes = 8_000

// sizeOf returns how many bytes a value takes in a result.
func sizeOf(v any) int { return len(view.JSON(v)) }

func (r *RunResult) addNote(note string) { r.Summary += note }

// truncate leaves out whole parts, the least important first, until the result is
// small enough.
func (r *RunResult) truncate(o Options) {
	for _, leaveOut := range []func(*RunResult, Options){
		leaveOutContext, leaveOutEventTexts, leaveOutPlan, leaveOutResult, leaveOutIntent, leaveOutToolCalls,
	} {
		if sizeOf(r) <= o.MaxResultBytes {
			return
		}
		leaveOut(r, o)
	}
}

func leaveOutContext(r *RunResult, _ Options) { r.Context = leftOut(r.Context) }

func leaveOutEventTexts(r *RunResult, _ Options) {
	for i := range r.Events {
		e := &r.Events[i]
		e.ToolCalls, e.Text, e.Reason = nil, leftOut(e.Text), leftOut(e.Reason)
	}
}

func leaveOutPlan(r *RunResult, o Options) {
	if r.Plan != nil {
		r.Plan = &view.Plan{Title: "[left out: " + o.readPart(r.RunID, partPlan) + "]"}
	}
}

func leaveOutResult(r *RunResult, _ Options) {
	if r.Result != nil {
		r.Result, r.ResultURI = nil, runURI(r.RunID, partResult)
	}
}

func leaveOutIntent(r *RunResult, _ Options) { r.Intent = leftOut(r.Intent) }

func leaveOutToolCalls(r *RunResult, o Options) {
	for i := range r.PendingApprovals {
		p := &r.PendingApprovals[i]
		p.ToolCalls, p.Reason = nil, leftOut(p.Reason)
		p.Summary += " [its parameters are left out: " + o.readToolCalls(r.RunID, p.EventID) + "]"
	}
}

// leftOut stands for a text that is left out, "" for none.
func leftOut(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf("[%d bytes left out]", len(text))
}
