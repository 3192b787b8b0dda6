package session

import (
	"context"
	"errors"
	"fmt"
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
	Bytes                    // of requests, sessions, and messages that are not read or are kept
	resources
)

// String names a resource for the client.
func (r Resource) String() string {
	return [...]string{"calls", "requests", "streams", "sessions", "watched resources", "bytes"}[r]
}

// Amounts has a number for each Resource.
type Amounts [resources]int

// Account says who is counted: a caller whom the API knows, or all strangers
// together.
type Account struct {
	Caller   string // "" for strangers
	Stranger bool
}

// Strangers is the account that all callers share whom the API does not know.
var Strangers = Account{Stranger: true}

// Limits bound what callers hold. Strangers count by themselves: what they hold is
// not part of InAll, so that they cannot take it from callers.
type Limits struct{ PerCaller, InAll, Strangers Amounts }

// Quota counts what callers hold: each account, and all callers together.
type Quota struct {
	limits Limits

	mu       sync.Mutex // guards all below
	all      Amounts    // of all accounts but that of strangers
	accounts map[Account]*Amounts
}

// NewQuota returns a quota of which nothing is held.
func NewQuota(limits Limits) *Quota {
	return &Quota{limits: limits, accounts: make(map[Account]*Amounts)}
}

// Shortage says which limit left no room.
type Shortage struct {
	InAll bool // it is not the account's own
	text  string
}

// String returns the limit in words for the client.
func (s *Shortage) String() string { return s.text }

// Hold is what one holder has of a resource. A nil Hold counts nothing; it cannot
// grow.
type Hold struct {
	quota *Quota
	what  Resource

	// Guarded by quota.mu.
	account Account
	amount  int
}

// NewHold returns a hold of nothing.
func (q *Quota) NewHold(a Account, what Resource) *Hold {
	return &Hold{quota: q, what: what, account: a}
}

// Reserve returns a hold of one, until it is released; or why there is no room.
func (q *Quota) Reserve(a Account, what Resource) (*Hold, *Shortage) {
	h := q.NewHold(a, what)
	if short := h.Grow(1); short != nil {
		return nil, short
	}
	return h, nil
}

// Grow reserves more, or says why there is no room; then the hold stays as it was.
func (h *Hold) Grow(more int) *Shortage {
	q := h.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	short := q.shortage(h.account, h.what, more)
	if short == nil {
		h.add(more)
	}
	return short
}

// Set holds so much, also beyond the limits: it is for what is there already.
func (h *Hold) Set(amount int) {
	if h == nil {
		return
	}
	h.quota.mu.Lock()
	defer h.quota.mu.Unlock()
	h.add(amount - h.amount)
}

// Release holds nothing any more.
func (h *Hold) Release() { h.Set(0) }

// MoveTo counts the hold on another account from now on, also beyond its limits.
func (h *Hold) MoveTo(a Account) {
	if h == nil {
		return
	}
	h.quota.mu.Lock()
	defer h.quota.mu.Unlock()
	amount := h.amount
	h.add(-amount)
	h.account = a
	h.add(amount)
}

// IsCrowded reports whether the account of the hold, or all callers together, have
// more than half of what they may have: what is kept only in case it is needed
// makes room then.
func (h *Hold) IsCrowded() bool {
	if h == nil {
		return false
	}
	q := h.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held(h.account, h.what) > q.limits.of(h.account)[h.what]/2 ||
		!h.account.Stranger && q.all[h.what] > q.limits.InAll[h.what]/2
}

// add changes the amount. quota.mu is held.
func (h *Hold) add(more int) {
	if more == 0 {
		return
	}
	q := h.quota
	held := q.accounts[h.account]
	if held == nil {
		held = new(Amounts)
		q.accounts[h.account] = held
	}
	h.amount += more
	held[h.what] += more
	if !h.account.Stranger {
		q.all[h.what] += more
	}
	if *held == (Amounts{}) {
		delete(q.accounts, h.account)
	}
}

// of returns the limits of one account.
func (l *Limits) of(a Account) *Amounts {
	if a.Stranger {
		return &l.Strangers
	}
	return &l.PerCaller
}

// shortage returns why there is no room for more, nil if there is. q.mu is held.
func (q *Quota) shortage(a Account, what Resource, more int) *Shortage {
	limit, inAll := q.limits.of(a)[what], q.limits.InAll[what]
	switch isTooMuch := q.held(a, what)+more > limit; {
	case isTooMuch && a.Stranger:
		return &Shortage{text: fmt.Sprintf("callers whose key the API has not accepted yet share %d %s", limit, what)}
	case isTooMuch:
		return &Shortage{text: fmt.Sprintf("the limit is %d %s per caller", limit, what)}
	case !a.Stranger && q.all[what]+more > inAll:
		return &Shortage{text: fmt.Sprintf("the limit of this server is %d %s in all", inAll, what), InAll: true}
	}
	return nil
}

// held returns what an account holds. q.mu is held.
func (q *Quota) held(a Account, what Resource) int {
	if held := q.accounts[a]; held != nil {
		return held[what]
	}
	return 0
}

// InUse returns what all accounts hold together.
func (q *Quota) InUse() Amounts {
	q.mu.Lock()
	defer q.mu.Unlock()
	sum := q.all
	if strangers := q.accounts[Strangers]; strangers != nil {
		for what, amount := range strangers {
			sum[what] += amount
		}
	}
	return sum
}

// AdmitCalls returns the [Admit] of an account's calls.
func (q *Quota) AdmitCalls(a Account) Admit {
	return func() (release func(), limitReached string) {
		h, short := q.Reserve(a, Calls)
		if short != nil {
			return nil, short.String()
		}
		return h.Release, ""
	}
}

// LimitWatch returns watch with a limit on what an account watches, with all its
// sessions and listens together. account returns the caller's at the time. nil
// stays nil.
func (q *Quota) LimitWatch(account func() Account, watch Watch) Watch {
	if watch == nil {
		return nil
	}
	return func(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
		h, short := q.Reserve(account(), Watches)
		if short != nil {
			return nil, errors.New("too many subscriptions: " + short.String() + ". Unsubscribe from some resources first")
		}
		watching := false
		defer func() {
			if !watching { // refused, or a panic
				h.Release()
			}
		}()
		stop, err := watch(ctx, uri, changed)
		if err != nil {
			return nil, err
		}
		watching = true
		h.MoveTo(account()) // the API may have come to know the caller
		return func() {
			defer h.Release()
			if stop != nil {
				stop()
			}
		}, nil
	}
}
