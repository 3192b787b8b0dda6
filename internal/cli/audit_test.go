package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/program"
)

// rawClient is a client of the program over stdio that can ask its person, who answers
// every question in the same way.
type rawClient struct {
	t      *testing.T
	in     interface{ Write([]byte) (int, error) }
	next   func() []byte
	answer string // to a question: the JSON of a result
	end    func()
}

func startRawClient(t *testing.T, answer string, flags ...string) *rawClient {
	t.Helper()
	in, out, exit := program.ServeStdio(t, append([]string{"--sandbox"}, flags...)...)
	c := &rawClient{t: t, in: in, answer: answer, next: func() []byte {
		if !out.Scan() {
			t.Fatal("the program has ended")
		}
		return out.Bytes()
	}, end: func() {
		in.Close()
		for out.Scan() {
		}
		if code := <-exit; code != 0 {
			t.Errorf("exit code %d", code)
		}
	}}
	c.send(`{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"form":{}}},"clientInfo":{"name":"raw","version":"1"}}}`)
	c.next()
	return c
}

func (c *rawClient) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.in, format+"\n", args...); err != nil {
		c.t.Fatal(err)
	}
}

// call calls a tool and returns its text and the run's id.
func (c *rawClient) call(tool string, args map[string]any) (text, runID string) {
	c.t.Helper()
	c.send("%s", program.ToolCall(tool, args))
	for {
		var m struct {
			ID     any
			Method string
			Result struct {
				Content           []struct{ Text string }
				StructuredContent struct{ RunID string }
			}
		}
		line := c.next()
		if err := json.Unmarshal(line, &m); err != nil {
			c.t.Fatalf("%v: %s", err, line)
		}
		switch {
		case m.Method == "elicitation/create":
			c.send(`{"jsonrpc":"2.0","id":%q,"result":%s}`, m.ID, c.answer)
		case m.ID == 1.0:
			return m.Result.Content[0].Text, m.Result.StructuredContent.RunID
		}
	}
}

// auditLines returns the lines of an audit log without what differs in each run.
func auditLines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		line = regexp.MustCompile(`"time":"[^"]*","event":"(\w+)","id":"[^"]*"`).ReplaceAllString(line, `$1`)
		line = regexp.MustCompile(`"caller":"[0-9a-f]{16}"`).ReplaceAllString(line, `caller`)
		line = regexp.MustCompile(`"(run|digest)":"[^"]{36,64}"`).ReplaceAllString(line, `$1`)
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// TestAuditLog holds which lines a create, an abort and decisions leave.
func TestAuditLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	person := startRawClient(t, `{"action":"accept","content":{"decision":"approve"}}`, "--audit-log", path)
	paused := map[string]any{"intent": "x", "context": "sandbox: step_ms=0", "approvalStrategy": "ON_START", "waitSeconds": 30}
	_, runID := person.call("create_run", paused)
	person.call("abort_run", map[string]any{"runId": runID})
	person.end()

	agent := startRawClient(t, "", "--audit-log", path, "--approvals=agent", "--no-ask-while-waiting", "--user-id=agatha")
	_, runID = agent.call("create_run", map[string]any{"intent": "x", "context": "sandbox: steps=1 step_ms=0", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30})
	agent.call("approve", map[string]any{"runId": runID, "decision": "deny"})
	agent.end()

	lines := auditLines(t, path)
	tools := regexp.MustCompile(`"tools":\["[a-z0-9_.-]+"\]`)
	for i, want := range []string{
		`{attempt,"action":"create","channel":"tool",caller,"user":"sandbox-user",digest}`,
		`{outcome,"action":"create","channel":"tool",caller,"user":"sandbox-user",run,digest,"outcome":"ok"}`,
		`{attempt,"action":"decide","channel":"client",caller,"user":"sandbox-user",run,"decision":"approve",digest}`,
		`{outcome,"action":"decide","channel":"client",caller,"user":"sandbox-user",run,"decision":"approve",digest,"outcome":"ok"}`,
		`{attempt,"action":"abort","channel":"tool",caller,"user":"sandbox-user",run}`,
		`{outcome,"action":"abort","channel":"tool",caller,"user":"sandbox-user",run,"outcome":"conflict"}`,
		`{attempt,"action":"create","channel":"tool",caller,"user":"agatha",digest}`,
		`{outcome,"action":"create","channel":"tool",caller,"user":"agatha",run,digest,"outcome":"ok"}`,
		`{attempt,"action":"decide","channel":"agent",caller,"user":"agatha",run,"decision":"deny",digest,TOOLS}`,
		`{outcome,"action":"decide","channel":"agent",caller,"user":"agatha",run,"decision":"deny",digest,TOOLS,"outcome":"ok"}`,
	} {
		if i >= len(lines) {
			t.Fatalf("%d lines", len(lines))
		}
		if got := tools.ReplaceAllString(lines[i], "TOOLS"); got != want {
			t.Errorf("line %d is\n%s, want\n%s", i+1, got, want)
		}
	}
}

// TestAuditLogOfDoctor holds that the run that doctor creates and aborts is recorded, too.
func TestAuditLogOfDoctor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	runProgram(t, nil, nil, "doctor", "--sandbox", "--create-run", "--stream-wait=1ms", "--audit-log", path)
	want := []string{
		`{attempt,"action":"create","channel":"terminal",caller,"user":"sandbox-user",digest}`,
		`{outcome,"action":"create","channel":"terminal",caller,"user":"sandbox-user",run,digest,"outcome":"ok"}`,
		`{attempt,"action":"abort","channel":"terminal",caller,"user":"sandbox-user",run}`,
		`{outcome,"action":"abort","channel":"terminal",caller,"user":"sandbox-user",run,"outcome":"ok"}`,
	}
	if got := auditLines(t, path); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// TestEmptyAuditLog holds that an audit log without a name is refused: an operator who
// writes --audit-log "$FILE" wants one.
func TestEmptyAuditLog(t *testing.T) {
	for _, args := range [][]string{{"stdio", "--sandbox", "--audit-log", ""}, {"http", "--sandbox", "--audit-log="}} {
		if got := runProgram(t, nil, nil, args...); got.code != 2 || !strings.Contains(got.stderr, "--audit-log") {
			t.Errorf("%q: exit code %d: %s", args, got.code, got.stderr)
		}
	}
}

// TestAuditLogFull holds what a full disk does, as the operator chose.
func TestAuditLogFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	create := map[string]any{"intent": "x", "context": "sandbox: step_ms=0"}
	refusing := startRawClient(t, "", "--audit-log", path)
	text, _ := refusing.call("create_run", create)
	if want := "internal: the audit log cannot be written, so nothing was sent. "; !strings.HasPrefix(text, want) {
		t.Errorf("got %q", text)
	}
	if text, _ := refusing.call("list_runs", nil); !strings.Contains(text, `"runs":[]`) {
		t.Errorf("there are runs: %s", text)
	}
	refusing.end()
	logging := startRawClient(t, "", "--audit-log", path, "--audit-failure=log")
	if text, runID := logging.call("create_run", create); runID == "" {
		t.Errorf("got %q", text)
	}
	logging.end()
	if got := runProgram(t, nil, nil, "stdio", "--sandbox", "--audit-log", t.TempDir()); got.code != 2 || !strings.Contains(got.stderr, "--audit-log: open ") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}
