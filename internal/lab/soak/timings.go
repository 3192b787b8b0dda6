package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// phase is who calls the server in a round.
type phase int

const (
	goodAlone phase = iota
	besideHostile
)

// String returns a word for the report.
func (p phase) String() string {
	if p == besideHostile {
		return "hostile"
	}
	return "good"
}

const (
	// maxSlowdown is how many times as long the 99th percentile of a call may be beside
	// hostile callers.
	maxSlowdown = 2
	// minRounds is the number of rounds of each phase, with minCalls calls each, without
	// which they are not compared. With fewer, chance decides.
	minRounds = 3
	minCalls  = 200
)

// timings are how long the calls of each kind took, in each round. The median of the
// rounds' percentiles stands for a phase: a round in which the machine had other work
// does not count.
type timings struct {
	mu     sync.Mutex
	rounds []timedRound // guarded by mu
}

type timedRound struct {
	phase phase
	kinds map[string][]time.Duration
}

func (t *timings) startRound(p phase) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rounds = append(t.rounds, timedRound{p, map[string][]time.Duration{}})
}

// add adds a call of the newest round.
func (t *timings) add(kind string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	calls := t.rounds[len(t.rounds)-1].kinds
	calls[kind] = append(calls[kind], took)
}

// kindTiming is the calls of a kind in a phase.
type kindTiming struct {
	calls    int
	p50, p99 time.Duration
	enough   bool // for a comparison
}

// String returns a part of a line for the report.
func (k kindTiming) String() string {
	return fmt.Sprintf("%d calls, p50 %s, p99 %s", k.calls, milliseconds(k.p50), milliseconds(k.p99))
}

// timingOf returns the calls of a kind in a phase.
func (t *timings) timingOf(kind string, p phase) kindTiming {
	var k kindTiming
	var p50s, p99s []time.Duration
	large := 0
	for _, round := range t.rounds {
		took := round.kinds[kind]
		if round.phase != p || len(took) == 0 {
			continue
		}
		if len(took) >= minCalls {
			large++
		}
		k.calls += len(took)
		p50s, p99s = append(p50s, percentile(took, 50)), append(p99s, percentile(took, 99))
	}
	if k.calls > 0 {
		k.p50, k.p99 = percentile(p50s, 50), percentile(p99s, 50)
	}
	k.enough = large >= minRounds
	return k
}

// kinds returns the kinds of calls, sorted.
func (t *timings) kinds() []string {
	all := map[string]bool{}
	for _, round := range t.rounds {
		for kind := range round.kinds {
			all[kind] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// checkSlowdown returns an error that names the kinds of calls that hostile callers
// slowed down too much.
func (t *timings) checkSlowdown() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var slow []string
	for _, kind := range t.kinds() {
		alone, beside := t.timingOf(kind, goodAlone), t.timingOf(kind, besideHostile)
		if alone.enough && beside.enough && beside.p99 > maxSlowdown*alone.p99 {
			slow = append(slow, fmt.Sprintf("%s from %s to %s", kind, milliseconds(alone.p99), milliseconds(beside.p99)))
		}
	}
	if len(slow) > 0 {
		return fmt.Errorf("beside hostile callers the 99th percentile is more than %d times as long: %s", maxSlowdown, strings.Join(slow, "; "))
	}
	return nil
}

// String lists the percentiles, a kind on each line.
func (t *timings) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for _, kind := range t.kinds() {
		alone, beside := t.timingOf(kind, goodAlone), t.timingOf(kind, besideHostile)
		fmt.Fprintf(&b, "%-12s %s: %s; %s: %s", kind, goodAlone, alone, besideHostile, beside)
		if alone.enough && beside.enough {
			fmt.Fprintf(&b, "; %.2f times", float64(beside.p99)/float64(alone.p99))
		} else {
			b.WriteString("; too few to compare")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// percentile returns the value that p percent of the values do not exceed. There must
// be a value.
func percentile(values []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)*p+99)/100-1]
}
