package tools

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
)

// Outcomes of calls that did not fail. The outcome of a failed call is the code of its
// [Failure].
const (
	outcomeOK            = "ok"
	outcomeInputRequired = "input_required" // the client asks its person and calls again
	outcomeTask          = "task"           // the call goes on as a task
)

// CallReport says what became of a call.
type CallReport struct {
	Tool     string       // one of [AllNames]
	Outcome  string       // ok, input_required, task, or the code of a failure
	RunID    client.RunID // "" for none
	Duration time.Duration
}

// identified is a session whose transport knows the id of the call's request.
type identified interface{ RequestID() string }

// reportCall tells the operator of a call that is over: by a line of the log, if the
// call did not fail, and by [Options.Observe].
func (h *handlers) reportCall(ctx context.Context, c *call, outcome string) {
	took := time.Since(c.at)
	if h.Observe != nil {
		h.Observe(ctx, CallReport{Tool: c.tool, Outcome: outcome, RunID: c.runID, Duration: took})
	}
	succeeded := outcome == outcomeOK || outcome == outcomeInputRequired || outcome == outcomeTask
	if h.LogCalls && succeeded && h.Log.Enabled(ctx, slog.LevelInfo) {
		h.Log.LogAttrs(ctx, slog.LevelInfo, "a tool was called", h.describeCall(c, outcome, took)...)
	}
}

// describeCall returns what a line of the log says of every call.
func (h *handlers) describeCall(c *call, outcome string, took time.Duration) []slog.Attr {
	attrs := make([]slog.Attr, 0, 8) // and two more of a failure
	attrs = append(attrs, slog.String("tool", c.tool), slog.String("outcome", outcome), slog.Int64("ms", took.Milliseconds()))
	if session, ok := c.session.(identified); ok {
		attrs = append(attrs, slog.String("request", session.RequestID()))
	}
	if h.NameCaller != nil {
		attrs = append(attrs, slog.String("caller", h.NameCaller(c.caller.Key)))
	}
	if c.runID != "" {
		attrs = append(attrs, slog.String("run", string(c.runID)))
	}
	return attrs
}

// logFailure logs a failed call, with what the network said of it.
func (h *handlers) logFailure(ctx context.Context, c *call, req mcp.CallToolRequest, code string, err error) {
	var named struct{ RunID client.RunID }
	if c.runID == "" && json.Unmarshal(req.Params.RawArguments, &named) == nil && named.RunID.Valid() {
		c.runID = named.RunID
	}
	attrs := append(h.describeCall(c, code, time.Since(c.at)), slog.Any("error", err))
	if e, ok := errors.AsType[*client.Error](err); ok && e.Detail() != "" {
		attrs = append(attrs, slog.String("cause", e.Detail()))
	}
	h.Log.LogAttrs(ctx, slog.LevelWarn, "a tool call failed", attrs...)
}
