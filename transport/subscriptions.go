package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// maxWatched is how many resources one receiver may watch.
const maxWatched = 1000

// subscriptions are the resources that one receiver watches: an old-era client,
// or one listen of the new era.
//
// Whoever changes a resource only marks it; one goroutine tells the receiver,
// and waits for that receiver alone. A resource that changes while the receiver
// is busy is told once, with what was said of it last.
type subscriptions struct {
	watch Watch
	tell  func(ctx context.Context, uri string, meta map[string]any) error // blocks; an error is the receiver's end

	ctx    context.Context // of tell; done when closed
	cancel context.CancelFunc
	wake   chan struct{} // has room for one: there is something in dirty

	mu      sync.Mutex // guards all below
	closed  bool
	done    chan struct{} // closed when the goroutine has ended; nil when there is none
	watched map[string]*watched
	dirty   []*watched // changed and not told, in the order of their first change
}

// watched is one resource being watched.
type watched struct {
	uri    string
	cancel context.CancelFunc // of the context that Watch got

	// Guarded by subscriptions.mu.
	stop  func() // nil until Watch has returned
	dirty bool
	meta  map[string]any // of the last change
}

// newSubscriptions watches nothing yet.
func newSubscriptions(watch Watch, tell func(context.Context, string, map[string]any) error) *subscriptions {
	s := &subscriptions{watch: watch, tell: tell, wake: make(chan struct{}, 1), watched: make(map[string]*watched)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// add watches a resource, once however often it is called. ctx is that of the
// call that asks.
func (s *subscriptions) add(ctx context.Context, uri string) error {
	held, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &watched{uri: uri, cancel: cancel}
	if known, err := s.enter(w); known || err != nil {
		cancel()
		return err
	}
	settled := false
	defer func() {
		if !settled { // refused, or a panic
			s.remove(uri, w)
			cancel()
		}
	}()
	established := context.AfterFunc(ctx, cancel)
	stop, err := s.watch(held, uri, func(meta map[string]any) { s.changed(w, meta) })
	if err != nil {
		established()
		return err
	}
	if stop == nil {
		stop = func() {}
	}
	if !established() {
		stop()
		return context.Cause(ctx)
	}
	settled = s.settle(w, stop)
	return nil
}

// enter notes what is about to be watched, and starts the goroutine.
func (s *subscriptions) enter(w *watched) (known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return false, errors.New("the subscription has ended")
	case s.watched[w.uri] != nil:
		return true, nil
	case len(s.watched) >= maxWatched:
		return false, fmt.Errorf("too many subscriptions: the limit is %d. Unsubscribe from some resources first", maxWatched)
	}
	s.watched[w.uri] = w
	if s.done == nil {
		s.done = make(chan struct{})
		go s.run(s.done)
	}
	return false, nil
}

// settle notes how the watching is stopped. If it was to end meanwhile, it is
// stopped now, and false returned.
func (s *subscriptions) settle(w *watched, stop func()) bool {
	s.mu.Lock()
	if s.watched[w.uri] == w {
		w.stop = stop
		if w.dirty {
			s.queue(w)
		}
		s.mu.Unlock()
		return true
	}
	s.mu.Unlock()
	stop()
	return false
}

// remove stops watching a resource; if w is not nil, only what w stands for.
func (s *subscriptions) remove(uri string, w *watched) {
	s.mu.Lock()
	is := s.watched[uri]
	if is == nil || w != nil && is != w {
		s.mu.Unlock()
		return
	}
	delete(s.watched, uri)
	stop := is.stop
	s.mu.Unlock()
	is.cancel()
	if stop != nil {
		stop()
	}
}

// changed marks a resource; it does not block.
func (s *subscriptions) changed(w *watched, meta map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.meta = meta
	if w.dirty || s.watched[w.uri] != w {
		return
	}
	w.dirty = true
	if w.stop != nil { // else settle does it
		s.queue(w)
	}
}

// queue puts a resource among those to be told of; mu is held.
func (s *subscriptions) queue(w *watched) {
	s.dirty = append(s.dirty, w)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run tells the receiver until it has gone or the subscriptions are closed.
func (s *subscriptions) run(done chan<- struct{}) {
	defer close(done)
	for {
		select {
		case <-s.wake:
		case <-s.ctx.Done():
			return
		}
		for w, meta := s.next(); w != nil; w, meta = s.next() {
			if s.tell(s.ctx, w.uri, meta) != nil {
				return
			}
		}
	}
}

// next is the next resource to tell of, and what was said of it last.
func (s *subscriptions) next() (*watched, map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.dirty) > 0 {
		w := s.dirty[0]
		s.dirty[0] = nil
		s.dirty = s.dirty[1:]
		w.dirty = false
		if s.watched[w.uri] == w {
			return w, w.meta
		}
	}
	s.dirty = nil
	return nil, nil
}

// close stops all watching and waits until nothing is told any more.
func (s *subscriptions) close() {
	if s == nil {
		return
	}
	s.cancel()
	s.mu.Lock()
	s.closed = true
	all := s.watched
	s.watched = make(map[string]*watched)
	done := s.done
	s.mu.Unlock()
	for _, w := range all {
		w.cancel()
		if w.stop != nil { // else settle stops it; nobody sets it any more
			w.stop()
		}
	}
	if done != nil {
		<-done
	}
}

// uris are the resources being watched.
func (s *subscriptions) uris() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	uris := make([]string, 0, len(s.watched))
	for uri := range s.watched {
		uris = append(uris, uri)
	}
	return uris
}

// updateParams are the params of notifications/resources/updated.
func updateParams(uri string, meta map[string]any) map[string]any {
	params := map[string]any{"uri": uri}
	if len(meta) > 0 {
		params["_meta"] = meta
	}
	return params
}

// SubscribeToResourceErr implements server.SessionWithResourceSubscriptionsErr.
func (c *call) SubscribeToResourceErr(uri string) error {
	if c.subs == nil {
		return nil
	}
	return c.subs.add(c.ctx, uri)
}

// SubscribeToResource implements server.SessionWithResourceSubscriptions.
func (c *call) SubscribeToResource(uri string) { _ = c.SubscribeToResourceErr(uri) }

// UnsubscribeFromResource implements server.SessionWithResourceSubscriptions.
func (c *call) UnsubscribeFromResource(uri string) {
	if c.subs != nil {
		c.subs.remove(uri, nil)
	}
}

// SubscribedResources implements server.SessionWithResourceSubscriptions.
func (c *call) SubscribedResources() []string { return c.subs.uris() }

// IsSubscribedToResource implements server.SessionWithResourceSubscriptions.
func (c *call) IsSubscribedToResource(uri string) bool {
	for _, watched := range c.subs.uris() {
		if watched == uri {
			return true
		}
	}
	return false
}
