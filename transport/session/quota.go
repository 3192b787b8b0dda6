package session

import (
	"context"
	"errors"
	"strconv"
	"sync"
)

// Resource is something that callers hold and that is limited.
type Resource int

const (
	Calls    Resource = iota // calls in flight
	Requests                 // POST requests being served
	Streams                  // responses that stay open: GET and subscriptions/listen
	Sessions                 // of stateful clients
	Watches                  // resources being watched
	resources
)

// String names a resource for the client.
func (r Resource) String() string {
	return [...]string{"calls", "requests", "streams", "sessions", "watched resources"}[r]
}

// Amounts has a number for each Resource.
type Amounts [resources]int

// Quota counts what callers hold, each of them and all together. The limit in
// all bounds clients that invent callers.
type Quota struct {
	perCaller, inAll Amounts

	mu      sync.Mutex // guards all below
	all     Amounts
	callers map[string]*Amounts // those that hold something
}

// NewQuota returns a quota with limits per caller and in all.
func NewQuota(perCaller, inAll Amounts) *Quota {
	return &Quota{perCaller: perCaller, inAll: inAll, callers: make(map[string]*Amounts)}
}

// Reserve counts one more for a caller, until release is called once. If that is
// too many, limitReached says which limit was reached.
func (q *Quota) Reserve(caller string, what Resource) (release func(), limitReached string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	held := q.callers[caller]
	switch {
	case held != nil && held[what] >= q.perCaller[what]:
		return nil, "the limit is " + strconv.Itoa(q.perCaller[what]) + " " + what.String() + " per caller"
	case q.all[what] >= q.inAll[what]:
		return nil, "the limit of this server is " + strconv.Itoa(q.inAll[what]) + " " + what.String() + " in all"
	}
	if held == nil {
		held = new(Amounts)
		q.callers[caller] = held
	}
	held[what]++
	q.all[what]++
	return func() { q.release(caller, what) }, ""
}

// release counts one less.
func (q *Quota) release(caller string, what Resource) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all[what]--
	held := q.callers[caller]
	held[what]--
	if *held == (Amounts{}) {
		delete(q.callers, caller)
	}
}

// InUse returns what all callers hold together.
func (q *Quota) InUse() Amounts {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.all
}

// AdmitCalls returns the [Admit] of a caller's calls.
func (q *Quota) AdmitCalls(caller string) Admit {
	return func() (release func(), limitReached string) { return q.Reserve(caller, Calls) }
}

// LimitWatch returns watch with a limit on what a caller watches, with all its
// sessions and listens together. nil stays nil.
func (q *Quota) LimitWatch(caller string, watch Watch) Watch {
	if watch == nil {
		return nil
	}
	return func(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
		release, limitReached := q.Reserve(caller, Watches)
		if limitReached != "" {
			return nil, errors.New("too many subscriptions: " + limitReached + ". Unsubscribe from some resources first")
		}
		watching := false
		defer func() {
			if !watching { // refused, or a panic
				release()
			}
		}()
		stop, err := watch(ctx, uri, changed)
		if err != nil {
			return nil, err
		}
		watching = true
		return func() {
			defer release()
			if stop != nil {
				stop()
			}
		}, nil
	}
}
