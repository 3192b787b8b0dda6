package client

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// repeat says when a request may be sent again.
type repeat int

const (
	// repeatRead: it has no effect, so whenever another try may fare better.
	repeatRead repeat = iota
	// repeatEffect: it has one, but twice does no more than once.
	repeatEffect
	// repeatUnsent: only where it provably did not arrive, for twice would be
	// two: no connection was had for it, or the API refused it with 429.
	repeatUnsent
	// repeatNever: a one-time token.
	repeatNever
)

// mayRepeat reports whether a request that failed may be sent again.
func (r request) mayRepeat(e *Error) bool {
	switch {
	case r.repeat == repeatNever, !e.fault && e.Status != 408 && e.Status != 425 && e.Status != 429:
		return false
	case r.repeat == repeatUnsent:
		return e.Kind != OutcomeUnknown // then it had left, or was answered
	default:
		return true
	}
}

// policy is how a call is tried.
type policy struct {
	tries int // in all
	// The pause before a retry is random, up to base doubled with each, at
	// most limit.
	base, limit time.Duration
	jitter      func(limit time.Duration) time.Duration // in [0, limit]
}

// standardPolicy has the rules of the AWS SDKs' standard mode, with pauses for
// somebody who waits.
func standardPolicy() policy {
	return policy{
		tries: 3, base: 100 * time.Millisecond, limit: 5 * time.Second,
		jitter: func(limit time.Duration) time.Duration { return rand.N(limit + 1) },
	}
}

// newStanding returns that of a caller who was not seen before.
func (p policy) newStanding() *standing {
	return &standing{budget: budget{tokens: budgetTokens}, breaker: breaker{jitter: p.jitter}}
}

// run tries a call until it succeeds or must not be tried again. ctx has a
// deadline; no pause goes beyond it.
func (p policy) run(ctx context.Context, st *standing, call request, try func() *Error) error {
	var last *Error // of the last try
	doubt, paid := false, 0
	for n := 1; ; n++ {
		leave, wait := st.breaker.enter(cmp.Or(string(call.runID), call.op))
		if leave == nil {
			return heldBack(call, last, wait).afterDoubt(doubt)
		}
		if last = attempt(leave, try); last == nil {
			st.budget.succeed(paid)
			return nil
		}
		doubt = doubt || last.Kind == OutcomeUnknown
		if wait := st.breaker.wait(); wait > 0 {
			return heldBack(call, last, wait).afterDoubt(doubt)
		}
		pause, cost, again := p.next(ctx, st, call, last, n)
		if !again {
			return last.afterDoubt(doubt)
		}
		if !sleep(ctx, pause) {
			return sendError(ctx, call, doubt, ctx.Err())
		}
		paid = cost
	}
}

// attempt tries once and tells the breaker.
func attempt(leave func(verdict), try func() *Error) (err *Error) {
	told := noVerdict // also if try panics: a probe must not stay under way
	defer func() { leave(told) }()
	err = try()
	told = err.verdict()
	return err
}

// heldBack is the error of a call that the breaker keeps back: the last try's,
// if there was one.
func heldBack(call request, last *Error, wait time.Duration) *Error {
	if last == nil {
		return &Error{
			Kind: Unavailable, Op: call.op, RetryAfter: wait,
			Message: "the Run API failed again and again and is left alone for now; nothing was sent",
		}
	}
	held := *last
	held.RetryAfter = max(wait, last.RetryAfter)
	return &held
}

// next returns the pause before another try and what it costs, if there may be one.
func (p policy) next(ctx context.Context, st *standing, call request, e *Error, n int) (pause time.Duration, cost int, again bool) {
	if n >= p.tries || ctx.Err() != nil || !call.mayRepeat(e) {
		return 0, 0, false
	}
	pause = e.RetryAfter + p.jitter(grow(p.base, n-1, p.limit))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
		return 0, 0, false
	}
	cost = retryCost
	if errors.Is(e, context.DeadlineExceeded) {
		cost = timeoutCost
	}
	return pause, cost, st.budget.take(cost)
}

// sleep waits and reports whether ctx lasted.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
