package feed

import (
	"context"
	"fmt"
	"sync"

	"runs-mcp-server/client"
)

// News are the events after a watcher's cursor, and the state of the run after them.
type News struct {
	Events []client.Event
	State
}

// Watch is one watcher's position in a run. It is for one goroutine.
type Watch struct {
	hub     *Hub
	feed    *feed
	cursor  int64
	epoch   int // the feed's, like version, when it was last looked at
	version int
	once    sync.Once // for Close
}

// Close stops watching.
func (w *Watch) Close() {
	w.once.Do(w.feed.release)
}

// Cursor returns the id of the newest event that Next returned, or where the
// watch began.
func (w *Watch) Cursor() int64 { return w.cursor }

// Next waits for news since it was last called: events after the cursor, or a new
// state without events. After News with Ended no more comes.
//
// Events that the log has dropped are read from the API. If the API's answer cannot
// be understood, the first event's Missing is -1. The error wraps that of ctx and
// its cause, or is a [client.Error]: the run cannot be watched, or the dropped
// events cannot be read now. Then no event is skipped, and Next may be called again.
func (w *Watch) Next(ctx context.Context) (News, error) {
	version := w.version
	news, lost, err := w.wait(ctx)
	if err != nil {
		return News{}, err
	}
	if w.cursor < lost.last {
		older, whole, err := w.readDropped(ctx, lost)
		if err != nil && client.KindOf(err) != client.Invalid {
			w.version = version
			return News{}, err
		}
		news.Events = append(older, news.Events...)
		if !whole && len(news.Events) > 0 {
			news.Events[0].Missing = -1
		}
	}
	w.advance(news)
	return news, nil
}

// Ready returns a channel that is closed when Next has something to return.
func (w *Watch) Ready() <-chan struct{} {
	f := w.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if !w.hasNews() {
		return f.changed
	}
	ready := make(chan struct{})
	close(ready)
	return ready
}

// hasNews reports whether the feed has changed; w.feed.mu is held.
func (w *Watch) hasNews() bool { return w.feed.version != w.version && !w.feed.behind }

// wait waits for news in the log. It also returns what the log has dropped.
func (w *Watch) wait(ctx context.Context) (News, dropped, error) {
	for {
		news, lost, changed, err := w.look()
		if err != nil || changed == nil {
			return news, lost, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return News{}, dropped{}, contextError(ctx)
		}
	}
}

// contextError returns the error of a context that is done, with its cause.
func contextError(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
}

// advance moves the cursor behind the news.
func (w *Watch) advance(news News) {
	if n := len(news.Events); n > 0 {
		w.cursor = news.Events[n-1].ID
	}
}

// dropped are the cursors of the first and the last event that a log has dropped.
// last is 0 if it has dropped none.
type dropped struct{ first, last int64 }

// look returns the news in the log and what it has dropped. Without news it returns
// a channel that is closed when there are some.
func (w *Watch) look() (news News, lost dropped, changed <-chan struct{}, err error) {
	f := w.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !w.hasNews():
		return News{}, dropped{}, f.changed, nil
	case f.err != nil:
		return News{}, dropped{}, nil, f.err
	}
	if w.epoch != f.epoch {
		if w.version > 0 {
			w.cursor = 0 // earlier cursors mean nothing
		}
		w.epoch = f.epoch
	}
	w.version = f.version
	return News{Events: f.eventsAfter(w.cursor), State: f.stateNow()}, dropped{f.first, f.droppedTo}, nil, nil
}

// readDropped reads the events after the cursor that the log has dropped from the
// API. whole reports that none is known to be missing there: ids may have holes.
func (w *Watch) readDropped(ctx context.Context, lost dropped) (older []client.Event, whole bool, err error) {
	run, err := w.hub.api.GetRun(ctx, w.feed.caller, w.feed.runID, true)
	if ctx.Err() != nil {
		return nil, false, contextError(ctx)
	}
	if err != nil {
		return nil, false, err
	}
	reachesBack := false
	for _, e := range run.Events {
		switch {
		case e.ID <= w.cursor:
			reachesBack = true
		case e.ID <= lost.last:
			older = append(older, e)
		}
	}
	if len(older) == 0 || older[len(older)-1].ID != lost.last {
		return older, false, nil
	}
	return older, reachesBack || older[0].ID <= max(w.cursor+1, lost.first), nil
}
