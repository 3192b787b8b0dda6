// Package client speaks to the toolregistry.ai Run API: its six operations,
// two documented neighbours, and the event stream of a run. It knows nothing
// of MCP. Every request goes through one pipeline, [Client.do], which sets the
// key, the deadline and the limits, and turns every failure into an [Error]
// whose text is safe to show.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// DefaultURL is the API's published address.
const DefaultURL = "https://api.toolregistry.ai"

const (
	// callTimeout is the deadline of one request whose caller set none.
	callTimeout = 30 * time.Second
	// maxBody bounds an answer that is read whole, after decompression.
	// A run of 10,000 events of 1 KiB fits.
	maxBody = 16 << 20
	// maxConns is how many connections one try may take: net/http sends a
	// request again whose reused connection was closed, or whose HTTP/2
	// connection went away.
	maxConns = 6
	// maxErrorBody bounds what is read of an error answer.
	maxErrorBody = 64 << 10
)

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

// Caller is who asks: an API key, and the person it acts for unless a call
// names another. The key decides what can be seen; the person does not.
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

// Options are the settings of a [Client].
type Options struct {
	URL       string // the API's base address; https, or http on loopback
	UserAgent string
	// Transport replaces the network, for tests. What it does not tell
	// [net/http/httptrace] of a connection counts as never sent.
	Transport http.RoundTripper
}

// Client calls the Run API. It is safe for concurrent use.
type Client struct {
	base      *url.URL
	userAgent string
	calls     *http.Client
	once      *http.Client // for what must arrive at most once, see [newTransport]
	policy    policy
	standings *standings
	served    *atomic.Bool // the API itself has answered, if only with an error
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
	p := standardPolicy()
	return &Client{
		base: base, userAgent: o.UserAgent, calls: newHTTPClient(calls), once: newHTTPClient(once),
		policy: p, standings: newStandings(p.newStanding), served: new(atomic.Bool),
	}, nil
}

// Close releases idle connections.
func (c *Client) Close() {
	c.calls.CloseIdleConnections()
	c.once.CloseIdleConnections()
}

// request is one call as the pipeline needs it.
type request struct {
	op     string // the tool's name, for errors
	method string
	path   []string
	query  url.Values
	body   any
	runID  RunID // the run it concerns, "" when none
	repeat repeat
	// secrets are this request's own; the API's message is scrubbed of them.
	secrets []string
	// mute drops the API's message: where pass-through data was sent, any of
	// it may come back in another shape.
	mute        bool
	accept      string // the media type asked for, "" for JSON
	lastEventID string // where a stream goes on, "" from the start
}

// effect reports whether the request changes something: then a doubtful
// outcome is OutcomeUnknown.
func (r request) effect() bool { return r.repeat != repeatRead }

func (r request) subject() string {
	if r.runID != "" {
		return "run"
	}
	return "resource"
}

// do sends the request, again where the policy allows, and hands the body of a
// 2xx answer to decode. The body is at most maxBody long.
func (c *Client) do(ctx context.Context, hc *http.Client, caller Caller, call request, decode func([]byte) error) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	return c.policy.run(ctx, c.standings.get(caller.Key), call, func() *Error {
		return c.try(ctx, hc, caller, call, decode)
	})
}

// withDeadline gives a call the deadline that its caller did not set. All its
// tries share it.
func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}

// try is do with a single try.
func (c *Client) try(ctx context.Context, hc *http.Client, caller Caller, call request, decode func([]byte) error) *Error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	resp, failed := c.send(ctx, hc, caller, call)
	if failed != nil {
		return failed
	}
	defer resp.Body.Close()
	if decode == nil {
		kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		// A one-time link may well answer a page, for people open it; an abort does not.
		if kind == "text/html" && call.method == http.MethodDelete && !c.served.Load() {
			return foreignError(call, resp.StatusCode, false)
		}
		return nil
	}
	body, err := readBody(resp)
	switch {
	case err != nil && !call.effect():
		return sendError(ctx, call, true, err) // a whole answer may come yet
	case err != nil:
		cut := bodyError(call, resp.StatusCode, "the answer of the Run API was cut off", err)
		cut.fault = true
		return cut
	case len(body) > maxBody:
		return bodyError(call, resp.StatusCode, fmt.Sprintf("the answer of the Run API is larger than %d MiB", maxBody>>20), nil)
	}
	if err := decodeValid(body, decode); err != nil {
		if looksLikePage(body) && !call.effect() && !c.served.Load() {
			return foreignError(call, resp.StatusCode, false)
		}
		return bodyError(call, resp.StatusCode, "the answer of the Run API is not what its contract says", err)
	}
	c.served.Store(true)
	return nil
}

// send sends the request once and returns the answer when its status is 2xx.
// The caller closes its body.
func (c *Client) send(ctx context.Context, hc *http.Client, caller Caller, call request) (*http.Response, *Error) {
	req, failed := c.build(ctx, caller, call)
	if failed != nil {
		return nil, failed
	}
	// Whether anything may have left this machine. Without a connection
	// nothing has. With one the first byte may be under way at any moment, and
	// over HTTP/2 even after Do returned; so having one counts.
	//
	// net/http itself sends a request again, without a pause, that an HTTP/2
	// server takes back; one that takes back everything must not keep it busy.
	var conns atomic.Int32
	tried, giveUp := context.WithCancelCause(ctx)
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if conns.Add(1) > maxConns {
			giveUp(errTakenBack)
		}
	}}
	resp, err := hc.Do(req.WithContext(httptrace.WithClientTrace(tried, trace)))
	if err != nil {
		giveUp(nil)
		return nil, sendError(ctx, call, conns.Load() > 0, err)
	}
	resp.Body = releasing{resp.Body, func() { giveUp(nil) }}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	var body []byte
	if resp.StatusCode >= 200 { // below, it is a connection that speaks another protocol, and never ends
		body, _ = io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	}
	if isForeign(call, resp.StatusCode, body) {
		return nil, foreignError(call, resp.StatusCode, c.served.Load())
	}
	if saysError(body) {
		c.served.Store(true)
	}
	message := ""
	if !call.mute {
		// A caller over HTTP may not learn where the API is.
		message = apiMessage(body, append(call.secrets, string(caller.Key), c.base.String(), c.base.Host))
	}
	return nil, statusError(call, resp.StatusCode, message, retryAfter(resp.Header.Get("Retry-After"), time.Now()))
}

// errTakenBack ends a try that the API takes back again and again.
var errTakenBack = errors.New("the Run API takes the request back again and again")

func (c *Client) build(ctx context.Context, caller Caller, call request) (*http.Request, *Error) {
	invalid := func(message string) *Error {
		return &Error{Kind: InvalidArgument, Op: call.op, Message: message}
	}
	if caller.Key == "" {
		return nil, &Error{Kind: Unauthorized, Op: call.op, Message: "no API key was given"}
	}
	if call.runID != "" && !call.runID.Valid() {
		return nil, invalid("runId must be a UUID such as 123e4567-e89b-12d3-a456-426614174000")
	}
	var body io.Reader
	if call.body != nil {
		data, err := json.Marshal(call.body)
		if err != nil {
			return nil, invalid("the request could not be written as JSON")
		}
		body = bytes.NewReader(data)
	}
	target := c.base.JoinPath(call.path...)
	target.RawQuery = call.query.Encode()
	req, err := http.NewRequestWithContext(ctx, call.method, target.String(), body)
	if err != nil {
		return nil, invalid("the request could not be built")
	}
	req.Header.Set("x-api-key", string(caller.Key))
	req.Header.Set("Accept", "application/json")
	if call.accept != "" {
		req.Header.Set("Accept", call.accept)
		req.Header.Set("Cache-Control", "no-cache") // HTML 9.2.2: never from a cache
		// A compressed stream would be held back until a block is full.
		req.Header.Set("Accept-Encoding", "identity")
	}
	if call.lastEventID != "" {
		req.Header.Set("Last-Event-ID", call.lastEventID)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.userAgent != "" {
		req.Header.Set("User-Agent", c.userAgent)
	}
	return req, nil
}
