package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/race"
)

// largeSize is the size of the answers in bytes, close to the limit of 16 MiB.
const largeSize = 15 << 20

const largeRun = "123e4567-e89b-12d3-a456-426614174000"

// TestLargeAnswers holds that a call that reads a large answer of the API costs at most
// mostMemory, 3 times the answer's size plus 32 MiB for most, and at most maxLargeTime. Four calls
// at once cost at most four times as much; that is tried with the answers that cost the
// most memory.
func TestLargeAnswers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is read from /proc, which only Linux has")
	}
	if race.Enabled() {
		t.Skip("the race detector takes many times the memory")
	}
	t.Parallel()
	for shape, repeated := range largeShapes {
		answer := []byte(repeated.String())
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(answer)
		}))
		t.Cleanup(api.Close)
		for name, message := range largeCalls(shape) {
			t.Run(shape+"/"+name, func(t *testing.T) { checkCost(t, api.URL, message, 1, mostMemory(shape)) })
			if slices.Contains([]string{"links", "one object", "small events", "a list's events"}, shape) && (name == "get_run" || name == "list_runs") {
				t.Run(shape+"/"+name+"/four", func(t *testing.T) { checkCost(t, api.URL, message, 4, mostMemory(shape)) })
			}
		}
	}
}

// mostMemory is what a call that reads an answer may cost, in bytes. Events with a link
// each cost more, because every token is kept, and so does a text of escapes alone, which
// is decoded while it is searched for secrets (docs/limits.md).
func mostMemory(shape string) int {
	switch shape {
	case "links", "backslashes":
		return 100 << 20
	case "percent signs":
		return 140 << 20
	}
	return 3*largeSize + 32<<20
}

// checkCost makes n calls at once in a new process and checks what they cost. Each may
// cost most bytes of memory.
func checkCost(t *testing.T, api, message string, n, most int) {
	process, url := program.StartHTTP(t, "", "--api-url", api)
	defer program.WaitExit(t, process)
	defer process.Process.Kill()
	callers := make([]*program.Tenant, n)
	for i := range callers {
		callers[i] = program.NewTenant(t, url, "a-key-of-somebody")
	}
	before := readUsage(t, process)
	var calls sync.WaitGroup
	for _, me := range callers {
		calls.Go(func() {
			status, answer := sendPatiently(t, me, me.Session, message)
			if status != http.StatusOK || strings.Contains(answer, `"isError":true`) || strings.Contains(answer, `"error":`) {
				t.Errorf("%d, %.300s", status, answer)
			}
		})
	}
	calls.Wait()
	after := readUsage(t, process)
	memory, cpu := after.peak-before.now, (after.cpu-before.cpu)/time.Duration(n)
	t.Logf("%s: %d MiB, %s of processor time each", t.Name(), memory>>20, cpu)
	if memory > n*most {
		t.Errorf("the calls cost %d MiB of memory, want at most %d", memory>>20, n*most>>20)
	}
	if cpu > maxLargeTime {
		t.Errorf("a call costs %s of processor time", cpu)
	}
}

// sendPatiently sends a message until it is answered in time. On a busy machine reading a
// large answer may take longer than a call has.
func sendPatiently(t *testing.T, c *program.Tenant, session, message string) (status int, answer string) {
	for giveUp := time.Now().Add(program.ExitTimeout); time.Now().Before(giveUp); {
		status, answer, _ = c.Send(t, session, message, nil)
		if !strings.Contains(answer, `"code":"timeout"`) {
			break
		}
	}
	return status, answer
}

// repeatedAnswer is an answer that repeats an item up to largeSize.
type repeatedAnswer struct{ before, item, separator, after string }

func (r repeatedAnswer) String() string {
	n := (largeSize - len(r.before) - len(r.after)) / (len(r.item) + len(r.separator))
	return r.before + strings.Repeat(r.item+r.separator, n-1) + r.item + r.after
}

// runWith returns the answer of a run with more fields.
func runWith(before, item, separator, after string) repeatedAnswer {
	return repeatedAnswer{`{"runId":"` + largeRun + `","status":"SUCCESS",` + before, item, separator, after + `}`}
}

// largeShapes are the answers that cost the most to read. Some hold millions of values.
var largeShapes = map[string]repeatedAnswer{
	"small objects":   runWith(`"result":[`, `{"id":1,"ok":true}`, `,`, `]`),
	"empty names":     runWith(`"result":[`, `{"":0}`, `,`, `]`),
	"one object":      runWith(`"result":{`, `"a":0`, `,`, `}`),
	"names":           runWith(`"result":{"a":0`, `,"bcdefgh":0`, ``, `}`),
	"deep":            runWith(`"result":[`, strings.Repeat(`[`, 9_000)+strings.Repeat(`]`, 9_000), `,`, `]`),
	"deep fields":     runWith(`"result":`+strings.Repeat(`{"a":`, 50)+`[`, `0`, `,`, `]`+strings.Repeat(`}`, 50)),
	"a string":        runWith(`"result":"`, `many words `, ``, `"`),
	"escapes":         runWith(`"result":"`, `many words\n`, ``, `"`),
	"percent signs":   runWith(`"result":"`, `%`, ``, `"`),
	"backslashes":     runWith(`"result":"`, `\\\\`, ``, `"`),
	"tiny events":     runWith(`"result":1,"events":[`, `{}`, `,`, `]`),
	"small events":    runWith(`"result":1,"events":[`, `{"id":1,"ok":true}`, `,`, `]`),
	"events":          runWith(`"result":1,"events":[`, `{"event":"step","data":{"runStatus":"RUNNING","timestamp":"2026-01-01T00:00:00.000Z","step":{"reason":"because","text":"it looked","approval":"NOT_REQUIRED"}}}`, `,`, `]`),
	"links":           runWith(`"result":1,"events":[`, `{"approvalActions":[{"url":"?token=12345678"}]}`, `,`, `]`),
	"calls":           runWith(`"result":1,"events":[{"step":{"toolCalls":[`, `{}`, `,`, `]}}]`),
	"an intent":       runWith(`"intent":"`, `many words\n`, ``, `"`),
	"a list of {}":    {`[`, `{}`, `,`, `]`},
	"a list of runs":  {`[`, `{"runId":"` + largeRun + `","status":"RUNNING","events":[{},{},{}]}`, `,`, `]`},
	"a list's events": {`[{"runId":"` + largeRun + `","events":[`, `{}`, `,`, `]}]`},
}

// largeCalls returns the messages that read an answer, by name.
func largeCalls(shape string) map[string]string {
	if strings.HasPrefix(shape, "a list") {
		return map[string]string{
			"list_runs":      program.ToolCall("list_runs", map[string]any{"includeEvents": true}),
			"resources/list": `{"jsonrpc":"2.0","id":1,"method":"resources/list"}`,
		}
	}
	read := func(part string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + largeRun + part + `"}}`
	}
	return map[string]string{
		"get_run": program.ToolCall("get_run", map[string]any{"runId": largeRun, "includeToolCalls": true}),
		"result":  read("/result"), "events": read("/events"),
	}
}

// usage is what a process has used so far, as counted by the kernel.
type usage struct {
	now, peak int // resident bytes
	cpu       time.Duration
}

func readUsage(t *testing.T, process *exec.Cmd) (u usage) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", process.Process.Pid)
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		switch kib, _ := strconv.Atoi(fields[min(1, len(fields)-1)]); fields[0] {
		case "VmRSS:":
			u.now = kib << 10
		case "VmHWM:":
			u.peak = kib << 10
		}
	}
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	for _, ticks := range strings.Fields(rest)[11:13] { // user and system time in 10 ms
		n, _ := strconv.Atoi(ticks)
		u.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	return u
}

// maxLargeTime is the most processor time of one call. On an idle machine a call takes
// at most 1 s; the kernel counts more on a busy one. A reader whose cost grows faster
// than its input takes minutes.
const maxLargeTime = 5 * time.Second
