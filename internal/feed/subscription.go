package feed

import (
	"slices"
	"sync"
)

// subscription passes the news of a run on to a receiver. It has no goroutine: the
// feed's delivers, so that thousands of subscriptions take little memory.
type subscription struct {
	watch  *Watch
	notify func(News)
	failed func()

	mu sync.Mutex // guards watch's position, and the order of the calls of notify
}

// start passes on what the feed knows already, and later what is new.
func (s *subscription) start() {
	f := s.watch.feed
	f.mu.Lock()
	f.subscriptions = append(f.subscriptions, s)
	f.mu.Unlock()
	s.deliver()
}

// deliver passes on what is new. It does not read dropped events.
func (s *subscription) deliver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, f := s.watch.hub, s.watch.feed
	defer f.recoverPanic(s.fail)
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
		h.opts.Logger.Warn("a subscribed run can no longer be watched", "runId", f.runID, "error", err)
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
