package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"runtime"
	"strings"
	"sync"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/hostile"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/race"
)

// overMemory is how much more than --memory the process may take, in bytes: for what the
// limits do not count exactly, and for the large answer that a small size has no room for.
const overMemory = 32 << 20

// TestMemoryFlag holds that the process takes little more than --memory while known
// callers hold all that they may: watched runs with full logs, answers that they do not
// read, and large answers.
func TestMemoryFlag(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is read from /proc, which only Linux has")
	}
	if race.Enabled() {
		t.Skip("the race detector takes many times the memory")
	}
	const most, loggedEvents, watchers, runsPerWatcher = 128 << 20, 300, 4, 65
	api := httptest.NewServer(longRuns(loggedEvents))
	t.Cleanup(api.Close)
	process, address := program.StartHTTP(t, "", "--api-url", api.URL, "--memory", "128MiB")
	defer program.WaitExit(t, process)
	defer process.Process.Kill()
	checkPeak := func(when string) {
		u := readUsage(t, process)
		t.Logf("%s: %d MiB, %d MiB at most", when, u.now>>20, u.peak>>20)
		if u.peak > most+overMemory {
			t.Errorf("%s: the process took %d MiB", when, u.peak>>20)
		}
	}

	var all sync.WaitGroup
	for w := range watchers {
		all.Go(func() {
			var runs []client.RunID
			for i := range runsPerWatcher {
				runs = append(runs, client.RunID(fmt.Sprintf("123e4567-e89b-12d3-a456-%06d%06d", w, i)))
			}
			watchRuns(t, address, fmt.Sprint("watcher-", w), runs, loggedEvents)
		})
	}
	all.Wait()
	checkPeak("watched runs with full logs")
	greedy, err := hostile.NewCaller(address)
	if err != nil {
		t.Fatal(err)
	}
	defer greedy.Close()
	for i := range 10 {
		all.Go(func() {
			key := fmt.Sprint("known-", i)
			caller := program.NewTenant(t, address, key)
			caller.Send(t, caller.Session, program.ToolCall("list_runs", map[string]any{}), nil) // the API accepts the key
			for range 20 {
				greedy.LeaveArrayUnread(t.Context(), key)
			}
		})
	}
	all.Wait()
	checkPeak("arrays whose answers are not read")
	for i := range 8 {
		all.Go(func() { getLargeRun(t, address, fmt.Sprint("reader-", i)) })
	}
	all.Wait()
	checkPeak("large answers")
}

// longRuns is an API on which every run has so many events, of 700 bytes each, and goes
// on without another; the run largeRun has 14 MiB of them.
func longRuns(events int) http.Handler {
	eventsOf := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"id":%d,"event":"step","runStatus":"RUNNING","timestamp":"2026-01-01T00:00:20Z","step":{"text":%q}}`, i+1, strings.Repeat("many words ", 55)))
		}
		return strings.Join(list, ",")
	}
	long, large := eventsOf(events), eventsOf(20_000)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch id := path.Base(r.URL.Path); {
		case id == "sse":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, ": open\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case id == "runs":
			fmt.Fprint(w, "[]")
		case id == largeRun:
			fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[%s]}`, id, large)
		default:
			fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[%s]}`, id, long)
		}
	})
}

// getLargeRun calls get_run for largeRun. The call may be refused, because others hold
// all bytes.
func getLargeRun(t *testing.T, address, key string) {
	caller := &program.Tenant{URL: address, Key: key}
	_, _, header := caller.Send(t, "", program.Initialize, nil)
	status, answer := sendPatiently(t, caller, header.Get("Mcp-Session-Id"), program.ToolCall("get_run", map[string]any{"runId": largeRun}))
	if status != http.StatusTooManyRequests && (status != http.StatusOK || !strings.Contains(answer, largeRun)) {
		t.Errorf("%d: %.300s", status, answer)
	}
}

// maxIdleConnection is the most resident memory of an idle connection, in bytes: 20 KiB
// are planned (internal/memory), and garbage comes on top.
const maxIdleConnection = 28 << 10

// TestIdleConnections holds what a connection of a known caller takes between requests.
func TestIdleConnections(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is read from /proc, which only Linux has")
	}
	if race.Enabled() {
		t.Skip("the race detector takes many times the memory")
	}
	const connections = 2_000
	api := httptest.NewServer(longRuns(1))
	t.Cleanup(api.Close)
	process, address := program.StartHTTP(t, "", "--api-url", api.URL)
	defer program.WaitExit(t, process)
	defer process.Process.Kill()
	caller := program.NewTenant(t, address, "known")
	caller.Send(t, caller.Session, program.ToolCall("list_runs", map[string]any{}), nil)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	const message = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nx-api-key: known\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMcp-Session-Id: %s\r\nContent-Length: %d\r\n\r\n%s",
		u.Path, caller.Session, len(message), message)
	before := readUsage(t, process)
	for range connections {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		answer := make([]byte, 4096)
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200") {
			t.Fatalf("%s, %v", answer[:n], err)
		}
	}
	each := (readUsage(t, process).now - before.now) / connections
	t.Logf("%d idle connections: %.1f KiB each", connections, float64(each)/1024)
	if each > maxIdleConnection {
		t.Errorf("an idle connection takes %d bytes, want at most %d", each, maxIdleConnection)
	}
}
