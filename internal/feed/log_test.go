package feed_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"path"
	"runtime"
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
		b := newBed(t, feed.Options{LogEvents: 1000, LogBytes: 8000})
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
			bytes += feed.EventSize(e)
		}
		if len(events) < 3 || bytes > 8000 || bytes < 4000 {
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
	const runID = "123e4567-e89b-12d3-a456-426614174000"
	event := feed.EventSize(client.Event{
		Type: "step", RunStatus: client.Running, Timestamp: "2026-01-01T00:00:20Z", Step: &client.Step{Text: "e20"},
		Raw: []byte(`{"runStatus":"RUNNING","timestamp":"2026-01-01T00:00:20Z","step":{"text":"e20"}}`),
	})
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

// TestLogsShareTheirBytes holds that the logs of all runs together take what they may,
// however they grew: first one run alone, then others one by one, then all at once. A
// run of one event keeps it.
func TestLogsShareTheirBytes(t *testing.T) {
	for name, tt := range map[string]struct {
		inAll, runs int
		most, least int // bytes of all logs
	}{
		"room for all":   {1 << 20, 4, 4 * 8000, 4 * 4000},
		"a share":        {16_000, 10, 16_000, 5_000},
		"no share":       {1, 10, 10 * 2_000, 10 * 300}, // the newest event of each
		"one run has it": {6_000, 1, 6_000, 3_000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, feed.Options{LogEvents: 1000, LogBytes: 8000, LogBytesInAll: tt.inAll})
				var runs []client.RunID
				for i := range tt.runs {
					runs = append(runs, client.RunID(b.create(t, "steps=1000 step_ms=100", client.ApproveNothing)))
					w := b.hub.Watch(caller, runs[i], 0)
					defer w.Close()
					if i < tt.runs/2 {
						time.Sleep(10 * time.Second) // its log is full before the next begins
					}
				}
				time.Sleep(10*time.Second + 50*time.Millisecond) // between two events
				synctest.Wait()
				sum := 0
				for _, id := range runs {
					_, state, _ := b.hub.Read(caller, id, math.MaxInt64)
					events, _ := loggedEvents(b.hub, id, state.Last)
					for _, e := range events {
						sum += feed.EventSize(e)
					}
					if len(events) == 0 || events[len(events)-1].ID != state.Last {
						t.Errorf("%d events, and the newest is not among them", len(events))
					}
				}
				if sum > tt.most || sum < tt.least {
					t.Errorf("the logs take %d bytes, want %d to %d", sum, tt.least, tt.most)
				}
			})
		})
	}
}

// loggedEvents returns what the log of a run holds whose newest event has the id last.
func loggedEvents(hub *feed.Hub, runID client.RunID, last int64) (events []client.Event, ok bool) {
	for after := last - 1; after >= 0; after-- {
		more, _, reaches := hub.Read(caller, runID, after)
		if !reaches {
			break
		}
		events, ok = more, true
	}
	return events, ok
}

// TestEventSize holds that the log of a run takes no more heap than it counts, and an
// eighth, which the allocator adds.
func TestEventSize(t *testing.T) {
	for name, text := range map[string]string{
		"small":      "",
		"a text":     strings.Repeat("x", 300),
		"long texts": strings.Repeat("x", 2_000),
	} {
		synctest.Test(t, func(t *testing.T) { checkLogHeap(t, name, text) })
	}
}

// checkLogHeap measures what 100 events of a log take, with a text in each.
func checkLogHeap(t *testing.T, name, text string) {
	const runs = 20
	runID := func(i int) client.RunID { return client.RunID(fmt.Sprintf("123e4567-e89b-12d3-a456-%012d", i)) }
	api, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/sse") {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[`, path.Base(r.URL.Path))
		for i := range 100 {
			fmt.Fprintf(w, `{"id":%d,"event":"step","runStatus":"RUNNING","timestamp":"2026-01-01T00:00:20Z","step":{"reason":"because","text":"it looked %s","approval":"NOT_REQUIRED","toolCalls":[{"toolCallId":"call-%d","toolName":"search"}]}},`, i+1, text, i)
		}
		fmt.Fprint(w, `{"id":101}]}`)
	}))})
	if err != nil {
		t.Fatal(err)
	}
	var took, counted [2]int
	for i, kept := range []int{1, 101} {
		hub := newHub(api, feed.Options{LogEvents: kept, LogBytes: 4 << 20, LogBytesInAll: 1 << 30})
		before := liveHeap()
		for n := range runs {
			w := hub.Watch(caller, runID(n), 100)
			defer w.Close()
		}
		time.Sleep(500 * time.Millisecond) // for one read of each run
		took[i] = liveHeap() - before
		for n := range runs {
			events, _ := loggedEvents(hub, runID(n), 101)
			for _, e := range events {
				counted[i] += feed.EventSize(e)
			}
		}
		hub.Close()
	}
	each, want := (took[1]-took[0])/runs, (counted[1]-counted[0])/runs
	t.Logf("%s: %d bytes a log, counted %d", name, each, want)
	if each > want+want/8 || want > 2*each {
		t.Errorf("%s: a log takes %d bytes, counted %d", name, each, want)
	}
}

// liveHeap returns the bytes of the live heap.
func liveHeap() int {
	runtime.GC()
	runtime.GC() // what was pooled is garbage only now
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
