package transport

import (
	"context"
	"errors"
	"strconv"
	"sync"
)

// holding is what callers hold and what is limited.
type holding int

const (
	callsHeld    holding = iota // calls in flight
	postsHeld                   // POST requests being served
	streamsHeld                 // responses that stay open: GET and listen
	sessionsHeld                // of the old era
	watchesHeld                 // resources being watched
	holdings
)

// String names a holding for the client.
func (h holding) String() string {
	return [...]string{"calls", "requests", "streams", "sessions", "watched resources"}[h]
}

// limits counts what callers hold, each of them and all together: whoever can
// make up callers meets the latter.
type limits struct {
	perCaller, inAll [holdings]int

	mu      sync.Mutex // guards all below
	all     [holdings]int
	callers map[string]*[holdings]int // those that hold something
}

// newLimits counts from zero.
func newLimits(perCaller, inAll [holdings]int) *limits {
	return &limits{perCaller: perCaller, inAll: inAll, callers: make(map[string]*[holdings]int)}
}

// take counts one more for a caller, until give is called once. If that would
// be too many, full says which limit was reached.
func (l *limits) take(caller string, what holding) (give func(), full string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.callers[caller]
	switch {
	case held != nil && held[what] >= l.perCaller[what]:
		return nil, "the limit is " + strconv.Itoa(l.perCaller[what]) + " " + what.String() + " per caller"
	case l.all[what] >= l.inAll[what]:
		return nil, "the limit of this server is " + strconv.Itoa(l.inAll[what]) + " " + what.String() + " in all"
	}
	if held == nil {
		held = new([holdings]int)
		l.callers[caller] = held
	}
	held[what]++
	l.all[what]++
	return func() { l.give(caller, what) }, ""
}

// give counts one less.
func (l *limits) give(caller string, what holding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[what]--
	held := l.callers[caller]
	held[what]--
	if *held == [holdings]int{} {
		delete(l.callers, caller)
	}
}

// watch counts what a caller watches with all its sessions and listens.
func (l *limits) watch(caller string, watch Watch) Watch {
	if watch == nil {
		return nil
	}
	return func(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
		give, full := l.take(caller, watchesHeld)
		if full != "" {
			return nil, errors.New("too many subscriptions: " + full + ". Unsubscribe from some resources first")
		}
		watches := false
		defer func() {
			if !watches { // refused, or a panic
				give()
			}
		}()
		stop, err := watch(ctx, uri, changed)
		if err != nil {
			return nil, err
		}
		watches = true
		return func() {
			defer give()
			if stop != nil {
				stop()
			}
		}, nil
	}
}

// entrance is where a caller's calls find their place.
func (l *limits) entrance(caller string) entrance {
	return func() (leave func(), full string) { return l.take(caller, callsHeld) }
}
