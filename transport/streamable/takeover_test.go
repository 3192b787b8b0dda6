package streamable

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// TestNewerGETTakesOver: it does with and without an event id, and the older
// response ends without an error.
func TestNewerGETTakesOver(t *testing.T) {
	for _, version := range []string{"2025-03-26", "2025-11-25"} {
		for name, more := range map[string]header{"anew": nil, "with an event": {"Last-Event-ID", "0-0"}} {
			t.Run(version+" "+name, func(t *testing.T) {
				s := serveHTTP(t, fixture.New(session.Hooks()), Options{KeepAlive: time.Millisecond, StreamsPerCaller: 2})
				h := s.session(version, `{}`)
				other := s.stream(s.do("GET", "/mcp", s.session(version, `{}`), ""))
				other.frame()
				older := s.do("GET", "/mcp", h, "")
				for range 5 {
					newer := s.do("GET", "/mcp", append(slices.Clone(h), more...), "")
					if newer.StatusCode != 200 {
						t.Fatal(newer.Status)
					}
					if rest, err := io.ReadAll(older.Body); err != nil {
						t.Fatalf("the older ends with %q, %v", rest, err)
					}
					older.Body.Close()
					older = newer
				}
				s.stream(older).frame()
				other.frame()
			})
		}
	}
}

// TestTakeoverLosesAndRepeatsNothing: while newer GETs take over again and again,
// each change is sent once, on one of them.
func TestTakeoverLosesAndRepeatsNothing(t *testing.T) {
	const changes, takeovers = 400, 40
	w := fixture.NewWatching()
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{Options: session.Options{Watch: w.Watch}})
	h := s.session("2025-11-25", `{}`)
	all := make(chan sse, changes+takeovers)
	read := func(e *events) {
		for f := range e.frames {
			if f.data != "" {
				all <- f
			}
		}
	}
	go read(s.stream(s.do("GET", "/mcp", h, "")))
	go func() {
		for i := range changes {
			s.roundTrip("POST", "/mcp", h, fixture.Subscribe(fmt.Sprintf("run://%d", i)))
			fixture.Receive(t, w.Changed)(map[string]any{"n": i})
		}
	}()
	times := map[string]int{}
	for taken := 0; len(times) < changes; {
		f := fixture.Receive(t, all)
		times[f.data]++
		if taken < takeovers && len(times)%(changes/takeovers) == 0 {
			taken++
			go read(s.stream(s.do("GET", "/mcp", h, "")))
		}
	}
	for change, n := range times {
		if n != 1 {
			t.Errorf("%d times: %s", n, change)
		}
	}
}

// TestTakeoverOfADeadConnection: the older client does not read any more and its
// connection is full. The newer one soon gets what was not written to the older,
// although the write timeout is long.
func TestTakeoverOfADeadConnection(t *testing.T) {
	const changes = 400
	w := fixture.NewWatching()
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{Options: session.Options{Watch: w.Watch}, WriteTimeout: time.Hour})
	h := s.session("2025-11-25", `{}`)
	older := dial(t, s)
	older.send("GET /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: " + h[1] + "\r\n\r\n")
	response, err := http.ReadResponse(older.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 64<<10)
	for i := range changes {
		s.roundTrip("POST", "/mcp", h, fixture.Subscribe(fmt.Sprintf("run://%d", i)))
		fixture.Receive(t, w.Changed)(map[string]any{"n": i, "text": text})
	}
	newer := s.stream(s.do("GET", "/mcp", h, ""))
	times := map[string]int{}
	newer.countUntilLast(times)
	if len(times) == 0 || len(times) == changes {
		t.Fatalf("%d of %d changes came to the newer", len(times), changes)
	}
	rest, err := io.ReadAll(response.Body)
	if err, ok := err.(net.Error); ok && err.Timeout() {
		t.Fatal("the older response does not end")
	}
	for _, frame := range strings.SplitAfter(string(rest), "\n\n") {
		if _, data, ok := strings.Cut(frame, "data: {"); ok && strings.HasSuffix(data, "\n\n") {
			times["{"+strings.TrimSuffix(data, "\n\n")]++
		}
	}
	for change, n := range times {
		if n != 1 {
			t.Errorf("%d times: %.200s", n, change)
		}
	}
	if len(times) != changes {
		t.Errorf("%d of %d changes came", len(times), changes)
	}
}

// deadlineRecorder records the deadlines of a response.
type deadlineRecorder struct {
	http.ResponseWriter
	in []time.Duration // from when they were set
}

func (d *deadlineRecorder) SetWriteDeadline(at time.Time) error {
	d.in = append(d.in, time.Until(at).Round(time.Second))
	return nil
}

// TestShortenDeadline: after it, no write gets more time.
func TestShortenDeadline(t *testing.T) {
	var d deadlineRecorder
	p := deadlineWriter{w: &d, timeout: time.Hour}
	p.renewDeadline()
	p.shortenDeadline()
	p.renewDeadline()
	if want := []time.Duration{time.Hour, time.Second}; !slices.Equal(d.in, want) {
		t.Fatalf("deadlines in %v, want %v", d.in, want)
	}
}

// countUntilLast counts messages until the last change has come.
func (e *events) countUntilLast(times map[string]int) {
	for {
		data := e.next().data
		times[data]++
		if strings.Contains(data, `"uri":"run://399"`) {
			return
		}
	}
}
