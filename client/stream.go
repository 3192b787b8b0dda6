package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"runs-mcp-server/internal/sse"
)

const (
	// maxSilence is how long a stream may bring no byte before it counts as dead:
	// three of the API's heartbeats of 20 s.
	maxSilence = 60 * time.Second
	// maxRecordTime is how long a stream may go without a whole record. A record
	// that never ends would otherwise hide what comes after it. A stream whose
	// heartbeats are comments is reconnected after that time.
	maxRecordTime = 3 * maxSilence
	// maxEvent bounds one event of a stream.
	maxEvent = 1 << 20
)

var errSilent = errors.New("the event stream fell silent")

// Stream is one connection to a run's event stream.
type Stream struct {
	frames      *sse.Decoder // reads from body
	body        *watchdog
	closeConn   func()
	open        *atomic.Int64 // counts the open streams
	recordTimer *time.Timer   // calls closeConn; runs while Next waits for a record
}

// TooLargeError is an event that is larger than 1 MiB. The stream goes on after it.
type TooLargeError = sse.TooLargeError

// OpenStream connects to a run's event stream, tool calls included, after
// lastEventID if that is not empty. The connection lives until Close or the end
// of ctx. The error is an [Error].
func (c *Client) OpenStream(ctx context.Context, caller Caller, runID RunID, lastEventID string) (*Stream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	call := request{
		op: "stream", method: http.MethodGet, path: runsPath(string(runID), "sse"), runID: runID,
		query: url.Values{"includeToolCalls": {"true"}}, stream: true, lastEventID: lastEventID,
	}
	// The body of an error may come late or never, too.
	deadline := time.AfterFunc(headerTimeout, func() { cancel(context.DeadlineExceeded) })
	resp, failed := c.roundTrip(ctx, caller, c.healthOf(caller.Key), call)
	deadline.Stop()
	if failed != nil {
		cancel(nil)
		return nil, failed
	}
	closeConn := func() {
		cancel(nil)
		resp.Body.Close()
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	encoding := resp.Header.Get("Content-Encoding")
	if resp.StatusCode != http.StatusOK || mediaType != "text/event-stream" || encoding != "" && encoding != "identity" {
		closeConn()
		return nil, bodyError(call, resp.StatusCode, "the Run API answered no event stream", nil)
	}
	c.served.Store(true)
	body := &watchdog{r: resp.Body, timer: time.AfterFunc(maxSilence, func() { cancel(errSilent) })}
	body.timer.Stop()
	recordTimer := time.AfterFunc(maxRecordTime, closeConn)
	recordTimer.Stop()
	c.counts.openStreams.Add(1)
	return &Stream{open: &c.counts.openStreams, frames: sse.NewDecoder(body, maxEvent), body: body, closeConn: closeConn, recordTimer: recordTimer}, nil
}

// Close ends the connection. It is called once.
func (s *Stream) Close() {
	s.closeConn()
	s.open.Add(-1)
}

// Record is an event of a stream, not decoded yet. The goroutine that waits for the
// stream lives long, and decoding would make its stack grow.
type Record struct {
	ID   string // as it came, "" for none
	name string
	data []byte
}

// Decode returns the event. Its ID is 0 unless the record's is an integer.
func (r Record) Decode() Event {
	e := decodeEvent(r.name, r.data)
	if id, ok := eventID(r.ID); ok {
		e.ID = id
	}
	return e
}

// Next returns the next record. It skips keepalives and records without a JSON
// object. After a [*TooLargeError] the stream goes on; any other error ends it.
func (s *Stream) Next() (Record, error) {
	for {
		s.recordTimer.Reset(maxRecordTime)
		frame, err := s.frames.Next()
		s.recordTimer.Stop()
		if err != nil {
			return Record{}, err
		}
		if !bytes.HasPrefix(bytes.TrimSpace(frame.Data), []byte("{")) {
			continue
		}
		r := Record{name: frame.Event, data: frame.Data}
		if frame.HasID {
			r.ID = frame.ID
		}
		return r, nil
	}
}

// LastByte returns when the stream brought its last byte, the zero time before
// the first. It is safe for concurrent use with Next.
func (s *Stream) LastByte() time.Time {
	if last := s.body.last.Load(); last != nil {
		return *last
	}
	return time.Time{}
}

// Retry returns the reconnection time that the stream asked for, if it did.
func (s *Stream) Retry() (time.Duration, bool) { return s.frames.Retry() }

// ContextError returns the error of an operation whose context has ended.
func ContextError(ctx context.Context, op string) *Error {
	return sendError(ctx, request{op: op}, true, ctx.Err())
}

// watchdog is a reader whose timer ends a read that waits longer than maxSilence.
// The time between reads does not count: it is ours, not the API's.
type watchdog struct {
	r     io.Reader
	timer *time.Timer
	last  atomic.Pointer[time.Time] // when the last byte came, nil before the first
}

func (w *watchdog) Read(p []byte) (int, error) {
	w.timer.Reset(maxSilence)
	defer w.timer.Stop()
	n, err := w.r.Read(p)
	if n > 0 {
		now := time.Now()
		w.last.Store(&now)
	}
	return n, err
}
