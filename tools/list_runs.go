package tools

import (
	"cmp"
	"context"
	"fmt"
	"strings"

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

func listRunsDescription(o Options) string {
	return "Show the runs (automations, workflows, jobs, tasks) that were started, newest first: all, or those paused or failed, of a person, with an integration. " +
		"To find a run whose id is not known" + o.ifOffered("create_run", ", as after an unclear create_run") + "."
}

func (h *handlers) listRuns(ctx context.Context, c *call, args listRunsArgs) (RunList, error) {
	userID, err := h.userOf(c.caller, args.UserID)
	if err != nil {
		return RunList{}, err
	}
	list := RunList{Page: max(args.Page, 1), PageSize: cmp.Or(args.PageSize, 10), Runs: []ListedRun{}}
	page, err := h.API.ListRuns(ctx, c.caller, client.ListRunsQuery{
		IncludeEvents: args.IncludeEvents, UserID: userID, Status: client.Status(args.Status),
		CustomerIntegrationIDs: args.CustomerIntegrationIDs, Page: list.Page, PageSize: list.PageSize,
	})
	if err != nil {
		return RunList{}, err
	}
	for i := range page.Runs {
		list.Runs = append(list.Runs, listedRun(c.viewOf(&page.Runs[i]), &page.Runs[i], args.IncludeEvents))
	}
	// The API's array form tells no total: a full page may have a next one.
	list.More = len(list.Runs) == list.PageSize
	if page.Total >= 0 {
		list.Total = &page.Total
		list.More = list.Page*list.PageSize < page.Total
	}
	h.describeList(&list, filtersOf(args), userID != "" && args.UserID == "")
	if page.More > 0 {
		list.shorten(len(list.Runs), len(list.Runs)+page.More)
	}
	return list, nil
}

// listedEvents is how many events of each run a list shows when asked to.
const listedEvents = 3

func listedRun(v view.View, run *client.Run, withEvents bool) ListedRun {
	shown := v.Run(run)
	out := ListedRun{
		RunID: shown.RunID, Status: shown.Status, Finished: run.Status.Terminal(), Intent: v.Line(run.Intent, 150),
		CreatedAt: shown.CreatedAt, UpdatedAt: shown.UpdatedAt,
	}
	if !withEvents {
		return out
	}
	newest := run.Events[max(0, len(run.Events)-listedEvents):]
	for _, e := range newest {
		out.Events = append(out.Events, v.Event(e))
	}
	out.EventsLeftOut = len(run.Events) - len(newest) + run.Earlier
	return out
}

// filtersOf names what a call narrowed the list by.
func filtersOf(args listRunsArgs) (filters []string) {
	if args.Status != "" {
		filters = append(filters, "status "+args.Status)
	}
	if args.UserID != "" {
		filters = append(filters, "userId "+view.Quote(cutText(args.UserID, 40)))
	}
	if n := len(args.CustomerIntegrationIDs); n > 0 {
		filters = append(filters, fmt.Sprintf("%d customerIntegrationIds", n))
	}
	return filters
}

// describeList says what a list holds, and what to do with it. byDefaultUser says
// that it holds only runs of the caller's default user.
func (h *handlers) describeList(l *RunList, filters []string, byDefaultUser bool) {
	named := filters
	if byDefaultUser {
		named = append(named, "this caller's default user")
	}
	note := " Filters: " + cmp.Or(strings.Join(named, ", "), "none") + "."
	switch n := len(l.Runs); {
	case n == 0 && l.Page > 1:
		l.Summary, l.NextStep = fmt.Sprintf("No runs on page %d.", l.Page)+note, "Call list_runs with a lower page."
	case n == 0 && len(filters) > 0:
		l.Summary, l.NextStep = "No runs."+note, "No run matches: leave out a filter, or tell the user."
	case n == 0:
		l.Summary, l.NextStep = "No runs."+note, "There are none to list: tell the user."
	case n == 1:
		l.Summary = fmt.Sprintf("1 run on page %d.", l.Page) + note
	default:
		l.Summary = fmt.Sprintf("%d runs on page %d.", n, l.Page) + note
	}
	if len(l.Runs) == 0 {
		return
	}
	l.NextStep = "For more of one, " + h.readStep(runURI("", ""), "its runId") + "."
	if l.More {
		l.NextStep += fmt.Sprintf(" There may be more: the same arguments, but page %d.", l.Page+1)
	}
}

func (l *RunList) addNote(note string) { l.Summary += note }

// shortIntent is what is left of an intent, in bytes, in a list that is too large.
const shortIntent = 60

// truncate leaves out the events first, then shortens intents, then shows fewer runs. It
// returns the list's JSON.
func (l *RunList) truncate(o Options) []byte {
	if text := view.JSON(l); len(text) <= o.MaxResultBytes {
		return text
	}
	isTooLarge := func() bool { return sizeOf(l) > o.MaxResultBytes }
	for i := len(l.Runs) - 1; i >= 0 && isTooLarge(); i-- {
		l.Runs[i].EventsLeftOut += len(l.Runs[i].Events)
		l.Runs[i].Events = nil
	}
	for i := len(l.Runs) - 1; i >= 0 && isTooLarge(); i-- {
		l.Runs[i].Intent = cutText(l.Runs[i].Intent, shortIntent)
	}
	all := len(l.Runs) + l.RunsLeftOut
	for len(l.Runs) > 1 && isTooLarge() {
		l.shorten(len(l.Runs)-1, all)
	}
	return view.JSON(l)
}

// maxListPage is the last page that the API takes.
const maxListPage = 1000

// shorten shows only the first of all runs on the page, and names the page that has
// the next ones. Pages of another size begin elsewhere: the named one may repeat
// some runs, and misses none.
func (l *RunList) shorten(shown, all int) {
	before := (l.Page-1)*l.PageSize + shown
	l.Runs, l.RunsLeftOut, l.More = l.Runs[:shown], all-shown, true
	_, rest, _ := strings.Cut(l.Summary, ".") // what was said of the filters stays
	l.Summary = fmt.Sprintf("%d runs on page %d, of which the first %d are shown: more would be too large.", all, l.Page, shown) + rest
	next := before/shown + 1
	l.NextStep = fmt.Sprintf("For the next ones, the same arguments, but pageSize %d and page %d.", shown, next)
	if next > maxListPage {
		l.NextStep = "For the next ones, narrow the list with a filter."
	}
}
