package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxWatched is how many resources one receiver may watch.
const maxWatched = 1000

// errSendLater is the error of a send that is to be tried again after sendLaterPause.
var errSendLater = errors.New("the update cannot be made now")

const sendLaterPause = 10 * time.Second

// subscriptions are the resources that one receiver watches: a stateful client,
// or one listen of a stateless one.
//
// A change only marks its resource. One goroutine sends the updates and waits
// for the receiver; a resource that changes again meanwhile is sent once, with
// its last meta.
type subscriptions struct {
	watch Watch
	send  func(ctx context.Context, uri string, meta map[string]any) error // waits; errSendLater, or an error says that the receiver is gone

	counts *Counts // nil: nothing is counted

	ctx    context.Context // of send, which also gets the values of the subscribing call; done when closed
	cancel context.CancelFunc
	wake   chan struct{} // has room for one: changed is not empty

	resuming sync.WaitGroup // goroutines of resume

	mu      sync.Mutex // guards all below
	closed  bool
	done    chan struct{} // closed when the goroutine has ended; nil: it was not started
	watched map[string]*watchedResource
	paused  map[string]context.Context // subscribed but not watched, with the values of the subscribing call
	changed []*watchedResource         // not sent, in the order of their first change
}

// watchedResource is one of the resources.
type watchedResource struct {
	uri    string
	ctx    context.Context // that Watch got
	cancel context.CancelFunc

	// Guarded by subscriptions.mu.
	stop    func() // nil until Watch has returned
	changed bool
	meta    map[string]any // of the last change, until it is sent
}

// newSubscriptions returns subscriptions that watch nothing yet.
func newSubscriptions(watch Watch, send func(context.Context, string, map[string]any) error) *subscriptions {
	s := &subscriptions{watch: watch, send: send, wake: make(chan struct{}, 1), watched: make(map[string]*watchedResource), paused: make(map[string]context.Context)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// watchResource watches a resource. Watching it again does nothing. ctx is that
// of the call that asks.
func (s *subscriptions) watchResource(ctx context.Context, uri string) error {
	held, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &watchedResource{uri: uri, ctx: held, cancel: cancel}
	if known, err := s.reserve(w); known || err != nil {
		cancel()
		return err
	}
	active := false
	defer func() {
		if !active { // refused, or a panic
			s.unwatchResource(uri, w)
			cancel()
		}
	}()
	detach := context.AfterFunc(ctx, cancel)
	stop, err := s.watch(held, uri, func(meta map[string]any) { s.markChanged(w, meta) })
	if err != nil {
		detach()
		return err
	}
	if stop == nil {
		stop = func() {}
	}
	if !detach() { // the call ended before Watch returned
		stop()
		return context.Cause(ctx)
	}
	active = s.activate(w, stop)
	return nil
}

// reserve adds a resource that is about to be watched, and starts the goroutine.
func (s *subscriptions) reserve(w *watchedResource) (known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return false, errors.New("the subscription has ended")
	case s.watched[w.uri] != nil:
		return true, nil
	case len(s.watched)+len(s.paused) >= maxWatched && s.paused[w.uri] == nil:
		return false, fmt.Errorf("too many subscriptions: the limit is %d. Unsubscribe from some resources first", maxWatched)
	}
	delete(s.paused, w.uri)
	s.watched[w.uri] = w
	if s.done == nil {
		s.done = make(chan struct{})
		go s.sendUpdates(s.done)
	}
	return false, nil
}

// watches reports whether a resource is watched, also if the client cannot be told now.
func (s *subscriptions) watches(uri string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watched[uri] != nil || s.paused[uri] != nil
}

// activate stores how the watching is stopped. If the resource was unwatched
// meanwhile, it stops the watching and returns false.
func (s *subscriptions) activate(w *watchedResource, stop func()) bool {
	s.mu.Lock()
	if s.watched[w.uri] == w {
		w.stop = stop
		if w.changed {
			s.enqueue(w)
		}
		s.mu.Unlock()
		return true
	}
	s.mu.Unlock()
	stop()
	return false
}

// unwatchResource stops watching a resource; if only is not nil, only that
// watching of it.
func (s *subscriptions) unwatchResource(uri string, only *watchedResource) {
	s.mu.Lock()
	if only == nil {
		delete(s.paused, uri)
	}
	w := s.watched[uri]
	if w == nil || only != nil && w != only {
		s.mu.Unlock()
		return
	}
	delete(s.watched, uri)
	stop := w.stop
	s.mu.Unlock()
	w.cancel()
	if stop != nil {
		stop()
	}
}

// pause stops the watching of all resources until resume, because their receiver is
// not there. They stay subscribed.
func (s *subscriptions) pause() {
	s.mu.Lock()
	var paused []*watchedResource
	for uri, w := range s.watched {
		if w.stop != nil { // else Watch has not returned: the next pause takes it
			paused = append(paused, w)
			s.paused[uri] = w.ctx
			delete(s.watched, uri)
		}
	}
	s.mu.Unlock()
	for _, w := range paused {
		w.cancel()
		w.stop()
	}
}

// resume watches again what pause stopped. Watch reports each as changed, because it
// may have. So does resume where it can no longer be watched: a reader learns why.
func (s *subscriptions) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.paused) == 0 {
		return
	}
	uris := slices.Sorted(maps.Keys(s.paused))
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.paused[uris[0]])) // all are of one caller
	stop := context.AfterFunc(s.ctx, cancel)
	s.resuming.Go(func() {
		defer cancel()
		defer stop()
		watched, _ := s.watchAll(ctx, uris) // of a caller who is refused: none
		for _, uri := range uris {
			if slices.Contains(watched, uri) {
				continue
			}
			if err := s.send(ctx, uri, nil); err != nil && !errors.Is(err, errSendLater) {
				return
			}
		}
	})
}

// markChanged marks a resource as changed. It does not block.
func (s *subscriptions) markChanged(w *watchedResource, meta map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.meta = meta
	if s.watched[w.uri] != w {
		return
	}
	if w.changed {
		if s.counts != nil {
			s.counts.Coalesced.Add(1)
		}
		return
	}
	w.changed = true
	if w.stop != nil { // else activate does it
		s.enqueue(w)
	}
}

// enqueue adds a resource to those whose update is to be sent. s.mu is held.
func (s *subscriptions) enqueue(w *watchedResource) {
	s.changed = append(s.changed, w)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// sendUpdates sends updates until the receiver has gone or the subscriptions are
// closed.
func (s *subscriptions) sendUpdates(done chan<- struct{}) {
	defer close(done)
	for {
		select {
		case <-s.wake:
		case <-s.ctx.Done():
			return
		}
		for w, meta := s.nextChanged(); w != nil; w, meta = s.nextChanged() {
			err := s.send(mergedContext{s.ctx, w.ctx}, w.uri, meta)
			if errors.Is(err, errSendLater) {
				time.AfterFunc(sendLaterPause, func() { s.markChanged(w, meta) })
			} else if err != nil {
				return
			}
		}
	}
}

// nextChanged takes the next changed resource and its last meta; nil: there is
// none.
func (s *subscriptions) nextChanged() (*watchedResource, map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.changed) > 0 {
		w := s.changed[0]
		s.changed[0] = nil
		s.changed = s.changed[1:]
		meta := w.meta
		w.changed, w.meta = false, nil
		if s.watched[w.uri] == w {
			return w, meta
		}
	}
	s.changed = nil
	return nil, nil
}

// close stops all watching and waits until no update is being sent.
func (s *subscriptions) close() {
	if s == nil {
		return
	}
	s.cancel()
	s.mu.Lock()
	s.closed = true
	all := s.watched
	s.watched, s.paused = make(map[string]*watchedResource), nil
	done := s.done
	s.mu.Unlock()
	for _, w := range all {
		w.cancel()
		if w.stop != nil { // else activate stops it; nobody sets it any more
			w.stop()
		}
	}
	s.resuming.Wait()
	if done != nil {
		<-done
	}
}

// uris returns the resources that are subscribed to.
func (s *subscriptions) uris() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.AppendSeq(slices.Collect(maps.Keys(s.watched)), maps.Keys(s.paused))
}

// watchedAtOnce is how many resources of one listen start to be watched at the
// same time. Each asks the API first, and the acknowledgement waits for all.
const watchedAtOnce = 8

// watchAll watches resources, several at once, and returns those that are
// watched, in their order. A [*RefusedCallerError] of one ends it: the others are
// not tried. It panics if a Watch of them did.
func (s *subscriptions) watchAll(ctx context.Context, uris []string) ([]string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	isWatched := make([]bool, len(uris))
	var panicked atomic.Pointer[any]
	var watching sync.WaitGroup
	places := make(chan struct{}, watchedAtOnce)
	for i, uri := range uris {
		places <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		watching.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					panicked.Store(&v)
				}
				<-places
			}()
			err := s.watchResource(ctx, uri)
			if refused, ok := errors.AsType[*RefusedCallerError](err); ok {
				cancel(refused)
			}
			isWatched[i] = err == nil
		})
	}
	watching.Wait()
	if v := panicked.Load(); v != nil {
		panic(*v)
	}
	if refused, ok := errors.AsType[*RefusedCallerError](context.Cause(ctx)); ok {
		return nil, refused
	}
	var watched []string
	for i, uri := range uris {
		if isWatched[i] {
			watched = append(watched, uri)
		}
	}
	return watched, nil
}
