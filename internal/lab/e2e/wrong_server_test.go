package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/program"
)

// TestWrongServers holds that a model reads what to do next if the address of the Run
// API is wrong or does not answer, and that the log has the cause at the default level.
func TestWrongServers(t *testing.T) {
	serve := func(h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	secure := httptest.NewUnstartedServer(page(404, "x"))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	hangUp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangUp.Close() })
	go func() {
		for {
			c, err := hangUp.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	getRun, create := map[string]any{"runId": unknownRun}, map[string]any{"intent": "x"}
	const address = "Tell the user to check --api-url (TR_API_URL)"
	for _, tt := range []struct {
		name, url, tool string
		args            map[string]any
		env             []string
		text, next, log string
	}{
		{"nothing listens", closed.URL, "get_run", getRun, nil, "upstream_unavailable: the Run API could not be reached: it refuses connections.", "Call again", "connection refused"},
		{"nothing listens for a create", closed.URL, "create_run", create, nil, "upstream_unavailable: the Run API could not be reached: it refuses connections.", "Call again", "connection refused"},
		{"hangs up", "http://" + hangUp.Addr().String(), "get_run", getRun, nil, "upstream_unavailable: the Run API could not be reached: the connection broke.", "Call again", "cause="},
		{"hangs up on a create", "http://" + hangUp.Addr().String(), "create_run", create, nil, "outcome_unknown: ", "Do not create it again", "outcome"},
		{"unknown host", "https://no-such-host.invalid", "get_run", getRun, nil, "upstream_unavailable: the Run API could not be reached: its host name ", "Call again", "no-such-host.invalid"},
		{"a certificate of nobody", secure.URL, "get_run", getRun, nil, "misconfigured: the Run API could not be reached: its TLS certificate is signed by an authority that this machine does not trust.", address, "certificate"},
		{"plain HTTP where TLS was meant", strings.Replace(closed.URL, "http:", "https:", 1), "get_run", getRun, nil, "upstream_unavailable: ", "Call again", "refused"},
		{"https to plain HTTP", strings.Replace(serve(page(200, "x")), "http:", "https:", 1), "get_run", getRun, nil, "misconfigured: the Run API could not be reached: its address is https, but it answers plain HTTP.", address, "cause="},
		{"http to TLS", strings.Replace(secure.URL, "https:", "http:", 1), "get_run", getRun, nil, "misconfigured: the address answered 400 and not as the Run API does", address, "misconfigured"},
		{"404 everywhere", serve(page(404, "<html>no</html>")), "get_run", getRun, nil, "misconfigured: the address answered 404 and not as the Run API does: it serves none.", address, "misconfigured"},
		{"404 everywhere, create", serve(page(404, "")), "create_run", create, nil, "misconfigured: the address answered 404", address, "misconfigured"},
		{"404 everywhere, list", serve(page(404, "not found")), "list_runs", nil, nil, "misconfigured: the address answered 404", address, "misconfigured"},
		{"404 everywhere, abort", serve(page(404, "not found")), "abort_run", getRun, nil, "misconfigured: the address answered 404", address, "misconfigured"},
		{"a web page", serve(page(200, "<!doctype html><p>Welcome")), "list_runs", nil, nil, "misconfigured: the address answered 200", address, "misconfigured"},
		{"a firewall", serve(page(403, "<html>blocked</html>")), "get_run", getRun, nil, "misconfigured: the address answered 403", address, "misconfigured"},
		{"a redirect", serve(http.RedirectHandler("https://elsewhere.test/", http.StatusMovedPermanently)), "get_run", getRun, nil, "misconfigured: the address of the Run API redirects elsewhere (301)", address, "misconfigured"},
		{"the API's own 404", serve(page(404, `{"statusCode":404,"message":"Run not found"}`)), "get_run", getRun, nil, "not_found: Run not found.", "Check the runId", "not_found"},
		{"a refused key", serve(page(401, `{"message":"Unauthorized"}`)), "get_run", getRun, nil, "unauthorized: Unauthorized.", "Tell the user to check the API key that this server is started with", "unauthorized"},
		{"a gateway", serve(page(502, "<html>bad gateway</html>")), "get_run", getRun, nil, "upstream_unavailable: the Run API answered 502.", "Call again", "502"},
		{"a proxy that refuses", "https://api.test", "get_run", getRun, []string{"HTTPS_PROXY=" + serve(page(407, ""))}, "misconfigured: the Run API could not be reached: the HTTP proxy on the way to it answered 407.", address, "407"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, logged := callFailingTool(t, tt.url, tt.tool, tt.args, tt.env...)
			if !strings.HasPrefix(text, tt.text) || !strings.Contains(text, tt.next) || len(text) > 512 || json.Valid([]byte(text)) {
				t.Errorf("got %q, want %q and %q; log\n%s", text, tt.text, tt.next, logged)
			}
			if !strings.Contains(logged, "level=WARN") || !strings.Contains(logged, "request=1") || !strings.Contains(logged, tt.log) || strings.Contains(logged, "k-0123456789") {
				t.Errorf("the log says\n%s, want %q", logged, tt.log)
			}
		})
	}
}

// page answers every path with an HTML page, which no Run API does.
func page(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

// callFailingTool starts the program with an address of the Run API and calls a tool
// over stdio. It returns the text of the error result and the log.
func callFailingTool(t *testing.T, url, tool string, args map[string]any, env ...string) (text, log string) {
	t.Helper()
	command := exec.Command(program.Executable(t), "--user-id=u", "--integrations=*")
	command.Env = append([]string{"TR_API_KEY=k-0123456789", "TR_API_URL=" + url}, env...)
	var errs bytes.Buffer
	command.Stderr = &errs
	in, out := program.StartPiped(t, command)
	fmt.Fprintf(in, "%s\n%s\n", program.Initialize, program.ToolCall(tool, args))
	var answer struct {
		ID     int
		Result struct {
			IsError bool
			Content []struct{ Text string }
		}
	}
	for lines := bufio.NewScanner(out); answer.ID != 1; {
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &answer) != nil {
			t.Fatalf("no answer; standard error:\n%s", &errs)
		}
	}
	in.Close()
	if code := program.WaitExit(t, command); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !answer.Result.IsError {
		t.Fatalf("%s succeeded: %+v", tool, answer)
	}
	return answer.Result.Content[0].Text, errs.String()
}
