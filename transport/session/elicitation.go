package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/capability"
	"runs-mcp-server/transport/jsonrpc"
)

// Errors of a question beside those of its context.
var (
	errCannotAsk = errors.New("the client cannot ask its user")
	errNotAsked  = errors.New("the client could not ask its user")
)

// withdrawTimeout is how long a client that does not read may hold up the
// withdrawal of a question.
const withdrawTimeout = time.Second

// RequestElicitation implements server.SessionWithElicitation: it asks the
// person at a stateful client and waits for the answer.
//
// The question belongs to the connection. It stays open when the call that asks
// has been answered, until ctx is done, the connection is drained or ended, or
// Options.ElicitationTimeout has passed. Then it is withdrawn
// (notifications/cancelled), and the error wraps [context.Canceled] or
// [context.DeadlineExceeded]. Any other error says that the client could not
// ask: its answer was an error, or none that the protocol allows.
//
// Stateless clients get no requests. mcp-go answers them with input_required
// and does not call this method.
func (c *call) RequestElicitation(ctx context.Context, ask mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	if c.message.IsStateless() || !capability.CanElicit(c.GetClientCapabilities().Elicitation, ask.Params.Mode) {
		return nil, errCannotAsk
	}
	response, err := c.sendQuestion(ctx, ask.Params)
	if err != nil {
		return nil, err
	}
	return elicitationResult(response, ask.Params.Mode)
}

// sendQuestion sends a question to the client and returns its response.
func (c *call) sendQuestion(ctx context.Context, params mcp.ElicitationParams) (*jsonrpc.Message, error) {
	ctx, stop := context.WithTimeoutCause(ctx, c.connection.config.ElicitationTimeout, context.DeadlineExceeded)
	defer stop()
	draining := c.connection.draining
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(draining, func() { cancel(context.Cause(draining)) })()

	q := c.connection.questions.openQuestion()
	if q == nil { // it would be withdrawn at once
		return nil, fmt.Errorf("%w: %w", context.Canceled, context.Cause(draining))
	}
	defer c.connection.questions.closeQuestion(q)
	line, err := jsonrpc.EncodeRequest(q.id, string(mcp.MethodElicitationCreate), params)
	if err != nil {
		return nil, err
	}
	if !c.writeRequest(ctx, line) && ctx.Err() == nil && !c.connection.sendOutsideCall(ctx, line) {
		return nil, errNotAsked
	}
	if response := awaitResponse(ctx, q); response != nil {
		return response, nil
	}
	c.withdrawQuestion(ctx, q, params.Meta)
	return nil, fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
}

// awaitResponse waits until a question is answered; nil if ctx is done before.
// A response that has come counts, even if ctx is done too: a person may have
// decided right before the client left.
func awaitResponse(ctx context.Context, q *question) *jsonrpc.Message {
	select {
	case m := <-q.response:
		return m
	case <-ctx.Done():
	}
	select {
	case m := <-q.response:
		return m
	default:
		return nil
	}
}

// withdrawQuestion tells the client that its answer is no longer waited for, so
// that it can close its dialog. meta is that of the question, nil for none.
func (c *call) withdrawQuestion(ctx context.Context, q *question, meta *mcp.Meta) {
	reason := "the answer is no longer needed"
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		reason = "no answer in time"
	}
	params := map[string]any{"requestId": q.id, "reason": reason}
	if meta != nil {
		params["_meta"] = meta
	}
	line, err := jsonrpc.EncodeNotification(string(mcp.MethodNotificationCancelled), params)
	if err != nil {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer stop()
	if !c.writeRequest(ctx, line) {
		c.connection.sendOutsideCall(ctx, line)
	}
}

// elicitationResult reads the client's response.
func elicitationResult(response *jsonrpc.Message, mode string) (*mcp.ElicitationResult, error) {
	var result struct {
		Action  mcp.ElicitationResponseAction `json:"action"`
		Content map[string]any                `json:"content"`
	}
	if response.Result == nil || json.Unmarshal(response.Result, &result) != nil {
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
