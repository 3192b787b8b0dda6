package client

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// fixed answers every request with the same body.
type fixed []byte

func (f fixed) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, ContentLength: int64(len(f)), Body: io.NopCloser(bytes.NewReader(f))}, nil
}

// runOf100 is an ordinary run of 100 steps.
func runOf100() fixed {
	var steps []string
	for i := range 100 {
		steps = append(steps, fmt.Sprintf(`{"id":%d,"event":"step","data":{"runId":%q,"runStatus":"RUNNING","timestamp":"2026-01-01T00:00:00.000Z","step":{"reason":"The plan says so","text":"Look up invoice %d of 100","approval":"NOT_REQUIRED","toolCalls":[{"toolCallId":"call-%[1]d","toolName":"query","toolParameters":{"limit":100},"toolResult":{"records":[1,2,3]}}]}}}`, i+1, onceRun, i+1))
	}
	return fixed(fmt.Sprintf(`{"runId":%q,"status":"SUCCESS","intent":"Find overdue invoices","result":{"rows":[%s]},"events":[%s]}`, onceRun, strings.Repeat(`{"id":1,"ok":true},`, 200)+"{}", strings.Join(steps, ",")))
}

// readRunOf100 returns a function that reads the run once.
func readRunOf100(tb testing.TB) func() {
	c, err := New(Options{URL: "https://api.test", Transport: runOf100()})
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		if run, err := c.GetRun(tb.Context(), Caller{Key: "k"}, onceRun, true); err != nil || len(run.Events) != 100 {
			tb.Fatal(err)
		}
	}
}

func BenchmarkGetRun(b *testing.B) {
	read := readRunOf100(b)
	b.ReportAllocs()
	for b.Loop() {
		read()
	}
}

// TestAllocations holds what reading an ordinary run costs.
func TestAllocations(t *testing.T) {
	const most = 1_400
	if n := testing.AllocsPerRun(20, readRunOf100(t)); n > most {
		t.Errorf("get_run of 100 events makes %.0f allocations, want at most %d", n, most)
	}
}
