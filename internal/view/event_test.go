package view

import (
	"encoding/json"
	"slices"
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

// TestToolCallsWithin: a call that is too large has smaller values, and calls beyond the
// budget or beyond 20 are counted.
func TestToolCallsWithin(t *testing.T) {
	small := client.ToolCall{ToolName: "small", ToolParameters: json.RawMessage(`{"a":1}`)}
	large := client.ToolCall{ToolName: "large", ToolParameters: json.RawMessage(`"` + strings.Repeat("x", 3000) + `"`), ToolResult: json.RawMessage(`"` + strings.Repeat("y", 3000) + `"`)}
	size := len(JSON(ToolCall{ToolName: "small", ToolParameters: map[string]any{"a": 1}}))
	for name, tt := range map[string]struct {
		calls  []client.ToolCall
		budget int
		want   int // calls that are shown, the note aside
		note   string
	}{
		"none":                 {nil, 1000, 0, ""},
		"all fit":              {slices.Repeat([]client.ToolCall{small}, 3), 3*size + 1, 3, ""},
		"all fit exactly":      {slices.Repeat([]client.ToolCall{small}, 3), 3 * size, 3, ""},
		"two fit":              {slices.Repeat([]client.ToolCall{small}, 3), 2*size + 1, 3, ""},
		"two fit exactly":      {slices.Repeat([]client.ToolCall{small}, 3), 2 * size, 2, "[1 more tool calls left out]"},
		"20":                   {slices.Repeat([]client.ToolCall{small}, 20), 10_000, 20, ""},
		"more than 20":         {slices.Repeat([]client.ToolCall{small}, 25), 10_000, 20, "[5 more tool calls left out]"},
		"large ones are small": {[]client.ToolCall{large, large}, 1000, 1, "[1 more tool calls left out]"},
	} {
		got := view().ToolCallsWithin(tt.calls, tt.budget)
		note := ""
		if n := len(got); n > tt.want {
			note = got[n-1].ToolName
			got = got[:n-1]
		}
		if len(got) != tt.want || note != tt.note || tt.want > 0 && len(JSON(got[0])) > tt.budget+200 {
			t.Errorf("%s: %d calls, %q, %d bytes", name, len(got), note, len(JSON(got)))
		}
	}
}

// TestQuoteOfView: a quoted line cannot end its quotes, nor look as if it did.
func TestQuoteOfView(t *testing.T) {
	for text, want := range map[string]string{
		`plain`:               `"plain"`,
		`a"b\`:                `"a\"b\\"`,
		"\u201ca\u201d\uff02": `"'a''"`,
		"\u2019":              "\"\u2019\"",
	} {
		if got := Quote(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
