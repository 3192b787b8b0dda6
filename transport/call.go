package transport

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/google/uuid"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// notesBuffered is how many notifications of a call wait for the client before
// a handler that sends the next one waits too. Channels take their memory at
// once: 64 are 4 KiB, 16 MiB for 4,096 calls.
const notesBuffered = 64

// sink takes what a call writes, one whole message at a time, always from one
// goroutine per call.
type sink interface {
	// send writes a notification.
	send(line []byte) error
	// ask writes a request of ours.
	ask(line []byte) error
	// answer ends the call. It is called exactly once for every message
	// that came in.
	answer(a answer) error
}

// answer is what a message gets in the end. A pipe wants its line only, HTTP
// makes a status of the rest.
type answer struct {
	line    []byte // nil when the message gets no answer
	code    int    // of a JSON-RPC error; 0 of a result
	refused bool   // the message was not handed to mcp-go
}

// call is one request being answered, or one notification being taken in, and
// the session mcp-go and the handlers see.
//
// Handlers send on NotificationChannel, selecting on their context too: it is
// done when they have returned, and from then on nobody receives. Handlers that
// wait select on Draining as well.
type call struct {
	*clientState // the peer's in the old era, its own in the new

	peer    *peer
	msg     *message
	session string
	inner   string // the id inside, where mcp-go sees it

	ctx    context.Context
	cancel context.CancelCauseFunc

	notes chan mcp.JSONRPCNotification
	asks  chan asking   // requests of ours, on their way to the sink
	over  chan struct{} // closed when nothing is written for the call any more but its answer

	overOnce func() // closes over

	subs  *subscriptions // the peer's in the old era, a listen's own in the new, else nil
	acked chan struct{}  // of a listen with subscriptions: closed when its acknowledgement is written; else nil

	cancelled bool    // by the client; guarded by peer.mu
	special   *answer // what Hooks make of an error that mcp-go has no code for, in the handler's goroutine
}

// newCall makes a call. One of the new era has a session and a client state of
// its own, for its server may know nothing from one request to the next.
func newCall(p *peer, m *message) *call {
	c := &call{
		clientState: &p.client,
		peer:        p,
		msg:         m,
		session:     p.session,
		notes:       make(chan mcp.JSONRPCNotification, notesBuffered),
		asks:        make(chan asking),
		over:        make(chan struct{}),
		subs:        p.subs,
	}
	c.overOnce = sync.OnceFunc(func() { close(c.over) })
	if m.modern() {
		c.clientState = &clientState{initialized: true}
		c.session = uuid.NewString()
		c.subs = nil
		if m.listens() && p.watch != nil {
			c.subs = newSubscriptions(p.watch, c.noteUpdate)
			c.acked = make(chan struct{})
		}
	}
	return c
}

// SessionID implements server.ClientSession: the client's in the old era, the
// request's in the new.
func (c *call) SessionID() string { return c.session }

// RequestID is the id of the request as the client wrote it, for logs: at most 64
// bytes of it.
func (c *call) RequestID() string { return short(c.msg.id) }

// NotificationChannel implements server.ClientSession.
func (c *call) NotificationChannel() chan<- mcp.JSONRPCNotification { return c.notes }

// Draining is closed when the call is to stop waiting and to answer now, because
// the client has ended its input or the server is about to stop. The context
// stays alive for that, and for what must not be cut off: Options.Grace at most.
// Handlers find this method on the session in their context.
func (c *call) Draining() <-chan struct{} { return c.peer.draining.Done() }

var (
	_ server.SessionWithClientInfo               = (*call)(nil)
	_ server.SessionWithLogging                  = (*call)(nil)
	_ server.SessionWithElicitation              = (*call)(nil)
	_ server.SessionWithProtocolVersion          = (*call)(nil)
	_ server.SessionWithResourceSubscriptionsErr = (*call)(nil)
)

// runner runs calls against the server. Both transports have one.
type runner struct {
	srv *server.MCPServer
	log *slog.Logger
}

// run answers one call: it drains the call's notifications into out until the
// handler has returned, then what is left of them, then writes the answer.
func (r *runner) run(c *call, out sink) {
	answered := false
	defer func() {
		if v := recover(); v != nil { // whatever may panic beside the handler
			r.panicked(c, v)
			c.peer.finish(c)
			c.cancel(nil)
			c.overOnce()
			if !answered {
				_ = out.answer(c.failure(mcp.INTERNAL_ERROR, internalError, nil))
			}
		}
	}()
	done := make(chan mcp.JSONRPCMessage, 1)
	go r.handle(c, done)
	p := pump{call: c, out: out, log: r.log}
	for {
		select {
		case n := <-c.notes:
			p.note(n)
		case a := <-c.asks:
			p.ask(a)
		case resp := <-done:
			if c.msg.modern() { // else they are the peer's
				c.subs.close()
			}
			// What the handler sent before it returned is in the buffer by now.
			p.rest()
			c.overOnce()
			var a answer
			if c.peer.finish(c) {
				a = r.answer(c, resp)
			}
			c.cancel(nil)
			answered = true
			if err := out.answer(a); err != nil {
				p.failed(err)
			}
			return
		}
	}
}

// handle lets mcp-go answer, and survives whatever a handler does.
func (r *runner) handle(c *call, done chan<- mcp.JSONRPCMessage) {
	var resp mcp.JSONRPCMessage // stays nil when the handler panics or ends its goroutine
	defer func() {
		if v := recover(); v != nil {
			r.panicked(c, v)
			resp = nil
		}
		done <- resp
	}()
	resp = r.srv.HandleMessage(r.srv.WithContext(c.ctx, c), c.msg.inner(c.inner))
}

// panicked logs a panic, deferred, with the stack that it came from; of its value
// the type alone, for that may hold what a client sent.
func (r *runner) panicked(c *call, v any) {
	r.log.Error("panic in a handler", "id", short(c.msg.id), "method", short(c.msg.method),
		"panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
}

// answer is the answer as it goes out.
func (r *runner) answer(c *call, resp mcp.JSONRPCMessage) answer {
	switch resp := resp.(type) {
	case mcp.JSONRPCResponse:
		line, err := resultAnswer(c.msg.id, c.result(resp.Result))
		if err == nil {
			return answer{line: line}
		}
		r.log.Error("result is not JSON", "id", short(c.msg.id), "method", short(c.msg.method), "error", err)
	case mcp.JSONRPCError:
		if c.special != nil {
			return *c.special
		}
		return c.failure(resp.Error.Code, resp.Error.Message, resp.Error.Data)
	}
	return c.failure(mcp.INTERNAL_ERROR, internalError, nil)
}

// failure is the answer that carries an error.
func (c *call) failure(code int, text string, data any) answer {
	return answer{line: errorAnswer(c.msg.id, code, text, data), code: code}
}

// result is mcp-go's result, with the id of a listen as the client knows it.
func (c *call) result(result any) any {
	if end, ok := result.(mcp.SubscriptionsListenResult); ok {
		end.EnsureResultMeta().SetSubscriptionID(c.msg.id)
		return end
	}
	return result
}

// short keeps what a client may make as long as it likes from filling the log.
func short[T ~string | ~[]byte](s T) string {
	if len(s) > 64 {
		return string(s[:64]) + "…"
	}
	return string(s)
}
