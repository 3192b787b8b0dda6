package feed_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/lab/inmem"
)

// TestRefillFails passes nothing over: what the log dropped comes when it can
// be read.
func TestRefillFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{LogEvents: 4})
		runID := b.create(t, "steps=20 step_ms=10 end=hold", client.ApproveNothing)
		w := b.hub.Watch(caller, client.RunID(runID), 0)
		defer w.Close()
		time.Sleep(time.Minute)
		b.fail.Store(true)
		if _, err := w.Next(t.Context()); client.KindOf(err) != client.Unavailable {
			t.Errorf("got %v", err)
		}
		b.fail.Store(false)
		late, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.Next(late); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if news, err := w.Next(t.Context()); err != nil || len(news.Events) != 23 || w.Cursor() != 23 {
			t.Errorf("got %d events, %v", len(news.Events), err)
		}
	})
}

// TestRead gives what the log holds, and nothing where it lacks something.
func TestRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{LogEvents: 4})
		runID := b.create(t, "steps=20 step_ms=10 end=hold", client.ApproveStart)
		if _, _, ok := b.hub.Read(caller, client.RunID(runID), 0); ok {
			t.Error("read without a watcher")
		}
		w := b.hub.Watch(caller, client.RunID(runID), 0)
		defer w.Close()
		time.Sleep(time.Minute)
		news, err := w.Next(t.Context())
		if err != nil || len(news.Pending) != 1 {
			t.Fatalf("got %+v, %v", news, err)
		}
		if events, st, ok := b.hub.Read(caller, client.RunID(runID), 1); !ok || len(events) != len(news.Events)-1 || len(st.Pending) != 1 {
			t.Errorf("got %d events, %+v, %t", len(events), st, ok)
		}
	})
}

// TestLostEventsAreTold: what neither the log nor the API holds any more.
func TestLostEventsAreTold(t *testing.T) {
	for _, tt := range []struct {
		stored         string
		cursor         int64 // that is watched from
		first, missing int64 // the first event and its Missing
	}{
		{"", 0, 17, -1},
		{"1-16", 0, 1, 0},
		{"1-10", 0, 1, -1},
		{"8-16", 0, 8, -1},
		{"12-20", 0, 12, -1},
		{"18-20", 0, 17, -1},
		{"1-3 and 7-16", 0, 1, 0}, // ids may have holes
		{"unreadable", 0, 17, -1},
		{"1-16", 5, 6, 0},
		{"6-16", 5, 6, 0},
		{"1-3 and 9-16", 5, 9, 0}, // what reaches back behind the cursor has a hole in its ids
		{"9-16", 5, 9, -1},        // what does not may lack events
		{"9-20", 5, 9, -1},
	} {
		synctest.Test(t, func(t *testing.T) {
			api, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(streamOf(20, tt.stored))})
			if err != nil {
				t.Fatal(err)
			}
			hub := newHub(api, feed.Options{LogEvents: 4})
			defer hub.Close()
			w := hub.Watch(caller, "123e4567-e89b-12d3-a456-426614174000", tt.cursor)
			defer w.Close()
			time.Sleep(time.Second)
			news, err := w.Next(t.Context())
			if err != nil || news.Events[0].ID != tt.first || news.Events[0].Missing != tt.missing || w.Cursor() != 20 {
				t.Errorf("%+v: got %+v, %v", tt, news.Events[0], err)
			}
		})
	}
}

// streamOf tells n events on the stream; the stored ones ("2-4", "" for none)
// are told from the second read on, and then may be unreadable.
func streamOf(n int, stored string) http.Handler {
	var reads atomic.Int64
	body := func(i int) string {
		return fmt.Sprintf(`"runStatus":"RUNNING","timestamp":"2026-01-01T00:00:%02dZ","step":{"text":"e%d"}}`, i, i)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/sse") {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := 1; i <= n; i++ {
				fmt.Fprintf(w, "id: %d\nevent: step\ndata: {%s\n\n", i, body(i))
			}
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		var events []string
		for span := range strings.SplitSeq(stored, " and ") {
			var from, to int
			if k, _ := fmt.Sscanf(span, "%d-%d", &from, &to); k == 2 && reads.Load() > 0 {
				for i := from; i <= to; i++ {
					events = append(events, fmt.Sprintf(`{"id":%d,"event":"step",%s`, i, body(i)))
				}
			}
		}
		if reads.Add(1) > 1 && stored == "unreadable" {
			fmt.Fprint(w, "<html>")
			return
		}
		fmt.Fprintf(w, `{"runId":"123e4567-e89b-12d3-a456-426614174000","status":"RUNNING","events":[%s]}`, strings.Join(events, ","))
	})
}

// TestLogIsBoundedInBytes, beside events.
func TestLogIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{LogEvents: 1000, LogBytes: 2000})
		runID := b.create(t, "steps=1000 step_ms=100", client.ApproveNothing)
		w := b.hub.Watch(caller, client.RunID(runID), 0)
		defer w.Close()
		time.Sleep(30 * time.Second)
		if _, _, ok := b.hub.Read(caller, client.RunID(runID), 0); ok {
			t.Error("the log reaches back to the start")
		}
		var events []client.Event
		for after := int64(400); ; after-- { // as far back as it reaches
			more, _, ok := b.hub.Read(caller, client.RunID(runID), after)
			if !ok {
				break
			}
			events = more
		}
		bytes := 0
		for _, e := range events {
			bytes += len(e.Raw)
		}
		if len(events) < 3 || bytes > 2000 || bytes < 1000 {
			t.Errorf("%d events of %d bytes", len(events), bytes)
		}
	})
}

// TestIDsThatBeginAnew are new to a watcher whose cursor is beyond them.
func TestIDsThatBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		api, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/sse") {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			events := []string{"a", "b", "c"}
			if time.Since(start) > time.Minute {
				events = []string{"x", "y"}
			}
			for i, text := range events {
				events[i] = fmt.Sprintf(`{"id":%d,"event":"step","runStatus":"RUNNING","step":{"text":%q}}`, i+1, text)
			}
			fmt.Fprintf(w, `{"runId":"123e4567-e89b-12d3-a456-426614174000","status":"RUNNING","events":[%s]}`, strings.Join(events, ","))
		}))})
		if err != nil {
			t.Fatal(err)
		}
		hub := newHub(api, feed.Options{})
		defer hub.Close()
		w := hub.Watch(caller, "123e4567-e89b-12d3-a456-426614174000", 0)
		defer w.Close()
		if news, err := w.Next(t.Context()); err != nil || len(news.Events) != 3 || w.Cursor() != 3 {
			t.Fatalf("got %+v, %v", news, err)
		}
		news, err := w.Next(t.Context())
		if err != nil || len(news.Events) != 2 || !news.Events[0].Restarted || news.Events[1].Restarted || w.Cursor() != 2 {
			t.Errorf("got %+v, %v, cursor %d", news, err, w.Cursor())
		}
	})
}

// TestLogEnds: the log keeps as many events and bytes as it may, and none more.
func TestLogEnds(t *testing.T) {
	const runID, event = "123e4567-e89b-12d3-a456-426614174000", len(`{"runStatus":"RUNNING","timestamp":"2026-01-01T00:00:20Z","step":{"text":"e20"}}`)
	for name, o := range map[string]feed.Options{"events": {LogEvents: 3}, "bytes": {LogBytes: 3 * event}, "fewer bytes": {LogBytes: 4*event - 1}} {
		synctest.Test(t, func(t *testing.T) {
			api, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(streamOf(20, ""))})
			if err != nil {
				t.Fatal(err)
			}
			hub := newHub(api, o)
			defer hub.Close()
			w := hub.Watch(caller, runID, 0)
			defer w.Close()
			time.Sleep(time.Second)
			for after, want := range map[int64]int{20: 0, 18: 2, 17: 3, 16: -1} {
				events, _, ok := hub.Read(caller, runID, after)
				if ok != (want >= 0) || ok && len(events) != want {
					t.Errorf("%s after %d: %d events, %t", name, after, len(events), ok)
				}
			}
			select {
			case <-w.Ready():
			default:
				t.Errorf("%s: there is news, and it is not ready", name)
			}
			if _, err := w.Next(t.Context()); err != nil {
				t.Error(err)
			}
			select {
			case <-w.Ready():
				t.Errorf("%s: ready without news", name)
			default:
			}
		})
	}
}
