package cli_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
)

// TestHealth holds that health succeeds on a server that answers with 200, and says why
// another one fails.
func TestHealth(t *testing.T) {
	served := program.ServeHTTP(t, &testbed.Buffer{}, nil, "--listen=127.0.0.1:0", "--sandbox")
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusServiceUnavailable)
	}))
	defer failing.Close()
	elsewhere := httptest.NewServer(http.RedirectHandler(failing.URL, http.StatusFound))
	defer elsewhere.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, tt := range []struct {
		url  string
		code int
		says string
	}{
		{strings.TrimSuffix(served, "/mcp") + "/healthz", 0, "ok\n"},
		{strings.TrimSuffix(served, "/mcp") + "/nothing", 1, "404"},
		{failing.URL, 1, "503"},
		{elsewhere.URL, 1, "302"},
		{closed.URL, 1, "does not answer"},
		{"://", 2, "missing protocol scheme"},
	} {
		got := runProgram(t, nil, nil, "health", tt.url)
		if got.code != tt.code || !strings.Contains(got.stdout+got.stderr, tt.says) {
			t.Errorf("%s: exit code %d, %s%s", tt.url, got.code, got.stdout, got.stderr)
		}
	}
}
