package transport

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
)

// The causes of a call's cancelled context (context.Cause).
var (
	// ErrShutdown is the cause when the server stops.
	ErrShutdown = errors.New("the server is shutting down")
	// ErrCancelled is the cause when the client sent notifications/cancelled,
	// or closed the response of an HTTP request of the new era.
	ErrCancelled = errors.New("cancelled by the client")
	// ErrClientGone is the cause when the client can no longer be written to,
	// or has ended its input, and the call did not end by itself.
	ErrClientGone = errors.New("the client is gone")
)

// peer is one connected client: the one at the other end of stdio, an old-era
// HTTP session, or whoever sent one HTTP request of the new era.
type peer struct {
	session string      // what mcp-go calls the session id
	client  clientState // what the handshake of the old era settled

	askTime time.Duration // how long a person may take to answer a request of ours

	say   func(ctx context.Context, line []byte) error // brings a line that belongs to no call; an error where nobody reads it
	watch Watch                                        // nil: nothing can be watched
	subs  *subscriptions                               // of the old era; nil without watch

	draining context.Context         // done when calls are to stop waiting, also those to come
	drained  context.CancelCauseFunc // of draining

	mu       sync.Mutex // guards all below
	ended    error      // why every call is cancelled, also those to come; nil: they are not
	calls    map[string]*call
	serial   uint64               // of the last call, for its id inside
	asked    map[string]*question // requests of ours that are not answered, by id
	askedNum uint64
	lastTurn chan struct{} // closed when the last subscribe or unsubscribe so far is done
}

// newPeer is a client that has said nothing yet. update brings it the lines of
// its subscriptions in the old era; it blocks until the client has room. say is
// that of the peer.
func newPeer(opts Options, update func(ctx context.Context, line []byte) error, say func(ctx context.Context, line []byte) error) *peer {
	p := &peer{
		say:      say,
		session:  uuid.NewString(),
		askTime:  opts.ElicitationTimeout,
		watch:    opts.Watch,
		calls:    make(map[string]*call),
		asked:    make(map[string]*question),
		lastTurn: make(chan struct{}),
	}
	p.draining, p.drained = context.WithCancelCause(context.Background())
	close(p.lastTurn)
	if opts.Watch != nil {
		p.subs = newSubscriptions(opts.Watch, func(ctx context.Context, uri string, meta map[string]any) error {
			line, err := outgoing(nil, mcp.MethodNotificationResourceUpdated, updateParams(uri, meta))
			if err != nil {
				return nil // a meta that is no JSON; there is nothing to tell
			}
			return update(ctx, line)
		})
	}
	return p
}

// begin makes the call for a request or notification and puts a request among
// the calls in flight, where cancel finds it. It refuses an id that is there.
func (p *peer) begin(ctx context.Context, m *message) (*call, *refusal) {
	c := newCall(p, m)
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.kind == request {
		if _, twice := p.calls[string(m.id)]; twice {
			return nil, invalid(m.id, "a call with this id is still in flight. Use a new id for each request.")
		}
		p.calls[string(m.id)] = c
		p.serial++
		c.inner = strconv.FormatUint(p.serial, 10)
	}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	switch {
	case p.ended != nil:
		c.cancel(p.ended)
	case p.draining.Err() != nil && m.listens():
		c.cancel(context.Cause(p.draining))
	}
	return c, nil
}

// turn gives a subscribe or an unsubscribe its place in their order: it begins
// when myTurn is closed, and closes done. Others need not wait.
func (p *peer) turn(m *message) (myTurn <-chan struct{}, done chan<- struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	mine := make(chan struct{})
	switch mcp.MCPMethod(m.method) {
	case mcp.MethodResourcesSubscribe, mcp.MethodResourcesUnsubscribe:
		last := p.lastTurn
		p.lastTurn = mine
		return last, mine
	}
	now := make(chan struct{})
	close(now)
	return now, mine
}

// finish takes a call from those in flight, from when on a cancel comes late.
// It reports whether the call may be answered.
func (p *peer) finish(c *call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.msg.kind == request {
		delete(p.calls, string(c.msg.id))
	}
	return c.msg.kind == request && !c.cancelled
}

// cancel serves notifications/cancelled. An id that is unknown, late or another
// client's is ignored, as the specification asks; initialize can't be cancelled.
func (p *peer) cancel(m *message) {
	var params struct {
		RequestID json.RawMessage `json:"requestId"`
	}
	if json.Unmarshal(m.params, &params) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.calls[string(params.RequestID)]
	if !ok || c.msg.method == string(mcp.MethodInitialize) {
		return
	}
	c.cancelled = true
	c.cancel(ErrCancelled)
}

// drain tells all calls to stop waiting (call.Draining), those to come too. What
// waits for the client's answer ends, and so do listens, which only the client
// would end. Other calls go on, with their contexts. The first cause stays.
func (p *peer) drain(cause error) {
	p.drained(cause)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.calls {
		if c.msg.listens() {
			c.cancel(context.Cause(p.draining))
		}
	}
}

// end cancels all calls, those to come too, and withdraws what the client is
// asked. The first cause stays.
func (p *peer) end(cause error) {
	p.drained(cause)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return
	}
	p.ended = cause
	for _, c := range p.calls {
		c.cancel(cause)
	}
}

// question is a request of ours to the client.
type question struct {
	id     string
	answer chan *message // gets the client's response, once; has room for it
	over   chan struct{} // closed when it was answered or withdrawn
}

// ask opens a place for the answer to a request of ours; nil where the client is
// to be asked nothing any more. The caller forgets it.
func (p *peer) ask() *question {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining.Err() != nil {
		return nil
	}
	p.askedNum++
	q := &question{id: "server-" + strconv.FormatUint(p.askedNum, 10), answer: make(chan *message, 1), over: make(chan struct{})}
	p.asked[q.id] = q
	return q
}

// forget closes that place.
func (p *peer) forget(q *question) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.asked, q.id)
	close(q.over)
}

// deliver brings a response to whoever asked; others are dropped.
func (p *peer) deliver(m *message) {
	if len(m.id) == 0 || m.id[0] != '"' {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if q, ok := p.asked[string(unquote(m.id))]; ok {
		select {
		case q.answer <- m:
		default: // it was answered before
		}
	}
}

// awaitWithdrawn waits, after drain, until what the client was asked is answered
// or withdrawn.
func (p *peer) awaitWithdrawn() {
	p.mu.Lock()
	open := slices.Collect(maps.Values(p.asked))
	p.mu.Unlock()
	for _, q := range open {
		<-q.over
	}
}

// carry brings a line that belongs to a call which is over to the client, on the
// response to another call where there is no other way. It reports whether it
// went out before ctx was done.
func (p *peer) carry(ctx context.Context, line []byte) bool {
	if p.say(ctx, line) == nil {
		return true
	}
	p.mu.Lock()
	calls := slices.Collect(maps.Values(p.calls))
	p.mu.Unlock()
	return slices.ContainsFunc(calls, func(c *call) bool { return c.put(ctx, line) })
}

// inFlight is how many requests are being answered.
func (p *peer) inFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}
