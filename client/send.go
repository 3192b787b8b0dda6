package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// callTimeout is the deadline of a request whose caller set none. Its retries
	// share it.
	callTimeout = 30 * time.Second
	// maxBody bounds an answer that is read whole, in bytes after decompression. A
	// run of 10,000 events of 1 KiB fits.
	maxBody = 16 << 20
	// largeAnswer is the size in bytes beyond which an answer waits for its turn
	// ([Options.LargeAnswers]).
	largeAnswer = 1 << 20
	// maxErrorBody bounds what is read of an error answer.
	maxErrorBody = 64 << 10
	// maxConns is how many connections one try may take: net/http sends a request
	// again whose reused connection was closed, or whose HTTP/2 server refused it.
	maxConns = 6
)

// request is one operation as the pipeline needs it.
type request struct {
	op     string // the tool's name, for errors
	method string
	path   []string
	query  url.Values
	body   any
	runID  RunID // the run it concerns, "" when none
	effect effect
	// background requests pace themselves: they are tried once, past budget and
	// breaker.
	background bool
	// secrets are the request's own. They are removed from the API's message.
	secrets []string
	// hideMessage drops the API's message. Pass-through data that was sent may come
	// back in it in another shape.
	hideMessage bool
	stream      bool   // the answer is an event stream
	lastEventID string // where the stream goes on, "" from the start
}

// send sends a request, again where the policy allows it, and passes the body of a
// 2xx answer to decode. A nil decode leaves the body unread.
func (c *Client) send(ctx context.Context, caller Caller, call request, decode func([]byte) error) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	health := c.healthOf(caller.Key)
	try := func() *Error { return c.try(ctx, caller, health, call, decode) }
	if !call.background {
		return c.retries.run(ctx, health, call, try)
	}
	if failed := try(); failed != nil {
		return failed
	}
	health.breaker.record(string(call.runID), success)
	return nil
}

// withDeadline returns a context with the deadline that the caller set, or else
// callTimeout.
func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, callTimeout)
}

// try sends a request once and decodes its answer.
func (c *Client) try(ctx context.Context, caller Caller, health *callerHealth, call request, decode func([]byte) error) *Error {
	resp, failed := c.roundTrip(ctx, caller, health, call)
	if failed != nil {
		return failed
	}
	defer resp.Body.Close()
	if decode == nil {
		return c.checkUnread(call, resp)
	}
	place := largePlace{places: c.largeAnswers}
	defer place.release()
	body, err := readBody(ctx, resp, &place)
	switch {
	case err != nil && !call.changes():
		return sendError(ctx, call, true, err) // the next try may get a whole answer
	case err != nil:
		cut := bodyError(call, resp.StatusCode, "the answer of the Run API was cut off", err)
		cut.fault = true
		return cut
	case len(body) > maxBody:
		return bodyError(call, resp.StatusCode, fmt.Sprintf("the answer of the Run API is larger than %d MiB", maxBody>>20), nil)
	}
	if err := decodeValid(body, decode); err != nil {
		if looksLikePage(body) && !call.changes() && !c.served.Load() {
			return foreignError(call, resp.StatusCode, false)
		}
		return bodyError(call, resp.StatusCode, "the answer of the Run API is not what its contract says", err)
	}
	c.served.Store(true)
	return nil
}

// checkUnread checks a 2xx answer whose body is not read. A one-time link may
// answer a web page, for people open it; an abort does not.
func (c *Client) checkUnread(call request, resp *http.Response) *Error {
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if mediaType == "text/html" && call.method == http.MethodDelete && !c.served.Load() {
		return foreignError(call, resp.StatusCode, false)
	}
	return nil
}

// roundTrip sends a request once, if its key may be used now, and returns its answer
// if the status is 2xx. The caller closes the body, and cancels ctx afterwards.
func (c *Client) roundTrip(ctx context.Context, caller Caller, health *callerHealth, call request) (*http.Response, *Error) {
	req, failed := c.newRequest(ctx, caller, call)
	if failed != nil {
		return nil, failed
	}
	report, failed := health.key.admit(ctx, call)
	if failed != nil {
		return nil, failed
	}
	verdict := keyUndecided
	defer func() { report(verdict) }() // also when net/http panics
	resp, failed := c.sendRequest(ctx, caller, call, req)
	if verdict = keyVerdictOf(call, failed); verdict == keyAccepted {
		c.acceptKey(caller.Key, health)
	}
	return resp, failed
}

// sendRequest sends an HTTP request and returns its answer if the status is 2xx.
func (c *Client) sendRequest(ctx context.Context, caller Caller, call request, req *http.Request) (*http.Response, *Error) {
	// Without a connection nothing has left this machine. With one the first byte
	// may leave at any moment, over HTTP/2 even after Do returned.
	var conns atomic.Int32
	traced, giveUp := context.WithCancelCause(ctx) // released with ctx
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if conns.Add(1) > maxConns {
			giveUp(errResent)
		}
	}}
	httpClient := c.calls
	if call.effect == notIdempotent || call.effect == oneTime {
		httpClient = c.once
	}
	resp, err := httpClient.Do(req.WithContext(httptrace.WithClientTrace(traced, trace)))
	c.countRequest(call.op, resp)
	if err != nil {
		return nil, sendError(ctx, call, conns.Load() > 0, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.readError(caller, call, resp)
}

// countRequest counts a request by its answer, which is nil for none.
func (c *Client) countRequest(op string, resp *http.Response) {
	slot := 0
	if resp != nil {
		slot = min(max(resp.StatusCode/100, 1), statusClasses-1)
		if i := slices.Index(countedStatuses[:], resp.StatusCode); i >= 0 {
			slot = statusClasses + i
		}
	}
	c.counts.requests[op][slot].Add(1)
}

// errResent ends a try that net/http sends again and again.
var errResent = errors.New("the Run API takes the request back again and again")

// newRequest builds the HTTP request.
func (c *Client) newRequest(ctx context.Context, caller Caller, call request) (*http.Request, *Error) {
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
	c.setHeaders(req.Header, caller, call)
	return req, nil
}

func (c *Client) setHeaders(h http.Header, caller Caller, call request) {
	h.Set("x-api-key", string(caller.Key))
	if c.userAgent != "" {
		h.Set("User-Agent", c.userAgent)
	}
	if call.body != nil {
		h.Set("Content-Type", "application/json")
	}
	if !call.stream {
		h.Set("Accept", "application/json")
		return
	}
	h.Set("Accept", "text/event-stream")
	h.Set("Cache-Control", "no-cache")   // HTML 9.2.2: never from a cache
	h.Set("Accept-Encoding", "identity") // a compressed stream would be held back until a block is full
	if call.lastEventID != "" {
		h.Set("Last-Event-ID", call.lastEventID)
	}
}

// readError returns the error of an answer whose status is not 2xx.
func (c *Client) readError(caller Caller, call request, resp *http.Response) *Error {
	var body []byte
	if resp.StatusCode != http.StatusSwitchingProtocols { // its body has no end
		body, _ = io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	}
	if isForeign(call, resp.StatusCode, body) {
		return foreignError(call, resp.StatusCode, c.served.Load())
	}
	if isErrorBody(body) {
		c.served.Store(true)
	}
	message := ""
	if !call.hideMessage {
		// The address is removed, too: callers over HTTP may not learn it.
		message = apiMessage(body, append(call.secrets, string(caller.Key), c.base.String(), c.base.Host))
	}
	return statusError(call, resp.StatusCode, message, retryAfter(resp.Header.Get("Retry-After"), time.Now()))
}

// readBody reads an answer of at most maxBody, and one byte more of a larger one.
// Its buffer has the announced length, or else grows fourfold: that leaves less
// garbage than io.ReadAll. A large answer waits for its place.
func readBody(ctx context.Context, resp *http.Response, place *largePlace) ([]byte, error) {
	size := int64(4 << 10)
	if resp.ContentLength > 0 {
		size = min(resp.ContentLength, maxBody) + 1 // room to see the end
	}
	from := io.LimitReader(resp.Body, maxBody+1)
	for body := []byte(nil); ; size = min(4*size, maxBody+1) {
		if len(body) > maxBody {
			return body, nil
		}
		if err := place.acquire(ctx, size); err != nil {
			return nil, err
		}
		body = append(make([]byte, 0, size), body...)
		for len(body) < cap(body) {
			n, err := from.Read(body[len(body):cap(body)])
			switch body = body[:len(body)+n]; {
			case err == io.EOF:
				return body, nil
			case err != nil:
				return nil, err
			}
		}
	}
}

// largePlace is the place of one answer among the large ones that are read at a time.
type largePlace struct {
	places chan struct{} // of all answers: holds one item for each large one
	held   bool
}

// acquire waits for the place if an answer needs so many bytes that it is large. It
// returns the error of ctx if that is done before.
func (p *largePlace) acquire(ctx context.Context, size int64) error {
	if p.held || size <= largeAnswer {
		return nil
	}
	select {
	case p.places <- struct{}{}:
		p.held = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release gives the place back once the answer is decoded.
func (p *largePlace) release() {
	if p.held {
		<-p.places
	}
}

// decodeValid passes valid JSON to decode, which need not check it again.
func decodeValid(body []byte, decode func([]byte) error) error {
	if !json.Valid(body) {
		return errors.New("no JSON")
	}
	return decode(bytes.TrimSpace(body))
}

// looksLikePage reports whether a body is a web page.
func looksLikePage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }
