package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"runs-mcp-server/internal/lab/race"
)

// sample is what the server holds at one time.
type sample struct {
	Heap       int `json:"heap"` // live bytes after a garbage collection
	Goroutines int `json:"goroutines"`
	Files      int `json:"files"` // open descriptors; 0 where the system does not say
	// RSS has the resident bytes after that collection, Peak the most since the sample
	// before. Both are 0 where the system does not say, and with the race detector,
	// whose memory is none of the server's and stays.
	RSS  int `json:"rss"`
	Peak int `json:"peak"`
}

// String returns a line for the report.
func (s sample) String() string {
	return fmt.Sprintf("heap %6.1f MiB, %5d goroutines, %5d descriptors, RSS %6.1f MiB, at most %6.1f MiB", mib(s.Heap), s.Goroutines, s.Files, mib(s.RSS), mib(s.Peak))
}

func mib(n int) float64 { return float64(n) / (1 << 20) }

// takeSample measures this process.
func takeSample() sample {
	peak := statusBytes("VmHWM:")
	runtime.GC()         // this one only empties the sync.Pools
	debug.FreeOSMemory() // collects again, and gives unused memory back
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := sample{Heap: int(m.HeapAlloc), Goroutines: runtime.NumGoroutine(), RSS: statusBytes("VmRSS:"), Peak: peak}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		s.Files = len(files) - 1 // without the descriptor of the folder itself
	}
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // resets VmHWM, see proc(5)
	return s
}

// statusBytes returns a field of /proc/self/status in bytes, see proc(5); 0 with the
// race detector.
func statusBytes(field string) int {
	if race.Enabled() {
		return 0
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return kib << 10
		}
	}
	return 0
}

// quantity is one number that must not grow.
type quantity struct {
	name string
	of   func(sample) int
	// The last third of the rests may exceed the middle third by slack, and the
	// sample before any load by left.
	slack, left int
}

// quantities returns what must not grow. The heap may exceed the first sample by
// 16 MiB: what the server remembers on purpose fills up to a bound, such as 10,000
// decisions of 5 MiB in all. Resident memory may exceed it by more, because the heap
// does not give back pages that still hold something, and it moves by what the load
// before the rest took.
func quantities() []quantity {
	return []quantity{
		{"heap", func(s sample) int { return s.Heap }, 3 << 20, 16 << 20},
		{"resident memory", func(s sample) int { return s.RSS }, 24 << 20, 64 << 20},
		{"goroutines", func(s sample) int { return s.Goroutines }, 3, 6},
		{"descriptors", func(s sample) int { return s.Files }, 3, 6},
	}
}

// atRest reports whether the server holds no more than before the load.
func atRest(fresh, now sample) bool {
	return now.Goroutines <= fresh.Goroutines && now.Files <= fresh.Files
}

// minRests is the number of samples at rest that findGrowth needs.
const minRests = 6

// findGrowth returns an error that names what grew: from the middle third of the
// samples at rest to the last third, or since before the load. It also names
// goroutines that the server left when it ended.
func findGrowth(fresh sample, rests []sample, last sample) error {
	if len(rests) < minRests {
		return fmt.Errorf("%d samples at rest are too few", len(rests))
	}
	third := len(rests) / 3
	var grew []string
	for _, q := range quantities() {
		before := q.of(fresh)
		middle := median(q, rests[len(rests)-2*third:len(rests)-third])
		end := median(q, rests[len(rests)-third:])
		if end > middle+q.slack || end > before+q.left {
			grew = append(grew, fmt.Sprintf("%s from %d to %d to %d", q.name, before, middle, end))
		}
	}
	if last.Goroutines > 2 { // the main goroutine, and the one that reads the commands
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
