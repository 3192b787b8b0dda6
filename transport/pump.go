package transport

import (
	"context"
	"errors"
	"log/slog"

	"github.com/mark3labs/mcp-go/mcp"
)

// pump writes the notifications of one call.
type pump struct {
	call *call
	out  sink
	log  *slog.Logger
}

// note writes one notification. The acknowledgement of a listen must be its
// first message: updates wait for it (call.noteUpdate).
func (p *pump) note(n mcp.JSONRPCNotification) {
	p.write(n)
	if p.call.acked != nil && n.Method == mcp.MethodNotificationSubscriptionsAcknowledged {
		close(p.call.acked)
	}
}

// rest writes the notifications that are buffered now.
func (p *pump) rest() {
	for range len(p.call.notes) {
		p.note(<-p.call.notes)
	}
}

// write encodes and sends one notification, unless the client cancelled the call.
func (p *pump) write(n mcp.JSONRPCNotification) {
	if errors.Is(context.Cause(p.call.ctx), ErrCancelled) {
		return
	}
	line, err := notificationLine(n, p.call.msg)
	if err != nil {
		p.log.Error("notification is not JSON", "id", short(p.call.msg.id), "method", short(n.Method), "error", err)
		return
	}
	p.send(line)
}

// ask sends a request of ours; that it can't reach the client is no reason to
// end the call.
func (p *pump) ask(a asking) {
	p.rest()
	a.sent <- p.out.ask(a.line)
}

func (p *pump) send(line []byte) {
	if err := p.out.send(line); err != nil {
		p.failed(err)
	}
}

// failed ends the call's work when nobody can be told of it any more.
func (p *pump) failed(err error) {
	if p.call.ctx.Err() == nil {
		p.log.Debug("client can't be written to", "id", short(p.call.msg.id), "method", short(p.call.msg.method), "error", err)
	}
	p.call.cancel(ErrClientGone)
}
