package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// StartHTTP starts the program's http command as a process, on a free port, and
// returns it with its URL. The signal named by ignored, if any, is ignored when the
// program starts.
func StartHTTP(t *testing.T, ignored string, args ...string) (command *exec.Cmd, url string) {
	t.Helper()
	const script = `if [ -n "$0" ]; then trap "" "$0"; fi; exec "$@"`
	command = exec.Command("sh", append([]string{"-c", script, ignored, Executable(t), "http", "--listen=127.0.0.1:0"}, args...)...)
	log, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "msg=serving url="); ok {
			go io.Copy(io.Discard, log)
			return command, url
		}
	}
	t.Fatalf("it does not serve: exit code %d", WaitEnd(t, command))
	return nil, ""
}

// Headers is a RoundTripper that adds headers to every request.
type Headers map[string]string

// RoundTrip sends a request with the headers.
func (h Headers) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, value := range h {
		r.Header.Set(name, value)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// Initialize is the first message of a client of 2025-11-25, with the id 0.
const Initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`

// ToolCall returns a tools/call message with the id 1.
func ToolCall(tool string, args map[string]any) string {
	text, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": args}})
	return string(text)
}

// Fataler is a *testing.T or a *rapid.T.
type Fataler interface{ Fatal(...any) }

// Tenant is one of several callers of an HTTP server, who writes messages by hand.
type Tenant struct {
	URL, Key string
	Session  string   // the Mcp-Session-Id
	Runs     []string // the ids of the runs that it created
}

// NewTenant returns a caller with a session of 2025-11-25.
func NewTenant(t Fataler, url, key string) *Tenant {
	c := &Tenant{URL: url, Key: key}
	_, _, header := c.Send(t, "", Initialize, nil)
	if c.Session = header.Get("Mcp-Session-Id"); c.Session == "" {
		t.Fatal("no session")
	}
	return c
}

// Send posts a message, in a session unless that is "". It returns the status, the
// last message of the answer, and the headers.
func (c *Tenant) Send(t Fataler, session, message string, headers map[string]string) (int, string, http.Header) {
	req, err := http.NewRequest(http.MethodPost, c.URL, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("x-api-key", c.Key)
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		body = lastAnswer(body)
	}
	return resp.StatusCode, string(bytes.TrimSpace(body)), resp.Header
}

// lastAnswer returns the last message with an id of an event stream.
func lastAnswer(stream []byte) (last []byte) {
	for line := range bytes.Lines(stream) {
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok && bytes.Contains(data, []byte(`"id"`)) {
			last = data
		}
	}
	return last
}

// CreateRun creates a run that behaves as the sandbox is asked to.
func (c *Tenant) CreateRun(t Fataler, behaviour string) {
	_, body, _ := c.Send(t, c.Session, ToolCall("create_run", map[string]any{
		"intent": "of " + c.Key, "context": "sandbox: step_ms=0 " + behaviour, "userId": "u", "selectedCustomerIntegrationIds": []string{"*"},
	}), nil)
	var m struct {
		Result struct{ StructuredContent struct{ RunID string } }
	}
	if json.Unmarshal([]byte(body), &m) != nil || m.Result.StructuredContent.RunID == "" {
		t.Fatal(body)
	}
	c.Runs = append(c.Runs, m.Result.StructuredContent.RunID)
}
