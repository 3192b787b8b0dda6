package streamable

import (
	"context"
	"net/http"
	"time"

	"runs-mcp-server/transport/session"
)

// streamResponse is an HTTP response that writes a stream: as one JSON text if
// nothing comes before the answer, else as server-sent events.
type streamResponse struct {
	out        deadlineWriter
	stream     *stream
	attachment *attachment
	accepts    mediaTypes
	status     func(session.Answer) int // of an answer that is a JSON text

	firstAfter time.Duration // when an event stream starts with nothing to send
	keepAlive  time.Duration
	primes     bool // an event stream begins with an id and no message, to resume with

	position int  // the number of the last event that is written
	started  bool // as an event stream
	idsSent  bool // the client has got an id of the stream, to resume with
}

// newStreamResponse returns the response to a request that a stream belongs to.
func (e *endpoint) newStreamResponse(x *exchange, st *stream) *streamResponse {
	return &streamResponse{
		out:        deadlineWriter{w: x.w, timeout: e.writeTimeout(x)},
		stream:     st,
		accepts:    x.accepts,
		status:     statefulStatus,
		firstAfter: e.KeepAlive,
		keepAlive:  e.KeepAlive,
	}
}

// attach attaches the response to its stream. It writes the events after a
// position.
func (p *streamResponse) attach(position int) {
	p.attachment = &attachment{replaced: make(chan struct{}), gone: make(chan struct{}), shortenDeadline: p.out.shortenDeadline}
	p.position = p.stream.attachResponse(p.attachment, position)
}

// detach is the reverse of attach.
func (p *streamResponse) detach() { p.stream.detachResponse(p.attachment) }

// writeStream writes until the stream has ended or another response takes over
// (nil), the client went away (the cause of ctx), or does not read (an error).
func (p *streamResponse) writeStream(ctx context.Context) error {
	quiet := time.NewTimer(p.firstAfter)
	defer quiet.Stop()
	for {
		found := p.stream.snapshotAfter(p.position)
		if found.ended {
			return p.writeEnd(found)
		}
		if len(found.events) > 0 {
			if err := p.writeEvents(found.events); err != nil {
				return err
			}
			quiet.Reset(p.keepAlive)
		}
		select {
		case <-found.changed:
		case <-quiet.C:
			if err := p.writeComment(); err != nil {
				return err
			}
			quiet.Reset(p.keepAlive)
		case <-p.attachment.replaced:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// writeEnd writes the rest of a stream that has ended.
func (p *streamResponse) writeEnd(found snapshot) error {
	if p.isWhole(found) {
		return p.writeAnswer(found.answer)
	}
	if len(found.events) > 0 {
		return p.writeEvents(found.events)
	}
	return p.startEvents()
}

// isWhole reports whether a stream that has ended is written as one JSON text.
func (p *streamResponse) isWhole(found snapshot) bool {
	switch {
	case p.started:
		return false
	case !p.accepts.events:
		return true
	case found.answer.Line == nil: // a notification has no answer
		return len(found.events) == 0
	case len(found.events) == 1: // the answer, and nothing before it
		return p.accepts.json || p.status(found.answer) != http.StatusOK
	}
	return false
}

// writeAnswer writes an answer as one JSON text, or that there is none.
func (p *streamResponse) writeAnswer(a session.Answer) error {
	if a.Line == nil {
		return p.out.writeWhole(http.StatusAccepted, nil)
	}
	status := p.status(a)
	if status == http.StatusTooManyRequests {
		p.out.w.Header().Set("Retry-After", "1")
	}
	return p.out.writeWhole(status, a.Line)
}

// writeEvents writes events and marks them as written. A client that accepts
// JSON only gets the answer alone.
func (p *streamResponse) writeEvents(events []event) error {
	if p.accepts.events {
		if err := p.sendEvents(events); err != nil {
			return err
		}
	}
	p.position = events[len(events)-1].number
	p.stream.markWritten(p.position)
	return nil
}

func (p *streamResponse) sendEvents(events []event) error {
	if err := p.startEvents(); err != nil {
		return err
	}
	for _, e := range events {
		head := "event: message\ndata: "
		if p.stream.resumable {
			head = "id: " + p.stream.eventID(e.number) + "\n" + head
			p.idsSent = true
		}
		for _, part := range [][]byte{[]byte(head), e.line, []byte("\n\n")} {
			if err := p.out.write(part); err != nil {
				return err
			}
		}
	}
	return p.out.flush()
}

// writeComment writes a comment, so that the connection does not look dead.
func (p *streamResponse) writeComment() error {
	switch {
	case !p.accepts.events:
		return nil
	case !p.started:
		return p.startEvents()
	}
	if err := p.out.write([]byte(": still here\n\n")); err != nil {
		return err
	}
	return p.out.flush()
}

// startEvents starts the event stream, once.
func (p *streamResponse) startEvents() error {
	if p.started {
		return nil
	}
	p.started = true
	h := p.out.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	p.out.renewDeadline()
	p.out.w.WriteHeader(http.StatusOK)
	first := ": open\n\n"
	if p.primes {
		first = "id: " + p.stream.eventID(p.position) + "\ndata: \n\n"
		p.idsSent = true
	}
	if err := p.out.write([]byte(first)); err != nil {
		return err
	}
	return p.out.flush()
}
