package transport

import (
	"context"
	"encoding/json"
	"errors"
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
	// ErrCancelled is the cause when the client sent notifications/cancelled.
	ErrCancelled = errors.New("cancelled by the client")
	// ErrClientGone is the cause when the client can no longer be written to,
	// or has ended its input and would never end the call itself.
	ErrClientGone = errors.New("the client is gone")
)

// peer is one connected client: the one at the other end of stdio, an old-era
// HTTP session, or whoever sent one HTTP request of the new era.
type peer struct {
	session string      // what mcp-go calls the session id
	client  clientState // what the handshake of the old era settled

	askTime time.Duration // how long a person may take to answer a request of ours

	gone chan struct{} // closed when no message will come from it any more

	mu       sync.Mutex // guards all below
	left     bool       // gone is closed
	calls    map[string]*call
	serial   uint64                   // of the last call, for its id inside
	asked    map[string]chan *message // requests of ours, by id
	askedNum uint64
}

// newPeer is a client that has said nothing yet.
func newPeer(askTime time.Duration) *peer {
	return &peer{
		session: uuid.NewString(),
		askTime: askTime,
		gone:    make(chan struct{}),
		calls:   make(map[string]*call),
		asked:   make(map[string]chan *message),
	}
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
	if p.left && m.listens() {
		c.cancel(ErrClientGone)
	}
	return c, nil
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

// leave notes that nothing more will come from the client: what waits for its
// answer stops waiting, and listens, which only the client would end, end.
// Other calls go on.
func (p *peer) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		return
	}
	p.left = true
	close(p.gone)
	for _, c := range p.calls {
		if c.msg.listens() {
			c.cancel(ErrClientGone)
		}
	}
}

// ask opens a place for the answer to a request of ours.
func (p *peer) ask() (id string, answer <-chan *message) {
	ch := make(chan *message, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.askedNum++
	id = "server-" + strconv.FormatUint(p.askedNum, 10)
	p.asked[id] = ch
	return id, ch
}

// forget closes that place.
func (p *peer) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.asked, id)
}

// deliver brings a response to whoever asked; others are dropped.
func (p *peer) deliver(m *message) {
	if len(m.id) == 0 || m.id[0] != '"' {
		return
	}
	id := string(unquote(m.id))
	p.mu.Lock()
	defer p.mu.Unlock()
	if ch, ok := p.asked[id]; ok {
		delete(p.asked, id)
		ch <- m
	}
}

// inFlight is how many requests are being answered.
func (p *peer) inFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}
