package resources

import (
	"context"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
)

const (
	// maxIntent and maxResult bound what is shown of a run's intent and result with
	// the run, in bytes. All of the result is at its own address.
	maxIntent = 6_000
	maxResult = 3_000
)

// readRun reads a run without its events.
func (h *handlers) readRun(ctx context.Context, caller client.Caller, a address) (any, error) {
	// With its events all the same: its texts may hold the tokens in them.
	read, err := h.Feeds.Snapshot(ctx, caller, a.runID, feed.Wanted{})
	if err != nil {
		return nil, err
	}
	v := h.viewOf(caller, read.Tokens)
	shown := v.Run(read.Run)
	shown.Intent = v.Text(read.Run.Intent, maxIntent)
	shown.Result = v.Value(read.Run.Result, maxResult)
	return shown, nil
}
