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
	// muteTime is how long a stream that spoke may bring no byte before the run
	// is read meanwhile: longer than the API's heartbeats take. A proxy that
	// buffers holds back events as well.
	muteTime = 25 * time.Second
	// maxRecordTime is how long a stream may go without a whole record. A record
	// without an end, or one that drips, would else hide what comes after it;
	// for a stream whose heartbeats are comments it is a reconnection.
	maxRecordTime = 3 * silence
	// maxEvent bounds one event of a stream.
	maxEvent = 1 << 20
)

var errSilent = errors.New("the event stream fell silent")

// stream is one connection to a run's event stream.
type stream struct {
	frames *sse.Decoder
	bytes  *watchdog // what frames reads from
	close  func()
	late   *time.Timer // closes it; runs while a record is waited for
}

// openStream connects to a run's event stream, tool calls included. The
// connection lives until close or the end of ctx.
func (c *Client) openStream(ctx context.Context, caller Caller, runID, lastEventID string) (*stream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	call := request{
		op: "stream", method: http.MethodGet, path: []string{"v1", "runs", runID, "sse"}, runID: runID,
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
	return &stream{frames: sse.NewDecoder(watched, maxEvent), bytes: watched, close: shut, late: late}, nil
}

// next returns the next record that is an event; keepalives and records
// without an object are passed over. Its errors are those of the decoder.
func (s *stream) next() (Event, string, error) {
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
		id := ""
		if frame.HasID {
			id = frame.ID
		}
		return decodeEvent(frame.Event, frame.Data), id, nil
	}
}

// untilMute returns how long until an open stream is mute: at once if it has
// brought no byte yet, else muteTime after the last. It is safe for concurrent
// use with next.
func (s *stream) untilMute() time.Duration {
	last := s.bytes.last.Load()
	if last == nil {
		return 0
	}
	return muteTime - time.Since(*last)
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
