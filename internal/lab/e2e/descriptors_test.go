package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// TestFewDescriptors holds that idle connections, more than the process may have open
// files, keep nobody out: calls that reach the API are answered, and the log warns once.
func TestFewDescriptors(t *testing.T) {
	const descriptors, idle = 64, 80
	box := startSandbox(t)
	command, endpoint, awaitLog := program.StartHTTPAfter(t, fmt.Sprintf("ulimit -n %d", descriptors), "--api-url", box.URL(), "--integrations=*", "--drain=0s")
	for i := range idle {
		c := dialIdle(t, endpoint, i%2 == 0)
		defer c.Close()
	}
	began := time.Now()
	me := program.NewTenant(t, endpoint, sandbox.DefaultKey)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("initialize took %s", took)
	}
	me.CreateRun(t, "steps=1")
	http.DefaultClient.CloseIdleConnections()
	command.Process.Signal(syscall.SIGTERM)
	log := awaitLog()
	if code := program.WaitExit(t, command); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, line := range []string{"level=INFO msg=\"the limit of open files allows few connections", "level=WARN msg=\"file descriptors run out"} {
		if strings.Count(log, line) != 1 {
			t.Errorf("not once in the log: %s\n%s", line, log)
		}
	}
}

// dialIdle connects to a server and sends nothing, or waits for the response to a request
// before.
func dialIdle(t *testing.T, endpoint string, request bool) net.Conn {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	if !request {
		return c
	}
	fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", u.Host)
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
	return c
}
