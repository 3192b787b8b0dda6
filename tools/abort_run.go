package tools

import (
	"context"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
)

type abortRunArgs struct {
	RunID string `json:"runId" jsonschema:"format=uuid" jsonschema_description:"The run to stop."`
}

func (s *set) abortRunTool() server.ServerTool {
	return tool(s, definition{
		name: "abort_run", title: "Abort run",
		description: "Stop a run for good. What it did so far stays done. Use it only when the user wants the run stopped; ending a wait needs no abort.",
		hints:       hints{destructive: true, idempotent: true, openWorld: true},
	}, s.abortRun)
}

func (s *set) abortRun(ctx context.Context, caller client.Caller, args abortRunArgs) (RunResult, error) {
	abortErr := s.API.AbortRun(ctx, caller, args.RunID)
	switch client.KindOf(abortErr) {
	case "", client.OutcomeUnknown, client.Conflict, client.NotFound, client.InvalidArgument:
		// The run itself tells what became of it: it may have ended before.
	default:
		return RunResult{}, abortErr
	}
	run, st, err := s.readState(ctx, caller, args.RunID)
	if err != nil {
		if abortErr != nil {
			return RunResult{}, abortErr
		}
		return RunResult{}, &problem{
			code: string(client.OutcomeUnknown), message: "the run was told to stop, but its state cannot be read",
			nextStep: "Call get_run to see the state of the run.",
		}
	}
	result := s.result(run, st, lastEventOnly(run))
	switch {
	case run.Status == client.CanceledRun && abortErr == nil:
		result.Summary = "The run was aborted: it is CANCELED."
	case run.Status.Terminal():
		result.Summary = "The run had ended already, with " + result.Status + "; nothing was aborted."
	case abortErr == nil:
		result.Summary = "The run was told to stop; it is still " + result.Status + "."
	default:
		return RunResult{}, abortErr
	}
	return result, nil
}

// lastEventOnly is a page that shows no event and knows the cursor.
func lastEventOnly(run *client.Run) *eventPage {
	page := &eventPage{}
	if n := len(run.Events); n > 0 {
		page.last = run.Events[n-1].ID
	}
	return page
}
