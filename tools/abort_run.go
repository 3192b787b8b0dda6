package tools

import (
	"context"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/feed"
)

type abortRunArgs struct {
	RunID client.RunID `json:"runId" jsonschema:"format=uuid" jsonschema_description:"The run to stop."`
}

func abortRunDescription(Options) string {
	return "Stop, cancel or kill a running automation, workflow, job or task for good; its effects stay. Cancel only when the user wants it: a run goes on by itself when nobody watches it."
}

func (h *handlers) abortRun(ctx context.Context, c *call, args abortRunArgs) (RunResult, error) {
	c.runID = args.RunID
	abortErr := h.sendAbort(ctx, c, args.RunID, audit.Tool)
	switch client.KindOf(abortErr) {
	case "", client.OutcomeUnknown, client.Conflict, client.NotFound, client.InvalidArgument:
		// Only the run's state tells what happened: it may have ended before.
	default:
		return RunResult{}, abortErr
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	got, err := h.readRun(ctx, c, args.RunID, feed.State{})
	if err := h.abortFailure(abortErr, got, err); err != nil {
		return RunResult{}, err
	}
	page := hiddenEvents(got.Run, 0)
	page.last = got.Last
	result := h.buildResult(c, got, page)
	describeAbort(&result, got, abortErr)
	return result, nil
}

// sendAbort sends the request, and records it if aborts are recorded.
func (h *handlers) sendAbort(ctx context.Context, c *call, runID client.RunID, channel audit.Channel) error {
	if h.Audit == nil {
		return h.API.AbortRun(ctx, c.caller, runID)
	}
	return h.abortAudited(ctx, c, runID, channel)
}

// abortFailure returns the failure of an abort after which the run was read, nil
// where it is known what happened.
func (h *handlers) abortFailure(abortErr error, got reading, readErr error) error {
	unknown := client.KindOf(abortErr) == client.OutcomeUnknown
	switch {
	case readErr == nil && (abortErr == nil || got.Run.Status.Terminal()):
		return nil
	case abortErr == nil:
		return h.unknownAbort("the run was told to stop, but its state cannot be read", readErr)
	case !unknown:
		return abortErr
	case readErr != nil:
		return h.unknownAbort("whether the run was told to stop is unknown, and its state cannot be read", abortErr)
	}
	return h.unknownAbort("whether the run was told to stop is unknown; it has not ended yet", abortErr)
}

// unknownAbort is the failure of an abort whose outcome is unknown. Unlike a create
// it may be repeated.
func (h *handlers) unknownAbort(message string, cause error) *problem {
	return &problem{
		code: client.OutcomeUnknown, message: message, cause: cause,
		nextStep: "To see the state of the run, " + h.readStep(runURI("", ""), "runId") + "; if it still goes on, abort_run may be called again.",
	}
}

// describeAbort says in a result what the abort did.
func describeAbort(r *RunResult, got reading, abortErr error) {
	canceled := got.Run.Status == client.CanceledRun
	switch {
	case canceled && abortErr == nil:
		r.Summary = "The run was aborted: it is CANCELED." + got.note()
		r.NextStep = "Tell the user that it was stopped; what it did so far stays done."
	case canceled && client.KindOf(abortErr) == client.OutcomeUnknown:
		r.Summary = "The run is CANCELED; whether by this call is unknown." + got.note()
	case r.Finished:
		r.Summary = "The run had ended already, with " + string(got.Run.Status) + "; nothing was aborted." + got.note()
	default:
		r.Summary = "The run was told to stop. " + r.Summary
	}
}
