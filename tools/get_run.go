package tools

import (
	"context"

	"runs-mcp-server/client"
)

type getRunArgs struct {
	RunID            client.RunID `json:"runId" jsonschema:"format=uuid" jsonschema_description:"The run."`
	AfterEventID     *int64       `json:"afterEventId,omitempty" jsonschema:"minimum=0" jsonschema_description:"Only what came after this event; default: the newest events."`
	EventTypes       []string     `json:"eventTypes,omitempty" jsonschema:"maxItems=20" jsonschema_description:"Only events of these types, such as step or run_approval."`
	Limit            int          `json:"limit,omitempty" jsonschema:"minimum=1,maximum=200" jsonschema_description:"How many events at most; default 20."`
	IncludeEvents    *bool        `json:"includeEvents,omitempty" jsonschema_description:"Show events; default true."`
	IncludeToolCalls bool         `json:"includeToolCalls,omitempty" jsonschema_description:"Show the tool calls of steps."`
	IncludeContext   bool         `json:"includeContext,omitempty" jsonschema_description:"Show the context the run was given."`
	Part             string       `json:"part,omitempty" jsonschema:"enum=result,enum=plan" jsonschema_description:"Read this in pieces instead: the whole result, or the plan."`
	Offset           int          `json:"offset,omitempty" jsonschema:"minimum=0" jsonschema_description:"Where the piece begins: the nextOffset you got."`
	WaitSeconds      int          `json:"waitSeconds,omitempty" jsonschema:"minimum=0,maximum=45" jsonschema_description:"Wait until it ends or needs a person; default 0."`
}

func getRunDescription(Options) string {
	return "Show the status, progress, result and events of a run (automation, workflow, job, task): whether it has finished, which steps it has done so far, why it failed. " +
		"To follow the run, pass the lastEventId you got as afterEventId, and waitSeconds 45: it waits until the run has ended or needs a person; call again until finished is true. Do not poll without waitSeconds."
}

func (h *handlers) getRun(ctx context.Context, c *call, args getRunArgs) (RunResult, error) {
	if args.Offset > 0 && args.Part == "" {
		return RunResult{}, invalid("offset", "goes with part: say part result or part plan")
	}
	c.runID = args.RunID
	w := &watch{runID: args.RunID, page: args.eventPage(), skipHistory: args.AfterEventID == nil, inPieces: args.Part != ""}
	if args.AfterEventID != nil {
		w.after = *args.AfterEventID
	}
	ctx, cancel := context.WithDeadline(ctx, c.answerDeadline(args.WaitSeconds))
	defer cancel()
	result, err := h.watchRun(ctx, c, w, args.WaitSeconds)
	if err != nil {
		return RunResult{}, err
	}
	if w.after > 0 || args.Offset > 0 { // an earlier call showed these
		result.Intent, result.CreatedAt, result.RepeatRunID = "", "", ""
	}
	if args.IncludeContext {
		result.Context = c.view().Text(w.run.Context, h.MaxResultBytes/2)
		result.Intent = c.view().Text(w.run.Intent, h.MaxResultBytes/4)
	}
	if args.Part != "" {
		h.showPiece(ctx, c, &result, w.run, args.Part, args.Offset)
	}
	return result, nil
}

// defaultEvents is how many events a result shows where the call sets no limit.
const defaultEvents = 20

// eventPage returns the page of events that the call asks for.
func (args getRunArgs) eventPage() *eventPage {
	page := newestEvents()
	page.newest = args.AfterEventID == nil
	if args.Limit > 0 {
		page.limit, page.bytes = args.Limit, 0
	}
	page.types, page.toolCalls = args.EventTypes, args.IncludeToolCalls
	page.hidden = args.IncludeEvents != nil && !*args.IncludeEvents || args.Part != ""
	return page
}
