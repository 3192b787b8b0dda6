package canary

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/otlp"
)

// observed is what an operator sees of the servers, beside their logs.
type observed struct {
	collector         *otlp.Receiver
	env               map[string]string // has the servers export to the collector
	auditLog, logFile string            // paths
	pages             []string          // URLs of metrics
}

func newObserved(t *testing.T) *observed {
	o := &observed{collector: otlp.New(t), auditLog: filepath.Join(t.TempDir(), "audit.log"), logFile: filepath.Join(t.TempDir(), "log")}
	o.env = o.collector.Env()
	o.env["OTEL_BSP_SCHEDULE_DELAY"], o.env["OTEL_METRIC_EXPORT_INTERVAL"] = "200", "500"
	for name, value := range o.env { // what the exporters read themselves
		t.Setenv(name, value)
	}
	return o
}

// addPage returns a free address for the metrics of one more server.
func (o *observed) addPage(t *testing.T) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o.pages = append(o.pages, "http://"+l.Addr().String()+"/metrics")
	return l.Addr().String()
}

// awaitExports waits until the collector has received nothing new for a second: the
// servers export every half.
func (o *observed) awaitExports() {
	for last, since := -1, time.Now(); time.Since(since) < time.Second; time.Sleep(50 * time.Millisecond) {
		if n := len(o.collector.Spans()); n != last {
			last, since = n, time.Now()
		}
	}
}

// check fails the test if any of it has a canary, or lacks what was done.
func (o *observed) check(t *testing.T, s *scanner) {
	o.awaitExports()
	all := map[string]string{"what was exported": o.collector.Text()}
	for _, path := range []string{o.auditLog, o.logFile} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = string(text)
	}
	for _, page := range o.pages {
		resp, err := http.Get(page)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		all[page] = string(text)
	}
	exports := []string{
		`"tools/call create_run"`, `"tools/call approve"`, `"resources/read"`, `"POST /mcp"`, `"POST /v1/runs"`, `"GET /v1/runs/:approval"`, `"GET /v1/runs/:runId"`,
		`"runs_mcp.decisions"`, `"mcp.server.operation.duration"`,
	}
	for where, wanted := range map[string][]string{
		"what was exported": exports, o.pages[0]: {"runs_mcp_tool_calls_total{", "runs_mcp_questions_total{"}, o.pages[1]: {`runs_mcp_decisions_total{channel="agent"`},
		"audit.log": {`"channel":"client"`, `"channel":"agent"`, `"action":"create"`, `"action":"abort"`, `"tools":["(not shown)"]`}, "log": {`msg="a tool was called"`, `msg="a tool call failed"`},
	} {
		for _, want := range wanted {
			if !strings.Contains(all[where], want) {
				t.Errorf("%s lacks %s", where, want)
			}
		}
	}
	for where, text := range all {
		s.requireNone(t, where, text)
	}
}
