package view

import (
	"strings"
	"testing"

	"runs-mcp-server/client"
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
	v := New()
	for _, tt := range tests {
		if got := v.Describe(tt.event); got != tt.want {
			t.Errorf("Describe(%+v) = %q, want %q", tt.event, got, tt.want)
		}
	}
	// What is hidden does not change what an event is.
	v.Hide("start", "step", "required", "PENDING")
	for _, i := range []int{1, 5, 8} {
		if got := v.Describe(tests[i].event); got != tests[i].want {
			t.Errorf("Describe(%+v) = %q, want %q", tests[i].event, got, tests[i].want)
		}
	}
}

// TestWhatIsAlwaysShown hides the words of the contract and a run's id: a
// pass-through value may be any of them, and a caller needs them.
func TestWhatIsAlwaysShown(t *testing.T) {
	const id = "123e4567-e89b-12d3-a456-426614174000"
	v := New()
	v.Hide(id, "secret-status")
	for _, s := range client.Statuses() {
		v.Hide(string(s))
	}
	for _, s := range client.Statuses() {
		run := v.Run(&client.Run{RunID: id, Status: s, Intent: string(s)})
		if run.RunID != id || run.Status != string(s) || run.Intent != removed {
			t.Errorf("got %+v", run)
		}
		if got := v.Event(client.Event{RunStatus: s}).RunStatus; got != string(s) {
			t.Errorf("an event's status %s is shown as %s", s, got)
		}
	}
	run := v.Run(&client.Run{RunID: "x" + id, Status: "secret-status"})
	if run.Status != removed || strings.Contains(run.RunID, id) {
		t.Errorf("got %+v", run)
	}
}
