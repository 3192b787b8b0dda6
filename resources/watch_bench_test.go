package resources_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/transport"
)

// speaker is a Run API whose runs say something when they are told to.
type speaker struct {
	mu      sync.Mutex // guards streams
	streams map[string]chan string
}

func (s *speaker) stream(runID client.RunID) chan string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[string(runID)] == nil {
		s.streams[string(runID)] = make(chan string, 1)
	}
	return s.streams[string(runID)]
}

func (s *speaker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	runID := strings.Split(r.URL.Path, "/")[3]
	if !strings.HasSuffix(r.URL.Path, "/sse") {
		fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[{"id":1,"event":"start","runStatus":"RUNNING"}]}`, runID)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	flush := w.(http.Flusher).Flush
	io.WriteString(w, ":\n\n") // a stream that says nothing is polled
	flush()
	for {
		select {
		case frame := <-s.stream(client.RunID(runID)):
			io.WriteString(w, frame)
			flush()
		case <-r.Context().Done():
			return
		}
	}
}

func benchRun(i int) string { return fmt.Sprintf("123e4567-e89b-12d3-a456-%012d", i) }

type update struct {
	uri    string
	lastID int64
}

// subscribe connects a client by hand that subscribes to the events of the runs
// from first to last, over stdio, and hears of each update, unless it never reads.
func subscribe(b *testing.B, bed *testbed.Bed, first, last int, updates chan update) {
	serverIn, in := io.Pipe()
	out, serverOut := io.Pipe()
	ended := make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(ended)
		transport.ServeStdio(client.WithCaller(ctx, bed.Caller), bed.MCP, serverIn, serverOut, transport.Options{Watch: bed.Watch, Grace: time.Second})
		serverOut.Close()
	}()
	if updates != nil {
		go hear(out, updates)
	}
	fmt.Fprintln(in, `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"b","version":"1"}}}`)
	go func() {
		for i := first; i < last; i++ {
			fmt.Fprintf(in, `{"jsonrpc":"2.0","id":%d,"method":"resources/subscribe","params":{"uri":"run://%s/events"}}`+"\n", i, benchRun(i))
		}
	}()
	b.Cleanup(func() {
		stop()
		in.Close()
		out.Close()
		<-ended
	})
}

func hear(out io.Reader, updates chan<- update) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var m struct {
			Method string `json:"method"`
			Params struct {
				URI  string `json:"uri"`
				Meta struct {
					LastEventID int64 `json:"lastEventId"`
				} `json:"_meta"`
			} `json:"params"`
		}
		if json.Unmarshal(lines.Bytes(), &m) == nil && m.Method == "notifications/resources/updated" {
			updates <- update{m.Params.URI, m.Params.Meta.LastEventID}
		}
	}
}

// memory returns what is in use, in bytes.
func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// BenchmarkEventToNotification measures how long an event takes from the API's
// write to the client's notification, with so many runs watched; each operation
// is one event. It reports the median and the 99th percentile, and the memory
// of one watched run: all that came with it in this process less half of what
// bare connections of the same number take, for the API's end is not ours.
//
// The goal is 64 KiB for a run, and the figure is 0.7 to 0.8 of it with 100 to
// 5,000 runs: half of it is stacks (of two goroutines of ours and net/http's
// two), a quarter the buffers of net/http and the decoder, the rest contexts,
// requests and what the feed knows.
func BenchmarkEventToNotification(b *testing.B) {
	for _, n := range []int{1, 100, 1000, 5000} {
		for _, stuck := range []bool{false, true} {
			name := fmt.Sprintf("runs=%d", n)
			if stuck {
				name += "/one-never-reads"
			}
			b.Run(name, func(b *testing.B) { eventToNotification(b, n, stuck) })
		}
	}
}

func eventToNotification(b *testing.B, n int, stuck bool) {
	api := &speaker{streams: map[string]chan string{}}
	bed := testbed.New(b, nil, func(http.Handler) http.Handler { return api })
	bare := bareConnections(b, bed, n)
	before := memory()
	updates := make(chan update, 2*n)
	const each = 1000 // as many as one client may watch
	for first := 0; first < n; first += each {
		subscribe(b, bed, first, min(first+each, n), updates)
	}
	for range n { // each subscription begins with an update
		<-updates
	}
	perRun := (memory() - before - bare/2) / int64(n)
	if stuck {
		subscribe(b, bed, 0, min(each, n), nil)
	}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		runID, id := benchRun(i%n), int64(2+i/n)
		frame := fmt.Sprintf("id: %d\nevent: step\ndata: {\"runStatus\":\"RUNNING\",\"step\":{\"text\":\"Look up the overdue invoices\"}}\n\n", id)
		start := time.Now()
		api.stream(client.RunID(runID)) <- frame
		for u := range updates {
			if u.lastID == id && strings.Contains(u.uri, runID) {
				break
			}
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(perRun), "bytes/run")
}

// bareConnections returns what n event streams take without us, both ends.
func bareConnections(b *testing.B, bed *testbed.Bed, n int) int64 {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	before := memory()
	var open []io.Closer
	for i := range n {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, bed.URL+"/v1/runs/"+benchRun(i)+"/sse", nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		open = append(open, resp.Body)
	}
	took := memory() - before
	for _, body := range open {
		body.Close()
	}
	return took
}
