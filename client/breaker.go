package client

import (
	"context"
	"sync"
	"time"
)

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

// backoff returns base doubled n times, at most limit.
func backoff(base time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 0 && base < limit; n-- {
		base *= 2
	}
	return min(base, limit)
}

// keyVerdict is what an answer says about the API key of its request.
type keyVerdict int

const (
	keyUndecided keyVerdict = iota
	keyAccepted
	keyRefused
)

// keyVerdictOf returns what an answer says about the key. failed is nil after a 2xx.
// Of the 404s only those for a run count: an API may answer for an address that it
// lacks before it looks at the key. The 401 of a stream does not count: a gateway may
// refuse streams alone, and the reads beside a stream tell.
func keyVerdictOf(call request, failed *Error) keyVerdict {
	switch {
	case call.effect == oneTime:
		return keyUndecided // the answer may be about the one-time token
	case failed == nil:
		return keyAccepted
	case failed.Status == 401 && !call.stream:
		return keyRefused
	case failed.Status == 404 && failed.Kind == NotFound && call.runID != "":
		return keyAccepted
	}
	return keyUndecided
}

// keyBreaker is a circuit breaker against one API key. Each 401 opens it: requests
// are refused locally for breakerBase, doubled with each further 401, up to
// breakerCap. A key that was never accepted starts half open: its requests are sent
// one at a time, and those that wait share a refusal.
type keyBreaker struct {
	accepted chan struct{} // closed when the API has accepted the key
	// The turns have room for one request and one stream under way. A stream has a
	// turn of its own, because its answer may come late and reads must not wait for it.
	requestTurn, streamTurn chan struct{}

	mu           sync.Mutex // guards the rest, and closing accepted
	refusals     int        // in a row
	refusedAt    time.Time  // of the newest refusal
	refusedUntil time.Time
}

func newKeyBreaker() *keyBreaker {
	return &keyBreaker{
		accepted:    make(chan struct{}),
		requestTurn: make(chan struct{}, 1),
		streamTurn:  make(chan struct{}, 1),
	}
}

// admit admits a request, and waits for its turn if the key was never accepted. The
// caller reports what the answer says about the key. The error means that nothing was
// sent.
func (b *keyBreaker) admit(ctx context.Context, call request) (report func(keyVerdict), failed *Error) {
	start := time.Now()
	if wait, refused := b.refusedSince(start); refused {
		return nil, refusedKeyError(call, wait)
	}
	release, ok := b.takeTurn(ctx, call.stream)
	if !ok {
		return nil, turnError(ctx, call)
	}
	if wait, refused := b.refusedSince(start); refused {
		release()
		return nil, refusedKeyError(call, wait)
	}
	sent := time.Now()
	return func(v keyVerdict) {
		b.record(sent, v)
		release()
	}, nil
}

// refusedSince reports whether the key was refused after start, or is refused now for
// wait.
func (b *keyBreaker) refusedSince(start time.Time) (wait time.Duration, refused bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait = max(0, time.Until(b.refusedUntil))
	return wait, wait > 0 || b.refusedAt.After(start)
}

// takeTurn waits until a request or stream may be sent. It returns false if ctx ends
// before.
func (b *keyBreaker) takeTurn(ctx context.Context, stream bool) (release func(), ok bool) {
	turn := b.requestTurn
	if stream {
		turn = b.streamTurn
	}
	select {
	case <-b.accepted:
		return func() {}, true
	default:
	}
	select {
	case <-b.accepted:
		return func() {}, true
	case turn <- struct{}{}:
		return func() { <-turn }, true
	case <-ctx.Done():
		return nil, false
	}
}

// record takes what the answer to a request says about the key. A refusal of a
// request that was sent before the newest refusal does not prolong the pause.
func (b *keyBreaker) record(sent time.Time, v keyVerdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case v == keyAccepted:
		b.refusals, b.refusedAt, b.refusedUntil = 0, time.Time{}, time.Time{}
		select {
		case <-b.accepted:
		default:
			close(b.accepted)
		}
	case v == keyRefused && sent.After(b.refusedAt):
		b.refusedAt = time.Now()
		b.refusedUntil = b.refusedAt.Add(backoff(breakerBase, b.refusals, breakerCap))
		b.refusals++
	}
}

// refusedKeyError returns the error of a request that was not sent, because the API
// has just refused its key. The API's own words are not repeated: they answered
// another request.
func refusedKeyError(call request, wait time.Duration) *Error {
	return &Error{
		Kind: Unauthorized, Op: call.op, RetryAfter: wait,
		Message: "the Run API refused the API key just now; this request was not sent",
	}
}

// turnError returns the error of a request whose context ended before its turn. It
// is no fault of the API.
func turnError(ctx context.Context, call request) *Error {
	e := sendError(ctx, call, false, ctx.Err())
	e.fault = false
	if e.Kind == Timeout {
		e.Message = "the Run API did not answer an earlier request with this API key in time; this request was not sent"
	}
	return e
}
