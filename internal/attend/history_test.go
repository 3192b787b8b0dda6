package attend

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/bounded"
)

// rememberRefusals has a new Attendant remember refusals of so many persons, each about
// so many needs. It returns the Attendant and the heap that they take, in bytes.
func rememberRefusals(persons, needs int, name string) (*Attendant, int) {
	a := New(Options{})
	before := heap()
	for p := range persons {
		pr := personRun{client.Key(fmt.Sprintf("key-%06d", p)), fmt.Sprintf("%s%06d", name, p), client.RunID(fmt.Sprintf("%036d", p))}
		for n := range needs {
			r := a.recordOf(pr, fmt.Sprintf("%032d", n))
			for range maxApproveAsked {
				r.countApproveQuestion()
			}
			r.refusal = Outcome{Status: Declined, Kind: Decision, Subject: fmt.Sprintf("%032d", n)}
			r.digest, r.refusedAt = fmt.Sprintf("%064d", n), time.Now()
			*r.taskRecordOf() = taskRecord{askedAt: time.Now(), answers: 1, opened: fmt.Sprintf("%043d", n)}
		}
	}
	return a, heap() - before
}

// heap returns the bytes of the live heap.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestHistoriesAreBoundedInBytes holds that histories take no more than they count, and
// count no more than they may, whether there are many, large or with long names.
func TestHistoriesAreBoundedInBytes(t *testing.T) {
	for _, tt := range []struct {
		persons, needs int
		name           string
	}{
		{2_000, 1, ""},
		{100, maxRecords, ""},
		{2 * maxHistories, 1, ""},
		{1_000, 2 * maxRecords, ""},
		{200, 1, strings.Repeat("x", 1<<20)},
	} {
		a, took := rememberRefusals(tt.persons, tt.needs, tt.name)
		t.Logf("%d persons, %d needs: %d KiB in %d histories, counted %d KiB", tt.persons, tt.needs, took>>10, a.histories.Len(), a.histories.Bytes()>>10)
		if counted := a.histories.Bytes(); counted > maxHistoriesBytes || took > counted+counted/20 {
			t.Errorf("%d persons, %d needs: %d bytes, counted %d", tt.persons, tt.needs, took, counted)
		}
		runtime.KeepAlive(a)
	}
}

// TestUsedStatesTakeNoMore holds that a sealed state that was used takes no more than
// an entry.
func TestUsedStatesTakeNoMore(t *testing.T) {
	s := newSealer()
	before := heap()
	for i := range maxUsed {
		if err := s.redeem(strings.Repeat("x", 800) + fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / maxUsed
	if s.used.Len() != maxUsed || each > bounded.EntryBytes {
		t.Errorf("%d states of %d bytes", s.used.Len(), each)
	}
	runtime.KeepAlive(s)
}
