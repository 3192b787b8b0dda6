package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/server"
	"runs-mcp-server/transport"
)

// TestExports holds what switches a signal on.
func TestExports(t *testing.T) {
	for _, tt := range []struct {
		env   string
		stdio bool
		want  bool
	}{
		{"", false, false},
		{"OTEL_SERVICE_NAME=x", false, false},
		{"OTEL_TRACES_EXPORTER=otlp", false, true},
		{"OTEL_METRICS_EXPORTER=otlp", false, false},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://x", false, true},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://x", true, true},
		{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://x", false, false},
		{"OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=http://x", false, false},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_SDK_DISABLED=true", false, false},
		{"OTEL_TRACES_EXPORTER=console", false, true},
		{"OTEL_TRACES_EXPORTER=console OTEL_EXPORTER_OTLP_ENDPOINT=http://x", true, false},
	} {
		env := map[string]string{}
		for _, field := range strings.Fields(tt.env) {
			name, value, _ := strings.Cut(field, "=")
			env[name] = value
		}
		o := Options{Env: func(name string) string { return env[name] }, Stdio: tt.stdio, Log: slog.New(slog.DiscardHandler)}
		if got := o.exports("TRACES"); got != tt.want {
			t.Errorf("%s, stdio %t: %t", tt.env, tt.stdio, got)
		}
	}
}

// TestNothingIsStarted holds that without a variable and without a page there is nothing.
func TestNothingIsStarted(t *testing.T) {
	got, err := Start(t.Context(), Options{Env: func(string) string { return "" }, Log: slog.New(slog.DiscardHandler)})
	if got != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	got.Shutdown() // of nothing
}

// TestUnknownExporter holds that the error names the variable.
func TestUnknownExporter(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "smoke")
	var log bytes.Buffer
	_, err := Start(t.Context(), Options{Env: func(name string) string { return map[string]string{"OTEL_TRACES_EXPORTER": "smoke"}[name] }, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err == nil || !strings.HasPrefix(err.Error(), "OTEL_TRACES_EXPORTER: ") {
		t.Errorf("got %v; %s", err, &log)
	}
}

// TestJunkVariables holds that a wrong variable of OpenTelemetry is an error or a warning
// that names it, without its value, and no panic.
func TestJunkVariables(t *testing.T) {
	for name, tt := range map[string]struct {
		value, failed, warned string
	}{
		"OTEL_BSP_MAX_QUEUE_SIZE":  {"-5", "OTEL_BSP_", ""},
		"OTEL_RESOURCE_ATTRIBUTES": {"a=b,my-secret", "", "OTEL_RESOURCE_ATTRIBUTES"},
	} {
		t.Setenv(name, tt.value) // OpenTelemetry reads it itself
		var log bytes.Buffer
		env := func(name string) string { return map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}[name] }
		started, err := Start(t.Context(), Options{Env: env, Log: slog.New(slog.NewTextHandler(&log, nil))})
		started.Shutdown()
		if err := fmt.Sprint(err); tt.failed != "" && !strings.Contains(err, tt.failed) || tt.failed == "" && err != "<nil>" || strings.Contains(err, "my-secret") {
			t.Errorf("%s: got %s", name, err)
		}
		if text := log.String(); !strings.Contains(text, tt.warned) || strings.Contains(text, "my-secret") {
			t.Errorf("%s: logged %s", name, text)
		}
		t.Setenv(name, "")
	}
}

// TestExportError holds that the log has neither the answer of a collector, which may
// repeat a header, nor the path of its address.
func TestExportError(t *testing.T) {
	for err, want := range map[string]string{
		`failed to send metrics to http://c:4318/token/v1/metrics: 500 X (body: <html>x-team: key</html>)`:      `failed to send metrics to http://c:4318/...: 500 X`,
		`traces export: Post "https://c/token/v1/traces": dial tcp 127.0.0.1:4318: connect: connection refused`: `traces export: Post "https://c/...": dial tcp 127.0.0.1:4318: connect: connection refused`,
		`context deadline exceeded`: `context deadline exceeded`,
	} {
		if got := exportError(errors.New(err)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestPathTemplate holds that a path is shown without ids.
func TestPathTemplate(t *testing.T) {
	const run = "/v1/runs/123e4567-e89b-12d3-a456-426614174000"
	for path, want := range map[string]string{
		"/v1/runs": "/v1/runs", run: "/v1/runs/:runId", "/base" + run + "/sse": "/base/v1/runs/:runId/sse",
		"/v1/runs/approval": "/v1/runs/:approval", "/v1/execution-plans/p-1": "/v1/execution-plans/:planId",
	} {
		if got := pathTemplate(path); got != want {
			t.Errorf("%s becomes %s", path, got)
		}
	}
}

// TestKnownURI holds what a span shows of the address of a resource.
func TestKnownURI(t *testing.T) {
	const run = "run://123e4567-e89b-12d3-a456-426614174000"
	for uri, want := range map[string]string{
		run + "/events?afterEventId=1": run + "/events", run: run, "integrations://active": "integrations://active", "run://x": "", "https://x/?token=1": "",
	} {
		if got := knownURI.FindString(uri); got != want {
			t.Errorf("%s becomes %q", uri, got)
		}
	}
}

// recording returns telemetry whose spans go to a recorder.
func recording(t *testing.T) (*Telemetry, *tracetest.SpanRecorder) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	started := &Telemetry{
		tracers: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)), meters: metricnoop.NewMeterProvider(),
		propagator: propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
	}
	var err error
	if started.requests, err = started.newRequests(); err != nil {
		t.Fatal(err)
	}
	return started, recorder
}

const aTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// longTracestate is valid, and longer than a span takes.
func longTracestate() string {
	var members []string
	for i := range 30 {
		members = append(members, fmt.Sprintf("k%d=%s", i, strings.Repeat("v", 200)))
	}
	return strings.Join(members, ",")
}

// TestSpansAreSmall holds that a client cannot fill the queue of spans with bytes: what it
// sends is cut, in the headers and in _meta. Only the endpoint has spans.
func TestSpansAreSmall(t *testing.T) {
	started, recorder := recording(t)
	handler := started.WrapHandler("127.0.0.1:8080", "/runs/mcp")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		meta := `{"_meta":{"traceparent":"` + aTraceparent + `","tracestate":"` + longTracestate() + `"}}`
		_, end := started.ObserveRequest(r.Context(), transport.ObservedRequest{Method: "tools/list", Params: []byte(meta)})
		end(transport.ObservedResponse{})
	}))
	for _, path := range []string{"/a-secret/mcp", "/mcp", "/runs/mcp"} {
		r := httptest.NewRequest(http.MethodPost, path, nil)
		r.Header = http.Header{
			"User-Agent": {strings.Repeat("u", 20_000)}, "X-Forwarded-For": {strings.Repeat("f", 20_000)},
			"Traceparent": {aTraceparent}, "Tracestate": {longTracestate()},
		}
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	spans := map[string]int{}
	for _, span := range recorder.Ended() {
		spans[span.Name()]++
		size := len(span.SpanContext().TraceState().String()) + len(span.Parent().TraceState().String())
		for _, a := range span.Attributes() {
			size += len(a.Value.AsString())
		}
		if size > 2_000 {
			t.Errorf("the span %s has %d bytes", span.Name(), size)
		}
		if span.SpanContext().TraceID().String() != aTraceparent[3:35] {
			t.Errorf("the span %s is of the trace %s", span.Name(), span.SpanContext().TraceID())
		}
	}
	if spans["POST /mcp"] != 1 || spans["tools/list"] != 3 {
		t.Errorf("got %v", spans)
	}
}

// TestLongestTracestate holds that the longest tracestate which a span takes stays whole, in
// the header and in _meta, and that one byte more leaves none.
func TestLongestTracestate(t *testing.T) {
	const prefix = "a=1,b="
	for value, want := range map[string]int{
		prefix + strings.Repeat("v", 250) + ",c=" + strings.Repeat("w", maxTraced-len(prefix)-253): maxTraced,
		prefix + strings.Repeat("v", 250) + ",c=" + strings.Repeat("w", maxTraced-len(prefix)-252): 0,
	} {
		started, recorder := recording(t)
		handler := started.WrapHandler("127.0.0.1:8080", "/mcp")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequest(http.MethodPost, "/mcp", nil)
		r.Header = http.Header{"Traceparent": {aTraceparent}, "Tracestate": {value}}
		handler.ServeHTTP(httptest.NewRecorder(), r)
		_, end := started.ObserveRequest(t.Context(), transport.ObservedRequest{Method: "ping", Params: []byte(`{"_meta":{"traceparent":"` + aTraceparent + `","tracestate":"` + value + `"}}`)})
		end(transport.ObservedResponse{})
		for _, span := range recorder.Ended() {
			if got := len(span.SpanContext().TraceState().String()); got != want {
				t.Errorf("%d bytes: the span %s has %d", len(value), span.Name(), got)
			}
		}
		if n := len(recorder.Ended()); n != 2 {
			t.Errorf("%d spans", n)
		}
	}
}

// TestRequestSpans holds what the span of a request says: of its id, session and resource,
// and whether it failed.
func TestRequestSpans(t *testing.T) {
	const run = "run://123e4567-e89b-12d3-a456-426614174000"
	for name, tt := range map[string]struct {
		request  transport.ObservedRequest
		response transport.ObservedResponse
		status   codes.Code
		want     string // attributes; those of each request are left out
	}{
		"plain":     {transport.ObservedRequest{Method: "ping", ID: "7"}, transport.ObservedResponse{}, codes.Unset, "jsonrpc.request.id=7"},
		"id":        {transport.ObservedRequest{Method: "ping", ID: `"a b"`}, transport.ObservedResponse{}, codes.Unset, "jsonrpc.request.id=a b"},
		"session":   {transport.ObservedRequest{Method: "ping", ID: "7", SessionID: "s-1"}, transport.ObservedResponse{}, codes.Unset, "jsonrpc.request.id=7 mcp.session.id=" + hashSession("s-1")},
		"resource":  {transport.ObservedRequest{Method: "resources/read", ID: "7", Params: []byte(`{"uri":"` + run + `/events?afterEventId=1"}`)}, transport.ObservedResponse{}, codes.Unset, "jsonrpc.request.id=7 mcp.resource.uri=" + run + "/events"},
		"no of us":  {transport.ObservedRequest{Method: "resources/read", ID: "7", Params: []byte(`{"uri":"file:///a-secret"}`)}, transport.ObservedResponse{}, codes.Unset, "jsonrpc.request.id=7"},
		"version":   {transport.ObservedRequest{Method: "ping", ID: "7"}, transport.ObservedResponse{Version: "2025-11-25"}, codes.Unset, "jsonrpc.request.id=7 mcp.protocol.version=2025-11-25"},
		"an error":  {transport.ObservedRequest{Method: "ping", ID: "7"}, transport.ObservedResponse{Code: -32602}, codes.Error, "error.type=-32602 jsonrpc.request.id=7 rpc.response.status_code=-32602"},
		"a failure": {transport.ObservedRequest{Method: "ping", ID: "7"}, transport.ObservedResponse{ToolError: true}, codes.Error, "error.type=tool_error jsonrpc.request.id=7"},
	} {
		started, recorder := recording(t)
		_, end := started.ObserveRequest(t.Context(), tt.request)
		end(tt.response)
		span := recorder.Ended()[0]
		var said []string
		for _, a := range span.Attributes() {
			if a.Key != keyMethod && a.Key != keyTransport {
				said = append(said, string(a.Key)+"="+a.Value.AsString())
			}
		}
		slices.Sort(said)
		if got := strings.Join(said, " "); got != tt.want || span.Status().Code != tt.status {
			t.Errorf("%s: %s, status %v; want %s", name, got, span.Status().Code, tt.want)
		}
	}
}

// TestFailuresAreLoggedOnceAMinute holds that an exporter that fails all the time does not
// fill the log.
func TestFailuresAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		reportErrors(slog.New(slog.NewTextHandler(&log, nil)))
		defer otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
		for _, tt := range []struct {
			after time.Duration
			lines int
		}{{0, 1}, {0, 1}, {errorPause - 1, 1}, {1, 2}, {time.Second, 2}, {errorPause, 3}} {
			time.Sleep(tt.after)
			otel.Handle(errors.New("no collector"))
			if got := strings.Count(log.String(), "no collector"); got != tt.lines {
				t.Errorf("%d lines, want %d", got, tt.lines)
			}
		}
	})
}

// TestWrappedResponses holds that the writer of a wrapped handler still has what streams
// need: deadlines, and a flush.
func TestWrappedResponses(t *testing.T) {
	started, err := Start(t.Context(), Options{Env: func(string) string { return "" }, Page: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer started.Shutdown()
	server := httptest.NewServer(started.WrapHandler("127.0.0.1:8080", "/mcp")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		control, soon := http.NewResponseController(w), time.Now().Add(time.Minute)
		if err := errors.Join(control.SetReadDeadline(soon), control.SetWriteDeadline(soon), control.Flush()); err != nil {
			t.Error(err)
		}
	})))
	defer server.Close()
	resp, err := http.Get(server.URL + "/mcp")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// TestSources holds that the numbers of each source are on the page, and nothing of a source
// that there is not.
func TestSources(t *testing.T) {
	counts := &transport.Counts{}
	counts.Sessions.Store(7)
	for name, tt := range map[string]struct {
		from Sources
		want string
	}{
		"none":           {Sources{}, ""},
		"server":         {Sources{Server: func() server.Stats { return server.Stats{API: client.Stats{OpenStreams: 7}} }}, "runs_mcp_upstream_streams 7"},
		"transport":      {Sources{Transport: counts}, "runs_mcp_sessions 7"},
		"log lines":      {Sources{LostLogLines: func() int { return 7 }}, "runs_mcp_log_lines_dropped_total 7"},
		"audit failures": {Sources{AuditFailures: func() int64 { return 7 }}, "runs_mcp_audit_failures_total 7"},
	} {
		t.Run(name, func(t *testing.T) {
			started, err := Start(t.Context(), Options{Env: func(string) string { return "" }, Page: true, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer started.Shutdown()
			if err := started.Observe(tt.from); err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer started.ServePage(l)()
			resp, err := http.Get("http://" + l.Addr().String() + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			page, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			var got []string // the lines that say seven
			for line := range strings.Lines(string(page)) {
				if line = strings.TrimSpace(line); strings.HasPrefix(line, "runs_mcp_") && strings.HasSuffix(line, " 7") {
					got = append(got, line)
				}
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("the page says %q, want %q:\n%s", got, tt.want, page)
			}
		})
	}
}

// TestIsLoopback holds which hosts of a request are this machine's own, with a port and
// without.
func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1:9464": true, "127.0.0.1": true, "[::1]:9464": true, "[::1]": true, "LocalHost:9464": true, "localhost": true,
		"example.com:9464": false, "example.com": false, "10.0.0.1:9464": false, "[2001:db8::1]": false, "": false,
	} {
		if got := isLoopback(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}

// TestPageConnections holds that connections to the page of metrics, which asks nobody who
// they are, cannot take the descriptors of the server.
func TestPageConnections(t *testing.T) {
	started, err := Start(t.Context(), Options{Env: func(string) string { return "" }, Page: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer started.Shutdown()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer started.ServePage(l)()
	var silent []net.Conn
	for range maxPageConnections {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	get := func(timeout time.Duration) error {
		scraper := &http.Client{Timeout: timeout}
		defer scraper.CloseIdleConnections()
		resp, err := scraper.Get("http://" + l.Addr().String() + "/metrics")
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	if err := get(200 * time.Millisecond); err == nil {
		t.Errorf("more than %d connections are served", maxPageConnections)
	}
	silent[0].Close()
	silent[1].Close() // one for the scrape that nobody waits for any more
	if err := get(time.Minute); err != nil {
		t.Error(err)
	}
}
