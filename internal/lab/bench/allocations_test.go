package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/sandbox"
)

var update = flag.Bool("update", false, "write the allocations of this build to testdata/allocations.json")

// allocations are what one call takes in this process: the server, and the few of the
// caller and of the canned API.
type allocations struct {
	Count float64 `json:"count"`
	Bytes float64 `json:"bytes"`
}

// The allowed differences. Runs of one build differed by 0.1 % and 0.5 %, also on a busy
// machine. The race detector allocates more.
const (
	countTolerance = 0.02
	bytesTolerance = 0.04
)

// TestAllocations holds what a call allocates. A change that allocates less must also be
// written down: go test -run TestAllocations -update.
func TestAllocations(t *testing.T) {
	const file = "testdata/allocations.json"
	got := map[string]allocations{}
	s := newInProcess(t)
	for _, version := range []string{statelessVersion, statefulVersion} {
		for i := range s.operations {
			op := &s.operations[i]
			got[op.name+", "+version] = s.measureAllocations(t, version, op)
		}
	}
	text, err := json.MarshalIndent(got, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err = os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]allocations
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != len(got) {
		t.Errorf("%s has %d rows, want %d", file, len(want), len(got))
	}
	for name, g := range got {
		w := want[name]
		if differs(g.Count, w.Count, countTolerance) || differs(g.Bytes, w.Bytes, bytesTolerance) {
			t.Errorf("%s: %.0f allocations and %.0f bytes per call, want %.0f and %.0f; write them down with -update if that is right",
				name, g.Count, g.Bytes, w.Count, w.Bytes)
		}
	}
}

func differs(got, want, tolerance float64) bool {
	return got > want*(1+tolerance) || got < want*(1-tolerance)
}

// BenchmarkServer sends calls of 16 callers to our server in this process, for profiles:
//
//	go test -run '^$' -bench 'Server/get_run_8_events/2026' -benchtime 20000x -cpuprofile cpu.out
func BenchmarkServer(b *testing.B) {
	s := newInProcess(b)
	for i := range s.operations {
		op := &s.operations[i]
		for _, version := range []string{statelessVersion, statefulVersion} {
			b.Run(strings.NewReplacer(" ", "_", ",", "").Replace(op.name+"/"+version), func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(16 / runtime.GOMAXPROCS(0))
				b.RunParallel(func(p *testing.PB) { s.runCaller(b, p, version, op) })
			})
		}
	}
}

func (s *inProcess) runCaller(b *testing.B, p *testing.PB, version string, op *operation) {
	c, err := openHTTPCaller(s.url, version, op, 0)
	if err != nil {
		b.Error(err)
		return
	}
	defer c.close()
	for p.Next() {
		if _, err := c.call(); err != nil {
			b.Error(err)
			return
		}
	}
}

// inProcess is our whole program in this process, on an API of canned answers.
type inProcess struct {
	url        *url.URL
	operations []operation // those that read
}

func newInProcess(t testing.TB) *inProcess {
	box, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	all, err := newOperations(t.Context(), box.URL())
	if err != nil {
		t.Fatal(err)
	}
	s := &inProcess{}
	for _, op := range all {
		if op.method == http.MethodGet {
			s.operations = append(s.operations, op)
		}
	}
	s.url = serveProgram(t, serveCanned(t, box.URL(), s.operations))
	c, err := openHTTPCaller(s.url, statelessVersion, &s.operations[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, err := c.call(); err != nil { // makes the key known, see warmUp
		t.Fatal(err)
	}
	return s
}

// serveProgram runs the program's http command until the test ends.
func serveProgram(t testing.TB, api string) *url.URL {
	ctx, stop := context.WithCancel(context.Background())
	log, stderr := io.Pipe()
	var running sync.WaitGroup
	running.Go(func() {
		env := func(name string) string { return map[string]string{"TR_API_URL": api, "TR_USER_ID": userID}[name] }
		cli.Run(ctx, []string{"http", "--listen=127.0.0.1:0", "--integrations=*", "--no-log-calls"}, env, strings.NewReader(""), io.Discard, stderr)
		stderr.Close()
	})
	t.Cleanup(running.Wait)
	t.Cleanup(stop)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if _, text, ok := strings.Cut(lines.Text(), "msg=serving url="); ok {
			running.Go(func() { _, _ = io.Copy(io.Discard, log) })
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
	}
	t.Fatal("the program does not serve")
	return nil
}

// serveCanned answers the operations' requests as the API at the URL does, almost without
// allocations. It returns its own URL.
func serveCanned(t testing.TB, api string, operations []operation) string {
	answers := map[string][]byte{} // by path
	for _, op := range operations {
		text, err := (&forwarder{api, apiKey, http.DefaultClient}).send(t.Context(), op.method, op.path, "")
		if err != nil {
			t.Fatal(err)
		}
		path, _, _ := strings.Cut(op.path, "?")
		answers[path] = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerRequests(conn, answers)
		}
	}()
	return "http://" + l.Addr().String()
}

// answerRequests answers requests without a body until the connection ends.
func answerRequests(conn net.Conn, answers map[string][]byte) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	var answer []byte
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if rest, ok := bytes.CutPrefix(line, []byte("GET ")); ok {
			path := rest[:bytes.IndexAny(rest, "? ")]
			answer = answers[string(path)]
		}
		if len(line) > len("\r\n") {
			continue
		}
		if _, err := conn.Write(answer); err != nil || answer == nil {
			return
		}
	}
}

// measureAllocations measures many calls of one caller. No garbage is collected
// meanwhile: a collection empties the pools of buffers at times that differ.
func (s *inProcess) measureAllocations(t *testing.T, version string, op *operation) allocations {
	const calls = 200
	c, err := openHTTPCaller(s.url, version, op, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	call := func() {
		if _, err := c.call(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for range 10 { // fill the pools
		call()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		call()
	}
	runtime.ReadMemStats(&after)
	return allocations{
		Count: math.Round(float64(after.Mallocs-before.Mallocs) / calls),
		Bytes: math.Round(float64(after.TotalAlloc-before.TotalAlloc) / calls),
	}
}
