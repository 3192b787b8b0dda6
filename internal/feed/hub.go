// Package feed shares one upstream event stream among all who watch a run.
// The first watcher opens it, the last one's leaving closes it after a short
// grace, and each reads at its own pace from a bounded log, by cursor. What
// the log no longer holds is read from the API.
package feed

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// Options are the settings of a [Hub]; zero values take the defaults.
type Options struct {
	// Grace is how long a stream outlives its last watcher, so that calls
	// that follow each other share it. Default 10 s.
	Grace time.Duration
	// LogEvents and LogBytes bound the log of one run. Default 256 and 48 KiB.
	LogEvents, LogBytes int
	// Kept bounds the feeds that live on without watchers (see [Hub.Keep]),
	// KeptPerCaller those of one caller, KeptFor how long each does. Default
	// 1,024, 256 and 24 h.
	Kept, KeptPerCaller int
	KeptFor             time.Duration
	Logger              *slog.Logger
}

// Hub holds the feeds of all callers. It is safe for concurrent use.
type Hub struct {
	api     *client.Client
	decider *approval.Decider
	opts    Options
	ctx     context.Context // ends all feeds
	stop    context.CancelFunc

	mu    sync.Mutex // guards feeds, kept, keeps and the watcher counts of feeds
	feeds map[key]*feed
	kept  map[client.Key]int // how many of each caller
	keeps int                // and in all
	wg    sync.WaitGroup     // one for each goroutine of a feed or follower
}

// key tells feeds apart: what one API key may see says nothing of another's.
type key struct {
	apiKey client.Key
	runID  client.RunID
}

// NewHub returns a Hub that opens no stream yet.
func NewHub(api *client.Client, decider *approval.Decider, o Options) *Hub {
	setDefault(&o.Grace, 10*time.Second)
	setDefault(&o.LogEvents, 256)
	setDefault(&o.LogBytes, 48<<10)
	setDefault(&o.Kept, 1024)
	setDefault(&o.KeptPerCaller, 256)
	setDefault(&o.KeptFor, 24*time.Hour)
	setDefault(&o.Logger, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	return &Hub{api: api, decider: decider, opts: o, ctx: ctx, stop: stop, feeds: map[key]*feed{}, kept: map[client.Key]int{}}
}

func setDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// Close ends all feeds and followers and waits for them. Watchers see their end.
func (h *Hub) Close() {
	h.mu.Lock()
	h.stop() // under the lock: whoever starts a goroutine holds it
	h.mu.Unlock()
	h.wg.Wait()
}

// Watch starts watching a run from a cursor. The caller closes the Watch.
func (h *Hub) Watch(caller client.Caller, runID client.RunID, afterEventID int64) *Watch {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &Watch{hub: h, feed: h.join(caller, runID), cursor: afterEventID}
}

// Follow calls tell with the run's news, in a goroutine of the hub, until ctx
// is done or the run has ended. Of a flood of events it may tell the newest
// alone. Where the run can no longer be watched it ends by calling lost.
func (h *Hub) Follow(ctx context.Context, caller client.Caller, runID client.RunID, tell func(News), lost func()) {
	w := h.Watch(caller, runID, 0)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Err() != nil {
		return
	}
	h.wg.Go(func() {
		defer w.Close()
		defer h.survive(runID, lost)
		for {
			news, _, err := w.wait(ctx)
			if err != nil {
				if ctx.Err() == nil && h.ctx.Err() == nil {
					h.opts.Logger.Warn("a subscribed run can no longer be watched", "runId", runID, "error", err)
					lost()
				}
				return
			}
			w.pass(news)
			tell(news)
			if news.Ended {
				return
			}
		}
	})
}

// Keep watches a run until it ends, whoever else does: an approval link may
// be said only once. It reports false where too many are kept already.
func (h *Hub) Keep(caller client.Caller, runID client.RunID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.keeps >= h.opts.Kept || h.kept[caller.Key] >= h.opts.KeptPerCaller {
		h.opts.Logger.Warn("too many runs with approvals are watched; approval links of this one may be missed", "runId", runID, "limit", h.opts.Kept, "limitPerCaller", h.opts.KeptPerCaller)
		return false
	}
	f := h.join(caller, runID)
	h.keeps++
	h.kept[caller.Key]++
	// Whoever else watches when the time is up watches on.
	leave := sync.OnceFunc(func() {
		h.leave(f)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.keeps--
		if h.kept[caller.Key]--; h.kept[caller.Key] == 0 {
			delete(h.kept, caller.Key)
		}
	})
	tooLong := time.AfterFunc(h.opts.KeptFor, func() {
		h.opts.Logger.Info("a run with approvals has not ended and is no longer watched for its own sake", "runId", runID, "after", h.opts.KeptFor)
		leave()
	})
	context.AfterFunc(f.ctx, func() {
		tooLong.Stop()
		leave()
		if err := f.failure(); err != nil {
			h.opts.Logger.Warn("a run with approvals can no longer be watched; its approval links may be missed", "runId", runID, "error", err)
		}
	})
	return true
}

// Read returns the events after a cursor and the state of a run that is being
// watched; false when it is not, nothing is known yet, or the log no longer
// reaches back to the cursor.
func (h *Hub) Read(caller client.Caller, runID client.RunID, afterEventID int64) ([]client.Event, State, bool) {
	h.mu.Lock()
	f := h.feeds[key{caller.Key, runID}]
	h.mu.Unlock()
	if f == nil {
		return nil, State{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.version == 0 || f.behind || f.err != nil || afterEventID < f.dropped {
		return nil, State{}, false
	}
	return f.after(afterEventID), f.snapshot(), true
}

// Tokens returns those of a run that is being watched (see [State]), as far as
// they are known yet; nil where it is not.
func (h *Hub) Tokens(caller client.Caller, runID client.RunID) []string {
	h.mu.Lock()
	f := h.feeds[key{caller.Key, runID}]
	h.mu.Unlock()
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tokens.Secrets()
}

// survive, deferred, keeps a panic over one run from ending the process: it is
// logged, and end called.
func (h *Hub) survive(runID client.RunID, end func()) {
	if r := recover(); r != nil {
		h.opts.Logger.Error("the watching of a run panicked", "runId", runID, "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
		end()
	}
}

// join returns the feed of a run with one watcher more; h.mu is held.
func (h *Hub) join(caller client.Caller, runID client.RunID) *feed {
	k := key{caller.Key, runID}
	f := h.feeds[k]
	if f == nil || f.ctx.Err() != nil {
		f = newFeed(h, caller, runID)
		if h.ctx.Err() != nil {
			f.finish(&client.Error{Kind: client.Canceled, Op: "watch", Message: "the server is stopping"})
			return f
		}
		h.feeds[k] = f
		h.wg.Go(func() {
			defer h.drop(k, f)
			defer h.survive(runID, func() {
				f.finish(&client.Error{Kind: client.Invalid, Op: "watch", Message: "watching the run failed; the server's log says more"})
			})
			f.run()
		})
	}
	f.watchers++
	if f.idle != nil {
		f.idle.Stop()
		f.idle = nil
	}
	return f
}

// leave takes one watcher off a feed, which ends after the grace unless
// another comes.
func (h *Hub) leave(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.watchers--
	if f.watchers > 0 || f.ctx.Err() != nil {
		return
	}
	f.idle = time.AfterFunc(h.opts.Grace, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if f.watchers == 0 {
			f.cancel()
		}
	})
}

func (h *Hub) drop(k key, f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.cancel()
	if h.feeds[k] == f {
		delete(h.feeds, k)
	}
}
