// Package feed shares one upstream event stream among all watchers of a run. The
// first watcher opens it. It closes a short time after the last watcher has left.
// Each watcher reads at its own pace, by cursor, from a bounded log. What the log
// has dropped is read from the API.
package feed

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
	"runs-mcp-server/internal/approval"
)

// Options are the settings of a [Hub]; zero values take the defaults.
type Options struct {
	// Grace is how long a stream stays open after its last watcher has left, so that
	// calls that follow each other share it. Default 10 s.
	Grace time.Duration
	// LogEvents and LogBytes bound the log of one run. LogBytes counts what events take
	// in memory. Default 256 and 160 KiB.
	LogEvents, LogBytes int
	// LogBytesInAll bounds the logs of all runs together: each has an equal share, but
	// always keeps its newest event. Default 64 MiB.
	LogBytesInAll int
	// Pins bounds the pinned feeds (see [Hub.Pin]), PinsPerCaller those of one caller.
	// PinTime is how long a pin lasts. Default 1,024, 256 and 24 h.
	Pins, PinsPerCaller int
	PinTime             time.Duration
	Logger              *slog.Logger
}

// Hub holds the feeds of all callers. It is safe for concurrent use.
type Hub struct {
	api     *client.Client
	decider *approval.Decider
	opts    Options
	ctx     context.Context // ends all feeds
	stop    context.CancelFunc

	gaps     atomic.Int64 // see [Stats]
	logShare atomic.Int64 // what each log may take; set by shareLogs, with mu held

	mu     sync.Mutex // guards feeds, pins, pinsOf and the watcher counts of feeds
	feeds  map[key]*feed
	pins   int
	pinsOf map[client.Key]int // of each caller
	wg     sync.WaitGroup     // one for each goroutine of a feed
}

// key identifies a feed. Callers never share one: what one API key may see says
// nothing about another.
type key struct {
	apiKey client.Key
	runID  client.RunID
}

// NewHub returns a Hub that opens no stream yet.
func NewHub(api *client.Client, decider *approval.Decider, o Options) *Hub {
	setDefault(&o.Grace, 10*time.Second)
	setDefault(&o.LogEvents, 256)
	setDefault(&o.LogBytes, 160<<10)
	setDefault(&o.LogBytesInAll, 64<<20)
	setDefault(&o.Pins, 1024)
	setDefault(&o.PinsPerCaller, 256)
	setDefault(&o.PinTime, 24*time.Hour)
	setDefault(&o.Logger, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	h := &Hub{api: api, decider: decider, opts: o, ctx: ctx, stop: stop, feeds: map[key]*feed{}, pinsOf: map[client.Key]int{}}
	h.shareLogs()
	return h
}

func setDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// Close ends all feeds and subscriptions, and waits for their goroutines. Watchers
// get an error.
func (h *Hub) Close() {
	h.mu.Lock()
	h.stop() // with the lock held, as where goroutines are started
	h.mu.Unlock()
	h.wg.Wait()
}

// Watch starts watching a run from a cursor. The caller closes the Watch.
func (h *Hub) Watch(caller client.Caller, runID client.RunID, afterEventID int64) *Watch {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &Watch{hub: h, feed: h.acquire(caller, runID), cursor: afterEventID}
}

// Subscribe calls notify with the run's news until stop is called or the run has
// ended. Many events at once may be reduced to the newest. If the run can no longer
// be watched, Subscribe calls failed once and ends.
//
// The calls may come before Subscribe returns, and one may still run when stop
// returns. They must not block: the feed waits for them.
func (h *Hub) Subscribe(caller client.Caller, runID client.RunID, notify func(News), failed func()) (stop func()) {
	s := &subscription{watch: h.Watch(caller, runID, 0), notify: notify, failed: failed}
	s.start()
	return func() { s.end() }
}

// Pin watches a run until it ends, without a watcher: an approval link may be sent
// only once. It reports false if too many runs are pinned.
func (h *Hub) Pin(caller client.Caller, runID client.RunID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pins >= h.opts.Pins || h.pinsOf[caller.Key] >= h.opts.PinsPerCaller {
		h.opts.Logger.Warn("too many runs with approvals are watched; approval links of this one may be missed", "runId", runID, "limit", h.opts.Pins, "limitPerCaller", h.opts.PinsPerCaller)
		return false
	}
	f := h.acquire(caller, runID)
	h.pins++
	h.pinsOf[caller.Key]++
	unpin := sync.OnceFunc(func() { h.unpin(f) })
	timeUp := time.AfterFunc(h.opts.PinTime, func() {
		h.opts.Logger.Info("a run with approvals has not ended in time and is no longer watched, unless somebody watches it", "runId", runID, "after", h.opts.PinTime)
		unpin()
	})
	context.AfterFunc(f.ctx, func() {
		timeUp.Stop()
		unpin()
		if err := f.failure(); err != nil {
			h.opts.Logger.Warn("a run with approvals can no longer be watched; its approval links may be missed", "runId", runID, "error", err)
		}
	})
	return true
}

// unpin releases a pinned feed. Other watchers keep it open.
func (h *Hub) unpin(f *feed) {
	f.release()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pins--
	caller := f.caller.Key
	if h.pinsOf[caller]--; h.pinsOf[caller] == 0 {
		delete(h.pinsOf, caller)
	}
}

// Read returns the events after a cursor and the state of a run that is being
// watched. It reports false if nobody watches it, nothing is known yet, or the log
// no longer reaches back to the cursor.
func (h *Hub) Read(caller client.Caller, runID client.RunID, afterEventID int64) ([]client.Event, State, bool) {
	f := h.feedOf(caller, runID)
	if f == nil {
		return nil, State{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.version == 0 || f.behind || f.err != nil || afterEventID < f.droppedTo {
		return nil, State{}, false
	}
	return f.eventsAfter(afterEventID), f.stateNow(), true
}

// Tokens returns the tokens of a run that is being watched (see [State]), as far as
// they are known yet. It returns nil if nobody watches the run.
func (h *Hub) Tokens(caller client.Caller, runID client.RunID) []string {
	f := h.feedOf(caller, runID)
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tokens.Secrets()
}

// feedOf returns the feed of a run, nil if nobody watches it.
func (h *Hub) feedOf(caller client.Caller, runID client.RunID) *feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.feeds[key{caller.Key, runID}]
}

// acquire returns the feed of a run with one more watcher; h.mu is held.
func (h *Hub) acquire(caller client.Caller, runID client.RunID) *feed {
	f := h.feeds[key{caller.Key, runID}]
	if f == nil || f.ctx.Err() != nil {
		f = newFeed(h, caller, runID)
		h.start(f)
	}
	f.watchers++
	if f.idle != nil {
		f.idle.Stop()
		f.idle = nil
	}
	return f
}

// start runs a new feed in a goroutine. If the hub is closed, the feed ends at once.
// h.mu is held.
func (h *Hub) start(f *feed) {
	if h.ctx.Err() != nil {
		f.end(&client.Error{Kind: client.Canceled, Op: "watch", Message: "the server is stopping"})
		return
	}
	h.feeds[key{f.caller.Key, f.runID}] = f
	h.shareLogs()
	h.wg.Go(func() {
		defer h.remove(f)
		defer f.notifySubscriptions() // of the end
		defer f.recoverPanic(func() {
			f.end(&client.Error{Kind: client.Invalid, Op: "watch", Message: "watching the run failed; the server's log says more"})
		})
		f.run()
	})
}

// run reads the run's events until the run or the feed ends. It begins with the
// first event, whatever the cursor of the first watcher is: approvals may have been
// requested long before it.
func (f *feed) run() {
	for e, err := range follow.Events(f.ctx, f.hub.api, f.caller, f.runID, 0) {
		if err != nil {
			f.end(err)
			return
		}
		f.addEvent(e)
		f.notifySubscriptions()
	}
	f.end(nil)
}

// remove removes a feed that has ended.
func (h *Hub) remove(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.cancel()
	if k := (key{f.caller.Key, f.runID}); h.feeds[k] == f {
		delete(h.feeds, k)
		h.shareLogs()
	}
}
