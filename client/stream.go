package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"runs-mcp-server/internal/sse"
)

const (
	// silence is how long a stream may say nothing before it counts as dead:
	// three of the API's heartbeats of 20 s.
	silence = 60 * time.Second
	// maxRecordTime is how long a stream may go without a whole record. A record
	// without an end, or one that drips, would else hide what comes after it;
	// for a stream whose heartbeats are comments it is a reconnection.
	maxRecordTime = 3 * silence
	// maxEvent bounds one event of a stream.
	maxEvent = 1 << 20
)

var errSilent = errors.New("the event stream fell silent")

// Stream is one connection to a run's event stream.
type Stream struct {
	frames *sse.Decoder
	bytes  *watchdog // what frames reads from
	shut   func()
	late   *time.Timer // closes it; runs while a record is waited for
}

// TooLargeError is an event that is larger than 1 MiB. The stream goes on after it.
type TooLargeError = sse.TooLargeError

// OpenStream connects to a run's event stream, tool calls included, after
// lastEventID if that is not empty. The connection lives until Close or the end
// of ctx. The error is an [Error].
func (c *Client) OpenStream(ctx context.Context, caller Caller, runID RunID, lastEventID string) (*Stream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	call := request{
		op: "stream", method: http.MethodGet, path: []string{"v1", "runs", string(runID), "sse"}, runID: runID,
		query: url.Values{"includeToolCalls": {"true"}}, accept: "text/event-stream", lastEventID: lastEventID,
	}
	// An error's body, too, may come late or never.
	deadline := time.AfterFunc(headerTimeout, func() { cancel(context.DeadlineExceeded) })
	resp, failed := c.send(ctx, c.calls, caller, call)
	deadline.Stop()
	if failed != nil {
		cancel(nil)
		return nil, failed
	}
	shut := func() {
		cancel(nil)
		resp.Body.Close()
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	encoding := resp.Header.Get("Content-Encoding")
	if resp.StatusCode != http.StatusOK || mediaType != "text/event-stream" || encoding != "" && encoding != "identity" {
		shut()
		return nil, bodyError(call, resp.StatusCode, "the Run API answered no event stream", nil)
	}
	c.served.Store(true)
	watched := &watchdog{r: resp.Body, timer: time.AfterFunc(silence, func() { cancel(errSilent) })}
	watched.timer.Stop()
	late := time.AfterFunc(maxRecordTime, shut)
	late.Stop()
	return &Stream{frames: sse.NewDecoder(watched, maxEvent), bytes: watched, shut: shut, late: late}, nil
}

// Close ends the connection.
func (s *Stream) Close() { s.shut() }

// Next returns the next event and its id as it came, "" where it has none. The
// event's ID is 0 unless the id is an integer. Keepalives and records without an
// object are passed over. After a [*TooLargeError] the stream goes on; any other
// error ends it.
func (s *Stream) Next() (Event, string, error) {
	for {
		s.late.Reset(maxRecordTime)
		frame, err := s.frames.Next()
		s.late.Stop()
		if err != nil {
			return Event{}, "", err
		}
		if !strings.HasPrefix(string(bytes.TrimSpace(frame.Data)), "{") {
			continue
		}
		e := decodeEvent(frame.Event, frame.Data)
		if !frame.HasID {
			return e, "", nil
		}
		if id, ok := eventID(frame.ID); ok {
			e.ID = id
		}
		return e, frame.ID, nil
	}
}

// LastByte returns when the stream brought its last byte, the zero time before
// the first. It is safe for concurrent use with Next.
func (s *Stream) LastByte() time.Time {
	if last := s.bytes.last.Load(); last != nil {
		return *last
	}
	return time.Time{}
}

// Retry returns the reconnection time that the stream asked for, if it did.
func (s *Stream) Retry() (time.Duration, bool) { return s.frames.Retry() }

// ContextError is the error of an operation whose context has ended.
func ContextError(ctx context.Context, op string) *Error {
	return sendError(ctx, request{op: op}, true, ctx.Err())
}

// watchdog ends a read that waits longer than silence. The time that passes
// between reads does not count: it is ours, not the API's.
type watchdog struct {
	r     io.Reader
	timer *time.Timer
	last  atomic.Pointer[time.Time] // when the last byte came, nil before the first
}

func (w *watchdog) Read(p []byte) (int, error) {
	w.timer.Reset(silence)
	defer w.timer.Stop()
	n, err := w.r.Read(p)
	if n > 0 {
		now := time.Now()
		w.last.Store(&now)
	}
	return n, err
}
