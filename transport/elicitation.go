package transport

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// RequestElicitation implements server.SessionWithElicitation: it asks the
// person at the client and waits. Whatever keeps an answer from coming (a
// client that never said it can ask, an error, an answer that is none, the time
// a person may take, the end of the call, a drain) is the action cancel and no error:
// nobody decided. mcp-go would hand the error to the model as a failed call.
//
// In the new era servers send no requests; mcp-go turns input rounds into
// results there and never comes here.
func (c *call) RequestElicitation(ctx context.Context, ask mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	if c.msg.modern() || !canElicit(c.GetClientCapabilities(), ask.Params.Mode) {
		return nobodyDecided(), nil
	}
	if m := c.request(ctx, mcp.MethodElicitationCreate, ask.Params); m != nil {
		return elicited(m, ask.Params.Mode), nil
	}
	return nobodyDecided(), nil
}

// request sends a request of ours to the client and returns its response, nil
// where none came: the call is to stop waiting or has ended, or it took too long.
func (c *call) request(ctx context.Context, method mcp.MCPMethod, params any) *message {
	if c.peer.draining.Err() != nil {
		return nil // the client would be asked, and told at once to forget it
	}
	ctx, stop := context.WithTimeout(ctx, c.peer.askTime)
	defer stop()
	defer context.AfterFunc(c.ctx, stop)()
	defer context.AfterFunc(c.peer.draining, stop)()
	id, reply := c.peer.ask()
	defer c.peer.forget(id)
	line, err := outgoing(id, string(method), params)
	if err != nil {
		return nil
	}
	if c.put(ctx, line) {
		select {
		case m := <-reply:
			return m
		case <-ctx.Done():
		}
	}
	// A response that came is heard, even if the client left right after it: a
	// person may have decided.
	select {
	case m := <-reply:
		return m
	default:
	}
	if ctx.Err() != nil {
		c.withdraw(ctx, id)
	}
	return nil
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

// withdrawTimeout is how long a client that does not read may hold up a call
// that takes its question back.
const withdrawTimeout = time.Second

// withdraw tells the client that an answer is no longer waited for, so that it
// can take its dialog away.
func (c *call) withdraw(ctx context.Context, id string) {
	reason := "the call that asked has ended"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		reason = "no answer in time"
	}
	line, err := outgoing(nil, string(mcp.MethodNotificationCancelled), map[string]any{"requestId": id, "reason": reason})
	if err != nil {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer stop()
	c.put(ctx, line)
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
func elicited(m *message, mode string) *mcp.ElicitationResult {
	var result struct {
		Action  mcp.ElicitationResponseAction `json:"action"`
		Content map[string]any                `json:"content"`
	}
	if m.result == nil || json.Unmarshal(m.result, &result) != nil {
		return nobodyDecided()
	}
	out := &mcp.ElicitationResult{}
	out.Action = result.Action
	switch result.Action {
	case mcp.ElicitationResponseActionAccept:
		if result.Content != nil && mode != mcp.ElicitationModeURL {
			out.Content = result.Content
		}
	case mcp.ElicitationResponseActionDecline:
	default:
		return nobodyDecided()
	}
	return out
}

// nobodyDecided is the action cancel.
func nobodyDecided() *mcp.ElicitationResult {
	out := &mcp.ElicitationResult{}
	out.Action = mcp.ElicitationResponseActionCancel
	return out
}
