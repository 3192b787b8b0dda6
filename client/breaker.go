package client

import (
	"sync"
	"time"
)

const (
	// breakerLimit is how many failures in a row open a breaker. Of one thing that
	// is asked for, breakerShare count at most: one run that cannot be served
	// says nothing of the others.
	breakerLimit = 10
	breakerShare = 6
	// breakerBase is how long it stays open at first; each probe that fails
	// doubles that, up to breakerCap. With the jitter it is half to all of it.
	breakerBase = time.Second
	breakerCap  = 15 * time.Second
)

// verdict is what a request tells of the API's health.
type verdict int

const (
	noVerdict verdict = iota // nothing was sent, or the caller went away
	healthy                  // the API answered, if only that it refuses
	failing                  // no connection, no answer in time, or 5xx
)

// breaker keeps calls from an API that fails them all: once open, it refuses
// them at once, and lets a single one through now and then to probe.
type breaker struct {
	jitter func(limit time.Duration) time.Duration // in [0, limit]

	mu       sync.Mutex     // guards the rest
	failures int            // in a row that count
	of       map[string]int // those of each subject
	opened   bool
	probes   int       // that failed in a row
	until    time.Time // refuses until then, once opened
	probing  bool      // a probe is under way
}

// enter asks to send a request about a subject: a run, or an operation on none.
// It returns what must be told of its outcome; nil where it must not be sent,
// and then how long to wait.
func (b *breaker) enter(subject string) (leave func(verdict), wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.opened {
		return func(v verdict) { b.settle(v, false, subject) }, 0
	}
	if wait := b.refusing(); wait > 0 {
		return nil, wait
	}
	b.probing = true
	return func(v verdict) { b.settle(v, true, subject) }, 0
}

// wait returns how long nothing is let through, 0 when something would be.
func (b *breaker) wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusing()
}

// refusing is wait; b.mu is held.
func (b *breaker) refusing() time.Duration {
	switch wait := time.Until(b.until); {
	case !b.opened:
		return 0
	case wait > 0:
		return wait
	case b.probing:
		return breakerBase // another call finds out
	}
	return 0
}

// settle takes the verdict of a request. Once the breaker is open, the probe
// alone can prolong that: the others were sent before.
func (b *breaker) settle(v verdict, probe bool, subject string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	switch {
	case v == healthy:
		b.failures, b.of, b.opened, b.probes = 0, nil, false, 0
	case v == noVerdict:
	case probe:
		b.probes++
		b.open()
	case !b.opened && b.of[subject] < breakerShare:
		if b.of == nil {
			b.of = map[string]int{}
		}
		b.of[subject]++
		if b.failures++; b.failures == breakerLimit {
			b.opened = true
			b.open()
		}
	}
}

// open refuses for a while; b.mu is held.
func (b *breaker) open() {
	pause := grow(breakerBase, b.probes, breakerCap)
	b.until = time.Now().Add(pause/2 + b.jitter(pause/2))
}

// grow returns base doubled n times, at most limit.
func grow(base time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 0 && base < limit; n-- {
		base *= 2
	}
	return min(base, limit)
}
