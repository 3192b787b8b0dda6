package transport

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
)

// overloaded is the error code for a call beyond the limit: the first of those
// JSON-RPC leaves to implementations (2026-07-28 keeps -32000 to -32019 free).
const overloaded = -32000

// dispatcher brings the messages of one peer, in the order they came, to where
// they belong.
type dispatcher struct {
	runner
	peer  *peer
	enter entrance        // one place per call in a goroutine, until its answer is written
	calls *sync.WaitGroup // those goroutines
	shut  bool            // new calls are refused, for the server is about to stop
}

// entrance gives a call its place: leave gives it back. If there is none, full
// says which limit was reached.
type entrance func() (leave func(), full string)

// slots is an entrance with n places.
func slots(n int) entrance {
	taken := make(chan struct{}, n)
	return func() (leave func(), full string) {
		select {
		case taken <- struct{}{}:
			return func() { <-taken }, ""
		default:
			return nil, "the limit is " + strconv.Itoa(n)
		}
	}
}

// data takes one message or array of messages. When it returns, what must be
// done in order is done, and the rest is on its way; every message gets its
// one answer (maybe nil) into out.
func (d *dispatcher) data(ctx context.Context, data []byte, out sink) {
	if !isBatch(data) {
		d.one(ctx, data, out, false)
		return
	}
	elements, refused := splitBatch(data, d.peer.client.ProtocolVersion())
	if refused != nil {
		d.refuse(refused, out)
		return
	}
	all := &batch{out: out, left: len(elements)}
	for _, element := range elements {
		d.one(ctx, element, all, true)
	}
}

// one takes one message.
func (d *dispatcher) one(ctx context.Context, data json.RawMessage, out sink, batched bool) {
	m, refused := parse(data)
	if refused != nil {
		d.refuse(refused, out)
		return
	}
	if text := notInBatch(m); batched && text != "" {
		d.refuse(invalid(m.id, text), out)
		return
	}
	d.message(ctx, m, out)
}

// message takes one message that is parsed.
func (d *dispatcher) message(ctx context.Context, m *message, out sink) {
	switch {
	case m.kind == response:
		d.peer.deliver(m)
		d.answer(out, answer{})
	case m.kind == notification && m.method == string(mcp.MethodNotificationCancelled):
		d.peer.cancel(m)
		d.answer(out, answer{})
	case m.kind == request && d.shut && m.method != string(mcp.MethodPing):
		d.refuse(&refusal{id: m.id, code: overloaded, text: ErrShutdown.Error() + ": start it again, then send this again"}, out)
	case m.kind == request && unknownVersion(m.version):
		d.refuse(unsupported(m.id, m.version), out)
	default:
		d.call(ctx, m, out)
	}
}

// call runs a request or a notification: here if its place in the order
// matters, else in a goroutine if there is room for one more.
func (d *dispatcher) call(ctx context.Context, m *message, out sink) {
	aside := m.kind == request && !inOrder(m.method)
	leave, full := func() {}, ""
	if aside {
		leave, full = d.enter()
	}
	if full != "" {
		d.refuse(&refusal{id: m.id, code: overloaded, text: "too many calls in flight: " + full +
			". Wait for one to be answered or cancel one, then send this again."}, out)
		return
	}
	c, refused := d.peer.begin(ctx, m)
	switch {
	case refused != nil:
		leave()
		d.refuse(refused, out)
	case aside:
		myTurn, done := d.peer.turn(m)
		d.calls.Go(func() {
			defer leave()
			<-myTurn
			defer close(done)
			d.run(c, out)
		})
	default:
		d.run(c, out)
	}
}

// inOrder reports whether a request is answered before the next message is
// looked at: those that change what later ones mean, and those that are quick.
// resources/list is not, for a hook may ask elsewhere; subscribing is neither:
// it keeps its own order (peer.turn).
func inOrder(method string) bool {
	switch mcp.MCPMethod(method) {
	case mcp.MethodInitialize, mcp.MethodPing, mcp.MethodServerDiscover, mcp.MethodSetLogLevel,
		mcp.MethodToolsList, mcp.MethodPromptsList, mcp.MethodResourcesTemplatesList:
		return true
	}
	return false
}

// refuse answers a message that was not accepted.
func (d *dispatcher) refuse(r *refusal, out sink) {
	d.log.Info("message refused", "id", short(r.id), "code", r.code, "reason", r.text)
	d.answer(out, r.answer())
}

// answer ends a message that was no call. An error means that the client is
// gone; whoever owns the sink knows.
func (d *dispatcher) answer(out sink, a answer) { _ = out.answer(a) }
