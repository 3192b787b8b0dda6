package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain is also the main function of the server's process: the test starts its
// own binary.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serveRole {
		exit(serve(os.Args[2:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// TestSoak runs for a few seconds. It does not find slow growth.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	var out bytes.Buffer
	err := soak(t.Context(), options{length: 6 * time.Second, callers: 6, hostile: true}, &out)
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
