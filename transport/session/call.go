package session

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
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

	server            *server.MCPServer // that answers
	tasks             Tasks             // nil: there are none; see taskOffer
	taskSubscriptions *subscriptions    // as subscriptions
	taskIDs           []string          // that a listen is to watch, then those that it watches
	createdTask       string            // see WatchTask; set in the handler's goroutine

	cancelled     bool    // by the client; guarded by Connection.mu
	replacement   *Answer // for mcp-go's error; set by Hooks in the handler's goroutine
	listenRefused error   // why a listen is refused, or nil; set likewise
}

// outgoingRequest is a request of ours, or its withdrawal, on its way to the
// sink of a call.
type outgoingRequest struct {
	line []byte
	sent chan error // gets the sink's result, once; has room for it
}

// newCall makes a call. A stateless one has a session id and a client state of
// its own, because the server may remember nothing between requests.
func newCall(connection *Connection, m *jsonrpc.Message, srv *server.MCPServer) *call {
	c := &call{
		server:        srv,
		tasks:         connection.config.Tasks,
		clientState:   &connection.client,
		connection:    connection,
		message:       m,
		sessionID:     connection.id,
		notifications: make(chan mcp.JSONRPCNotification, notificationsBuffered),
		requests:      make(chan outgoingRequest),
		finished:      make(chan struct{}),
		subscriptions: connection.subscriptions,

		taskSubscriptions: connection.taskSubscriptions,
	}
	c.closeFinished = sync.OnceFunc(func() { close(c.finished) })
	if m.IsStateless() {
		c.clientState = &clientState{initialized: true}
		c.sessionID = uuid.NewString()
		c.subscriptions, c.taskSubscriptions = nil, nil // a listen gets its own, see addSubscriptions
	}
	return c
}

// concernsTasks reports whether the call is about tasks, or may be. A tools/call names
// the task that it asks for (2025-11-25).
func (c *call) concernsTasks() bool {
	switch mcp.MCPMethod(c.message.Method) {
	case mcp.MethodTasksGet, mcp.MethodTasksCancel, mcp.MethodTasksList, mcp.MethodTasksResult, methodTasksUpdate, mcp.MethodSubscriptionsListen:
		return c.message.Kind == jsonrpc.Request
	case mcp.MethodToolsCall:
		return c.message.Kind == jsonrpc.Request && bytes.Contains(c.message.Params, []byte(`"task"`))
	}
	return false
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

// Admit reserves a place for a call until release is called. If there is none,
// limitReached says which limit was reached.
type Admit func() (release func(), limitReached string)

// AdmitUpTo returns an Admit with n places.
func AdmitUpTo(n int) Admit {
	places := make(chan struct{}, n)
	return func() (release func(), limitReached string) {
		select {
		case places <- struct{}{}:
			return func() { <-places }, ""
		default:
			return nil, "the limit is " + strconv.Itoa(n)
		}
	}
}

// registerCall makes the call for a request or notification. A request is put
// among the calls in flight, where cancelCall finds it; its id must be new.
func (c *Connection) registerCall(ctx context.Context, m *jsonrpc.Message, srv *server.MCPServer) (*call, *jsonrpc.Error) {
	registered := newCall(c, m, srv)
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.Kind == jsonrpc.Request {
		if _, inFlight := c.calls[string(m.ID)]; inFlight {
			return nil, jsonrpc.InvalidRequest(m.ID, "a call with this id is still in flight. Use a new id for each request.")
		}
		c.calls[string(m.ID)] = registered
		c.lastCall++
		registered.innerID = strconv.FormatUint(c.lastCall, 10)
	}
	registered.ctx, registered.cancel = context.WithCancelCause(ctx)
	switch {
	case c.ended != nil:
		registered.cancel(c.ended)
	case c.draining.Err() != nil && m.IsListen():
		registered.cancel(context.Cause(c.draining))
	}
	return registered, nil
}

// finishCall takes a call from those in flight; a cancellation comes too late
// from then on. It reports whether the call may be answered.
func (c *Connection) finishCall(finished *call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if finished.message.Kind != jsonrpc.Request {
		return false
	}
	delete(c.calls, string(finished.message.ID))
	return !finished.cancelled
}

// sessionOf returns the call that a handler or a hook runs for, nil for none.
func sessionOf(ctx context.Context) *call {
	c, _ := server.ClientSessionFromContext(ctx).(*call)
	return c
}

// cancelCall serves notifications/cancelled. An id that is unknown or late is
// ignored, as the specification asks; initialize can't be cancelled.
func (c *Connection) cancelCall(m *jsonrpc.Message) {
	var params struct {
		RequestID json.RawMessage `json:"requestId"`
	}
	if json.Unmarshal(m.Params, &params) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	call, ok := c.calls[string(params.RequestID)]
	if !ok || call.message.Method == string(mcp.MethodInitialize) {
		return
	}
	call.cancelled = true
	call.cancel(ErrCancelled)
}

// inOrder returns run as a function that first waits for the functions that
// inOrder returned before. It keeps subscribe and unsubscribe in their order.
func (c *Connection) inOrder(run func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	previous, done := c.lastInOrder, make(chan struct{})
	c.lastInOrder = done
	return func() {
		defer close(done)
		if previous != nil {
			<-previous
		}
		run()
	}
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

// ProgressToken returns the progress token of the request as the client wrote it, nil
// for none.
func (c *call) ProgressToken() any {
	if c.message.ProgressToken == nil {
		return nil
	}
	return c.message.ProgressToken
}

// Draining is closed when the call is to stop waiting and to answer now, because
// the client has ended its input or the server is about to stop. The context
// stays alive for that, for Options.Grace at most. Handlers that wait find this
// method on the session in their context.
func (c *call) Draining() <-chan struct{} { return c.connection.draining.Done() }

// SubscribeToResourceErr implements server.SessionWithResourceSubscriptionsErr.
func (c *call) SubscribeToResourceErr(uri string) error {
	switch {
	case c.listenRefused != nil:
		return c.listenRefused
	case c.subscriptions == nil, uri == noResource:
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

// clientState is what is known of a client: from the handshake if it is stateful,
// from the request itself if it is stateless. Its methods are those that
// mcp-go calls on a session.
type clientState struct {
	mu           sync.Mutex // guards all below
	initialized  bool
	info         mcp.Implementation
	capabilities mcp.ClientCapabilities
	version      string
	level        mcp.LoggingLevel
}

// Initialize implements server.ClientSession.
func (s *clientState) Initialize() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.initialized = true
}

// Initialized implements server.ClientSession.
func (s *clientState) Initialized() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.initialized
}

// SetClientInfo implements server.SessionWithClientInfo.
func (s *clientState) SetClientInfo(info mcp.Implementation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = info
}

// GetClientInfo implements server.SessionWithClientInfo.
func (s *clientState) GetClientInfo() mcp.Implementation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

// SetClientCapabilities implements server.SessionWithClientInfo.
func (s *clientState) SetClientCapabilities(c mcp.ClientCapabilities) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capabilities = c
}

// GetClientCapabilities implements server.SessionWithClientInfo.
func (s *clientState) GetClientCapabilities() mcp.ClientCapabilities {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.capabilities
}

// SetProtocolVersion is called by mcp-go with the revision that initialize
// negotiated.
func (s *clientState) SetProtocolVersion(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = version
}

// ProtocolVersion implements server.SessionWithProtocolVersion. It is "" before
// initialize has negotiated a revision.
func (s *clientState) ProtocolVersion() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// SetLogLevel implements server.SessionWithLogging.
func (s *clientState) SetLogLevel(level mcp.LoggingLevel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.level = level
}

// GetLogLevel implements server.SessionWithLogging. A client that never set a
// level gets errors only, as with mcp-go's own sessions.
func (s *clientState) GetLogLevel() mcp.LoggingLevel {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.level == "" {
		return mcp.LoggingLevelError
	}
	return s.level
}
