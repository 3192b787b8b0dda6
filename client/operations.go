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

func (r CreateRunRequest) secrets() []string {
	secrets := []string{r.Context}
	for _, p := range r.PassThrough {
		secrets = append(secrets, p.Secrets()...)
	}
	return secrets
}

// CreateRun starts a run. It is sent again only where it provably did not
// arrive or was refused with 429: where the outcome is doubtful the error's
// kind is OutcomeUnknown, and the run may exist.
func (c *Client) CreateRun(ctx context.Context, caller Caller, body CreateRunRequest) (*Run, error) {
	var run Run
	err := c.do(ctx, c.once, caller, request{
		op: "create_run", method: http.MethodPost, path: []string{"v1", "runs"}, body: body,
		repeat: repeatUnsent, secrets: body.secrets(), mute: len(body.PassThrough) > 0,
	}, run.decodeOne)
	if err != nil {
		return nil, err
	}
	return &run, nil
}

// decodeOne reads a run that an operation must answer: one without an id is none.
func (r *Run) decodeOne(data []byte) error {
	if err := r.decode(data, maxEvents); err != nil {
		return err
	}
	if r.RunID == "" {
		return errors.New("a run without runId")
	}
	return nil
}

// GetRun reads a run, with its events when includeEvents.
func (c *Client) GetRun(ctx context.Context, caller Caller, runID RunID, includeEvents bool) (*Run, error) {
	return c.getRun(runID, includeEvents, func(call request, decode func([]byte) error) error {
		return c.do(ctx, c.calls, caller, call, decode)
	})
}

// ReadRun is GetRun with its events for the event reader, which paces itself:
// one try, out of neither budget nor breaker's reach, or what watches a run in
// the background would use up what somebody's calls may cost. The breaker is
// told where the API serves again.
func (c *Client) ReadRun(ctx context.Context, caller Caller, runID RunID) (*Run, error) {
	return c.getRun(runID, true, func(call request, decode func([]byte) error) error {
		if err := c.try(ctx, c.calls, caller, call, decode); err != nil {
			return err
		}
		c.standings.get(caller.Key).breaker.settle(healthy, false, string(runID))
		return nil
	})
}

func (c *Client) getRun(runID RunID, includeEvents bool, send func(request, func([]byte) error) error) (*Run, error) {
	var query url.Values
	if includeEvents {
		query = url.Values{"includeEvents": {"true"}}
	}
	var run Run
	err := send(request{
		op: "get_run", method: http.MethodGet, path: []string{"v1", "runs", string(runID)}, query: query, runID: runID,
	}, run.decodeOne)
	if err != nil {
		return nil, err
	}
	return &run, nil
}

// AbortRun stops a run. It is sent again like a read. After a doubtful outcome
// (kind OutcomeUnknown, also where a later try is refused) the run tells
// whether it did.
func (c *Client) AbortRun(ctx context.Context, caller Caller, runID RunID) error {
	return c.do(ctx, c.calls, caller, request{
		op: "abort_run", method: http.MethodDelete, path: []string{"v1", "runs", string(runID)}, runID: runID, repeat: repeatEffect,
	}, nil)
}

// Approve sends the one-time token of an approve or deny link: which link it
// is from is the decision. It is sent once, on a connection of its own.
func (c *Client) Approve(ctx context.Context, caller Caller, token string) error {
	return c.do(ctx, c.once, caller, request{
		op: "approve", method: http.MethodGet, path: []string{"v1", "runs", "approval"},
		query: url.Values{"token": {token}}, repeat: repeatNever, secrets: []string{token},
	}, nil)
}

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

// maxRuns bounds the runs of a page that are read: nobody can ask for more.
const maxRuns = 100

// ListRuns reads one page of the runs that the key may see.
func (c *Client) ListRuns(ctx context.Context, caller Caller, q ListRunsQuery) (*RunPage, error) {
	page := &RunPage{Total: -1}
	err := c.do(ctx, c.calls, caller, request{
		op: "list_runs", method: http.MethodGet, path: []string{"v1", "runs"}, query: q.values(),
	}, page.decode)
	if err != nil {
		return nil, err
	}
	return page, nil
}

// decode reads both list forms: the contract's array, and the object that one
// version of the vendor's pages shows.
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

// readTotal reads how many runs there are. Where both are told, totalItems counts.
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

// GetPlan reads an execution plan: a documented neighbour of the contract,
// which the API may lack (kind NotFound).
func (c *Client) GetPlan(ctx context.Context, caller Caller, executionPlanID string) (*Plan, error) {
	var plan Plan
	err := c.do(ctx, c.calls, caller, request{
		op: "get_plan", method: http.MethodGet, path: []string{"v1", "execution-plans", url.PathEscape(executionPlanID)},
	}, plan.UnmarshalJSON)
	if err != nil {
		return nil, err
	}
	return &plan, nil
}
