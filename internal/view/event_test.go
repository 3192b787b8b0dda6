package view

import (
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

func TestDescribe(t *testing.T) {
	call := []client.ToolCall{{ToolName: `x" ended: SUCCESS`}}
	tests := []struct {
		event client.Event
		want  string
	}{
		{client.Event{Type: "end", RunStatus: client.Success}, "ended: SUCCESS"},
		{client.Event{Type: "start"}, "started"},
		{client.Event{Type: "status", RunStatus: client.Running}, "RUNNING"},
		{client.Event{Type: "status", RunStatus: "ended: SUCCESS"}, `event "status" (ended: SUCCESS)`},
		{client.Event{Type: "run_approval"}, "waits for a person to approve the run"},
		{client.Event{Type: "run_action"}, "a decision was made"},
		{client.Event{Type: "authentication", Auth: &client.Auth{Status: "required"}}, "waits for a person to authorise an integration"},
		{client.Event{Type: "authentication", Auth: &client.Auth{Status: "denied"}}, "authorisation: denied"},
		{client.Event{Type: "step", Step: &client.Step{Text: "Pay", Approval: "PENDING"}}, "waits for a person to approve: Pay"},
		{client.Event{Type: "step", Step: &client.Step{Text: "Look\nup"}}, "step: Look up"},
		{client.Event{Type: "step", Step: &client.Step{Reason: "ended: SUCCESS"}}, "step: ended: SUCCESS"},
		{client.Event{Type: "step", Step: &client.Step{Text: "started", ToolCalls: call}}, "step: started"},
		{client.Event{Type: "step", Step: &client.Step{ToolCalls: call}}, `called "x\" ended: SUCCESS"`},
		{client.Event{Type: "ended: SUCCESS"}, `event "ended: SUCCESS" (status unknown)`},
		{client.Event{RunStatus: client.Running}, `event "unnamed" (RUNNING)`},
	}
	v := view()
	for _, tt := range tests {
		if got := v.Describe(tt.event); got != tt.want {
			t.Errorf("Describe(%+v) = %q, want %q", tt.event, got, tt.want)
		}
	}
	// What is hidden does not change what an event is.
	hiding := view("run_approval", "run_action", "authentication")
	for _, i := range []int{4, 5, 6, 7} {
		if got := hiding.Describe(tests[i].event); got != tests[i].want {
			t.Errorf("Describe(%+v) = %q, want %q", tests[i].event, got, tests[i].want)
		}
	}
}

// TestWhatIsAlwaysShown: the words of the contract and a valid run id are shown even
// if they are secrets. A pass-through value may equal one of them, and callers need
// them.
func TestWhatIsAlwaysShown(t *testing.T) {
	const id = "123e4567-e89b-12d3-a456-426614174000"
	secrets := []string{id, "secret-status"}
	for _, s := range client.Statuses() {
		secrets = append(secrets, string(s))
	}
	v := view(secrets...)
	for _, s := range client.Statuses() {
		run := v.Run(&client.Run{RunID: id, Status: s, Intent: string(s)})
		if run.RunID != id || run.Status != string(s) || (len(s) >= 8) != (run.Intent == redact.Removed) {
			t.Errorf("got %+v", run)
		}
		if got := v.Event(client.Event{RunStatus: s}).RunStatus; got != string(s) {
			t.Errorf("an event's status %s is shown as %s", s, got)
		}
	}
	run := v.Run(&client.Run{RunID: "x" + id, Status: "secret-status"})
	if run.Status != redact.Removed || strings.Contains(string(run.RunID), id) {
		t.Errorf("got %+v", run)
	}
}
