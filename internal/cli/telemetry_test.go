package cli_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestMetricsFlag holds that the address must name a host, and be free.
func TestMetricsFlag(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for address, want := range map[string]struct {
		code int
		text string
	}{
		":9464": {2, "127.0.0.1:9464 for this machine alone, 0.0.0.0:9464 for all networks"}, "x": {2, "--metrics takes HOST:PORT"},
		l.Addr().String(): {1, "--metrics: listen tcp"},
	} {
		if got := runProgram(t, nil, nil, "stdio", "--sandbox", "--metrics", address); got.code != want.code || !strings.Contains(got.stderr, want.text) {
			t.Errorf("%s: exit code %d: %s", address, got.code, got.stderr)
		}
	}
	got := runProgram(t, nil, []string{"OTEL_TRACES_EXPORTER=smoke"}, "stdio", "--sandbox")
	if got.code != 2 || !strings.Contains(got.stderr, "OTEL_TRACES_EXPORTER") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

// TestMetricsOverStdio holds that stdio has the page, too, and that it ends with the
// program.
func TestMetricsOverStdio(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := startRawClient(t, "", "--metrics", l.Addr().String())
	c.call("create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0"})
	page := "http://" + l.Addr().String() + "/metrics"
	resp, err := http.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !strings.Contains(string(text), `runs_mcp_tool_calls_total{outcome="ok",tool="create_run"} 1`) {
		t.Errorf("got %s (%v)", text, err)
	}
	requireRefusedHost(t, page)
	http.DefaultClient.CloseIdleConnections()
	c.end()
	if resp, err := http.Get(page); err == nil {
		resp.Body.Close()
		t.Error("the page is still served")
	}
}

// requireRefusedHost requires that the page on loopback answers no request for another
// host: a web page of that name could read it in somebody's browser.
func requireRefusedHost(t *testing.T, page string) {
	t.Helper()
	for host, want := range map[string]int{"evil.example:80": http.StatusForbidden, "localhost": http.StatusOK, "[::1]:1": http.StatusOK} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Host %s: got %s, want %d", host, resp.Status, want)
		}
	}
}
