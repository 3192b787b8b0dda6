package feed

import (
	"context"
	"sync"

	"runs-mcp-server/client"
)

// News is what a watcher is told: the events after its cursor, and how the
// run stands after them.
type News struct {
	Events []client.Event
	State
}

// Watch is one watcher's place in a run. It is for one goroutine.
type Watch struct {
	hub     *Hub
	feed    *feed
	cursor  int64
	epoch   int
	version int // the feed's when Next last returned
	shut    sync.Once
}

// Close stops watching.
func (w *Watch) Close() {
	w.shut.Do(func() { w.hub.leave(w.feed) })
}

// Cursor returns the id of the newest event that Next returned, or where the
// watch began.
func (w *Watch) Cursor() int64 { return w.cursor }

// Next waits until something happened since it was last called and returns
// it: events after the cursor, or a new state alone (no events). After News
// with Ended nothing more comes. Its error is the cause of ctx, or a
// [client.Error]: the run cannot be watched.
func (w *Watch) Next(ctx context.Context) (News, error) {
	for {
		news, dropped, changed, err := w.look()
		switch {
		case err != nil:
			return News{}, err
		case changed == nil:
			if w.cursor < dropped {
				news.Events = w.refill(ctx, news.Events, dropped)
			}
			if n := len(news.Events); n > 0 {
				w.cursor = news.Events[n-1].ID
			}
			return news, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return News{}, context.Cause(ctx)
		}
	}
}

// look returns what is new in the log, and up to which cursor the log has
// dropped its events. Where nothing is new it returns a channel to wait on.
func (w *Watch) look() (news News, dropped int64, changed <-chan struct{}, err error) {
	f := w.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.version == w.version || f.behind {
		return News{}, 0, f.changed, nil
	}
	if f.err != nil {
		return News{}, 0, nil, f.err
	}
	if w.epoch != f.epoch {
		if w.version > 0 {
			w.cursor = 0 // cursors from before mean nothing
		}
		w.epoch = f.epoch
	}
	w.version = f.version
	return News{Events: f.after(w.cursor), State: f.snapshot()}, f.dropped, nil, nil
}

// refill puts the events that the log dropped before its own, read from the
// API; where they cannot be read the first event says that some are missing.
func (w *Watch) refill(ctx context.Context, events []client.Event, dropped int64) []client.Event {
	run, err := w.hub.api.GetRun(ctx, w.feed.caller, w.feed.runID, true)
	if err != nil {
		if len(events) > 0 {
			events[0].Missing = -1
		}
		return events
	}
	var older []client.Event
	for _, e := range run.Events {
		if e.ID > w.cursor && e.ID <= dropped {
			older = append(older, e)
		}
	}
	return append(older, events...)
}
