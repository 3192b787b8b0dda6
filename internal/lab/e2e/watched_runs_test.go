package e2e

import (
	"flag"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/race"
	"runs-mcp-server/internal/sandbox"
)

const (
	// maxWatchedRun is the most resident memory of a watched run, in bytes. Usually it
	// takes 48 KiB. How much garbage there is at the end of the test varies.
	maxWatchedRun = 56 << 10
	// runsPerClient is how many runs one client watches: as many as a session may.
	runsPerClient = 1000
)

var watchedRuns = flag.Int("watched", 1000, "how many runs TestWatchedRuns watches, up to 4,000")

// TestWatchedRuns holds that a watched run with four events takes at most
// maxWatchedRun. It measures the server's process from outside, and its upstream is in
// another process. One run is watched before, so that the code is in memory.
func TestWatchedRuns(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is read from /proc, which only Linux has")
	}
	if race.Enabled() {
		t.Skip("the race detector takes many times the memory")
	}
	var keys []string
	for i := range (*watchedRuns + runsPerClient - 1) / runsPerClient {
		keys = append(keys, fmt.Sprintf("key-of-a-watcher-%06d", i))
	}
	box := startSandbox(t, append(keys, ownKey)...)
	runs := createRuns(t, box, keys, *watchedRuns)
	process, url := program.StartHTTP(t, "", "--api-url", box.URL(), "--memory", "2GiB")
	defer program.WaitExit(t, process)
	defer process.Process.Kill()
	watchRuns(t, url, ownKey, createRuns(t, box, []string{ownKey}, 1)[ownKey], 4)
	before := readUsage(t, process)
	var clients sync.WaitGroup
	for _, key := range keys {
		clients.Go(func() { watchRuns(t, url, key, runs[key], 4) })
	}
	clients.Wait()
	after := readUsage(t, process)
	if n := box.Sandbox().Stats().OpenStreams; n != *watchedRuns+1 {
		t.Errorf("%d upstream streams are open", n)
	}
	each := (after.now - before.now) / *watchedRuns
	t.Logf("%d watched runs: %.1f KiB each, %d MiB in all", *watchedRuns, float64(each)/1024, after.now>>20)
	if each > maxWatchedRun {
		t.Errorf("a watched run takes %d bytes of memory, want at most %d", each, maxWatchedRun)
	}
}

// createRuns creates n runs, evenly for the keys. Each has four events at once, and
// then none for an hour.
func createRuns(t *testing.T, box *sandbox.Server, keys []string, n int) map[string][]client.RunID {
	t.Helper()
	api, err := client.New(client.Options{URL: box.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	runs := map[string][]client.RunID{}
	for i := range n {
		key := keys[i%len(keys)]
		run, err := api.CreateRun(t.Context(), client.Caller{Key: client.Key(key)}, client.CreateRunRequest{
			Intent: "x", Integrations: []string{"*"}, UserID: "u", Context: "sandbox: queue_ms=0 auth=required auth_ms=0 step_ms=3600000",
		})
		if err != nil {
			t.Fatal(err)
		}
		runs[key] = append(runs[key], run.RunID)
	}
	return runs
}

// watchRuns subscribes to the events of runs, in one session, and waits for the update
// of each that shows the last event.
func watchRuns(t *testing.T, url, key string, runs []client.RunID, last int) {
	me := program.NewTenant(t, url, key)
	next := me.Stream(t, "", nil)
	for _, id := range runs {
		uri := "run://" + string(id) + "/events"
		message := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":%q}}`, uri)
		if status, body, _ := me.Send(t, me.Session, message, nil); status != http.StatusOK || !strings.Contains(body, `"result":{}`) {
			t.Errorf("%s: got %s", uri, body)
			return
		}
	}
	for complete := map[string]bool{}; len(complete) < len(runs); {
		message := next()
		if message == "" {
			t.Error("the stream has ended")
			return
		}
		if n := decodeNotification(t, message); n.Params.Meta.LastEventID == last {
			complete[n.Params.URI] = true
		}
	}
}
