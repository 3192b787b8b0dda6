package feed_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
)

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
			var news atomic.Int64
			subscribe := func() (stop func()) {
				return b.hub.Subscribe(caller, runID, func(feed.News) { news.Add(1) }, func() { t.Error("it failed") })
			}
			stop := subscribe()
			time.Sleep(time.Second)
			if news.Load() == 0 {
				t.Error("no news")
			}
			if closed {
				b.hub.Close()
				subscribe()
			} else {
				stop()
			}
			time.Sleep(time.Minute)
			if open := b.box.Stats().OpenStreams; open != 0 {
				t.Errorf("%d streams are open", open)
			}
		})
	}
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
