package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Probe is what the API answered to a request without a key.
type Probe struct {
	// Date is the API's clock, to the second, when it answered. It is zero if the
	// answer does not tell.
	Date       time.Time
	SentAt     time.Time
	AnsweredAt time.Time
}

// ProbeAddress asks the API for runs without a key, once, to see whether it answers. The
// error says why it does not, or that something else answers at its address. A refusal
// is an answer: it is what the API owes a request without a key.
func (c *Client) ProbeAddress(ctx context.Context) (Probe, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	call := request{op: "probe", method: http.MethodGet, path: runsPath(), query: url.Values{"pageSize": {"1"}}}
	target := c.base.JoinPath(call.path...)
	target.RawQuery = call.query.Encode()
	req, err := http.NewRequestWithContext(ctx, call.method, target.String(), nil)
	if err != nil {
		return Probe{}, &Error{Kind: InvalidArgument, Op: call.op, Message: "the request could not be built"}
	}
	c.setHeaders(req.Header, Caller{}, call)
	req.Header.Del("x-api-key")
	p := Probe{SentAt: time.Now()}
	resp, err := c.calls.Do(req)
	p.AnsweredAt = time.Now()
	if err != nil {
		return p, sendError(ctx, call, false, err)
	}
	defer resp.Body.Close()
	p.Date, _ = http.ParseTime(resp.Header.Get("Date"))
	return p, c.judgeProbe(call, resp)
}

// judgeProbe returns why an answer to a request without a key is not the API's, nil if
// it is.
func (c *Client) judgeProbe(call request, resp *http.Response) error {
	if resp.StatusCode/100 == 2 { // an API that asks for no key
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		if looksLikePage(body) {
			return foreignError(call, resp.StatusCode, c.served.Load())
		}
		return nil
	}
	failed := c.readError(Caller{}, call, resp)
	switch failed.Kind {
	case Unauthorized, InvalidArgument, RateLimited, Conflict:
		return nil
	}
	return failed
}
