package feed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/lab/inmem"
	"runs-mcp-server/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var caller = client.Caller{Key: sandbox.DefaultKey, UserID: "u"}

// bed is a hub on a sandbox, without a network, for a bubble of its own time.
type bed struct {
	hub   *feed.Hub
	api   *client.Client
	box   *sandbox.Sandbox
	fail  atomic.Bool // GETs of the run answer 503
	large atomic.Bool // and those with its events what nobody can read
}

func newBed(t *testing.T, o feed.Options) *bed {
	t.Helper()
	b := &bed{box: sandbox.New(sandbox.Options{})}
	var err error
	b.api, err = client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.large.Load() && !strings.HasSuffix(r.URL.Path, "/sse") && r.URL.RawQuery != "" {
			fmt.Fprint(w, "{")
			return
		}
		if b.fail.Load() && !strings.HasSuffix(r.URL.Path, "/sse") {
			w.WriteHeader(503)
			return
		}
		b.box.ServeHTTP(w, r)
	}))})
	if err != nil {
		t.Fatal(err)
	}
	b.hub = newHub(b.api, o)
	t.Cleanup(func() {
		b.hub.Close()
		b.box.Close()
	})
	return b
}

// newHub returns a hub with a decider of its own.
func newHub(api *client.Client, o feed.Options) *feed.Hub {
	return feed.NewHub(api, approval.NewDecider(api), o)
}

func (b *bed) create(t *testing.T, behaviour string, strategy client.ApprovalStrategy) string {
	t.Helper()
	run, err := b.api.CreateRun(t.Context(), caller, client.CreateRunRequest{
		Intent: "x", Integrations: []string{"*"}, UserID: "u", Context: "sandbox: " + behaviour, ApprovalStrategy: strategy,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(run.RunID)
}

// TestSharedStream lets 100 watchers, each with its own cursor, follow one run
// over a stream that breaks: one upstream stream at a time, each event once and
// in order for everyone, though the log keeps only a few.
func TestSharedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{LogEvents: 16})
		runID := b.create(t, "steps=97 step_ms=50 cut=7", client.ApproveNothing)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				w := b.hub.Watch(caller, client.RunID(runID), int64(i))
				defer w.Close()
				next := int64(i + 1)
				for {
					news, err := w.Next(t.Context())
					if err != nil {
						t.Errorf("watcher %d: %v", i, err)
						return
					}
					for _, e := range news.Events {
						if e.ID != next || e.Missing != 0 {
							t.Errorf("watcher %d: event %d (missing %d), want %d", i, e.ID, e.Missing, next)
							return
						}
						next++
					}
					if news.Ended {
						break
					}
					if i%3 == 0 {
						time.Sleep(700 * time.Millisecond) // this one falls behind the log
					}
				}
				if next != 101 || w.Cursor() != 100 {
					t.Errorf("watcher %d ended before event %d, cursor %d", i, next, w.Cursor())
				}
			})
		}
		time.Sleep(time.Second)
		if open := b.box.Stats().OpenStreams; open > 1 {
			t.Errorf("%d upstream streams for one run", open)
		}
		wg.Wait()
	})
}

// TestGrace closes the stream a little after the last watcher, and not before.
func TestGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{Grace: 10 * time.Second})
		runID := b.create(t, "step_ms=60000 queue_ms=0", client.ApproveNothing)
		open := func() int {
			synctest.Wait()
			return b.box.Stats().OpenStreams
		}
		one, two := b.hub.Watch(caller, client.RunID(runID), 0), b.hub.Watch(caller, client.RunID(runID), 0)
		if open() != 1 {
			t.Fatal("no stream")
		}
		one.Close()
		one.Close() // harmless
		time.Sleep(20 * time.Second)
		one = b.hub.Watch(caller, client.RunID(runID), 0)
		time.Sleep(time.Second)
		one.Close()
		time.Sleep(5 * time.Second)
		if open() != 1 {
			t.Error("closed while one watches")
		}
		two.Close()
		time.Sleep(9 * time.Second) // the grace counts from the last, not from the first who left
		three := b.hub.Watch(caller, client.RunID(runID), 0)
		time.Sleep(20 * time.Second)
		if open() != 1 || b.box.Stats().StreamsOpened != 1 {
			t.Error("closed within the grace")
		}
		three.Close()
		time.Sleep(11 * time.Second)
		if open() != 0 {
			t.Error("open after the grace")
		}
	})
}

// TestPin watches on without watchers, up to a limit, until the run ends.
func TestPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{Pins: 1})
		runID := b.create(t, "links=stream-only step_ms=1000", client.ApproveStart)
		if !b.hub.Pin(caller, client.RunID(runID)) {
			t.Fatal("not kept")
		}
		if b.hub.Pin(caller, client.RunID(b.create(t, "", client.ApproveStart))) {
			t.Error("kept beyond the limit")
		}
		time.Sleep(time.Hour)
		_, st, ok := b.hub.Read(caller, client.RunID(runID), 0)
		if !ok || len(st.Pending) != 1 {
			t.Fatalf("an hour later: %+v, %t", st, ok)
		}
		if _, _, ok := b.hub.Read(client.Caller{Key: "another"}, client.RunID(runID), 0); ok {
			t.Error("another caller sees the feed")
		}
		if err := b.api.AbortRun(t.Context(), caller, client.RunID(runID)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, _, ok := b.hub.Read(caller, client.RunID(runID), 0); ok {
			t.Error("kept after the end")
		}
		if !b.hub.Pin(caller, client.RunID(b.create(t, "", client.ApproveStart))) {
			t.Error("the place was not given back")
		}
	})
}

// TestHistoryIsNotNews: what was stored before the watching began comes at
// once, so that a pause that is long over is no need for a person.
func TestHistoryIsNotNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{LogEvents: 5000, LogBytes: 16 << 20})
		runID := b.create(t, "auth=required step_ms=0 steps=3000", client.ApproveNothing)
		time.Sleep(time.Minute)
		var wg sync.WaitGroup
		for range 50 { // whoever looks in time sees half of the history, if that can be seen
			wg.Go(func() {
				w := b.hub.Watch(caller, client.RunID(runID), 0)
				defer w.Close()
				news, err := w.Next(t.Context())
				if err != nil || len(news.Events) != 3005 || news.NeedsPerson(0) || news.Auth != nil {
					t.Errorf("got %d events, %s, %v", len(news.Events), news.Status, err)
				}
			})
		}
		wg.Wait()
	})
}

// TestErrors end the watching: an unknown run, a caller who leaves, a hub that
// closes.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{})
		unknown := b.hub.Watch(caller, "123e4567-e89b-12d3-a456-426614174000", 0)
		defer unknown.Close()
		if _, err := unknown.Next(t.Context()); client.KindOf(err) != client.NotFound {
			t.Errorf("an unknown run: %v", err)
		}
		lost := make(chan bool, 1)
		b.hub.Subscribe(t.Context(), caller, "123e4567-e89b-12d3-a456-426614174000", func(feed.News) { t.Error("told of an unknown run") }, func() { lost <- true })
		<-lost
		runID := b.create(t, "step_ms=60000", client.ApproveNothing)
		w := b.hub.Watch(caller, client.RunID(runID), 100)
		defer w.Close()
		cause := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		for {
			if _, err := w.Next(ctx); err != nil {
				if !errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
					t.Errorf("a caller who left: %v", err)
				}
				break
			}
		}
		time.AfterFunc(time.Second, b.hub.Close)
		for {
			if _, err := w.Next(t.Context()); err != nil {
				if client.KindOf(err) != client.Canceled {
					t.Errorf("a closed hub: %v", err)
				}
				break
			}
		}
	})
}

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

// TestPendingOfARunTooLargeToRead: the stream told the link, and what was
// dropped before it does not matter.
func TestPendingOfARunTooLargeToRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{LogEvents: 4})
		runID := b.create(t, "approvals=parallel:10 step_ms=10", client.ApproveToolCall)
		w := b.hub.Watch(caller, client.RunID(runID), 0)
		defer w.Close()
		time.Sleep(time.Minute)
		b.large.Store(true)
		if st, err := b.hub.Snapshot(t.Context(), caller, client.RunID(runID), feed.Wanted{Decidable: true}); err != nil || len(st.Pending) != 10 {
			t.Errorf("got %+v, %v", st, err)
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

// TestStateOf reads the same state from a stored run as the feed has.
func TestStateOf(t *testing.T) {
	var run client.Run
	body := fmt.Sprintf(`{"runId":"123e4567-e89b-12d3-a456-426614174000","status":"AUTH_REQUIRED","events":[{"id":1,"event":"authentication","runStatus":"AUTH_REQUIRED","auth":{"status":"required","url":%q}}]}`, "https://a.test/")
	if err := json.Unmarshal([]byte(body), &run); err != nil {
		t.Fatal(err)
	}
	st := newBed(t, feed.Options{}).hub.StateOf(caller, &run)
	if st.Auth == nil || !st.NeedsPerson(0) || st.NeedsPerson(1) || st.Ended {
		t.Errorf("got %+v", st)
	}
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

// TestPinTimeIsUp gives up its own watching, and nobody else's.
func TestPinTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{Pins: 1, PinTime: time.Hour, Grace: time.Second})
		runID := b.create(t, "step_ms=0", client.ApproveStart)
		b.hub.Pin(caller, client.RunID(runID))
		time.Sleep(time.Hour - time.Second)
		w := b.hub.Watch(caller, client.RunID(runID), 0)
		if _, err := w.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		due := errors.New("due")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, due)
		defer cancel()
		if _, err := w.Next(ctx); !errors.Is(err, due) {
			t.Errorf("a watcher at the end of PinTime: %v", err)
		}
		if !b.hub.Pin(caller, client.RunID(b.create(t, "", client.ApproveStart))) {
			t.Error("the place was not given back")
		}
		w.Close()
		time.Sleep(2 * time.Second)
		if _, _, ok := b.hub.Read(caller, client.RunID(runID), 0); ok {
			t.Error("watched after the last watcher left")
		}
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

// TestPauseCountsFromItsBeginning: a need is new to who has not seen it begin.
func TestPauseCountsFromItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{})
		runID := b.create(t, "step_ms=10", client.ApproveStart)
		w := b.hub.Watch(caller, client.RunID(runID), 0)
		defer w.Close()
		time.Sleep(time.Minute)
		news, err := w.Next(t.Context())
		news.Pending = nil // the status alone
		if err != nil || news.Since != 3 || !news.NeedsPerson(2) || news.NeedsPerson(3) {
			t.Errorf("since %d: %+v, %v", news.Since, news.State, err)
		}
	})
}

// TestPinsPerCaller: one caller's pins leave room for another's, and end with the run.
func TestPinsPerCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{PinsPerCaller: 1})
		first, second := b.create(t, "step_ms=1000 steps=1", client.ApproveNothing), b.create(t, "", client.ApproveStart)
		if !b.hub.Pin(caller, client.RunID(first)) || b.hub.Pin(caller, client.RunID(second)) {
			t.Error("the limit of a caller is not 1")
		}
		if !b.hub.Pin(client.Caller{Key: "another"}, client.RunID(second)) {
			t.Error("another caller has no pin of its own")
		}
		time.Sleep(time.Minute) // the first has ended
		if !b.hub.Pin(caller, client.RunID(second)) || b.hub.Pin(caller, client.RunID(second)) {
			t.Error("after the end of a run its caller has not one pin again")
		}
	})
}

// TestPinnedRunsThatFail are reported to the log, unless the hub was closed.
func TestPinnedRunsThatFail(t *testing.T) {
	const unknown = "123e4567-e89b-12d3-a456-426614174000"
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			b := newBed(t, feed.Options{})
			hub := feed.NewHub(b.api, approval.NewDecider(b.api), feed.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			hub.Pin(caller, unknown)
			if !closed {
				time.Sleep(time.Minute)
			}
			hub.Close()
			synctest.Wait()
			if reported := strings.Contains(log.String(), "can no longer be watched"); reported == closed {
				t.Errorf("closed %t: log %q", closed, log.String())
			}
			if hub.Pin(caller, unknown); b.box.Stats().OpenStreams > 0 {
				t.Error("a closed hub opened a stream")
			}
		})
	}
}

// TestSubscriptionsEnd without a failure when the receiver or the hub ends them.
func TestSubscriptionsEnd(t *testing.T) {
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, feed.Options{Grace: time.Second})
			runID := client.RunID(b.create(t, "step_ms=60000", client.ApproveNothing))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			news := 0
			subscribe := func() {
				b.hub.Subscribe(ctx, caller, runID, func(feed.News) { news++ }, func() { t.Error("it failed") })
			}
			subscribe()
			time.Sleep(time.Second)
			if news == 0 {
				t.Error("no news")
			}
			if closed {
				b.hub.Close()
				subscribe()
			} else {
				cancel()
			}
			time.Sleep(time.Minute)
			if open := b.box.Stats().OpenStreams; open != 0 {
				t.Errorf("%d streams are open", open)
			}
		})
	}
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

// TestRefusedRun: of a run that can no longer be watched nothing is read.
func TestRefusedRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{})
		const unknown = "123e4567-e89b-12d3-a456-426614174000"
		w := b.hub.Watch(caller, unknown, 0)
		defer w.Close()
		if _, err := w.Next(t.Context()); client.KindOf(err) != client.NotFound {
			t.Fatalf("got %v", err)
		}
		if _, _, ok := b.hub.Read(caller, unknown, 0); ok {
			t.Error("it is read")
		}
		if err := b.hub.Await(t.Context(), caller, unknown, func(feed.State) bool { return true }); client.KindOf(err) != client.NotFound {
			t.Errorf("awaited: %v", err)
		}
	})
}

// TestWaitsLeave: Snapshot and Await leave no watcher behind.
func TestWaitsLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{Grace: time.Second})
		runID := client.RunID(b.create(t, "step_ms=60000", client.ApproveNothing))
		if _, err := b.hub.Snapshot(t.Context(), caller, runID, feed.Wanted{Decidable: true}); err != nil {
			t.Fatal(err)
		}
		if err := b.hub.Await(t.Context(), caller, runID, func(s feed.State) bool { return s.Status != "" }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if open := b.box.Stats().OpenStreams; open != 0 {
			t.Errorf("%d streams are open", open)
		}
	})
}
