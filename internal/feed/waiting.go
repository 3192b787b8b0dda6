package feed

import (
	"context"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// Waiting reads a run with the approvals that wait in it by its stored events
// and its stream together: either may lag behind a decision, and either alone may
// tell a link or a tool call. The error is a [client.Error], or wraps that of ctx.
func (h *Hub) Waiting(ctx context.Context, caller client.Caller, runID string) (Reading, error) {
	live, err := h.Pending(ctx, caller, runID)
	if err != nil {
		return Reading{}, err
	}
	read, err := h.ReadRun(ctx, caller, runID)
	if err != nil {
		return Reading{}, err
	}
	read.Pending = approval.Merge(caller, read.Run, live.Pending, live.Last)
	return read, nil
}
