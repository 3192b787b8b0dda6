package e2e

import (
	"bytes"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"runs-mcp-server/internal/lab/otlp"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
)

// tracedSandbox is a sandbox whose log shows the traceparent of requests.
func tracedSandbox(t *testing.T) (box *sandbox.Server, log *testbed.Buffer) {
	t.Helper()
	log = new(testbed.Buffer)
	box, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	return box, log
}

// exportTo has processes that are started from now on export to a receiver.
func exportTo(t *testing.T) *otlp.Receiver {
	t.Helper()
	r := otlp.New(t)
	for name, value := range r.Env() {
		t.Setenv(name, value)
	}
	return r
}

// stop ends a process.
func stop(t *testing.T, command *exec.Cmd) {
	t.Helper()
	command.Process.Signal(syscall.SIGTERM)
	if code := program.WaitExit(t, command); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

const (
	headerTrace = "0af7651916cd43dd8448eb211c80319c"
	metaTrace   = "4bf92f3577b34da6a3ce929d0e0e4736"
)

// createWithMeta is a create_run of 2026-07-28 with a member of _meta.
func createWithMeta(member string) string {
	return `{"jsonrpc":"2.0","id":"abc","method":"tools/call","params":{"name":"create_run","arguments":{"intent":"x","userId":"u","context":"sandbox: step_ms=0"},
		"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"raw","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}` + member + `}}}`
}

// stateless are the headers of a create_run of 2026-07-28.
func stateless(more map[string]string) map[string]string {
	all := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "create_run"}
	maps.Copy(all, more)
	return all
}

// TestTraceToTheAPI holds that a trace that a client begins, in a header or in _meta,
// reaches the API, with the spans of the conventions on its way. That of _meta counts if
// both are there.
func TestTraceToTheAPI(t *testing.T) {
	box, log := tracedSandbox(t)
	collector := exportTo(t)
	command, endpoint := program.StartHTTP(t, "", "--api-url", box.URL(), "--integrations=*", "--drain=0s")
	me := &program.Tenant{URL: endpoint, Key: sandbox.DefaultKey}
	header := map[string]string{"traceparent": "00-" + headerTrace + "-b7ad6b7169203331-01", "baggage": "who=me"}
	for _, meta := range []string{"", `,"traceparent":"00-` + metaTrace + `-00f067aa0ba902b7-01","tracestate":"a=b","baggage":"who=you"`} {
		if status, answer, _ := me.Send(t, "", createWithMeta(meta), stateless(header)); status != 200 || !strings.Contains(answer, `"runId"`) {
			t.Fatalf("%d: %s", status, answer)
		}
	}
	stop(t, command)
	for _, trace := range []string{headerTrace, metaTrace} {
		if !regexp.MustCompile(`method=POST route=/v1/runs traceparent=00-` + trace + `-[0-9a-f]{16}-01`).MatchString(log.String()) {
			t.Errorf("no request of the trace %s at the API:\n%s", trace, log)
		}
	}
	spans := map[string]otlp.Span{} // by name and trace
	for _, s := range collector.Spans() {
		spans[s.Name+" "+s.TraceID] = s
	}
	find := func(name, trace string) otlp.Span {
		t.Helper()
		s, ok := spans[name+" "+trace]
		if !ok {
			t.Errorf("no span %s of %s; there are %q", name, trace, slices.Sorted(maps.Keys(spans)))
		}
		return s
	}
	const tool, post, upstream = "tools/call create_run", "POST /mcp", "POST /v1/runs"
	first, second := find(tool, headerTrace), find(tool, metaTrace)
	if outer := find(post, headerTrace); outer.Parent != "b7ad6b7169203331" || first.Parent == "" {
		t.Errorf("the HTTP span has the parent %q, the MCP span %q", outer.Parent, first.Parent)
	}
	if second.Parent != "00f067aa0ba902b7" || len(second.Links) != 1 {
		t.Errorf("the span of _meta has the parent %q and links %q", second.Parent, second.Links)
	}
	for _, s := range []otlp.Span{first, second} {
		if sent := find(upstream, s.TraceID); sent.Parent != s.ID {
			t.Errorf("the request to the API has the parent %q, want %q", sent.Parent, s.ID)
		}
		run := s.Attributes["runs_mcp.run.id"]
		delete(s.Attributes, "runs_mcp.run.id")
		want := map[string]string{
			"mcp.method.name": "tools/call", "gen_ai.tool.name": "create_run", "gen_ai.operation.name": "execute_tool", "jsonrpc.request.id": "abc",
			"mcp.protocol.version": "2026-07-28", "network.transport": "tcp", "runs_mcp.outcome": "ok",
		}
		if !maps.Equal(s.Attributes, want) || len(run) != 36 || s.Failed {
			t.Errorf("the span has %v", s.Attributes)
		}
	}
	if !strings.Contains(collector.Text(), `"mcp.server.operation.duration"`) {
		t.Error("no duration was exported")
	}
}

// TestTraceOverStdio holds the same of _meta over stdio, that failures are marked, and
// that names that a client makes up make no span of their own.
func TestTraceOverStdio(t *testing.T) {
	box, log := tracedSandbox(t)
	collector := exportTo(t)
	t.Setenv("OTEL_METRICS_EXPORTER", "console") // would spoil standard output
	command := exec.Command(program.Executable(t), "--api-url", box.URL(), "--integrations=*")
	command.Env = append(os.Environ(), "TR_API_KEY="+sandbox.DefaultKey)
	in, out := program.StartPiped(t, command)
	answered := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(out)
		answered <- string(text)
	}()
	for _, message := range []string{
		strings.ReplaceAll(createWithMeta(`,"traceparent":"00-`+metaTrace+`-00f067aa0ba902b7-01"`), "\n", ""),
		strings.NewReplacer("\n", "", "create_run", "made_up", `"abc"`, "2").Replace(createWithMeta(`,"traceparent":7`)),
		strings.NewReplacer("\n", "", `"intent":"x"`, `"intent":" "`, `"abc"`, "3").Replace(createWithMeta("")),
	} {
		if _, err := io.WriteString(in, message+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	if text := <-answered; strings.Count(text, "\n") != 3 || strings.Contains(text, "Resource") {
		t.Errorf("standard output holds %s", text)
	}
	if code := program.WaitExit(t, command); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(log.String(), "traceparent=00-"+metaTrace) {
		t.Errorf("no request of the trace at the API:\n%s", log)
	}
	found := map[string]string{}
	for _, s := range collector.Spans() {
		if s.Attributes["mcp.method.name"] != "" {
			found[s.Name+" "+s.Attributes["error.type"]] = s.Attributes["network.transport"] + " " + s.Attributes["runs_mcp.outcome"]
			if s.Failed != (s.Attributes["error.type"] != "") {
				t.Errorf("%s: failed %t", s.Name, s.Failed)
			}
		}
	}
	if want := map[string]string{"tools/call create_run ": "pipe ok", "tools/call other -32602": "pipe ", "tools/call create_run tool_error": "pipe invalid_argument"}; !maps.Equal(found, want) {
		t.Errorf("got %v", found)
	}
}

// freeAddress returns an address on which nothing listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// scrape returns the samples of a page of metrics, but those of Go and the process.
func scrape(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v: %s", resp.Status, err, body)
	}
	var samples bytes.Buffer
	for line := range bytes.Lines(body) {
		if !bytes.HasPrefix(line, []byte("#")) && !bytes.HasPrefix(line, []byte("go_")) && !bytes.HasPrefix(line, []byte("process_")) {
			samples.Write(line)
		}
	}
	return samples.String()
}

// TestMetricsPage holds the samples of the page for Prometheus, and that no label has
// what a client makes up.
func TestMetricsPage(t *testing.T) {
	box := startSandbox(t)
	metricsURL := "http://" + freeAddress(t) + "/metrics"
	command, endpoint := program.StartHTTP(t, "", "--api-url", box.URL(), "--integrations=*", "--drain=0s", "--metrics", strings.TrimSuffix(strings.TrimPrefix(metricsURL, "http://"), "/metrics"), "--approvals=agent", "--audit-log", t.TempDir()+"/audit.log")
	me := program.NewTenant(t, endpoint, sandbox.DefaultKey)
	created := program.ToolCall("create_run", map[string]any{"intent": "x", "userId": "u", "context": "sandbox: step_ms=0", "approvalStrategy": "ON_START", "waitSeconds": 30})
	_, answer, _ := me.Send(t, me.Session, created, nil)
	runID := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`).FindString(answer)
	me.Send(t, me.Session, program.ToolCall("approve", map[string]any{"runId": runID, "decision": "approve"}), nil)
	me.Send(t, me.Session, program.ToolCall("get_run", map[string]any{"runId": "not-an-id"}), nil)
	me.Send(t, me.Session, program.ToolCall("made_up_tool", nil), nil)
	me.Send(t, me.Session, `{"jsonrpc":"2.0","id":1,"method":"made/up"}`, nil)
	page := scrape(t, metricsURL)
	me.Do(t.Context(), t, http.MethodDelete, me.Session, "", nil).Body.Close()
	if later := scrape(t, metricsURL); !strings.Contains(later, "runs_mcp_sessions 0\n") {
		t.Error("the session that was deleted still counts")
	}
	stop(t, command)
	for _, want := range []string{
		`runs_mcp_tool_calls_total{outcome="ok",tool="create_run"} 1`,
		`runs_mcp_tool_calls_total{outcome="invalid_argument",tool="get_run"} 1`,
		`runs_mcp_upstream_requests_total{operation="create_run",status="201"} 1`,
		`runs_mcp_upstream_requests_total{operation="approve",status="201"} 1`,
		`runs_mcp_decisions_total{channel="agent",decision="approve",outcome="ok"} 1`,
		`runs_mcp_sessions 1`, `runs_mcp_events_gaps_total 0`, `runs_mcp_updates_coalesced_total 0`, `runs_mcp_audit_failures_total 0`, `runs_mcp_log_lines_dropped_total 0`,
		`mcp_server_operation_duration_seconds_count{gen_ai_operation_name="execute_tool",gen_ai_tool_name="create_run",mcp_method_name="tools/call",mcp_protocol_version="2025-11-25",network_transport="tcp"} 1`,
		`error_type="tool_error",gen_ai_operation_name="execute_tool",gen_ai_tool_name="get_run"`,
		`error_type="-32602",gen_ai_operation_name="execute_tool",gen_ai_tool_name="other"`, `error_type="-32601",mcp_method_name="other"`,
		`http_server_request_duration_seconds_count{http_request_method="POST"`, `runs_mcp_build_info{`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, none := range []string{runID, "made", sandbox.DefaultKey, me.Session, `"u"`} {
		if strings.Contains(page, none) {
			t.Errorf("the page has %q", none)
		}
	}
}
