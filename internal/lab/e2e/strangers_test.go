package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"runs-mcp-server/internal/lab/hostile"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/race"
	"runs-mcp-server/internal/sandbox"
)

// mostOfStrangers is what strangers together may cost, in bytes of resident memory.
const mostOfStrangers = 64 << 20

// manyAtOnce is how many strangers attack at once: more than there are places for.
// Those that send a megabyte each are a hundred: the API is asked about each of their keys.
const manyAtOnce, manyLarge = 600, 100

// attacks are what strangers send, each of many at once. They leave what they opened
// open until the end.
var attacks = map[string]hostile.Attack{
	"arrays in sessions":        (*hostile.Caller).SendArray,
	"arrays of one stranger":    func(c *hostile.Caller, ctx context.Context, _ string) { c.SendArray(ctx, "one-stranger") },
	"answers that are not read": (*hostile.Caller).LeaveArrayUnread,
	"large initializes":         (*hostile.Caller).SendLargeInitialize,
	"many values in initialize": (*hostile.Caller).SendManyValues,
	"bodies without an end":     (*hostile.Caller).LeaveBodyOpen,
	"headers without an end":    (*hostile.Caller).LeaveHeaderOpen,
	"idle connections":          (*hostile.Caller).LeaveConnectionSilent,
	"streams of GET":            (*hostile.Caller).LeaveStreamUnread,
	"arguments of a megabyte":   (*hostile.Caller).CallWithLargeArgument,
	"arguments of many values":  (*hostile.Caller).CallWithManyValues,
	"ids of 900 KB":             (*hostile.Caller).CallWithLargeID,
}

// largeAttacks are those that send a megabyte each.
var largeAttacks = []string{"large initializes", "arguments of a megabyte", "arguments of many values", "ids of 900 KB"}

// TestStrangers holds that callers whose key the API has not accepted cost at most 64
// MiB together, whatever they send, and that a caller whom the API knows is served
// meanwhile and afterwards.
func TestStrangers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is read from /proc, which only Linux has")
	}
	if race.Enabled() {
		t.Skip("the race detector takes many times the memory")
	}
	box := startSandbox(t)
	var all []hostile.Attack
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		all = append(all, attacks[name])
	}
	tests := map[string][]hostile.Attack{"all at once": all}
	for name, attack := range attacks {
		tests[name] = []hostile.Attack{attack}
	}
	for name, attacks := range tests {
		t.Run(name, func(t *testing.T) {
			process, url := program.StartHTTP(t, "", "--api-url", box.URL(), "--user-id", "u", "--integrations", "*")
			defer program.WaitExit(t, process)
			defer process.Process.Kill()
			good := program.NewTenant(t, url, sandbox.DefaultKey)
			listRuns := func(when string) {
				if status, answer, _ := good.Send(t, good.Session, program.ToolCall("list_runs", map[string]any{}), nil); status != http.StatusOK || !strings.Contains(answer, `"runs"`) {
					t.Errorf("a good caller %s: %d %.300s", when, status, answer)
				}
			}
			listRuns("before")
			before := readUsage(t, process)
			strangers, err := hostile.NewCaller(url)
			if err != nil {
				t.Fatal(err)
			}
			defer strangers.Close()
			var sending sync.WaitGroup
			n := manyAtOnce
			if slices.Contains(largeAttacks, name) {
				n = manyLarge
			}
			for i := range n {
				sending.Go(func() { attacks[i%len(attacks)](strangers, t.Context(), fmt.Sprint("stranger-", i)) })
				if i%50 == 49 {
					listRuns("meanwhile")
				}
			}
			sending.Wait()
			listRuns("afterwards")
			after := readUsage(t, process)
			t.Logf("%d MiB at most, %d MiB at the end", (after.peak-before.now)>>20, (after.now-before.now)>>20)
			if cost := after.peak - before.now; cost > mostOfStrangers {
				t.Errorf("strangers cost %d MiB", cost>>20)
			}
		})
	}
}

// TestLargeFirstCall: a large message may be the first that a good key sends, as after a
// restart. Another key is refused.
func TestLargeFirstCall(t *testing.T) {
	box := startSandbox(t, "good-key")
	for key, want := range map[string]int{"good-key": http.StatusOK, "other-key": http.StatusRequestEntityTooLarge} {
		url := program.ServeHTTP(t, io.Discard, nil, "--api-url", box.URL())
		c := program.NewTenant(t, url, key)
		call := program.ToolCall("create_run", map[string]any{"intent": "x", "context": strings.Repeat("many words ", 10_000), "selectedCustomerIntegrationIds": []string{"*"}, "userId": "u"})
		status, body, _ := c.Send(t, c.Session, call, nil)
		if status != want || want == http.StatusOK && !strings.Contains(body, "runId") {
			t.Errorf("%s: %d %s", key, status, body)
		}
	}
}
