package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
)

// streaming returns a stream that a handler writes, in a bubble.
func streaming(t *testing.T, write func(w http.ResponseWriter, r *http.Request)) *client.Stream {
	t.Helper()
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		write(w, r)
		w.(http.Flusher).Flush()
	}))
	s, err := c.OpenStream(t.Context(), caller, testRun, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStreamEvents: events and their ids are returned as they come. Records that
// are no events are skipped, and one that is too large does not end the stream.
func TestStreamEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := streaming(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, ": a comment\n\nevent: keepalive\ndata: null\n\ndata: [1]\n\nretry: 2500\n")
			io.WriteString(w, "id: 5\nevent: start\ndata: {\"runStatus\":\"RUNNING\"}\n\n")
			io.WriteString(w, "id: x\ndata:  {\"auth\":{}}\n\n")
			io.WriteString(w, "event: other\ndata: {}\n\n")
			fmt.Fprintf(w, "id: 7\ndata: {\"a\":\"%s\"}\n\n", strings.Repeat("x", 1<<20))
			fmt.Fprintf(w, "data: {\"a\":\"%s\"}\n\n", strings.Repeat("x", 1<<20-14))
			io.WriteString(w, "id: 8\ndata: {}\n\n")
		})
		defer s.Close()
		if _, ok := s.Retry(); ok {
			t.Error("a wait that nobody asked for")
		}
		var got []string
		for {
			record, err := s.Next()
			if _, ok := errors.AsType[*client.TooLargeError](err); ok {
				got = append(got, "too large")
				continue
			}
			if err != nil {
				if err != io.EOF {
					t.Errorf("ended with %v", err)
				}
				break
			}
			e := record.Decode()
			got = append(got, fmt.Sprintf("%d %q %s %s", e.ID, record.ID, e.Type, e.RunStatus))
		}
		want := []string{`5 "5" start RUNNING`, `0 "x" authentication `, `0 "" other `, "too large", `0 ""  `, `8 "8"  `}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		if retry, ok := s.Retry(); !ok || retry != 2500*time.Millisecond {
			t.Errorf("to be retried after %v, %t", retry, ok)
		}
	})
}

// TestStreamClocks: a stream ends after a minute without a byte, and after three
// without a whole record. The time of its reader does not count.
func TestStreamClocks(t *testing.T) {
	const frame = "data: {}\n\n"
	every := func(pause time.Duration, text string) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				io.WriteString(w, text)
				w.(http.Flusher).Flush()
				select {
				case <-time.After(pause):
				case <-r.Context().Done():
				}
			}
		}
	}
	for _, tt := range []struct {
		name  string
		write func(w http.ResponseWriter, r *http.Request)
		first bool          // there is an event
		after time.Duration // of the end
	}{
		{"nothing", every(time.Hour, ""), false, time.Minute},
		{"one event", every(time.Hour, frame), true, time.Minute},
		{"comments", every(20*time.Second, ":\n\n"), false, 3 * time.Minute},
		{"a record that drips", every(20*time.Second, "data: x\n"), false, 3 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := streaming(t, tt.write)
			defer s.Close()
			start := time.Now()
			_, err := s.Next()
			if tt.first {
				if err != nil || time.Since(start) > 0 {
					t.Errorf("%s: %v after %v", tt.name, err, time.Since(start))
				}
				time.Sleep(time.Hour - time.Second) // its reader is busy
				start = time.Now()
				if _, err := s.Next(); err != nil || time.Since(start) != time.Second { // the next event
					t.Errorf("%s: after an hour %v, %v", tt.name, time.Since(start), err)
				}
				start = time.Now()
				_, err = s.Next()
			}
			if took := time.Since(start); err == nil || took != tt.after {
				t.Errorf("%s: ended after %v: %v", tt.name, took, err)
			}
		})
	}
}

// TestLastByte: when the stream brought a byte last, comments included.
func TestLastByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := streaming(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			io.WriteString(w, ":\n\n")
			w.(http.Flusher).Flush()
			time.Sleep(2 * time.Second)
			io.WriteString(w, "data: {}\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		start := time.Now()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				if _, err := s.Next(); err != nil {
					return
				}
			}
		}()
		for _, tt := range []struct{ at, last time.Duration }{{500 * time.Millisecond, -1}, {1500 * time.Millisecond, time.Second}, {3500 * time.Millisecond, 3 * time.Second}} {
			time.Sleep(time.Until(start.Add(tt.at)))
			if last := s.LastByte(); last.IsZero() != (tt.last < 0) || tt.last >= 0 && !last.Equal(start.Add(tt.last)) {
				t.Errorf("after %v: %v", tt.at, last)
			}
		}
		s.Close()
		<-ended
	})
}

// TestNoStream: only a plain 200 of text/event-stream is a stream.
func TestNoStream(t *testing.T) {
	for _, tt := range []struct {
		status                int
		contentType, encoding string
		kind                  client.Kind
	}{
		{200, "text/event-stream", "", ""},
		{200, "text/event-stream; charset=utf-8", "identity", ""},
		{200, "Text/Event-Stream", "", ""},
		{200, "text/event-stream", "br", client.Invalid},
		{200, "text/html", "", client.Invalid},
		{200, "", "", client.Invalid},
		{201, "text/event-stream", "", client.Invalid},
		{204, "text/event-stream", "", client.Invalid},
		{503, "text/event-stream", "", client.Unavailable},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", tt.contentType)
			if tt.encoding != "" {
				w.Header().Set("Content-Encoding", tt.encoding)
			}
			w.WriteHeader(tt.status)
		})
		s, err := c.OpenStream(t.Context(), caller, testRun, "")
		if client.KindOf(err) != tt.kind || (s != nil) != (err == nil) {
			t.Errorf("%+v: %v", tt, err)
		}
		if s != nil {
			s.Close()
		}
	}
}

// TestNoStreamIsClosed: the connection of an answer that is no stream ends, and so
// does that of an endless error.
func TestNoStreamIsClosed(t *testing.T) {
	for _, status := range []int{200, 422} {
		synctest.Test(t, func(t *testing.T) {
			closed := make(chan struct{})
			c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(closed)
				w.WriteHeader(status)
				for r.Context().Err() == nil {
					if _, err := w.Write(make([]byte, 32<<10)); err != nil {
						return
					}
					w.(http.Flusher).Flush()
					time.Sleep(time.Second)
				}
			}))
			start := time.Now()
			if _, err := c.OpenStream(t.Context(), caller, testRun, ""); err == nil || time.Since(start) > 5*time.Second {
				t.Errorf("%d: %v after %v", status, err, time.Since(start))
			}
			select {
			case <-closed:
			case <-time.After(time.Minute):
				t.Fatalf("%d: the connection is open", status)
			}
		})
	}
}

// TestSlowErrorOfAStream: the body of a refusal may not take longer than headers may.
func TestSlowErrorOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}))
		start := time.Now()
		_, err := c.OpenStream(t.Context(), caller, testRun, "")
		if took := time.Since(start); client.KindOf(err) != client.Unavailable || took != 25*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// TestLateStream: a stream whose headers do not come is a timeout, one that is given
// up is cancelled.
func TestLateStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		start := time.Now()
		if _, err := c.OpenStream(t.Context(), caller, testRun, ""); client.KindOf(err) != client.Timeout || time.Since(start) != 25*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := c.OpenStream(ctx, caller, testRun, ""); client.KindOf(err) != client.Canceled {
			t.Errorf("given up: %v", err)
		}
		if err := client.ContextError(ctx, "stream"); err.Kind != client.Canceled || err.Op != "stream" {
			t.Errorf("its context: %v", err)
		}
	})
}
