package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// sample is what the server holds at one moment.
type sample struct {
	Heap       int `json:"heap"` // bytes that live after a collection
	Goroutines int `json:"goroutines"`
	Files      int `json:"files"` // open descriptors; 0 where the system does not say
	RSS        int `json:"rss"`   // bytes; 0 where the system does not say
}

// String is for people.
func (s sample) String() string {
	return fmt.Sprintf("heap %6.1f MiB, %5d goroutines, %5d descriptors, RSS %6.1f MiB", mib(s.Heap), s.Goroutines, s.Files, mib(s.RSS))
}

func mib(n int) float64 { return float64(n) / (1 << 20) }

// takeSample looks at this process.
func takeSample() sample {
	runtime.GC()
	runtime.GC() // the first only empties the pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := sample{Heap: int(m.HeapAlloc), Goroutines: runtime.NumGoroutine(), RSS: residentSize()}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		s.Files = len(files) - 1 // without the one that reads the folder
	}
	return s
}

// residentSize is VmRSS of proc(5), in bytes.
func residentSize() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return kib << 10
		}
	}
	return 0
}

// quantity is one thing that must not grow, and by how much it may differ.
type quantity struct {
	name string
	of   func(sample) int
	// slack is how much more the last third may have than the middle one, left
	// how much more than there was before any load.
	slack, left int
}

// quantities are what is judged. What the server remembers on purpose is
// bounded and fills up at first: 10,000 decisions are some 5 MiB.
var quantities = []quantity{
	{"heap", func(s sample) int { return s.Heap }, 3 << 20, 16 << 20},
	{"goroutines", func(s sample) int { return s.Goroutines }, 3, 6},
	{"descriptors", func(s sample) int { return s.Files }, 3, 6},
}

// quiet reports whether a server has let go of what clients made it hold.
func quiet(fresh, now sample) bool {
	return now.Goroutines <= fresh.Goroutines && now.Files <= fresh.Files
}

// fewest is how many samples at rest it takes to judge.
const fewest = 6

// verdict says what grew: from the middle third of the samples at rest to the
// last, or from before the load; and what the server left behind when it ended.
func verdict(fresh sample, rests []sample, last sample) error {
	if len(rests) < fewest {
		return fmt.Errorf("%d samples are too few to judge by", len(rests))
	}
	third := len(rests) / 3
	var grew []string
	for _, q := range quantities {
		before := q.of(fresh)
		middle := median(q, rests[len(rests)-2*third:len(rests)-third])
		end := median(q, rests[len(rests)-third:])
		if end > middle+q.slack || end > before+q.left {
			grew = append(grew, fmt.Sprintf("%s from %d to %d to %d", q.name, before, middle, end))
		}
	}
	if last.Goroutines > 2 { // its own and the one that reads the commands
		grew = append(grew, fmt.Sprintf("%d goroutines outlived the server", last.Goroutines-2))
	}
	if len(grew) > 0 {
		return fmt.Errorf("it grew: %s", strings.Join(grew, "; "))
	}
	return nil
}

func median(q quantity, samples []sample) int {
	values := make([]int, len(samples))
	for i, s := range samples {
		values[i] = q.of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
