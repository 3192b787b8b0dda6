package e2e

import (
	"io"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// TestAnswersHideOperatorSettings holds that no answer over HTTP contains the API's
// address, the operator's key or the name of a setting. The answers include refusals
// and those of an API that is down.
func TestAnswersHideOperatorSettings(t *testing.T) {
	t.Parallel()
	t.Run("an API", func(t *testing.T) {
		box := startSandbox(t)
		c := newAnswerCollector(t, "--integrations=*", "--api-url", box.URL())
		runID := c.collectAll(t)
		box.Close() // now the API is down
		c.send(t, program.ToolCall("get_run", map[string]any{"runId": runID}), nil)
		c.send(t, program.ToolCall("list_runs", nil), nil)
		c.send(t, program.ToolCall("create_run", map[string]any{"intent": "x", "userId": "u"}), nil)
		c.send(t, readMessage("integrations://active"), nil)
		c.requireHidden(t, strings.TrimPrefix(box.URL(), "http://"))
		if answers := c.answers.String(); !strings.Contains(answers, "not_found") || !strings.Contains(answers, "upstream_unavailable") {
			t.Error("the expected failures did not happen")
		}
	})
	t.Run("a sandbox", func(t *testing.T) {
		c := newAnswerCollector(t, "--sandbox")
		c.collectAll(t)
		c.requireHidden(t)
		if !strings.Contains(c.answers.String(), "not_found") {
			t.Error("the expected failures did not happen")
		}
	})
}

// answerCollector is a caller that collects the answers it gets.
type answerCollector struct {
	me      *program.Tenant
	answers strings.Builder
}

// newAnswerCollector starts a server whose operator has a key, and a caller of it.
func newAnswerCollector(t *testing.T, flags ...string) *answerCollector {
	t.Helper()
	url := program.ServeHTTP(t, io.Discard, map[string]string{"TR_API_KEY": "operators-key-0123"}, append(flags, "--approval-strategy=ON_START")...)
	return &answerCollector{me: program.NewTenant(t, url, sandbox.DefaultKey)}
}

// send sends a message and collects its answer.
func (c *answerCollector) send(t *testing.T, message string, headers map[string]string) {
	t.Helper()
	session := c.me.Session
	if message == program.Initialize { // in a session it would end the session
		session = ""
	}
	_, body, _ := c.me.Send(t, session, message, headers)
	c.answers.WriteString(body + "\n")
}

// collectAll collects all kinds of answers. It returns the id of a run that waits for
// approval.
func (c *answerCollector) collectAll(t *testing.T) (runID string) {
	t.Helper()
	answer, runID := approveWithoutElicitation(t, c.me)
	c.answers.WriteString(answer)
	for _, tool := range []string{"get_run", "abort_run", "approve", "list_runs"} {
		c.send(t, program.ToolCall(tool, map[string]any{"runId": runID}), nil)
		c.send(t, program.ToolCall(tool, map[string]any{"runId": unknownRun}), nil)
		c.send(t, program.ToolCall(tool, map[string]any{"no": "such"}), nil)
	}
	c.collectRefused(t)
	c.send(t, program.ToolCall("create_run", map[string]any{"intent": "x", "userId": "u"}), nil)
	for _, uri := range []string{"run://" + runID, "run://" + runID + "/events", "run://x/plan", "integrations://active"} {
		c.send(t, readMessage(uri), nil)
	}
	c.send(t, `{"jsonrpc":"2.0","id":1,"method":"resources/list"}`, nil)
	c.send(t, program.Initialize, nil)
	c.send(t, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, nil)
	for _, prompt := range []string{"review_approvals", "diagnose_run", "run_and_watch"} {
		c.send(t, `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"`+prompt+`","arguments":{"runId":"`+runID+`","intent":"x"}}}`, nil)
	}
	for _, headers := range []map[string]string{
		{"x-api-key": ""}, {"Authorization": "Basic x"}, {"Origin": "https://evil.example"}, {"Content-Type": "text/plain"}, {"Mcp-Session-Id": "none"},
	} {
		c.send(t, program.Initialize, headers)
	}
	return runID
}

// collectRefused collects the answer to a caller whose key the API refuses.
func (c *answerCollector) collectRefused(t *testing.T) {
	t.Helper()
	other := program.NewTenant(t, c.me.URL, "another-key-0123")
	_, answer, _ := other.Send(t, other.Session, program.ToolCall("list_runs", nil), nil)
	if !strings.Contains(answer, "unauthorized") {
		t.Error(answer)
	}
	c.answers.WriteString(answer)
}

// requireHidden fails the test if an answer contains a secret or what only the operator
// knows.
func (c *answerCollector) requireHidden(t *testing.T, secrets ...string) {
	t.Helper()
	answers := c.answers.String()
	for _, secret := range append(secrets, "127.0.0.1", "localhost", "TR_API", "terminal", "approve --", "--api", "operators-key") {
		if i := strings.Index(answers, secret); i >= 0 {
			t.Errorf("an answer contains %q: …%s…", secret, answers[max(0, i-200):min(len(answers), i+200)])
		}
	}
}

// readMessage returns a resources/read message.
func readMessage(uri string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"` + uri + `"}}`
}
