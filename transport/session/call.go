package session

import (
	"context"
	"slices"
	"sync"

	"github.com/google/uuid"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport/jsonrpc"
)

// notificationsBuffered is how many notifications of a call wait for the client
// before a handler that sends the next one waits too. A channel takes its memory
// at once: 64 are 4 KiB, 16 MiB for 4,096 calls.
const notificationsBuffered = 64

// call is one request being answered, or one notification being taken in. It is
// also the session that mcp-go and the handlers see.
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

// What mcp-go and the handlers see of a call. The methods of clientState and
// RequestElicitation belong to it too.
var (
	_ server.SessionWithClientInfo               = (*call)(nil)
	_ server.SessionWithLogging                  = (*call)(nil)
	_ server.SessionWithElicitation              = (*call)(nil)
	_ server.SessionWithProtocolVersion          = (*call)(nil)
	_ server.SessionWithResourceSubscriptionsErr = (*call)(nil)
)

// SessionID implements server.ClientSession. It is the client's if stateful,
// else the request's.
func (c *call) SessionID() string { return c.sessionID }

// RequestID returns the id of the request as the client wrote it, for logs: at
// most 64 bytes of it.
func (c *call) RequestID() string { return jsonrpc.Shorten(c.message.ID) }

// NotificationChannel implements server.ClientSession. Handlers that send on it
// select on their context too: it is done when they have returned, and from then
// on nobody receives.
func (c *call) NotificationChannel() chan<- mcp.JSONRPCNotification { return c.notifications }

// Draining is closed when the call is to stop waiting and to answer now, because
// the client has ended its input or the server is about to stop. The context
// stays alive for that, for Options.Grace at most. Handlers that wait find this
// method on the session in their context.
func (c *call) Draining() <-chan struct{} { return c.connection.draining.Done() }

// SubscribeToResourceErr implements server.SessionWithResourceSubscriptionsErr.
func (c *call) SubscribeToResourceErr(uri string) error {
	if c.subscriptions == nil {
		return nil
	}
	return c.subscriptions.watchResource(c.ctx, uri)
}

// SubscribeToResource implements server.SessionWithResourceSubscriptions.
func (c *call) SubscribeToResource(uri string) { _ = c.SubscribeToResourceErr(uri) }

// UnsubscribeFromResource implements server.SessionWithResourceSubscriptions.
func (c *call) UnsubscribeFromResource(uri string) {
	if c.subscriptions != nil {
		c.subscriptions.unwatchResource(uri, nil)
	}
}

// SubscribedResources implements server.SessionWithResourceSubscriptions.
func (c *call) SubscribedResources() []string { return c.subscriptions.uris() }

// IsSubscribedToResource implements server.SessionWithResourceSubscriptions.
func (c *call) IsSubscribedToResource(uri string) bool {
	return slices.Contains(c.subscriptions.uris(), uri)
}
