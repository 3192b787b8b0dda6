package session

import (
	"context"
	"errors"
	"maps"
	"slices"
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
	// Tasks serves tasks. nil: there are none.
	Tasks Tasks
	// WatchTask is the watching of Tasks. nil: no task can be watched.
	WatchTask Watch
	// Skills are what clients with skills can read. nil: there are none.
	Skills *Skills
	// SendUpdate brings a stateful client an update of a resource or a task. It waits
	// until there is room.
	SendUpdate func(ctx context.Context, line []byte) error
	// Send brings the client a line that belongs to no call in flight. An error
	// says that nobody reads such lines.
	Send func(ctx context.Context, line []byte) error
	// Counts are counted up. nil: nothing is counted.
	Counts *Counts
	// Observe is told of each request. nil: nobody is.
	Observe Observe
}

// Connection is one connected client: the one at the other end of a pipe, a
// stateful session over HTTP, or the sender of one stateless HTTP request.
type Connection struct {
	config        Config
	id            string         // what mcp-go calls the session id
	client        clientState    // what a stateful client said in its handshake
	subscriptions *subscriptions // of a stateful client; nil if nothing can be watched
	// taskSubscriptions are the tasks that a stateful client has created, as far as
	// they go on; nil if there are none.
	taskSubscriptions *subscriptions
	questions         *questions

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
		c.subscriptions.counts = config.Counts
	}
	if config.Tasks != nil && config.WatchTask != nil {
		c.taskSubscriptions = newSubscriptions(config.WatchTask, c.sendTaskStatus)
		c.taskSubscriptions.counts = config.Counts
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
func (c *Connection) CloseSubscriptions() {
	c.subscriptions.close()
	c.taskSubscriptions.close()
}

// PauseSubscriptions stops watching what a stateful client has subscribed to, as
// long as it can't be sent updates. ResumeSubscriptions goes on.
func (c *Connection) PauseSubscriptions() {
	for _, s := range []*subscriptions{c.subscriptions, c.taskSubscriptions} {
		if s != nil {
			s.pause()
		}
	}
}

// ResumeSubscriptions watches again what PauseSubscriptions stopped.
func (c *Connection) ResumeSubscriptions() {
	for _, s := range []*subscriptions{c.subscriptions, c.taskSubscriptions} {
		if s != nil {
			s.resume()
		}
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
