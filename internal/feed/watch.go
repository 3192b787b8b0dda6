package feed

import (
	"context"
	"fmt"
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
// with Ended nothing more comes. What the log dropped is read
// from the API; where the API's answer is none that can be read, the first
// event's Missing is -1. The error wraps that of ctx and its cause, or is a
// [client.Error]: the run cannot be watched, or what the log dropped cannot be
// read now; then nothing is passed over, and Next may be called again.
func (w *Watch) Next(ctx context.Context) (News, error) {
	version := w.version
	news, gone, err := w.wait(ctx)
	if err != nil {
		return News{}, err
	}
	if w.cursor < gone.last {
		older, whole, err := w.older(ctx, gone)
		if err != nil && client.KindOf(err) != client.Invalid {
			w.version = version
			return News{}, err
		}
		news.Events = append(older, news.Events...)
		if !whole && len(news.Events) > 0 {
			news.Events[0].Missing = -1
		}
	}
	w.pass(news)
	return news, nil
}

// Ready returns a channel that is closed when Next has something to return.
func (w *Watch) Ready() <-chan struct{} {
	f := w.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.version == w.version || f.behind {
		return f.changed
	}
	ready := make(chan struct{})
	close(ready)
	return ready
}

// wait waits for what is new in the log.
func (w *Watch) wait(ctx context.Context) (News, lost, error) {
	for {
		news, gone, changed, err := w.look()
		if err != nil || changed == nil {
			return news, gone, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return News{}, lost{}, done(ctx)
		}
	}
}

// done is the error of a context that is done, with its cause.
func done(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
}

// pass moves the cursor behind the news.
func (w *Watch) pass(news News) {
	if n := len(news.Events); n > 0 {
		w.cursor = news.Events[n-1].ID
	}
}

// lost is what the log dropped: the events from first to last, by cursor.
// Nothing was dropped while last is 0.
type lost struct{ first, last int64 }

// look returns what is new in the log, and what the log has dropped. Where
// nothing is new it returns a channel to wait on.
func (w *Watch) look() (news News, gone lost, changed <-chan struct{}, err error) {
	f := w.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.version == w.version || f.behind {
		return News{}, lost{}, f.changed, nil
	}
	if f.err != nil {
		return News{}, lost{}, nil, f.err
	}
	if w.epoch != f.epoch {
		if w.version > 0 {
			w.cursor = 0 // cursors from before mean nothing
		}
		w.epoch = f.epoch
	}
	w.version = f.version
	return News{Events: f.after(w.cursor), State: f.snapshot()}, lost{f.first, f.dropped}, nil, nil
}

// older reads the events that the log dropped from the API. whole reports that
// none of them is known to be missing there: ids may have holes.
func (w *Watch) older(ctx context.Context, gone lost) (older []client.Event, whole bool, err error) {
	run, err := w.hub.api.GetRun(ctx, w.feed.caller, w.feed.runID, true)
	if ctx.Err() != nil {
		return nil, false, done(ctx)
	}
	if err != nil {
		return nil, false, err
	}
	reachesBack := false
	for _, e := range run.Events {
		switch {
		case e.ID <= w.cursor:
			reachesBack = true
		case e.ID <= gone.last:
			older = append(older, e)
		}
	}
	if len(older) == 0 || older[len(older)-1].ID != gone.last {
		return older, false, nil
	}
	return older, reachesBack || older[0].ID <= max(w.cursor+1, gone.first), nil
}
