package transport

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// pieceSize is how much is written before the deadline is renewed.
const pieceSize = 64 << 10

// takeoverTimeout is how long a client may leave unread what is being written to
// it when a newer response takes over: its connection may be dead.
const takeoverTimeout = time.Second

// reply is an HTTP response that carries a stream: as one JSON text if nothing
// comes before the answer, else as an event stream.
type reply struct {
	w      http.ResponseWriter
	stream *stream
	wants  accepted
	status func(answer) int // of an answer that is a JSON text

	first     time.Duration // after which an event stream begins with nothing to say
	keepAlive time.Duration
	timeout   time.Duration // of a write

	prime bool // an event stream begins with an id, for a client to resume with that has seen no event
	begun bool // the event stream

	mu      sync.Mutex // guards hurried
	hurried bool       // the deadline of the write under way is the last one
}

// run writes until the stream has ended or another reader took over (nil), the
// client went away (the cause of ctx), or does not read (an error). me and have
// are those of stream.attach.
func (p *reply) run(ctx context.Context, me *reader, have int) error {
	quiet := time.NewTimer(p.first)
	defer quiet.Stop()
	for {
		g := p.stream.after(have)
		if g.ended && p.isWhole(g) {
			return p.whole(g.end)
		}
		if len(g.events) > 0 {
			if err := p.write(g.events, have); err != nil {
				return err
			}
			have = g.events[len(g.events)-1].number
			p.stream.wrote(have)
			quiet.Reset(p.keepAlive)
		}
		if g.ended {
			return p.open(have)
		}
		select {
		case <-g.changed:
		case <-quiet.C:
			if err := p.comment(have); err != nil {
				return err
			}
			quiet.Reset(p.keepAlive)
		case <-me.taken:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// isWhole reports whether what has ended goes out as one JSON text.
func (p *reply) isWhole(g glance) bool {
	switch {
	case p.begun: // as an event stream
		return false
	case !p.wants.events:
		return true
	case g.end.line == nil: // a notification's: there is nothing to say
		return len(g.events) == 0
	case len(g.events) == 1: // the answer, and no notification before it
		return p.wants.json || p.status(g.end) != http.StatusOK
	}
	return false
}

// whole writes an answer as one JSON text, or that there is none.
func (p *reply) whole(a answer) error {
	if a.line == nil {
		return p.finish(http.StatusAccepted, nil)
	}
	status := p.status(a)
	if status == http.StatusTooManyRequests {
		p.w.Header().Set("Retry-After", "1")
	}
	return p.finish(status, a.line)
}

// finish writes a whole response.
func (p *reply) finish(status int, body []byte) error {
	if body != nil {
		p.w.Header().Set("Content-Type", "application/json")
		p.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	p.renew()
	p.w.WriteHeader(status)
	return p.pieces(body)
}

// write writes events.
func (p *reply) write(events []event, have int) error {
	if !p.wants.events { // a client of JSON gets the answer only
		return nil
	}
	if err := p.open(have); err != nil {
		return err
	}
	for _, e := range events {
		head := "event: message\ndata: "
		if p.stream.resumable {
			head = "id: " + p.stream.eventID(e.number) + "\n" + head
		}
		for _, part := range [][]byte{[]byte(head), e.line, []byte("\n\n")} {
			if err := p.pieces(part); err != nil {
				return err
			}
		}
	}
	return p.flush()
}

// comment writes what keeps the connection from looking dead.
func (p *reply) comment(have int) error {
	if !p.wants.events {
		return nil
	}
	if !p.begun {
		return p.open(have)
	}
	if err := p.pieces([]byte(": still here\n\n")); err != nil {
		return err
	}
	return p.flush()
}

// open begins the event stream, once.
func (p *reply) open(have int) error {
	if p.begun {
		return nil
	}
	p.begun = true
	h := p.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	p.renew()
	p.w.WriteHeader(http.StatusOK)
	first := ": open\n\n"
	if p.stream.resumable {
		p.stream.begin()
		if p.prime {
			first = "id: " + p.stream.eventID(have) + "\ndata: \n\n"
		}
	}
	if err := p.pieces([]byte(first)); err != nil {
		return err
	}
	return p.flush()
}

// pieces writes with a new deadline for each piece, so that a client may be
// slow but not stand still.
func (p *reply) pieces(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), pieceSize)
		p.renew()
		if _, err := p.w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (p *reply) flush() error {
	p.renew()
	return http.NewResponseController(p.w).Flush()
}

// renew sets the deadline for what is written next, net/http's own end of the
// response included.
func (p *reply) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.hurried {
		p.deadline(p.timeout)
	}
}

// hurry leaves little time for what is being written: another reader waits for it.
func (p *reply) hurry() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hurried = true
	p.deadline(min(p.timeout, takeoverTimeout))
}

func (p *reply) deadline(d time.Duration) {
	_ = http.NewResponseController(p.w).SetWriteDeadline(time.Now().Add(d))
}

// oldStatus is the status of an answer in the old era: errors of calls are 200.
func oldStatus(a answer) int {
	switch {
	case !a.refused:
		return http.StatusOK
	case a.code == overloaded:
		return http.StatusTooManyRequests
	}
	return http.StatusBadRequest
}

// newStatus is the status of an answer in the new era, where proxies are to
// understand errors too (2026-07-28, streamable HTTP).
func newStatus(a answer) int {
	switch a.code {
	case mcp.METHOD_NOT_FOUND:
		return http.StatusNotFound
	case mcp.HEADER_MISMATCH, mcp.MISSING_REQUIRED_CLIENT_CAPABILITY, mcp.UNSUPPORTED_PROTOCOL_VERSION,
		mcp.INVALID_REQUEST, mcp.INVALID_PARAMS, mcp.PARSE_ERROR:
		return http.StatusBadRequest
	}
	if a.refused {
		return oldStatus(a)
	}
	return http.StatusOK
}
