package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// Errors of a question beside those of its context.
var (
	errCannotAsk = errors.New("the client cannot ask its user")
	errNotAsked  = errors.New("the client could not ask its user")
)

// RequestElicitation implements server.SessionWithElicitation: it asks the
// person at the client and waits for the answer. The question belongs to the
// session: it stays open when the call that asks has been answered, until ctx is
// done, the session ends or is to stop waiting, or Options.ElicitationTimeout has
// passed. Then it is withdrawn (notifications/cancelled), and the error wraps
// [context.Canceled] or [context.DeadlineExceeded]. Any other error says that the
// client could not ask: its answer was an error, or none that the protocol allows.
//
// In the new era servers send no requests; mcp-go turns input rounds into
// results there and never comes here.
func (c *call) RequestElicitation(ctx context.Context, ask mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	if c.msg.modern() || !canElicit(c.GetClientCapabilities(), ask.Params.Mode) {
		return nil, errCannotAsk
	}
	m, err := c.request(ctx, mcp.MethodElicitationCreate, ask.Params)
	if err != nil {
		return nil, err
	}
	return elicited(m, ask.Params.Mode)
}

// request sends a request of ours to the client and returns its response.
func (c *call) request(ctx context.Context, method mcp.MCPMethod, params any) (*message, error) {
	ctx, stop := context.WithTimeoutCause(ctx, c.peer.askTime, context.DeadlineExceeded)
	defer stop()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(c.peer.draining, func() { end(context.Cause(c.peer.draining)) })()
	q := c.peer.ask()
	if q == nil { // the client would be asked, and told at once to forget it
		return nil, fmt.Errorf("%w: %w", context.Canceled, context.Cause(c.peer.draining))
	}
	defer c.peer.forget(q)
	line, err := outgoing(q.id, string(method), params)
	if err != nil {
		return nil, err
	}
	if !c.put(ctx, line) && ctx.Err() == nil && !c.peer.carry(ctx, line) {
		return nil, errNotAsked
	}
	select {
	case m := <-q.answer:
		return m, nil
	case <-ctx.Done():
	}
	// An answer that came is heard, even if the client left right after it: a
	// person may have decided.
	select {
	case m := <-q.answer:
		return m, nil
	default:
	}
	c.withdraw(ctx, q.id)
	return nil, fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
}

// asking is a request of ours, or its withdrawal, on its way to the sink.
type asking struct {
	line []byte
	sent chan error // gets the sink's word, once; has room for it
}

// put hands a request of ours to the goroutine that writes for this call, and
// reports whether it went out.
func (c *call) put(ctx context.Context, line []byte) bool {
	a := asking{line: line, sent: make(chan error, 1)}
	select {
	case c.asks <- a:
	case <-ctx.Done():
		return false
	case <-c.over:
		return false
	}
	select {
	case err := <-a.sent:
		return err == nil
	case <-ctx.Done():
	}
	return false
}

// withdrawTimeout is how long a client that does not read may hold up whoever
// takes a question back.
const withdrawTimeout = time.Second

// withdraw tells the client that an answer is no longer waited for, so that it
// can take its dialog away.
func (c *call) withdraw(ctx context.Context, id string) {
	reason := "the answer is no longer needed"
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		reason = "no answer in time"
	}
	line, err := outgoing(nil, string(mcp.MethodNotificationCancelled), map[string]any{"requestId": id, "reason": reason})
	if err != nil {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer stop()
	_ = c.put(ctx, line) || c.peer.carry(ctx, line)
}

// canElicit reports whether a client can ask in a mode. An empty capability
// object means form mode (2025-11-25, and all there was before it).
func canElicit(can mcp.ClientCapabilities, mode string) bool {
	e := can.Elicitation
	switch {
	case e == nil:
		return false
	case mode == mcp.ElicitationModeURL:
		return e.URL != nil
	}
	return e.Form != nil || e.URL == nil
}

// elicited reads the client's response.
func elicited(m *message, mode string) (*mcp.ElicitationResult, error) {
	var result struct {
		Action  mcp.ElicitationResponseAction `json:"action"`
		Content map[string]any                `json:"content"`
	}
	if m.result == nil || json.Unmarshal(m.result, &result) != nil {
		return nil, errNotAsked
	}
	out := &mcp.ElicitationResult{}
	out.Action = result.Action
	switch result.Action {
	case mcp.ElicitationResponseActionAccept:
		if result.Content != nil && mode != mcp.ElicitationModeURL {
			out.Content = result.Content
		}
	case mcp.ElicitationResponseActionDecline, mcp.ElicitationResponseActionCancel:
	default:
		return nil, errNotAsked
	}
	return out, nil
}
