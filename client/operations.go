package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"runs-mcp-server/internal/rawjson"
)

// CreateRunRequest is the body of the create operation. The API requires
// Intent, Integrations, Context and UserID; Context may be empty.
type CreateRunRequest struct {
	Intent           string           `json:"intent"`
	Integrations     []string         `json:"selectedCustomerIntegrationIds"`
	Context          string           `json:"context"`
	UserID           string           `json:"userId"`
	ApprovalStrategy ApprovalStrategy `json:"approvalStrategy,omitempty"`
	RepeatKey        string           `json:"repeatKey,omitempty"`
	OutputSchema     json.RawMessage  `json:"outputSchema,omitempty"`
	PassThrough      []PassThrough    `json:"passThrough,omitempty"`
}

// secrets returns what an error message must not repeat.
func (r CreateRunRequest) secrets() []string {
	secrets := []string{r.Context}
	for _, p := range r.PassThrough {
		secrets = append(secrets, p.Secrets()...)
	}
	return secrets
}

// CreateRun starts a run. It is sent again only where it provably did not arrive
// or was refused with 429. Where the outcome is doubtful the error's kind is
// OutcomeUnknown, and the run may exist.
func (c *Client) CreateRun(ctx context.Context, caller Caller, body CreateRunRequest) (*Run, error) {
	return c.sendForRun(ctx, caller, request{
		op: "create_run", method: http.MethodPost, path: runsPath(), body: body, effect: notIdempotent,
		secrets: body.secrets(), hideMessage: len(body.PassThrough) > 0,
	})
}

// GetRun reads a run, with its events if includeEvents.
func (c *Client) GetRun(ctx context.Context, caller Caller, runID RunID, includeEvents bool) (*Run, error) {
	call := request{op: "get_run", method: http.MethodGet, path: runsPath(string(runID)), runID: runID}
	if includeEvents {
		call.query = url.Values{"includeEvents": {"true"}}
	}
	return c.sendForRun(ctx, caller, call)
}

// ReadRun reads a run with its events for a reader that paces itself. It is tried
// once, and neither uses up the caller's retry budget nor opens its breaker, for
// what watches in the background must not hold up the caller's calls. A success
// closes the breaker.
func (c *Client) ReadRun(ctx context.Context, caller Caller, runID RunID) (*Run, error) {
	return c.sendForRun(ctx, caller, request{
		op: "get_run", method: http.MethodGet, path: runsPath(string(runID)), runID: runID,
		query: url.Values{"includeEvents": {"true"}}, background: true,
	})
}

// AbortRun stops a run. It is sent again like a read. After a doubtful outcome
// (kind OutcomeUnknown, also where a later try is refused) the run itself shows
// whether it was stopped.
func (c *Client) AbortRun(ctx context.Context, caller Caller, runID RunID) error {
	return c.send(ctx, caller, request{
		op: "abort_run", method: http.MethodDelete, path: runsPath(string(runID)), runID: runID, effect: idempotent,
	}, nil)
}

// Approve sends the one-time token of an approve or deny link. The decision is
// the link's. It is sent once, on a connection of its own.
func (c *Client) Approve(ctx context.Context, caller Caller, token string) error {
	return c.send(ctx, caller, request{
		op: "approve", method: http.MethodGet, path: runsPath("approval"), query: url.Values{"token": {token}},
		effect: oneTime, secrets: []string{token},
	}, nil)
}

// ListRuns reads one page of the runs that the key may see.
func (c *Client) ListRuns(ctx context.Context, caller Caller, q ListRunsQuery) (*RunPage, error) {
	page := &RunPage{Total: -1}
	err := c.send(ctx, caller, request{op: "list_runs", method: http.MethodGet, path: runsPath(), query: q.values()}, page.decode)
	if err != nil {
		return nil, err
	}
	return page, nil
}

// GetPlan reads an execution plan: a documented neighbour of the contract, which
// the API may lack (kind NotFound).
func (c *Client) GetPlan(ctx context.Context, caller Caller, executionPlanID string) (*Plan, error) {
	plan := new(Plan)
	err := c.send(ctx, caller, request{
		op: "get_plan", method: http.MethodGet, path: []string{"v1", "execution-plans", url.PathEscape(executionPlanID)},
	}, plan.UnmarshalJSON)
	if err != nil {
		return nil, err
	}
	return plan, nil
}

// sendForRun sends a request that is answered with a run.
func (c *Client) sendForRun(ctx context.Context, caller Caller, call request) (*Run, error) {
	run := new(Run)
	if err := c.send(ctx, caller, call, run.decodeOne); err != nil {
		return nil, err
	}
	return run, nil
}

// decodeOne decodes a run that must have an id.
func (r *Run) decodeOne(data []byte) error {
	if err := r.decode(data, maxEvents); err != nil {
		return err
	}
	if r.RunID == "" {
		return errors.New("a run without runId")
	}
	return nil
}

// runsPath returns a path below that of the runs.
func runsPath(segments ...string) []string { return append([]string{"v1", "runs"}, segments...) }

// ListRunsQuery selects runs. Zero fields are not sent.
type ListRunsQuery struct {
	IncludeEvents          bool
	UserID                 string
	Status                 Status
	CustomerIntegrationIDs []string
	Page                   int // from 1
	PageSize               int // 1 to 100
}

func (q ListRunsQuery) values() url.Values {
	v := url.Values{}
	set := func(name, value string, given bool) {
		if given {
			v.Set(name, value)
		}
	}
	set("includeEvents", "true", q.IncludeEvents)
	set("userId", q.UserID, q.UserID != "")
	set("status", string(q.Status), q.Status != "")
	set("page", strconv.Itoa(q.Page), q.Page != 0)
	set("pageSize", strconv.Itoa(q.PageSize), q.PageSize != 0)
	if len(q.CustomerIntegrationIDs) > 0 {
		v["customerIntegrationIds"] = slices.Clone(q.CustomerIntegrationIDs)
	}
	return v
}

// RunPage is one page of runs.
type RunPage struct {
	Runs []Run // at most [maxRuns]
	More int   // runs that the answer held beyond those
	// Total is the number of runs over all pages, -1 where the API does not say.
	Total int
}

// maxRuns bounds the runs of a page that are read: the API's own limit.
const maxRuns = 100

// decode decodes both forms of a list: the contract's array, and the object that
// one version of the vendor's documentation shows.
func (p *RunPage) decode(text []byte) error {
	runs := arrayIn(text)
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, []string{"runs", "pagination"}) {
		case "runs":
			runs = arrayIn(value)
		case "pagination":
			p.readTotal(value)
		}
	}
	if runs == nil {
		return errors.New("neither an array of runs nor an object with runs")
	}
	p.Runs = []Run{}
	for item := range rawjson.Items(runs) {
		if len(p.Runs) == maxRuns {
			p.More++
			continue
		}
		var run Run
		if err := run.decode(item, maxListedEvents); err != nil {
			return err
		}
		p.Runs = append(p.Runs, run)
	}
	return nil
}

// readTotal reads how many runs there are. Of both names totalItems counts.
func (p *RunPage) readTotal(pagination []byte) {
	totals := map[string]int{}
	for name, value := range rawjson.Members(pagination) {
		known := rawjson.Name(name, []string{"total", "totalItems"})
		if n, err := strconv.Atoi(string(value)); err == nil && known != "" {
			totals[known] = n
		}
	}
	for _, name := range []string{"total", "totalItems"} {
		if n, ok := totals[name]; ok {
			p.Total = n
		}
	}
}
