package session

import (
	"context"
	"sync"

	"github.com/google/uuid"
	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/transport/jsonrpc"
)

// notificationsBuffered is how many notifications of a call wait for the client
// before a handler that sends the next one waits too. A channel takes its memory
// at once: 64 are 4 KiB, 16 MiB for 4,096 calls.
const notificationsBuffered = 64

// call is one request being answered, or one notification being taken in. It is
// also the session that mcp-go and the handlers see (call_session.go).
type call struct {
	*clientState // the connection's if stateful, else its own

	connection *Connection
	message    *jsonrpc.Message
	sessionID  string
	innerID    string // the request id that mcp-go sees

	ctx    context.Context
	cancel context.CancelCauseFunc

	notifications chan mcp.JSONRPCNotification
	requests      chan outgoingRequest
	finished      chan struct{} // closed when only the answer is left to write
	closeFinished func()        // closes finished, once

	subscriptions *subscriptions // the connection's if stateful, a listen's own if stateless, else nil
	acknowledged  chan struct{}  // closed when a listen with subscriptions is acknowledged; nil for other calls

	cancelled   bool    // by the client; guarded by Connection.mu
	replacement *Answer // for mcp-go's error; set by Hooks in the handler's goroutine
}

// outgoingRequest is a request of ours, or its withdrawal, on its way to the
// sink of a call.
type outgoingRequest struct {
	line []byte
	sent chan error // gets the sink's result, once; has room for it
}

// newCall makes a call. A stateless one has a session id and a client state of
// its own, because the server may remember nothing between requests.
func newCall(connection *Connection, m *jsonrpc.Message) *call {
	c := &call{
		clientState:   &connection.client,
		connection:    connection,
		message:       m,
		sessionID:     connection.id,
		notifications: make(chan mcp.JSONRPCNotification, notificationsBuffered),
		requests:      make(chan outgoingRequest),
		finished:      make(chan struct{}),
		subscriptions: connection.subscriptions,
	}
	c.closeFinished = sync.OnceFunc(func() { close(c.finished) })
	if m.IsStateless() {
		c.clientState = &clientState{initialized: true}
		c.sessionID = uuid.NewString()
		c.subscriptions = nil
		if m.IsListen() && connection.config.Watch != nil {
			c.subscriptions = newSubscriptions(connection.config.Watch, c.sendUpdate)
			c.acknowledged = make(chan struct{})
		}
	}
	return c
}

// sendUpdate tells a listen that a resource has changed, after the listen was
// acknowledged: mcp-go subscribes before it acknowledges, and drops an
// acknowledgement that finds no room.
func (c *call) sendUpdate(ctx context.Context, uri string, meta map[string]any) error {
	select {
	case <-c.acknowledged:
	case <-ctx.Done():
		return ctx.Err()
	}
	n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION}
	n.Method = mcp.MethodNotificationResourceUpdated
	n.Params.Meta = meta
	n.Params.AdditionalFields = map[string]any{"uri": uri}
	select {
	case c.notifications <- n:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writeRequest hands a line to the goroutine that writes for this call, and
// reports whether it went out.
func (c *call) writeRequest(ctx context.Context, line []byte) bool {
	r := outgoingRequest{line: line, sent: make(chan error, 1)}
	select {
	case c.requests <- r:
	case <-ctx.Done():
		return false
	case <-c.finished:
		return false
	}
	select {
	case err := <-r.sent:
		return err == nil
	case <-ctx.Done():
		return false
	}
}

// errorAnswer returns the answer that carries an error.
func (c *call) errorAnswer(code int, text string, data any) Answer {
	e := jsonrpc.Error{ID: c.message.ID, Code: code, Text: text, Data: data}
	return Answer{Line: e.Encode(), Code: code}
}

// internalError returns the answer for a fault of ours.
func (c *call) internalError() Answer {
	return c.errorAnswer(mcp.INTERNAL_ERROR, jsonrpc.InternalError, nil)
}
