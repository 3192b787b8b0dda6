package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// phase is who calls the server beside the good clients.
type phase int

const (
	alone phase = iota
	besideHostile
	phases // their number
)

// String returns a word for the report.
func (p phase) String() string { return [phases]string{"good", "hostile"}[p] }

const (
	// maxSlowdown is how many times as long the 99th percentile of a call may be beside
	// hostile callers.
	maxSlowdown = 2
	// minTimings is the number of calls of each phase without which they are not
	// compared: the 99th percentile of fewer is a matter of chance.
	minTimings = 1000
)

// timings are how long the calls of each kind took, in each phase.
type timings struct {
	mu    sync.Mutex
	kinds map[string]*[phases][]time.Duration // guarded by mu
}

func newTimings() *timings { return &timings{kinds: map[string]*[phases][]time.Duration{}} }

func (t *timings) add(kind string, p phase, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kinds[kind] == nil {
		t.kinds[kind] = new([phases][]time.Duration)
	}
	t.kinds[kind][p] = append(t.kinds[kind][p], took)
}

// checkSlowdown returns an error that names the kinds of calls that hostile callers
// slowed down too much.
func (t *timings) checkSlowdown() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var slow []string
	for _, kind := range slices.Sorted(maps.Keys(t.kinds)) {
		took := t.kinds[kind]
		if min(len(took[alone]), len(took[besideHostile])) < minTimings {
			continue
		}
		before, beside := percentile(took[alone], 99), percentile(took[besideHostile], 99)
		if beside > maxSlowdown*before {
			slow = append(slow, fmt.Sprintf("%s from %s to %s", kind, milliseconds(before), milliseconds(beside)))
		}
	}
	if len(slow) > 0 {
		return fmt.Errorf("beside hostile callers the 99th percentile grew to more than %d times: %s", maxSlowdown, strings.Join(slow, "; "))
	}
	return nil
}

// String lists the percentiles, a kind on each line.
func (t *timings) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(t.kinds)) {
		fmt.Fprintf(&b, "%-12s", kind)
		for p, took := range t.kinds[kind] {
			if len(took) > 0 {
				fmt.Fprintf(&b, " %s: %d calls, p50 %s, p99 %s;", phase(p), len(took), milliseconds(percentile(took, 50)), milliseconds(percentile(took, 99)))
			}
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
