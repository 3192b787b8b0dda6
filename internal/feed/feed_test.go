package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
		b.hub.Subscribe(caller, "123e4567-e89b-12d3-a456-426614174000", func(feed.News) { t.Error("told of an unknown run") }, func() { lost <- true })
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
