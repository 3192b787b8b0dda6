package program

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// StartHTTP starts the program's http command as a process, on a free port, and
// returns it with its URL. If ignored names a signal, such as HUP, the process starts
// with that signal ignored.
func StartHTTP(t *testing.T, ignored string, args ...string) (command *exec.Cmd, url string) {
	t.Helper()
	prepare := "true"
	if ignored != "" {
		prepare = "trap '' " + ignored
	}
	command, url, _ = StartHTTPAfter(t, prepare, args...)
	return command, url
}

// StartHTTPAfter is StartHTTP after a shell command in the same process, such as
// "ulimit -n 64". awaitLog waits until the process has ended and returns its log.
func StartHTTPAfter(t *testing.T, prepare string, args ...string) (command *exec.Cmd, url string, awaitLog func() string) {
	t.Helper()
	command = exec.Command("sh", append([]string{"-c", prepare + ` && exec "$@"`, "sh", Executable(t), "http", "--listen=127.0.0.1:0"}, args...)...)
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	lines := bufio.NewScanner(io.TeeReader(stderr, &log))
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "msg=serving url="); ok {
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				io.Copy(&log, stderr)
			}()
			return command, url, func() string {
				<-ended
				return log.String()
			}
		}
	}
	t.Fatalf("the program does not serve: exit code %d", WaitExit(t, command))
	return nil, "", nil
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

// Initialize is the initialize message of a client of 2025-11-25, with the id 0.
const Initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`

// ToolCall returns a tools/call message with the id 1.
func ToolCall(tool string, args map[string]any) string {
	text, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": args}})
	return string(text)
}

// Fataler is a *testing.T or a *rapid.T.
type Fataler interface{ Fatal(...any) }

// Tenant is one of several callers of an HTTP server. It sends raw messages.
type Tenant struct {
	URL, Key string
	Session  string   // the Mcp-Session-Id; "" is none
	Runs     []string // the ids of the runs that CreateRun created
}

// NewTenant returns a tenant with a session of 2025-11-25.
func NewTenant(t Fataler, url, key string) *Tenant {
	c := &Tenant{URL: url, Key: key}
	_, _, header := c.Send(t, "", Initialize, nil)
	if c.Session = header.Get("Mcp-Session-Id"); c.Session == "" {
		t.Fatal("no session")
	}
	return c
}

// Do sends a request with a message as its body, in a session unless that is "". The
// caller closes the response's body.
func (c *Tenant) Do(ctx context.Context, t Fataler, method, session, message string, headers map[string]string) *http.Response {
	req, err := http.NewRequestWithContext(ctx, method, c.URL, strings.NewReader(message))
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
	return resp
}

// Send posts a message, in a session unless that is "". It returns the status, the
// last message of the response, and the headers.
func (c *Tenant) Send(t Fataler, session, message string, headers map[string]string) (int, string, http.Header) {
	resp := c.Do(context.Background(), t, http.MethodPost, session, message, headers)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if isEventStream(resp) {
		body = lastAnswer(body)
	}
	return resp.StatusCode, string(bytes.TrimSpace(body)), resp.Header
}

// Stream posts a message, or opens the stream of GET if the message is "". Each call
// of next waits for the next message of the response; "" is the end of the stream.
func (c *Tenant) Stream(t *testing.T, message string, headers map[string]string) (next func() string) {
	t.Helper()
	method := http.MethodPost
	if message == "" {
		method = http.MethodGet
	}
	resp := c.Do(t.Context(), t, method, c.Session, message, headers)
	t.Cleanup(func() { resp.Body.Close() })
	if !isEventStream(resp) {
		body, _ := io.ReadAll(resp.Body)
		return func() string { return string(body) }
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && data != "" {
				return data
			}
		}
		return ""
	}
}

func isEventStream(resp *http.Response) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream")
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

// CreateRun creates a run. The behaviour is a directive of the sandbox, such as steps=1.
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
