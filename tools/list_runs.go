package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/view"
)

type listRunsArgs struct {
	Status                 string   `json:"status,omitempty" jsonschema:"enum=QUEUED,enum=RUNNING,enum=AUTH_REQUIRED,enum=PAUSED,enum=CANCELED,enum=NO_SUCCESS,enum=PARTIAL_SUCCESS,enum=SUCCESS,enum=FAILED" jsonschema_description:"Only runs with this status."`
	UserID                 string   `json:"userId,omitempty" jsonschema:"maxLength=256" jsonschema_description:"Only runs of this person."`
	CustomerIntegrationIDs []string `json:"customerIntegrationIds,omitempty" jsonschema:"maxItems=50" jsonschema_description:"Only runs with these integrations."`
	Page                   int      `json:"page,omitempty" jsonschema:"minimum=1,maximum=1000" jsonschema_description:"From 1; default 1."`
	PageSize               int      `json:"pageSize,omitempty" jsonschema:"minimum=1,maximum=100" jsonschema_description:"Default 10."`
	IncludeEvents          bool     `json:"includeEvents,omitempty" jsonschema_description:"Show the newest events of each."`
}

// RunList is a page of runs.
type RunList struct {
	Summary  string      `json:"summary"`
	NextStep string      `json:"nextStep"`
	Runs     []ListedRun `json:"runs"`
	Page     int         `json:"page"`
	PageSize int         `json:"pageSize"`
	More     bool        `json:"more" jsonschema_description:"There may be another page."`
	Total    *int        `json:"total,omitempty"`

	RunsLeftOut int `json:"runsLeftOut,omitempty" jsonschema_description:"Runs of the page not shown."`
}

// ListedRun is a run as one of many.
type ListedRun struct {
	RunID         client.RunID `json:"runId"`
	Status        string       `json:"status"`
	Finished      bool         `json:"finished"`
	Intent        string       `json:"intent" jsonschema_description:"Cut at 150 bytes."`
	CreatedAt     string       `json:"createdAt,omitempty"`
	UpdatedAt     string       `json:"updatedAt,omitempty"`
	Events        []view.Event `json:"events,omitempty"`
	EventsLeftOut int          `json:"eventsLeftOut,omitempty"`
}

// listedEvents is how many events of each run a list shows when asked to.
const listedEvents = 3

func (s *set) listRunsTool() server.ServerTool {
	d := definition{
		name: "list_runs", title: "List runs",
		description: "Show the runs (automations, workflows, jobs, tasks) that were started, newest first: all, or those paused or failed, of a person, with an integration. " +
			"To find a run whose id is not known" + s.ifOffered("create_run", ", as after an unclear create_run") + ".",
		hints: hints{readOnly: true, idempotent: true, openWorld: true},
	}
	return tool(s, d, s.listRuns)
}

func (s *set) listRuns(ctx context.Context, c *call, args listRunsArgs) (RunList, error) {
	userID, err := s.user(c.caller, args.UserID)
	if err != nil {
		return RunList{}, err
	}
	out := RunList{Page: max(args.Page, 1), PageSize: args.PageSize, Runs: []ListedRun{}}
	if out.PageSize == 0 {
		out.PageSize = 10
	}
	page, err := s.API.ListRuns(ctx, c.caller, client.ListRunsQuery{
		IncludeEvents: args.IncludeEvents, UserID: userID, Status: client.Status(args.Status),
		CustomerIntegrationIDs: args.CustomerIntegrationIDs, Page: out.Page, PageSize: out.PageSize,
	})
	if err != nil {
		return RunList{}, err
	}
	for i := range page.Runs {
		out.Runs = append(out.Runs, listedRun(c.viewOf(&page.Runs[i]), &page.Runs[i], args.IncludeEvents))
	}
	// The API's array form tells no total: a full page may have a next one.
	out.More = len(out.Runs) == out.PageSize
	if page.Total >= 0 {
		out.Total = &page.Total
		out.More = out.Page*out.PageSize < page.Total
	}
	out.Summary, out.NextStep = s.describeList(out, filtersOf(args, userID))
	if page.More > 0 {
		out.shorten(len(out.Runs), len(out.Runs)+page.More)
	}
	return out, nil
}

// filters are what a list was narrowed by: the arguments of the call, and the
// user that the operator or the caller's own request set.
type filters struct {
	given       []string // by the call: names and values
	defaultUser bool
}

func filtersOf(args listRunsArgs, userID string) filters {
	f := filters{defaultUser: userID != "" && args.UserID == ""}
	if args.Status != "" {
		f.given = append(f.given, "status "+args.Status)
	}
	if args.UserID != "" {
		f.given = append(f.given, "userId "+view.Quote(shortName(args.UserID)))
	}
	if n := len(args.CustomerIntegrationIDs); n > 0 {
		f.given = append(f.given, fmt.Sprintf("%d customerIntegrationIds", n))
	}
	return f
}

// String names the filters, "none" where there are none.
func (f filters) String() string {
	all := f.given
	if f.defaultUser {
		all = append(slices.Clone(all), "this caller's default user")
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// describeList says what a list holds, and what to do with it.
func (s *set) describeList(l RunList, f filters) (summary, nextStep string) {
	filtered := " Filters: " + f.String() + "."
	switch {
	case len(l.Runs) == 0 && l.Page > 1:
		return fmt.Sprintf("No runs on page %d.", l.Page) + filtered, "Call list_runs with a lower page."
	case len(l.Runs) == 0 && len(f.given) > 0:
		return "No runs." + filtered, "No run matches: leave out a filter, or tell the user."
	case len(l.Runs) == 0:
		return "No runs." + filtered, "There are none to list: tell the user."
	}
	summary = fmt.Sprintf("%d run%s on page %d.", len(l.Runs), plural(len(l.Runs)), l.Page) + filtered
	nextStep = "For more of one, " + s.look("{runId}", "its runId") + "."
	if l.More {
		nextStep += fmt.Sprintf(" There may be more: the same arguments, but page %d.", l.Page+1)
	}
	return summary, nextStep
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

func listedRun(v view.View, run *client.Run, withEvents bool) ListedRun {
	shown := v.Run(run)
	out := ListedRun{
		RunID: shown.RunID, Status: shown.Status, Finished: run.Status.Terminal(), Intent: v.Line(run.Intent, 150),
		CreatedAt: shown.CreatedAt, UpdatedAt: shown.UpdatedAt,
	}
	if !withEvents {
		return out
	}
	page := &eventPage{limit: listedEvents, newest: true}
	for _, e := range run.Events {
		page.add(e)
	}
	for _, e := range page.events {
		out.Events = append(out.Events, v.Event(e))
	}
	out.EventsLeftOut = page.leftOut + run.Earlier
	return out
}
