package feed

import (
	"slices"
	"sync"

	"runs-mcp-server/client"
)

// subscription passes the news of a run on to a receiver. It has no goroutine: the
// feed's delivers, so that thousands of subscriptions take little memory.
type subscription struct {
	watch  *Watch
	notify func(News)
	failed func()

	mu sync.Mutex // guards watch's position, and the order of the calls of notify
}

// Subscribe calls notify with the run's news until stop is called or the run has
// ended. Many events at once may be reduced to the newest. If the run can no longer
// be watched, Subscribe calls failed once and ends.
//
// The calls may come before Subscribe returns, and one may still run when stop
// returns. They must not block: the feed waits for them.
func (h *Hub) Subscribe(caller client.Caller, runID client.RunID, notify func(News), failed func()) (stop func()) {
	s := &subscription{watch: h.Watch(caller, runID, 0), notify: notify, failed: failed}
	f := s.watch.feed
	f.mu.Lock()
	f.subscriptions = append(f.subscriptions, s)
	f.mu.Unlock()
	s.deliver() // what the feed knows already
	return func() { s.end() }
}

// deliver passes on what is new. It does not read dropped events.
func (s *subscription) deliver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, runID := s.watch.hub, s.watch.feed.runID
	defer h.recoverPanic(runID, s.fail)
	news, _, unchanged, err := s.watch.look()
	switch {
	case unchanged != nil:
	case err == nil:
		s.watch.advance(news)
		s.notify(news)
		if news.Ended {
			s.end()
		}
	case h.ctx.Err() != nil:
		s.end()
	default:
		h.opts.Logger.Warn("a subscribed run can no longer be watched", "runId", runID, "error", err)
		s.fail()
	}
}

// fail ends the subscription and tells its receiver, unless it has ended before.
func (s *subscription) fail() {
	if s.end() {
		s.failed()
	}
}

// end ends the subscription. It reports false if it has ended before.
func (s *subscription) end() bool {
	f := s.watch.feed
	f.mu.Lock()
	i := slices.Index(f.subscriptions, s)
	if i >= 0 {
		f.subscriptions = slices.Delete(f.subscriptions, i, i+1)
	}
	f.mu.Unlock()
	s.watch.Close()
	return i >= 0
}

// notifySubscriptions passes the feed's news on to all subscriptions.
func (f *feed) notifySubscriptions() {
	f.mu.Lock()
	subscriptions := slices.Clone(f.subscriptions)
	f.mu.Unlock()
	for _, s := range subscriptions {
		s.deliver()
	}
}
