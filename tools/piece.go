package tools

import (
	"cmp"
	"context"
	"fmt"
	"sort"
	"unicode/utf8"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/view"
)

// The parts of a run that get_run reads in pieces.
const (
	partResult = "result"
	partPlan   = "plan"
)

// Piece says which piece of a part a result holds. Offsets count from 0:
// characters (Unicode code points) of the result's JSON text, steps of the plan.
type Piece struct {
	Part       string `json:"part"`
	Offset     int    `json:"offset"`
	NextOffset int    `json:"nextOffset,omitempty"` // where the next piece begins; 0: this is the last
	Total      int    `json:"total"`                // of the whole part
	Digest     string `json:"digest,omitempty"`     // of the whole result: pieces with another one do not belong together
	Text       string `json:"text,omitempty"`       // of the result; a plan's steps are in plan
}

// showPiece puts a piece of a part into a result that shows neither the run's
// result nor its events, and says how to get the next one.
func (h *handlers) showPiece(ctx context.Context, c *call, r *RunResult, run *client.Run, part string, offset int) {
	r.Plan = nil
	budget := h.MaxResultBytes - textBytes - sizeOf(r)
	if part == partPlan {
		h.showSteps(ctx, c, r, run, offset, budget)
	} else {
		showText(c.view(), r, run, offset, budget)
	}
	if next := r.Piece.NextOffset; next > 0 {
		r.NextStep = fmt.Sprintf("For the next piece, %s.", h.readStep(runURI(r.RunID, ""), fmt.Sprintf("runId, part %s and offset %d", part, next)))
	}
}

// showText shows as much of the result's text as the budget of bytes has room for.
func showText(v view.View, r *RunResult, run *client.Run, offset, budget int) {
	got := v.ResultRange(run, offset, budget)
	text := cutToJSON(got.Text, budget)
	end := offset + utf8.RuneCountInString(text)
	r.Piece = &Piece{Part: partResult, Offset: offset, Total: got.Total, Digest: got.Digest, Text: text}
	switch {
	case got.Total == 0 && r.Finished:
		r.addNote(" It has no result.")
	case got.Total == 0:
		r.addNote(" It has no result yet.")
	case offset >= got.Total:
		r.addNote(fmt.Sprintf(" The result ends before offset %d: it has %d characters.", offset, got.Total))
	case end < got.Total:
		r.Piece.NextOffset = end
		r.addNote(fmt.Sprintf(" piece.text holds %d of the %d characters of its result's JSON, from offset %d on. If digest changes, begin anew.", end-offset, got.Total, offset))
	case offset == 0:
		r.addNote(" piece.text is its whole result as JSON.")
	default:
		r.addNote(fmt.Sprintf(" piece.text holds the last %d of the %d characters of its result's JSON.", end-offset, got.Total))
	}
}

// cutToJSON returns the longest beginning of a text that takes at most so many bytes
// as a JSON string, and at least one character.
func cutToJSON(text string, limit int) string {
	ends := make([]int, 0, len(text)+1) // where each character ends
	for i := range text {
		if i > 0 {
			ends = append(ends, i)
		}
	}
	ends = append(ends, len(text))
	n := sort.Search(len(ends), func(i int) bool { return sizeOf(text[:ends[i]]) > limit })
	return text[:ends[max(n-1, 0)]]
}

// showSteps shows the steps of the plan from an offset on.
func (h *handlers) showSteps(ctx context.Context, c *call, r *RunResult, run *client.Run, offset, budget int) {
	r.Piece = &Piece{Part: partPlan, Offset: offset}
	plan, err := h.Decider.Plan(ctx, c.caller, run)
	switch {
	case err != nil:
		r.addNote(" Its plan cannot be read now: " + h.reasonOf(err) + ".")
		return
	case plan == nil && r.Finished:
		r.addNote(" The API does not tell its plan.")
		return
	case plan == nil:
		r.addNote(" The API does not tell its plan (yet).")
		return
	}
	var left int
	r.Plan, left = c.view().Plan(plan, offset, budget)
	// The last step may be larger than what was left for it.
	for len(r.Plan.Steps) > 1 && sizeOf(r.Plan) > budget {
		r.Plan.Steps = r.Plan.Steps[:len(r.Plan.Steps)-1]
		left++
	}
	shown := len(r.Plan.Steps)
	r.Piece.Total = cmp.Or(len(plan.Steps), 1)
	switch {
	case len(plan.Steps) == 0:
		r.addNote(" Its plan is a text, in plan.description.")
	case shown == 0:
		r.addNote(fmt.Sprintf(" The plan ends before offset %d: it has %d steps.", offset, len(plan.Steps)))
	default:
		r.addNote(fmt.Sprintf(" plan holds steps %d to %d of %d.", offset+1, offset+shown, len(plan.Steps)))
	}
	if left > 0 {
		r.Piece.NextOffset = offset + shown
	}
}
