package client

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"runs-mcp-server/internal/bounded"
)

// effect says what a request does to the API, and so when it may be sent again.
type effect int

const (
	// safe changes nothing.
	safe effect = iota
	// idempotent has an effect, and twice does no more than once.
	idempotent
	// notIdempotent is sent again only where it provably had no effect: no connection
	// was obtained, or the API answered 429. It is not sent again after a broken
	// connection, 408, 425 or 5xx: sendError and kindOfStatus (error.go) return
	// OutcomeUnknown then.
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
	// maxAccepted is how many accepted keys are remembered. A key that is forgotten is a
	// stranger until its next request succeeds.
	maxAccepted = 16_384
	// maxStrangers is how many keys are remembered that the API has not accepted. A
	// key that is forgotten starts afresh.
	maxStrangers = 1024
	// healthBytes is what a key takes with its health: TestCallersAreBounded measures it.
	healthBytes = 768
)

// callers holds the health of each API key. Strangers, the keys that the API has not
// accepted, have a map of their own: made-up keys push out no accepted one.
type callers struct {
	mu        sync.Mutex // guards the maps
	accepted  *bounded.Map[keyHash, *callerHealth]
	strangers *bounded.Map[keyHash, *callerHealth]
}

// keyHash is the SHA-256 of an API key. A key itself may have many kilobytes.
type keyHash [sha256.Size]byte

func hashOf(key Key) keyHash { return sha256.Sum256([]byte(key)) }

func newCallers() *callers {
	return &callers{
		accepted:  bounded.New[keyHash, *callerHealth](bounded.Limits{Entries: maxAccepted, Bytes: maxAccepted * healthBytes}),
		strangers: bounded.New[keyHash, *callerHealth](bounded.Limits{Entries: maxStrangers, Bytes: maxStrangers * healthBytes}),
	}
}

// callerHealth is the retry budget of one API key, and its circuit breakers: one
// against an API that fails, one against a key that the API refuses.
type callerHealth struct {
	budget  retryBudget
	breaker breaker
	key     *keyBreaker
}

// newHealth returns the health of a key that was not seen before.
func (p retryPolicy) newHealth() *callerHealth {
	return &callerHealth{budget: retryBudget{tokens: budgetTokens}, breaker: breaker{jitter: p.jitter}, key: newKeyBreaker()}
}

// Accepted reports whether the API has accepted a key since the start: it answered a
// request with 2xx, or with its own 404 for a run. A key that is revoked later still
// counts as accepted.
func (c *Client) Accepted(key Key) bool {
	c.callers.mu.Lock()
	defer c.callers.mu.Unlock()
	return c.callers.accepted.Has(hashOf(key))
}

// healthOf returns the health of a key. The key becomes the newest of its map.
func (c *Client) healthOf(key Key) *callerHealth {
	hash := hashOf(key)
	c.callers.mu.Lock()
	defer c.callers.mu.Unlock()
	in := c.callers.strangers
	if c.callers.accepted.Has(hash) {
		in = c.callers.accepted
	}
	health, ok := in.Get(hash)
	if !ok {
		health = c.retries.newHealth()
	}
	in.Remove(hash) // and add it again as the newest
	in.Add(hash, health, healthBytes)
	return health
}

// acceptKey remembers that the API has accepted a key.
func (c *Client) acceptKey(key Key, health *callerHealth) {
	hash := hashOf(key)
	c.callers.mu.Lock()
	defer c.callers.mu.Unlock()
	c.callers.strangers.Remove(hash)
	c.callers.accepted.Add(hash, health, healthBytes)
}
