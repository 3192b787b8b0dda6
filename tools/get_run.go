package tools

import (
	"context"

	"github.com/mark3labs/mcp-go/server"

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

const defaultEvents = 20

func (s *set) getRunTool() server.ServerTool {
	return tool(s, definition{
		name: "get_run", title: "Get run",
		description: "Show the status, progress, result and events of a run (automation, workflow, job, task): whether it has finished, which steps it has done so far, why it failed. " +
			"To follow the run, pass the lastEventId you got as afterEventId, and waitSeconds 45: it waits until the run has ended or needs a person; call again until finished is true. Do not poll without waitSeconds.",
		hints: hints{readOnly: true, idempotent: true, openWorld: true},
	}, s.getRun)
}

func (s *set) getRun(ctx context.Context, c *call, args getRunArgs) (RunResult, error) {
	if args.Offset > 0 && args.Part == "" {
		return RunResult{}, invalid("offset", "goes with part: say part result or part plan")
	}
	page := &eventPage{limit: args.Limit, newest: args.AfterEventID == nil, types: args.EventTypes, toolCalls: args.IncludeToolCalls}
	if page.limit == 0 {
		page.limit, page.bytes = defaultEvents, defaultEventBytes
	}
	page.hidden = args.IncludeEvents != nil && !*args.IncludeEvents || args.Part != ""
	w := &waiter{
		set: s, call: c, runID: args.RunID, page: page, history: args.AfterEventID == nil,
		withContext: args.IncludeContext, part: args.Part, offset: args.Offset,
	}
	if args.AfterEventID != nil {
		w.after = *args.AfterEventID
	}
	return w.watchFor(ctx, args.WaitSeconds)
}
