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
	slots chan struct{}  // one per call in a goroutine, until its answer is written
	calls sync.WaitGroup // those goroutines
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
	switch {
	case m.kind == response:
		d.peer.deliver(m)
		d.answer(out, nil)
	case m.kind == notification && m.method == string(mcp.MethodNotificationCancelled):
		d.peer.cancel(m)
		d.answer(out, nil)
	default:
		d.call(ctx, m, out)
	}
}

// call runs a request or a notification: here if its place in the order
// matters, else in a goroutine if there is room for one more.
func (d *dispatcher) call(ctx context.Context, m *message, out sink) {
	aside := m.kind == request && !inOrder(m.method)
	if aside {
		select {
		case d.slots <- struct{}{}:
		default:
			d.refuse(&refusal{id: m.id, code: overloaded, text: "too many calls in flight: the limit is " + strconv.Itoa(cap(d.slots)) +
				". Wait for one to be answered or cancel one, then send this again."}, out)
			return
		}
	}
	c, refused := d.peer.begin(ctx, m)
	switch {
	case refused != nil:
		if aside {
			<-d.slots
		}
		d.refuse(refused, out)
	case aside:
		d.calls.Go(func() {
			defer func() { <-d.slots }()
			d.run(c, out)
		})
	default:
		d.run(c, out)
	}
}

// inOrder reports whether a request is answered before the next message is
// looked at: those that change what later ones mean, and those that are quick.
func inOrder(method string) bool {
	switch mcp.MCPMethod(method) {
	case mcp.MethodInitialize, mcp.MethodPing, mcp.MethodServerDiscover, mcp.MethodSetLogLevel,
		mcp.MethodToolsList, mcp.MethodPromptsList, mcp.MethodResourcesList, mcp.MethodResourcesTemplatesList,
		mcp.MethodResourcesSubscribe, mcp.MethodResourcesUnsubscribe:
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
func (d *dispatcher) answer(out sink, line []byte) { _ = out.answer(line) }
