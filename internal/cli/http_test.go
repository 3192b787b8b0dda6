package cli_test

import (
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
)

// TestPrintedURL holds that the printed URL works for every --listen address, and that
// the log names --allowed-hosts if clients on other machines need it.
func TestPrintedURL(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		prefix string
		warns  bool
	}{
		{[]string{"--listen=127.0.0.1:0"}, "http://127.0.0.1:", false},
		{[]string{"--listen=localhost:0"}, "http://", false},
		{[]string{"--listen=[::1]:0"}, "http://[::1]:", false},
		{[]string{"--listen=:0"}, "http://localhost:", true},
		{[]string{"--listen=0.0.0.0:0"}, "http://localhost:", true},
		{[]string{"--listen=[::]:0"}, "http://localhost:", true},
		{[]string{"--listen=0.0.0.0:0", "--allowed-hosts=mcp.example.com"}, "http://localhost:", false},
	} {
		address := strings.TrimPrefix(tt.args[0], "--listen=")
		if l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address); err == nil {
			l.Close()
		} else { // no IPv6 on this machine
			continue
		}
		log := &testbed.Buffer{}
		url := program.ServeHTTP(t, log, nil, append(tt.args, "--sandbox")...)
		program.NewTenant(t, url, sandbox.DefaultKey)
		if !strings.HasPrefix(url, tt.prefix) || !strings.HasSuffix(url, "/mcp") {
			t.Errorf("%s: printed %s", tt.args, url)
		}
		if warns := strings.Contains(log.String(), "--allowed-hosts"); warns != tt.warns {
			t.Errorf("%s: warned %t: %s", tt.args, warns, log.String())
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestStopIsNoFailure holds that a server that is told to stop logs no warning: its
// listener is closed on purpose.
func TestStopIsNoFailure(t *testing.T) {
	log := &testbed.Buffer{}
	t.Run("serve", func(t *testing.T) {
		program.NewTenant(t, program.ServeHTTP(t, log, nil, "--sandbox", "--drain=0s"), sandbox.DefaultKey)
	})
	if strings.Contains(log.String(), "level=WARN") {
		t.Error(log.String())
	}
}

// TestPathPrefix holds that the printed URL has the prefix, with or without slashes.
func TestPathPrefix(t *testing.T) {
	for _, prefix := range []string{"/team/runs", "team/runs", "/team/runs/"} {
		if url := program.ServeHTTP(t, io.Discard, nil, "--sandbox", "--path-prefix="+prefix); !strings.HasSuffix(url, "/team/runs/mcp") {
			t.Errorf("%s: printed %s", prefix, url)
		}
	}
}

// TestGarbageLimit holds that the garbage collector's limit follows from --memory, unless
// GOMEMLIMIT has set one before.
func TestGarbageLimit(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	for _, want := range []int64{256 << 20 / 10 * 9, 1 << 30} {
		if want == 1<<30 {
			debug.SetMemoryLimit(want) // as the runtime does for GOMEMLIMIT=1GiB
		}
		program.ServeHTTP(t, io.Discard, nil, "--sandbox", "--memory=256MiB")
		if got := debug.SetMemoryLimit(-1); got != want {
			t.Errorf("the limit is %d bytes, want %d", got, want)
		}
	}
}

// TestReadiness holds that /readyz fails while the API does not answer, in words that name
// no address, and that /healthz is about the process alone.
func TestReadiness(t *testing.T) {
	get := func(url, path string) (int, string) {
		resp, err := http.Get(strings.TrimSuffix(url, "/mcp") + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	foreign := httptest.NewServer(http.NotFoundHandler())
	defer foreign.Close()
	for _, tt := range []struct {
		args   string
		status int
		body   string
	}{
		{"--sandbox", 200, "ok\n"},
		{"--api-url=" + closed.URL, 503, "the Run API could not be reached: it refuses connections\n"},
		{"--api-url=" + foreign.URL, 503, "the address answered 404 and not as the Run API does: it serves none\n"},
	} {
		url := program.ServeHTTP(t, io.Discard, nil, tt.args)
		if status, body := get(url, "/readyz"); status != tt.status || body != tt.body {
			t.Errorf("%s: %d %q", tt.args, status, body)
		}
		if status, body := get(url, "/healthz"); status != 200 || body != "ok\n" {
			t.Errorf("%s: /healthz: %d %q", tt.args, status, body)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
