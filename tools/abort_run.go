package tools

import (
	"context"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
)

type abortRunArgs struct {
	RunID client.RunID `json:"runId" jsonschema:"format=uuid" jsonschema_description:"The run to stop."`
}

func (s *set) abortRunTool() server.ServerTool {
	return tool(s, definition{
		name: "abort_run", title: "Abort run",
		description: "Stop, cancel or kill a running automation, workflow, job or task for good; its effects stay. Cancel only when the user wants it: a run goes on by itself when nobody watches it.",
		hints:       hints{destructive: true, idempotent: true, openWorld: true},
	}, s.abortRun)
}

func (s *set) abortRun(ctx context.Context, c *call, args abortRunArgs) (RunResult, error) {
	abortErr := s.API.AbortRun(ctx, c.caller, args.RunID)
	switch client.KindOf(abortErr) {
	case "", client.OutcomeUnknown, client.Conflict, client.NotFound, client.InvalidArgument:
		// The run itself tells what became of it: it may have ended before.
	default:
		return RunResult{}, abortErr
	}
	doubtful := client.KindOf(abortErr) == client.OutcomeUnknown
	reading, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	got, err := s.read(reading, c, args.RunID, feed.State{})
	switch {
	case err == nil && (abortErr == nil || got.Run.Status.Terminal()):
		// The summary says what is known.
	case abortErr == nil:
		return RunResult{}, s.unclearAbort("the run was told to stop, but its state cannot be read", err)
	case !doubtful:
		return RunResult{}, abortErr
	case err != nil:
		return RunResult{}, s.unclearAbort("whether the run was told to stop is unknown, and its state cannot be read", abortErr)
	default:
		return RunResult{}, s.unclearAbort("whether the run was told to stop is unknown; it has not ended yet", abortErr)
	}
	page := notShown(got.Run, 0)
	page.last = got.Last
	result := s.result(c, got, page)
	canceled := got.Run.Status == client.CanceledRun
	switch {
	case canceled && abortErr == nil:
		result.Summary = "The run was aborted: it is CANCELED." + got.note()
		result.NextStep = "Tell the user that it was stopped; what it did so far stays done."
	case canceled && doubtful:
		result.Summary = "The run is CANCELED; whether by this call is unknown." + got.note()
	case got.Run.Status.Terminal():
		result.Summary = "The run had ended already, with " + string(got.Run.Status) + "; nothing was aborted." + got.note()
	default:
		result.Summary = "The run was told to stop. " + result.Summary
	}
	return result, nil
}

// unclearAbort says that nobody knows whether an abort arrived. Unlike a
// create it can do no harm twice.
func (s *set) unclearAbort(message string, cause error) *problem {
	return &problem{
		code: string(client.OutcomeUnknown), message: message, cause: cause,
		nextStep: "To see the state of the run, " + s.look("{runId}", "runId") + "; if it still goes on, abort_run may be called again.",
	}
}
