package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain is the server's process too, for the test starts its own program.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serveRole {
		exit(serve(os.Args[2:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// TestSoak soaks for a few seconds. What grows slowly it does not see.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 s")
	}
	var out bytes.Buffer
	err := soak(t.Context(), options{length: 4 * time.Second, callers: 6}, &out)
	if err != nil || !strings.Contains(out.String(), "level: ") {
		t.Errorf("%v\n%s", err, &out)
	}
}

// TestVerdict tells growth from what comes and goes.
func TestVerdict(t *testing.T) {
	steady := func(int) sample { return sample{Heap: 10 << 20, Goroutines: 300, Files: 100} }
	fresh, last := sample{Heap: 4 << 20, Goroutines: 4, Files: 10}, sample{Heap: 1 << 20, Goroutines: 1}
	for name, tt := range map[string]struct {
		at   func(int) sample // of 30
		rest sample
		last sample
		want string // "" is level
	}{
		"steady": {steady, fresh, last, ""},
		"waves": {func(i int) sample {
			s := steady(i)
			s.Goroutines += 100 * (i % 3)
			s.Heap += (i % 4) << 20
			return s
		}, fresh, last, ""},
		"filling up first": {func(i int) sample {
			s := steady(i)
			s.Heap += min(i, 10) << 20
			return s
		}, fresh, last, ""},
		"growing heap": {func(i int) sample {
			s := steady(i)
			s.Heap += i << 20
			return s
		}, fresh, last, "heap from"},
		"growing goroutines": {func(i int) sample {
			s := steady(i)
			s.Goroutines += 10 * i
			return s
		}, fresh, last, "goroutines from"},
		"growing descriptors": {func(i int) sample {
			s := steady(i)
			s.Files += 10 * i
			return s
		}, fresh, last, "descriptors from"},
		"a stream left open": {steady, sample{Heap: 4 << 20, Goroutines: 9, Files: 10}, last, "goroutines from 4 before to 9 at rest"},
		"not ended":          {steady, fresh, sample{Goroutines: 5}, "3 goroutines outlived"},
	} {
		samples := make([]sample, 30)
		for i := range samples {
			samples[i] = tt.at(i)
		}
		err := verdict(fresh, samples, tt.rest, tt.last)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if verdict(fresh, make([]sample, 8), fresh, last) == nil {
		t.Error("judged by too little")
	}
}
