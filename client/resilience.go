package client

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// effect says what a request does to the API, and so when it may be sent again.
type effect int

const (
	// safe changes nothing.
	safe effect = iota
	// idempotent has an effect, and twice does no more than once.
	idempotent
	// notIdempotent is sent again only where it provably had no effect: there was
	// no connection, or the API refused it with 429. After any other failure that
	// may pass, error.go says OutcomeUnknown (kindOfStatus, sendError, bodyError).
	notIdempotent
	// oneTime spends a one-time token. It is never sent again.
	oneTime
)

// retryable reports whether a request that failed may be sent again.
func (r request) retryable(e *Error) bool {
	transient := e.fault || e.Status == 408 || e.Status == 425 || e.Status == 429
	switch {
	case !transient, r.effect == oneTime:
		return false
	case r.effect == notIdempotent:
		return e.Kind != OutcomeUnknown
	}
	return true
}

// retryPolicy says how often and after which pauses a request is sent again.
type retryPolicy struct {
	tries int // in all
	// The pause before a retry is random, at most base doubled with each retry, and
	// at most limit.
	base, limit time.Duration
	jitter      func(limit time.Duration) time.Duration // in [0, limit]
}

// standardPolicy has the rules of the AWS SDKs' standard mode, with short pauses,
// because a caller waits.
func standardPolicy() retryPolicy {
	return retryPolicy{
		tries: 3, base: 100 * time.Millisecond, limit: 5 * time.Second,
		jitter: func(limit time.Duration) time.Duration { return rand.N(limit + 1) },
	}
}

// run calls try until it succeeds or must not be repeated. ctx has a deadline; no
// pause goes beyond it.
func (p retryPolicy) run(ctx context.Context, health *callerHealth, call request, try func() *Error) error {
	var last *Error // of the newest try
	uncertain, paid := false, 0
	for n := 1; ; n++ {
		report, wait := health.breaker.allow(cmp.Or(string(call.runID), call.op))
		if report == nil {
			return refusedByBreaker(call, last, wait).afterUncertain(uncertain)
		}
		if last = reportOutcome(report, try); last == nil {
			health.budget.refund(paid)
			return nil
		}
		uncertain = uncertain || last.Kind == OutcomeUnknown
		if wait := health.breaker.wait(); wait > 0 {
			return refusedByBreaker(call, last, wait).afterUncertain(uncertain)
		}
		pause, cost, ok := p.nextTry(ctx, call, last, n)
		if !ok || !health.budget.pay(cost) {
			return last.afterUncertain(uncertain)
		}
		if !sleep(ctx, pause) {
			return sendError(ctx, call, uncertain, ctx.Err())
		}
		paid = cost
	}
}

// reportOutcome calls try and reports its outcome, also when try panics: else a
// probe would stay under way for ever.
func reportOutcome(report func(outcome), try func() *Error) (err *Error) {
	result := noOutcome
	defer func() { report(result) }()
	err = try()
	result = err.outcome()
	return err
}

// refusedByBreaker returns the error of a call that the breaker refuses: that of
// the last try, if there was one.
func refusedByBreaker(call request, last *Error, wait time.Duration) *Error {
	if last == nil {
		return &Error{
			Kind: Unavailable, Op: call.op, RetryAfter: wait,
			Message: "the Run API failed again and again and is left alone for now; nothing was sent",
		}
	}
	refused := *last
	refused.RetryAfter = max(wait, last.RetryAfter)
	return &refused
}

// nextTry returns the pause before another try and the tokens that it costs. ok is
// false where the request must not be sent again, or not before the deadline.
func (p retryPolicy) nextTry(ctx context.Context, call request, e *Error, tried int) (pause time.Duration, cost int, ok bool) {
	if tried >= p.tries || ctx.Err() != nil || !call.retryable(e) {
		return 0, 0, false
	}
	pause = e.RetryAfter + p.jitter(backoff(p.base, tried-1, p.limit))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
		return 0, 0, false
	}
	if errors.Is(e, context.DeadlineExceeded) {
		return pause, timeoutCost, true
	}
	return pause, retryCost, true
}

// sleep waits, and reports whether the time passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff returns base doubled n times, at most limit.
func backoff(base time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 0 && base < limit; n-- {
		base *= 2
	}
	return min(base, limit)
}

const (
	// budgetTokens is how many tokens a caller's budget holds at most, and at first.
	budgetTokens = 500
	// retryCost is what a retry costs, and timeoutCost one after a timeout.
	retryCost   = 5
	timeoutCost = 10
	// successReward is what a call earns that needed no retry.
	successReward = 1
)

// retryBudget limits the load of retries on an API that is out of order. It is the
// token bucket of the AWS SDKs' standard mode, with its numbers: of 1,000 calls in
// a row that all fail, 500/5 = 100 are sent again, which is 1.1 times the load.
type retryBudget struct {
	mu     sync.Mutex
	tokens int // guarded by mu
}

// pay takes the cost of a retry. It reports false, and takes nothing, where too
// little is left.
func (b *retryBudget) pay(cost int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < cost {
		return false
	}
	b.tokens -= cost
	return true
}

// refund returns what the last retry of a successful call cost. A call without a
// retry (paid is 0) earns the reward.
func (b *retryBudget) refund(paid int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+max(paid, successReward), budgetTokens)
}

const (
	// breakerLimit is how many failures in a row open a breaker.
	breakerLimit = 10
	// breakerShare is how many of them may be of one run or operation: if one cannot be
	// served, others still may.
	breakerShare = 6
	// breakerBase is how long it stays open at first. Each probe that fails doubles
	// that, up to breakerCap. With the jitter it is half to all of it.
	breakerBase = time.Second
	breakerCap  = 15 * time.Second
)

// outcome is what a request shows of the API's health.
type outcome int

const (
	noOutcome outcome = iota // nothing was sent, or the caller went away
	success                  // the API answered, be it with a refusal
	failure                  // no connection, no answer in time, or 5xx
)

// outcome returns what the error, nil for none, shows of the API's health.
func (e *Error) outcome() outcome {
	switch {
	case e == nil:
		return success
	case e.fault:
		return failure
	case e.Status > 0:
		return success
	}
	return noOutcome
}

// breaker is a circuit breaker. Once open it refuses all requests, but lets a
// single one through now and then as a probe.
type breaker struct {
	jitter func(limit time.Duration) time.Duration // in [0, limit]

	mu        sync.Mutex     // guards the rest
	failures  int            // in a row
	bySubject map[string]int // failures of each run or operation
	isOpen    bool
	openUntil time.Time

	probing      bool // a probe is under way
	failedProbes int  // in a row
}

// allow admits a request about a subject: a run, or an operation on none. The
// caller reports the outcome. report is nil where the request is refused, for wait.
func (b *breaker) allow(subject string) (report func(outcome), wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait := b.waitLocked(); wait > 0 {
		return nil, wait
	}
	if !b.isOpen {
		return func(o outcome) { b.record(subject, o) }, 0
	}
	b.probing = true
	return b.recordProbe, 0
}

// wait returns how long requests are refused, 0 if the next is not.
func (b *breaker) wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waitLocked()
}

// waitLocked is wait with b.mu held.
func (b *breaker) waitLocked() time.Duration {
	switch wait := time.Until(b.openUntil); {
	case !b.isOpen:
		return 0
	case wait > 0:
		return wait
	case b.probing:
		return breakerBase // the probe's outcome is not known yet
	}
	return 0
}

// record counts the outcome of an ordinary request. While the breaker is open,
// failures of requests that were sent before do not prolong that.
func (b *breaker) record(subject string, o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case o == success:
		b.closeLocked()
	case o == noOutcome, b.isOpen, b.bySubject[subject] >= breakerShare:
		return
	default:
		if b.bySubject == nil {
			b.bySubject = map[string]int{}
		}
		b.bySubject[subject]++
		if b.failures++; b.failures >= breakerLimit {
			b.openLocked()
		}
	}
}

// recordProbe takes the outcome of a probe.
func (b *breaker) recordProbe(o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	switch {
	case o == success:
		b.closeLocked()
	case o == failure && b.isOpen: // else an earlier request has closed it since
		b.failedProbes++
		b.openLocked()
	}
}

// closeLocked forgets all failures; b.mu is held.
func (b *breaker) closeLocked() {
	b.failures, b.bySubject, b.isOpen, b.failedProbes = 0, nil, false, 0
}

// openLocked refuses requests for a while; b.mu is held.
func (b *breaker) openLocked() {
	pause := backoff(breakerBase, b.failedProbes, breakerCap)
	b.isOpen, b.openUntil = true, time.Now().Add(pause/2+b.jitter(pause/2))
}
