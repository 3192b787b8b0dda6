package tools

import (
	"context"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
)

type getRunArgs struct {
	RunID            string   `json:"runId" jsonschema:"format=uuid" jsonschema_description:"The run."`
	AfterEventID     *int64   `json:"afterEventId,omitempty" jsonschema:"minimum=0" jsonschema_description:"Only what came after this event; default: the newest events."`
	EventTypes       []string `json:"eventTypes,omitempty" jsonschema:"maxItems=20" jsonschema_description:"Only events of these types, such as step or run_approval."`
	Limit            int      `json:"limit,omitempty" jsonschema:"minimum=1,maximum=200" jsonschema_description:"How many events at most; default 20."`
	IncludeEvents    *bool    `json:"includeEvents,omitempty" jsonschema_description:"Show events; default true."`
	IncludeToolCalls bool     `json:"includeToolCalls,omitempty" jsonschema_description:"Show the tool calls of steps; default false."`
	IncludeContext   bool     `json:"includeContext,omitempty" jsonschema_description:"Show the context the run was given; default false."`
	WaitSeconds      int      `json:"waitSeconds,omitempty" jsonschema:"minimum=0,maximum=45" jsonschema_description:"Wait this long for the run to end or to need a person; default 0."`
}

const defaultEvents = 20

func (s *set) getRunTool() server.ServerTool {
	return tool(s, definition{
		name: "get_run", title: "Get run",
		description: "State of a run and what happened since afterEventId. With waitSeconds it returns as soon as the run has ended or needs a person. " +
			"Use it to follow a run: pass the lastEventId you got as afterEventId.",
		hints: hints{readOnly: true, idempotent: true, openWorld: true},
	}, s.getRun)
}

func (s *set) getRun(ctx context.Context, caller client.Caller, args getRunArgs) (RunResult, error) {
	page := &eventPage{limit: args.Limit, newest: args.AfterEventID == nil, types: args.EventTypes, toolCalls: args.IncludeToolCalls}
	if page.limit == 0 {
		page.limit = defaultEvents
	}
	after := int64(0)
	if args.AfterEventID != nil {
		after = *args.AfterEventID
	}
	page.last = after
	result, err := s.readOrWait(ctx, caller, args.RunID, after, args.WaitSeconds, page, args.IncludeContext)
	if args.IncludeEvents != nil && !*args.IncludeEvents {
		result.Events, result.EventsLeftOut = nil, 0
	}
	return result, err
}

// readOrWait tells how a run stands after a wait of so many seconds from the
// call's arrival; page collects the events after the cursor.
func (s *set) readOrWait(ctx context.Context, caller client.Caller, runID string, after int64, waitSeconds int, page *eventPage, withContext bool) (RunResult, error) {
	end, waitedFor, shown := "", feed.State{}, after
	if waitSeconds > 0 {
		deadline := arrivalOf(ctx).at.Add(time.Duration(waitSeconds) * time.Second)
		w := &waiter{set: s, runID: runID, after: after, deadline: deadline, take: func(e client.Event) {
			page.add(e)
			shown = e.ID
		}}
		var err error
		if end, err = w.wait(ctx, caller); err != nil {
			return RunResult{}, err
		}
		waitedFor = w.state
	}
	run, st, err := s.readState(ctx, caller, runID)
	if err != nil {
		return RunResult{}, err
	}
	// What happened since the wait ended belongs to the state that was read.
	for _, e := range run.Events {
		if e.ID > shown {
			page.add(e)
		}
	}
	if end == endFinished && !run.Status.Terminal() {
		run.Status, st = waitedFor.Status, waitedFor // the stored run lags behind its events
	}
	result := s.result(run, st, page)
	result.WaitEnded = end
	if withContext {
		result.Run = s.View.RunWithContext(run)
	}
	return result, nil
}
