package approval

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

// TestRequest: the question hides the operator's secrets, the caller's key and the
// tokens of all links of the run. A plan is read for a whole run only.
func TestRequest(t *testing.T) {
	asked := 0
	d := newDecider(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		io.WriteString(w, `{"plan":{"steps":[{"id":"1","description":"as it is now"}]}}`)
	})
	d.RememberPlan(caller, runID, &client.Plan{Text: "as it was created"})
	waits := pending(t)
	run := &client.Run{RunID: runID, ExecutionPlanID: "p", Events: []client.Event{
		event(t, `{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, links(1)),
		event(t, `{"id":2,"event":"step","runStatus":"PAUSED","step":{"approvalActions":%s}}`, links(2)),
	}}
	r := d.Request(t.Context(), caller, run, waits, redact.New("a-secret-of-the-operator"))
	if r.ID != waits.ID || r.Run != run || r.Plan == nil || r.Plan.Steps[0].Description != "as it is now" || r.remembered == nil || asked != 1 {
		t.Errorf("%+v, the plan was read %d times", r, asked)
	}
	for _, secret := range []string{"a-secret-of-the-operator", string(caller.Key), "approve-1", "approve-2"} {
		if text, n := r.secrets.Text("x " + secret); n != 1 {
			t.Errorf("%s is not hidden: %s", secret, text)
		}
	}
	if _, n := r.secrets.Text("as it is now"); n != 0 {
		t.Error("what is no secret is hidden")
	}
	waits.Scope = OfStep
	if r := d.Request(t.Context(), caller, run, waits, redact.New()); r.Plan != nil || r.remembered != nil || asked != 1 {
		t.Errorf("a step's: %+v, the plan was read %d times", r, asked)
	}
	if r := d.Request(t.Context(), caller, run, Pending{tokens: map[Decision]string{Deny: "a-token-of-its-stream"}}, redact.New()); strings.Contains(r.Question(false), "a-token") {
		t.Error("a token that only the stream told is shown")
	} else if _, n := r.secrets.Text("a-token-of-its-stream"); n != 1 {
		t.Error("a token that only the stream told is not hidden")
	}
}

// TestParametersThatAreNoJSON: they are shown as a text, and are part of the digest.
func TestParametersThatAreNoJSON(t *testing.T) {
	r := Request{Pending: Pending{Scope: OfStep, Step: &client.Step{ToolCalls: []client.ToolCall{call("pay", `{"to":`)}}}, Run: &client.Run{}, secrets: redact.New()}
	if got := r.Question(false); !strings.Contains(got, `It would call "pay" with "{\"to\":"`) {
		t.Error(got)
	}
	other := r
	other.Step = &client.Step{ToolCalls: []client.ToolCall{call("pay", `{"to" :`)}}
	if r.Digest() == other.Digest() {
		t.Error("another text has the same digest")
	}
}

// TestWideCharacters: a wide character takes two columns.
func TestWideCharacters(t *testing.T) {
	for _, line := range strings.Split(breakLines(strings.Repeat("\u6f22", 100)), "\n") {
		if n := len([]rune(line)); n > 41 || widthOf(line) > columns {
			t.Errorf("%d characters: %s", n, line)
		}
	}
}
