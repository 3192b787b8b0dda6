package session

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/transport/jsonrpc"
)

// The causes of a call's cancelled context (context.Cause).
var (
	// ErrShutdown is the cause when the server stops.
	ErrShutdown = errors.New("the server is shutting down")
	// ErrCancelled is the cause when the client sent notifications/cancelled,
	// or closed the response to a stateless HTTP request.
	ErrCancelled = errors.New("cancelled by the client")
	// ErrClientGone is the cause when the client can't be written to any more,
	// or has ended its input, and the call did not end by itself.
	ErrClientGone = errors.New("the client is gone")
)

// Config is what a connection is made with.
type Config struct {
	// ElicitationTimeout is how long a person may take to answer.
	ElicitationTimeout time.Duration
	// Watch starts to watch a resource. nil: nothing can be watched.
	Watch Watch
	// SendUpdate brings a stateful client an update of a resource. It waits
	// until there is room.
	SendUpdate func(ctx context.Context, line []byte) error
	// Send brings the client a line that belongs to no call in flight. An error
	// says that nobody reads such lines.
	Send func(ctx context.Context, line []byte) error
}

// Connection is one connected client: the one at the other end of a pipe, a
// stateful session over HTTP, or the sender of one stateless HTTP request.
type Connection struct {
	config        Config
	id            string         // what mcp-go calls the session id
	client        clientState    // what a stateful client said in its handshake
	subscriptions *subscriptions // of a stateful client; nil if nothing can be watched
	questions     *questions

	draining   context.Context // done when calls are to stop waiting, also those to come
	startDrain context.CancelCauseFunc

	mu          sync.Mutex // guards all below
	ended       error      // why every call is cancelled, also those to come; nil: none is
	calls       map[string]*call
	lastCall    uint64        // the inner id of the newest call
	lastInOrder chan struct{} // closed when the last function of inOrder is done; nil: there is none
}

// NewConnection returns a client that has said nothing yet.
func NewConnection(config Config) *Connection {
	c := &Connection{config: config, id: uuid.NewString(), calls: make(map[string]*call)}
	c.draining, c.startDrain = context.WithCancelCause(context.Background())
	c.questions = newQuestions(c.draining)
	if config.Watch != nil {
		c.subscriptions = newSubscriptions(config.Watch, c.sendUpdate)
	}
	return c
}

// ProtocolVersion returns the revision that initialize negotiated, "" before.
func (c *Connection) ProtocolVersion() string { return c.client.ProtocolVersion() }

// CallsInFlight returns how many requests are being answered.
func (c *Connection) CallsInFlight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls)
}

// Drain tells all calls to stop waiting (call.Draining), also those to come. It
// ends listens, which only the client would end, and questions. Other calls keep
// their contexts. The first cause stays.
func (c *Connection) Drain(cause error) {
	c.startDrain(cause)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, call := range c.calls {
		if call.message.IsListen() {
			call.cancel(context.Cause(c.draining))
		}
	}
}

// End cancels all calls, also those to come, and ends questions. The first cause
// stays.
func (c *Connection) End(cause error) {
	c.startDrain(cause)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return
	}
	c.ended = cause
	for _, call := range c.calls {
		call.cancel(cause)
	}
}

// AwaitQuestions waits, after Drain or End, until every question is answered or
// withdrawn.
func (c *Connection) AwaitQuestions() { c.questions.awaitClosed() }

// CloseSubscriptions stops what a stateful client watches. When it returns, no
// update is sent any more.
func (c *Connection) CloseSubscriptions() { c.subscriptions.close() }

// registerCall makes the call for a request or notification. A request is put
// among the calls in flight, where cancelCall finds it; its id must be new.
func (c *Connection) registerCall(ctx context.Context, m *jsonrpc.Message) (*call, *jsonrpc.Error) {
	registered := newCall(c, m)
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

// sendUpdate tells a stateful client that a resource has changed.
func (c *Connection) sendUpdate(ctx context.Context, uri string, meta map[string]any) error {
	params := map[string]any{"uri": uri}
	if len(meta) > 0 {
		params["_meta"] = meta
	}
	line, err := jsonrpc.EncodeNotification(mcp.MethodNotificationResourceUpdated, params)
	if err != nil {
		return nil // a meta that is no JSON: there is nothing to send
	}
	return c.config.SendUpdate(ctx, line)
}

// sendOutsideCall brings the client a line whose own call is over, on the
// response to another call if there is no other way. It reports whether the line
// went out before ctx was done.
func (c *Connection) sendOutsideCall(ctx context.Context, line []byte) bool {
	if c.config.Send(ctx, line) == nil {
		return true
	}
	c.mu.Lock()
	calls := slices.Collect(maps.Values(c.calls))
	c.mu.Unlock()
	return slices.ContainsFunc(calls, func(other *call) bool { return other.writeRequest(ctx, line) })
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
