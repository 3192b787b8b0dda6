package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/program"
)

// largeSize is how large the answers are, in bytes: close to the bound of 16 MiB.
const largeSize = 15 << 20

const largeRun = "123e4567-e89b-12d3-a456-426614174000"

// repeated is an answer in which an item is repeated to the full size.
type repeated struct{ before, item, separator, after string }

func (r repeated) String() string {
	n := (largeSize - len(r.before) - len(r.after)) / (len(r.item) + len(r.separator))
	return r.before + strings.Repeat(r.item+r.separator, n-1) + r.item + r.after
}

// ofRun is a run that holds something in its fields.
func ofRun(before, item, separator, after string) repeated {
	return repeated{`{"runId":"` + largeRun + `","status":"SUCCESS",` + before, item, separator, after + `}`}
}

// largeShapes are the answers that cost the most to read: some hold millions of
// values.
var largeShapes = map[string]repeated{
	"small objects":   ofRun(`"result":[`, `{"id":1,"ok":true}`, `,`, `]`),
	"empty names":     ofRun(`"result":[`, `{"":0}`, `,`, `]`),
	"one object":      ofRun(`"result":{`, `"a":0`, `,`, `}`),
	"names":           ofRun(`"result":{"a":0`, `,"bcdefgh":0`, ``, `}`),
	"deep":            ofRun(`"result":[`, strings.Repeat(`[`, 9_000)+strings.Repeat(`]`, 9_000), `,`, `]`),
	"deep fields":     ofRun(`"result":`+strings.Repeat(`{"a":`, 50)+`[`, `0`, `,`, `]`+strings.Repeat(`}`, 50)),
	"a string":        ofRun(`"result":"`, `many words `, ``, `"`),
	"escapes":         ofRun(`"result":"`, `many words\n`, ``, `"`),
	"tiny events":     ofRun(`"result":1,"events":[`, `{}`, `,`, `]`),
	"small events":    ofRun(`"result":1,"events":[`, `{"id":1,"ok":true}`, `,`, `]`),
	"events":          ofRun(`"result":1,"events":[`, `{"event":"step","data":{"runStatus":"RUNNING","timestamp":"2026-01-01T00:00:00.000Z","step":{"reason":"because","text":"it looked","approval":"NOT_REQUIRED"}}}`, `,`, `]`),
	"links":           ofRun(`"result":1,"events":[`, `{"approvalActions":[{"url":"?token=12345678"}]}`, `,`, `]`),
	"calls":           ofRun(`"result":1,"events":[{"step":{"toolCalls":[`, `{}`, `,`, `]}}]`),
	"an intent":       ofRun(`"intent":"`, `many words\n`, ``, `"`),
	"a list of {}":    {`[`, `{}`, `,`, `]`},
	"a list of runs":  {`[`, `{"runId":"` + largeRun + `","status":"RUNNING","events":[{},{},{}]}`, `,`, `]`},
	"a list's events": {`[{"runId":"` + largeRun + `","events":[`, `{}`, `,`, `]}]`},
}

// largeCalls are the calls that read an answer.
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

// usage is what a process took so far, as the kernel counts it.
type usage struct {
	now, peak int // resident bytes
	cpu       time.Duration
}

func usageSoFar(t *testing.T, process *exec.Cmd) (u usage) {
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
	for _, ticks := range strings.Fields(rest)[11:13] { // user and system time, in hundredths of a second
		n, _ := strconv.Atoi(ticks)
		u.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	return u
}

// largeTime bounds the processor time of one call. On an idle machine none takes
// half of it; where others use the same core the kernel counts more.
const largeTime = 2 * time.Second

// underRace reports whether the race detector is built in, which takes many times
// the memory.
func underRace() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestLargeAnswers: reading a large answer of the API costs at most three times
// its size and 32 MiB of memory, and little time, whatever it holds; four at once
// cost four times that at most.
func TestLargeAnswers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is read from /proc, which only Linux has")
	}
	if underRace() {
		t.Skip("the race detector takes many times the memory")
	}
	for shape, repeated := range largeShapes {
		answer := []byte(repeated.String())
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(answer)
		}))
		t.Cleanup(api.Close)
		for name, message := range largeCalls(shape) {
			t.Run(shape+"/"+name, func(t *testing.T) { costs(t, api.URL, message, 1) })
			if name == "get_run" || name == "list_runs" {
				t.Run(shape+"/"+name+"/four", func(t *testing.T) { costs(t, api.URL, message, 4) })
			}
		}
	}
}

// costs holds so many calls at once in a process of their own to their bounds.
func costs(t *testing.T, api, message string, at int) {
	t.Parallel()
	process, url := program.StartHTTP(t, "", "--api-url", api)
	defer program.WaitEnd(t, process)
	defer process.Process.Kill()
	callers := make([]*program.Tenant, at)
	for i := range callers {
		callers[i] = program.NewTenant(t, url, "a-key-of-somebody")
	}
	before := usageSoFar(t, process)
	var calls sync.WaitGroup
	for _, me := range callers {
		calls.Go(func() {
			if status, answer, _ := me.Send(t, me.Session, message, nil); status != http.StatusOK || strings.Contains(answer, `"isError":true`) || strings.Contains(answer, `"error":`) {
				t.Errorf("%d, %.300s", status, answer)
			}
		})
	}
	calls.Wait()
	after := usageSoFar(t, process)
	memory, cpu := after.peak-before.now, (after.cpu-before.cpu)/time.Duration(at)
	t.Logf("%s: %d MiB, %s of processor time each", t.Name(), memory>>20, cpu)
	if most := at * (3*largeSize + 32<<20); memory > most {
		t.Errorf("it costs %d MiB of memory, want at most %d", memory>>20, most>>20)
	}
	if cpu > largeTime {
		t.Errorf("it costs %s of processor time", cpu)
	}
}
