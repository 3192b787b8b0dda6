package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/race"
	"runs-mcp-server/internal/sandbox"
)

// TestHungUpSubscriber: the upstream stream of a client that subscribed and hung up
// without DELETE is closed within 30 s. It is opened again when the client comes back,
// which is told that the run may have changed.
func TestHungUpSubscriber(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex // guards open
	open := 0         // upstream streams
	changed := make(chan int, 100)
	count := func(more int) {
		mu.Lock()
		defer mu.Unlock()
		open += more
		changed <- open
	}
	box, err := url.Parse(startSandbox(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(box) }, FlushInterval: -1}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == "text/event-stream" {
			count(1)
			defer count(-1)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	process, address := program.StartHTTP(t, "", "--api-url", api.URL, "--user-id", "u", "--integrations", "*")
	defer program.WaitExit(t, process)
	defer process.Process.Kill()

	c := program.NewTenant(t, address, sandbox.DefaultKey)
	c.CreateRun(t, "queue_ms=600000")
	runID := c.Runs[0]
	awaitStreams := func(want int, within time.Duration) (took time.Duration) {
		t.Helper()
		start, timeUp := time.Now(), time.After(within)
		for {
			select {
			case n := <-changed:
				if n == want {
					return time.Since(start)
				}
			case <-timeUp:
				t.Fatalf("not %d streams are open after %s", want, within)
			}
		}
	}
	get := c.Do(t.Context(), t, http.MethodGet, c.Session, "", nil)
	subscribe := fmt.Sprintf(`{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"run://%s"}}`, runID)
	if _, answer, _ := c.Send(t, c.Session, subscribe, nil); !strings.Contains(answer, `"result"`) {
		t.Fatal(answer)
	}
	awaitStreams(1, 10*time.Second)
	get.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	t.Logf("closed after %s", awaitStreams(0, 30*time.Second))
	next := c.Stream(t, "", nil)
	if got := next(); !strings.Contains(got, "notifications/resources/updated") || !strings.Contains(got, runID) {
		t.Errorf("the client that came back got %s", got)
	}
	awaitStreams(1, 10*time.Second)
}

// TestManySessionsOfOneKey: clients that never send DELETE do not lock their key out.
func TestManySessionsOfOneKey(t *testing.T) {
	t.Parallel()
	process, address := program.StartHTTP(t, "", "--api-url", startSandbox(t).URL())
	defer program.WaitExit(t, process)
	defer process.Process.Kill()
	c := program.NewTenant(t, address, sandbox.DefaultKey)
	if status, answer, _ := c.Send(t, c.Session, program.ToolCall("list_runs", map[string]any{}), nil); status != http.StatusOK {
		t.Fatal(answer)
	}
	for range 600 {
		c = program.NewTenant(t, address, sandbox.DefaultKey)
	}
	if status, answer, _ := c.Send(t, c.Session, program.ToolCall("list_runs", map[string]any{}), nil); status != http.StatusOK || !strings.Contains(answer, `"runs"`) {
		t.Error(answer)
	}
}

// TestLongTokens: calls with progress tokens of 900 KB are refused and cost nothing,
// even those of a caller whom the API knows; tokens of 1 KiB are served.
func TestLongTokens(t *testing.T) {
	if runtime.GOOS != "linux" || race.Enabled() {
		t.Skip("the memory of a process is read from /proc, which only Linux has; the race detector takes many times as much")
	}
	process, address := program.StartHTTP(t, "", "--api-url", startSandbox(t).URL(), "--user-id", "u", "--integrations", "*")
	defer program.WaitExit(t, process)
	defer process.Process.Kill()
	c := program.NewTenant(t, address, sandbox.DefaultKey)
	c.CreateRun(t, "steps=100 queue_ms=200")
	runID := c.Runs[0]
	call := func(token string) (int, string) {
		message := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_run","arguments":{"runId":%q,"waitSeconds":5},"_meta":{"progressToken":%q}}}`, runID, token)
		session := program.NewTenant(t, address, sandbox.DefaultKey).Session
		status, answer, _ := c.Send(t, session, message, nil)
		return status, answer
	}
	before := readUsage(t, process)
	var calls sync.WaitGroup
	for range 12 {
		calls.Go(func() {
			if status, answer := call(strings.Repeat("t", 900<<10)); status != http.StatusBadRequest || !strings.Contains(answer, "progressToken must be a string or an integer of at most 1024 bytes") {
				t.Errorf("%d %.200s", status, answer)
			}
			if status, answer := call(strings.Repeat("t", 1000)); status != http.StatusOK || !strings.Contains(answer, runID) {
				t.Errorf("%d %.200s", status, answer)
			}
		})
	}
	calls.Wait()
	after := readUsage(t, process)
	t.Logf("%d MiB", (after.peak-before.now)>>20)
	if cost := after.peak - before.now; cost > mostOfStrangers {
		t.Errorf("they cost %d MiB", cost>>20)
	}
}
