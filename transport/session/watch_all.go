package session

import (
	"context"
	"sync"
	"sync/atomic"
)

// watchedAtOnce is how many resources of one listen start to be watched at the
// same time. Each asks the API first, and the acknowledgement waits for all.
const watchedAtOnce = 8

// watchAll watches resources, several at once, and returns those that are
// watched, in their order. It panics if a Watch of them did.
func (s *subscriptions) watchAll(ctx context.Context, uris []string) []string {
	isWatched := make([]bool, len(uris))
	var panicked atomic.Pointer[any]
	var watching sync.WaitGroup
	places := make(chan struct{}, watchedAtOnce)
	for i, uri := range uris {
		places <- struct{}{}
		watching.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					panicked.Store(&v)
				}
				<-places
			}()
			isWatched[i] = s.watchResource(ctx, uri) == nil
		})
	}
	watching.Wait()
	if v := panicked.Load(); v != nil {
		panic(*v)
	}
	var watched []string
	for i, uri := range uris {
		if isWatched[i] {
			watched = append(watched, uri)
		}
	}
	return watched
}
