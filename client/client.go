// Package client calls the toolregistry.ai Run API: its six operations, two
// documented neighbours, and the event stream of a run. It knows nothing of MCP.
//
// Every request goes through [Client.send], which sets the key, the deadline and
// the limits, and turns every failure into an [Error] whose text is safe to show.
package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"

	"runs-mcp-server/internal/loopback"
	"runs-mcp-server/internal/rawjson"
)

// DefaultURL is the API's published address.
const DefaultURL = "https://api.toolregistry.ai"

// Options are the settings of a [Client].
type Options struct {
	URL       string // the API's base address; https, or http on loopback
	UserAgent string
	// LargeAnswers is how many answers of more than 1 MiB are read and decoded at a
	// time; the others wait. Default 4.
	LargeAnswers int
	// Transport replaces the network, for tests. A connection that it does not
	// report to [net/http/httptrace] counts as never sent.
	Transport http.RoundTripper
	// Wrap, if set, wraps what sends the requests. It must pass the context on.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Client calls the Run API. It is safe for concurrent use.
type Client struct {
	base      *url.URL
	userAgent string
	calls     *http.Client
	once      *http.Client // for requests that must arrive at most once, see [newTransport]
	retries   retryPolicy
	served    atomic.Bool // the API itself has answered, be it with an error
	callers   *callers
	reads     sharedReads
	counts    *counts
	// largeAnswers holds one item for each large answer that is being read.
	largeAnswers chan struct{}
}

// New returns a Client, or an error that says what is wrong with the address.
func New(o Options) (*Client, error) {
	base, err := parseBase(o.URL)
	if err != nil {
		return nil, err
	}
	calls, once := o.Transport, o.Transport
	if o.Transport == nil {
		calls, once = newTransport(false), newTransport(true)
	}
	if o.Wrap != nil {
		calls, once = o.Wrap(calls), o.Wrap(once)
	}
	return &Client{
		base: base, userAgent: o.UserAgent, calls: newHTTPClient(calls), once: newHTTPClient(once),
		retries: standardPolicy(), callers: newCallers(), reads: sharedReads{byRun: map[sharedKey]*readsOfRun{}},
		counts: newCounts(), largeAnswers: make(chan struct{}, cmp.Or(o.LargeAnswers, 4)),
	}, nil
}

// parseBase checks the API's address.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("the API address is not a URL like " + DefaultURL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the API address must not hold a user, a query or a fragment")
	case u.Port() != "" && !validPort(u.Port()):
		return nil, errors.New("the API address has a port that is none")
	case u.Scheme == "https", u.Scheme == "http" && loopback.Host(u.Hostname()):
		return u, nil
	default:
		return nil, errors.New("the API address must be https (http is for loopback only), or the key would travel in the clear")
	}
}

// validPort reports whether a port is a number from 1 to 65535.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// Close closes idle connections. Requests over once leave none.
func (c *Client) Close() { c.calls.CloseIdleConnections() }

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

// GetRun reads a run, with its events if includeEvents. Calls that read the same at the
// same time share one request, which is sent after each of them began. The Run is the
// caller's, but not what it points to.
func (c *Client) GetRun(ctx context.Context, caller Caller, runID RunID, includeEvents bool) (*Run, error) {
	call := request{op: "get_run", method: http.MethodGet, path: runsPath(string(runID)), runID: runID}
	if includeEvents {
		call.query = url.Values{"includeEvents": {"true"}}
	}
	return c.reads.get(ctx, sharedKey{caller, runID, includeEvents}, func() (*Run, error) {
		return c.sendForRun(ctx, caller, call)
	})
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
	runs := text
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, []string{"runs", "pagination"}) {
		case "runs":
			runs = value
		case "pagination":
			p.readTotal(value)
		}
	}
	if !rawjson.IsArray(runs) {
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

// Key is an API key. It prints as a placeholder.
type Key string

// String returns a placeholder, never the key.
func (k Key) String() string {
	if k == "" {
		return "(no key)"
	}
	return "(key)"
}

// GoString returns what String returns, for %#v.
func (k Key) GoString() string { return k.String() }

// LogValue returns what String returns.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON writes what String returns.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }

// Caller is an API key and the person it acts for, unless a call names another
// person. The key alone decides what the caller can see.
type Caller struct {
	Key    Key
	UserID string
}

type callerKey struct{}

// WithCaller returns a context that carries the caller of a request.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller of a request, the zero Caller when there is none.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
