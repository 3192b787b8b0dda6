package resources

import (
	"context"
	"fmt"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/view"
)

// ResultPart is what the result of a run reads as: a part of its JSON text.
// Offsets count characters, which are Unicode code points.
type ResultPart struct {
	RunID      client.RunID `json:"runId"`
	Status     string       `json:"status"`
	Summary    string       `json:"summary"` // in our words
	Total      int          `json:"total"`   // characters of the whole
	Offset     int          `json:"offset"`
	NextOffset int          `json:"nextOffset,omitempty"`
	More       bool         `json:"more"`
	Next       string       `json:"next,omitempty"`   // where the next part is
	Digest     string       `json:"digest,omitempty"` // of the whole: another one, another result
	Text       string       `json:"text"`
}

// readResult reads a part of a run's result. Nothing is kept from one part to the
// next: each read reads and redacts the whole result again, and the digest tells
// whether it has changed.
func (h *handlers) readResult(ctx context.Context, caller client.Caller, a address) (any, error) {
	read, err := h.Feeds.Snapshot(ctx, caller, a.runID, feed.Wanted{})
	if err != nil {
		return nil, err
	}
	return resultPart(h.viewOf(caller, read.Tokens), read.Run, a), nil
}

// resultPart shows the part of a result that an address names.
func resultPart(v view.View, run *client.Run, a address) ResultPart {
	got := v.ResultRange(run, int(a.from), a.limit)
	out := ResultPart{
		RunID: a.runID, Status: v.Status(run.Status),
		Total: got.Total, Offset: got.Offset, Digest: got.Digest, Text: got.Text,
	}
	end := min(got.Offset+a.limit, got.Total)
	switch {
	case got.Total == 0 && run.Status.Terminal():
		out.Summary = "The run has ended with " + out.Status + " and has no result."
	case got.Total == 0:
		out.Summary = "There is no result yet: the run is " + out.Status + "."
	case got.Offset >= got.Total:
		out.Summary = fmt.Sprintf("The result ends before offset %d: it has %d characters.", got.Offset, got.Total)
	case got.Offset == 0 && end == got.Total:
		out.Summary = fmt.Sprintf("The whole result: %d characters of JSON.", got.Total)
	case end == got.Total:
		out.Summary = fmt.Sprintf("The last %d of %d characters of the result's JSON.", end-got.Offset, got.Total)
	default:
		out.Summary = fmt.Sprintf("%d of %d characters of the result's JSON. Go on with offset %d; if digest is another then, begin anew.", end-got.Offset, got.Total, end)
		a.from = int64(end)
		out.More, out.NextOffset, out.Next = true, end, a.String()
	}
	return out
}
