package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain is also the main function of the other processes: the test starts its own
// binary.
func TestMain(m *testing.M) {
	if ran, err := runRole(os.Args[1:]); ran {
		exit(err)
	}
	os.Exit(m.Run())
}

// TestSoak runs for a few seconds. It does not find slow growth.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	var out bytes.Buffer
	err := soak(t.Context(), options{length: 5 * time.Second, callers: 6, hostile: true}, &out)
	if err != nil || !strings.Contains(out.String(), "level: ") {
		t.Errorf("%v\n%s", err, &out)
	}
}

// TestFindGrowth compares growth with waves, steps and what fills up at first.
func TestFindGrowth(t *testing.T) {
	const rounds = 15
	fresh, last := sample{Heap: 4 << 20, Goroutines: 4, Files: 10}, sample{Heap: 1 << 20, Goroutines: 1}
	for name, tt := range map[string]struct {
		more func(n int) sample // than before, in a round
		last sample
		want string // "" is level
	}{
		"steady": {func(int) sample { return sample{} }, last, ""},
		"waves": {func(n int) sample {
			return sample{Heap: n % 3 << 20, Goroutines: n % 3, Files: n % 2}
		}, last, ""},
		"one that came late":  {func(n int) sample { return sample{Goroutines: n / 14 * 50} }, last, ""},
		"filling up first":    {func(n int) sample { return sample{Heap: min(n, 6) << 20} }, last, ""},
		"growing heap":        {func(n int) sample { return sample{Heap: n << 20} }, last, "heap from 4194304 to"},
		"growing goroutines":  {func(n int) sample { return sample{Goroutines: n} }, last, "goroutines from 4 to"},
		"growing descriptors": {func(n int) sample { return sample{Files: n} }, last, "descriptors from 10 to"},
		"left at first":       {func(int) sample { return sample{Goroutines: 9} }, last, "goroutines from 4 to 13 to 13"},
		"not ended":           {func(int) sample { return sample{} }, sample{Goroutines: 5}, "3 goroutines outlived"},
	} {
		rests := make([]sample, rounds)
		for n := range rests {
			more := tt.more(n)
			rests[n] = sample{Heap: fresh.Heap + more.Heap, Goroutines: fresh.Goroutines + more.Goroutines, Files: fresh.Files + more.Files}
		}
		err := findGrowth(fresh, rests, tt.last)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if findGrowth(fresh, make([]sample, minRests-1), last) == nil {
		t.Error("too few samples are accepted")
	}
}

// TestCheckSlowdown compares rounds that hostile callers slow down, and rounds that
// something else does.
func TestCheckSlowdown(t *testing.T) {
	type round struct {
		phase phase
		calls int
		slow  int // how many of the calls take slower
	}
	const fast, slower = 10 * time.Millisecond, 30 * time.Millisecond
	good, hostile := round{goodAlone, 1000, 0}, round{besideHostile, 1000, 0}
	for name, tt := range map[string]struct {
		rounds []round
		slow   bool
	}{
		"level":                    {[]round{good, hostile, good, hostile, good, hostile}, false},
		"slow beside hostile ones": {[]round{good, {besideHostile, 1000, 11}, good, {besideHostile, 1000, 11}, good, hostile}, true},
		"one of a hundred":         {[]round{good, {besideHostile, 1000, 10}, good, {besideHostile, 1000, 10}, good, {besideHostile, 1000, 10}}, false},
		"one slow round":           {[]round{good, hostile, good, {besideHostile, 1000, 1000}, good, hostile}, false},
		"slow in all":              {[]round{{goodAlone, 1000, 11}, {besideHostile, 1000, 11}, {goodAlone, 1000, 11}, {besideHostile, 1000, 11}, {goodAlone, 1000, 11}, {besideHostile, 1000, 11}}, false},
		"too few rounds":           {[]round{good, {besideHostile, 1000, 11}, good, {besideHostile, 1000, 11}}, false},
		"too few calls":            {[]round{good, {besideHostile, 100, 99}, good, {besideHostile, 100, 99}, good, {besideHostile, 100, 99}}, false},
		"no hostile callers":       {[]round{good, good, good}, false},
	} {
		var timed timings
		for _, r := range tt.rounds {
			timed.startRound(r.phase)
			for n := range r.calls {
				took := fast
				if n < r.slow {
					took = slower
				}
				timed.add("get_run", took)
			}
		}
		if err := timed.checkSlowdown(); (err != nil) != tt.slow || tt.slow && !strings.Contains(err.Error(), "get_run from 10.0 ms to 30.0 ms") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheckErrors tells the failures of the server from those of the API and from what
// a client cancelled.
func TestCheckErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		what        string
		err         error
		failed      bool
		failedShort bool // with short timeouts
	}{
		"none":                     {"visits", nil, false, false},
		"cancelled":                {"visits", fmt.Errorf("get_run: %w", context.Canceled), false, false},
		"of the API":               {"resources read", errors.New("get_run: upstream_unavailable: the Run API answered 504"), false, false},
		"of the API without fault": {timedVisits, errors.New("get_run: upstream_unavailable: the Run API answered 504"), true, false},
		"internal":                 {"get_run", errors.New("internal error"), true, true},
		"refused":                  {"visits", errors.New("429 Too Many Requests"), true, false},
	} {
		c := newClients("", 0)
		c.addResult(tt.err, tt.what)
		if err := c.checkErrors(false); (err != nil) != tt.failed {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.checkErrors(true); (err != nil) != tt.failedShort {
			t.Errorf("%s, with short timeouts: %v", name, err)
		}
	}
}
