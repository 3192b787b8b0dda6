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
// [client.Error]: the run cannot be watched, or what the log dropped cannot be
// read; then nothing is passed over, and Next may be called again.
func (w *Watch) Next(ctx context.Context) (News, error) {
	version := w.version
	news, dropped, err := w.wait(ctx)
	if err != nil {
		return News{}, err
	}
	if w.cursor < dropped {
		older, err := w.older(ctx, dropped)
		if err != nil {
			w.version = version
			return News{}, err
		}
		news.Events = append(older, news.Events...)
	}
	w.pass(news)
	return news, nil
}

// wait waits for what is new in the log.
func (w *Watch) wait(ctx context.Context) (news News, dropped int64, err error) {
	for {
		news, dropped, changed, err := w.look()
		if err != nil || changed == nil {
			return news, dropped, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return News{}, 0, context.Cause(ctx)
		}
	}
}

// pass moves the cursor behind the news.
func (w *Watch) pass(news News) {
	if n := len(news.Events); n > 0 {
		w.cursor = news.Events[n-1].ID
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

// older reads the events that the log dropped from the API.
func (w *Watch) older(ctx context.Context, dropped int64) ([]client.Event, error) {
	run, err := w.hub.api.GetRun(ctx, w.feed.caller, w.feed.runID, true)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	var older []client.Event
	for _, e := range run.Events {
		if e.ID > w.cursor && e.ID <= dropped {
			older = append(older, e)
		}
	}
	return older, nil
}
