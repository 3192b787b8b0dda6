package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
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
		description: "State of a run, its result, and what happened since afterEventId. To follow a run, pass the lastEventId you got and waitSeconds 45: " +
			"it returns as soon as the run has ended or needs a person, and again and again until finished is true. Do not poll without waitSeconds. " +
			"20 events take about 5 KB; includeEvents false shows none.",
		hints: hints{readOnly: true, idempotent: true, openWorld: true},
	}, s.getRun)
}

func (s *set) getRun(ctx context.Context, caller client.Caller, args getRunArgs) (RunResult, error) {
	page := &eventPage{limit: args.Limit, newest: args.AfterEventID == nil, types: args.EventTypes, toolCalls: args.IncludeToolCalls}
	if page.limit == 0 {
		page.limit, page.bytes = defaultEvents, defaultEventBytes
	}
	page.hidden = args.IncludeEvents != nil && !*args.IncludeEvents
	return s.readOrWait(ctx, caller, args.RunID, args.AfterEventID, args.WaitSeconds, page, args.IncludeContext)
}

// readOrWait tells how a run stands after a wait of so many seconds from the
// call's arrival; page collects the events after the cursor, all where it is nil.
func (s *set) readOrWait(ctx context.Context, caller client.Caller, runID string, cursor *int64, waitSeconds int, page *eventPage, withContext bool) (RunResult, error) {
	resumes, err := arrivalOf(ctx).resumes(runID)
	if err != nil {
		return RunResult{}, err
	}
	after := int64(0)
	if cursor != nil {
		after = *cursor
	}
	page.last = after
	shown := after
	w := &waiter{
		set: s, caller: caller, runID: runID, after: after, history: cursor == nil, deadline: arrivalOf(ctx).at.Add(time.Duration(waitSeconds) * time.Second),
		take: func(e client.Event) {
			page.add(e)
			shown = e.ID
		},
	}
	if resumes {
		w.resume(arrivalOf(ctx))
	}
	end := ""
	if waitSeconds > 0 || resumes {
		w.watch = s.Feeds.Watch(caller, runID, after)
		defer w.watch.Close()
		if end, err = w.waitAsking(ctx); err != nil {
			return RunResult{}, err
		}
	}
	got, settled, err := w.readAfter(ctx, end)
	if err != nil {
		return RunResult{}, err
	}
	got.linked = w.linked > 0 && w.linked >= w.state.Since
	// What happened since the wait ended belongs to the state that was read.
	for _, e := range got.run.Events {
		if e.ID > shown {
			page.add(e)
		}
	}
	newest := max(got.Last, w.state.Last)
	beyond := after > newest && (newest > 0 || got.run.Events != nil)
	if beyond {
		page.last = newest
	}
	result := s.result(ctx, got, page)
	w.tell(ctx, &result, got)
	if beyond {
		result.Summary += fmt.Sprintf(" afterEventId was beyond the newest event, which is %d.", newest)
	}
	result.WaitEnded = waitEnded(end, got.run.Status)
	if !settled && !page.full {
		result.NextStep = "The API does not tell the run's result yet: call get_run with runId again in a few seconds. If there is none then, tell the user."
	}
	if withContext {
		result.Context = s.View.RunWithContext(got.run).Context
	}
	return result, nil
}

// tell adds to a result what came of asking the person, and what they decide on.
func (w *waiter) tell(ctx context.Context, result *RunResult, got reading) {
	if arrivalOf(ctx).unheard() {
		w.note = "The user's decision was not sent: nobody asks for it any more."
	}
	result.Summary = strings.TrimSpace(w.note + " " + result.Summary)
	if w.undecided && got.waits() {
		result.NextStep = undecidedStep
	}
	if slices.ContainsFunc(result.PendingApprovals, func(p PendingApproval) bool { return p.Scope == string(approval.OfRun) }) {
		plan, _ := w.Desk.Plan(ctx, w.caller, got.run) // left out where nobody tells it
		result.Plan = w.View.Plan(plan)
	}
}

// waitEnded says why a wait ended so that it fits the state that is told.
func waitEnded(end string, status client.Status) string {
	switch {
	case end != "" && status.Terminal():
		return endFinished
	case end == endFinished:
		return endTimeUp // nobody told how the run ended
	}
	return end
}
