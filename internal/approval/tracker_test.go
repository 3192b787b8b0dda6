package approval

import (
	"fmt"
	"runs-mcp-server/client"
	"testing"
)

// TestTracker: what is pending after a run's events.
func TestTracker(t *testing.T) {
	askRun := `{"id":%d,"event":"run_approval","runStatus":"PAUSED","approvalActions":` + links(1) + `}`
	askStep := func(n int) string {
		return `{"id":%d,"event":"step","runStatus":"PAUSED","step":{"approval":"PENDING","toolCalls":[{"toolCallId":"` + fmt.Sprint(n) + `","toolName":"t"}],"approvalActions":` + links(n) + `}}`
	}
	tests := []struct {
		name   string
		events []string
		want   []int64 // the events that asked for what is pending
	}{
		{"nothing", []string{`{"id":%d,"event":"start","runStatus":"RUNNING"}`}, nil},
		{"the run", []string{askRun}, []int64{1}},
		{"asked twice", []string{askRun, askRun}, []int64{1}},
		{"decided", []string{askRun, `{"id":%d,"event":"run_action","runStatus":"RUNNING"}`}, nil},
		{"decided, of which only the status tells", []string{askRun, `{"id":%d,"runStatus":"RUNNING"}`}, nil},
		{"ended", []string{askRun, `{"id":%d,"event":"end","runStatus":"CANCELED"}`}, nil},
		{"a pause says nothing new", []string{askRun, `{"id":%d,"event":"status","runStatus":"PAUSED"}`}, []int64{1}},
		{"two steps", []string{askStep(1), askStep(2)}, []int64{1, 2}},
		{"one of two decided", []string{askStep(1), askStep(2), `{"id":%d,"event":"run_action","runStatus":"PAUSED"}`,
			`{"id":%d,"event":"step","runStatus":"RUNNING","step":{"approval":"APPROVED","toolCalls":[{"toolCallId":"1"}]}}`}, []int64{2}},
		{"a decision that names a settled call", []string{askStep(1), askStep(2), `{"id":%d,"event":"step","runStatus":"PAUSED","step":{"approval":"APPROVED","toolCalls":[{"toolCallId":"1"}]}}`,
			`{"id":%d,"event":"run_action","runStatus":"PAUSED","toolCallId":"1"}`}, []int64{2}},
		{"a decision that names a call", []string{askStep(1), askStep(2), `{"id":%d,"event":"run_action","runStatus":"PAUSED","toolCallId":"2"}`}, []int64{1}},
		{"a decision whose step names a call", []string{askStep(1), askStep(2), `{"id":%d,"event":"run_action","step":{"toolCalls":[{"toolCallId":"1"}]}}`}, []int64{2}},
		{"a decision whose tool call names it", []string{askStep(1), askStep(2), `{"id":%d,"event":"run_action","data":{"toolCall":{"toolCallId":"1"}}}`}, []int64{2}},
		{"a decision on a call that the asking did not name", []string{askRun, `{"id":%d,"event":"run_action","toolCallId":"1"}`}, nil},
		{"another branch goes on", []string{`{"id":%d,"event":"step","runStatus":"RUNNING","step":{"approval":"PENDING","toolCalls":[{"toolCallId":"1"}],"approvalActions":` + links(1) + `}}`,
			`{"id":%d,"event":"step","runStatus":"RUNNING","step":{"text":"x","approval":"NOT_REQUIRED"}}`, `{"id":%d,"event":"status","runStatus":"PAUSED"}`}, []int64{1}},
		{"a decided step asks again", []string{askStep(1), `{"id":%d,"runStatus":"RUNNING"}`, askStep(2)}, []int64{3}},
	}
	for _, tt := range tests {
		tracker := NewTracker(caller, runID)
		for i, e := range tt.events {
			tracker.AddEvent(event(t, e, i+1))
		}
		var got []int64
		for _, p := range tracker.Pending() {
			got = append(got, p.EventID)
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: pending from events %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestAmendedEventBringsItsLink: an approval is pending once its link is known,
// unless it was decided before.
func TestAmendedEventBringsItsLink(t *testing.T) {
	poor := `{"id":1,"event":"run_approval","runStatus":"PAUSED"}`
	rich := event(t, `{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, links(1))
	rich.Amended = true
	tracker := NewTracker(caller, runID)
	tracker.AddEvent(event(t, "%s", poor))
	tracker.AddEvent(rich)
	if n := len(tracker.Pending()); n != 1 {
		t.Errorf("%d pending, want 1", n)
	}
	tracker = NewTracker(caller, runID)
	tracker.AddEvent(event(t, "%s", poor))
	tracker.AddEvent(event(t, `{"id":2,"event":"start","runStatus":"RUNNING"}`))
	tracker.AddEvent(rich)
	if n := len(tracker.Pending()); n != 0 {
		t.Errorf("%d pending after the decision", n)
	}
}

// TestLinkOfAnEventThatDecided: an event that said that the run goes on asks for
// nothing, though its link is known later.
func TestLinkOfAnEventThatDecided(t *testing.T) {
	for id, want := range map[int]int{2: 0, 3: 1} {
		tracker := NewTracker(caller, runID)
		tracker.AddEvent(event(t, "%s", `{"id":2,"event":"run_approval","runStatus":"RUNNING"}`))
		late := event(t, `{"id":%d,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, id, links(1))
		late.Amended = true
		tracker.AddEvent(late)
		if n := len(tracker.Pending()); n != want {
			t.Errorf("event %d: %d pending, want %d", id, n, want)
		}
	}
}

// TestAmendedEventBringsItsToolCalls: the tool calls that came last count.
func TestAmendedEventBringsItsToolCalls(t *testing.T) {
	const step = `{"id":1,"event":"step","runStatus":"PAUSED","step":{"approval":"PENDING","toolCalls":%s,"approvalActions":%s}}`
	tracker := NewTracker(caller, runID)
	tracker.AddEvent(event(t, step, "[]", links(1)))
	for _, tt := range []struct{ calls, want string }{
		{`[{"toolName":"list"}]`, "list"},
		{`[{"toolName":"delete"}]`, "delete"},
		{`[]`, "delete"},
	} {
		e := event(t, step, tt.calls, links(1))
		e.Amended = true
		tracker.AddEvent(e)
		if p := tracker.Pending(); len(p) != 1 || len(p[0].Step.ToolCalls) != 1 || p[0].Step.ToolCalls[0].ToolName != tt.want {
			t.Errorf("after %s: got %+v", tt.calls, p)
		}
	}
}

// TestIDs: an approval's ID is the same on every replica, and differs between callers
// and between runs.
func TestIDs(t *testing.T) {
	id := func(key client.Key, run string) string {
		tracker := NewTracker(client.Caller{Key: key}, client.RunID(run))
		tracker.AddEvent(event(t, `{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, links(1)))
		return tracker.Pending()[0].ID
	}
	first, second := id("key-a", runID), id("key-a", runID)
	if first != second {
		t.Error("an id changes")
	}
	if first == id("key-b", runID) || first == id("key-a", "other") {
		t.Error("an id is the same for another caller or run")
	}
}

// TestRestartedIDs: when event ids restart, nothing is pending any more and old
// cursors do not count.
func TestRestartedIDs(t *testing.T) {
	tracker := NewTracker(caller, runID)
	tracker.AddEvent(event(t, `{"id":5,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, links(1)))
	tracker.AddEvent(event(t, `{"id":6,"event":"status","runStatus":"RUNNING"}`))
	restarted := event(t, `{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, links(2))
	restarted.Restarted = true
	if _, ok := tracker.AddEvent(restarted); !ok || len(tracker.Pending()) != 1 {
		t.Errorf("pending: %+v", tracker.Pending())
	}
	restarted.ID, restarted.Step = 2, &client.Step{Approval: "APPROVED"}
	if tracker.AddEvent(restarted); len(tracker.Pending()) != 0 {
		t.Errorf("after another restart: %+v", tracker.Pending())
	}
}

// TestAmendedEventDecidesNothing: the status of an amended event is old.
func TestAmendedEventDecidesNothing(t *testing.T) {
	tracker := NewTracker(caller, runID)
	tracker.AddEvent(event(t, `{"id":2,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, links(1)))
	e := event(t, `{"id":1,"event":"start","runStatus":"RUNNING"}`)
	e.Amended = true
	if tracker.AddEvent(e); len(tracker.Pending()) != 1 {
		t.Error("nothing is pending")
	}
}

// TestAskedInOrder: approvals are in the order of their events, even if a link comes
// late.
func TestAskedInOrder(t *testing.T) {
	tracker := NewTracker(caller, runID)
	for _, id := range []int{3, 1, 2} {
		e := event(t, `{"id":%d,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, id, links(id))
		e.Amended = id < 3
		if asked, ok := tracker.AddEvent(e); !ok || asked.EventID != int64(id) {
			t.Errorf("%d: %+v, %t", id, asked, ok)
		}
	}
	for i, p := range tracker.Pending() {
		if p.EventID != int64(i+1) {
			t.Errorf("%d is number %d", p.EventID, i+1)
		}
	}
}

// TestOneCallOfSeveral: a decision on one tool call of a step decides its approval.
// Tool calls that an amended event no longer has do not count.
func TestOneCallOfSeveral(t *testing.T) {
	const step = `{"id":1,"event":"step","runStatus":"PAUSED","step":{"approval":"PENDING","toolCalls":[%s],"approvalActions":%s}}`
	for decided, want := range map[string]int{"a": 1, "b": 0, "c": 0, "": 0, "d": 1} {
		tracker := NewTracker(caller, runID)
		tracker.AddEvent(event(t, step, `{"toolCallId":"a","toolName":"t"}`, links(1)))
		amended := event(t, step, `{"toolCallId":"b","toolName":"t"},{"toolCallId":"c","toolName":"t"},{"toolName":"t"}`, links(1))
		amended.Amended = true
		tracker.AddEvent(amended)
		tracker.AddEvent(event(t, `{"id":2,"event":"run_action","runStatus":"PAUSED","toolCallId":%q}`, decided))
		if n := len(tracker.Pending()); n != want {
			t.Errorf("%q was decided: %d pending, want %d", decided, n, want)
		}
		if want == 0 && len(tracker.byCall)+len(tracker.byID) != 0 {
			t.Errorf("%q was decided: still known: %v, %v", decided, tracker.byCall, tracker.byID)
		}
	}
}

// TestEarlierCallsStay: if the same event brings other links without tool calls, the
// earlier tool calls stay.
func TestEarlierCallsStay(t *testing.T) {
	const step = `{"id":1,"event":"step","runStatus":"PAUSED","step":{"approval":"PENDING","toolCalls":[%s],"approvalActions":%s}}`
	for calls, want := range map[string]string{"": "first", `{"toolName":"second"}`: "second"} {
		tracker := NewTracker(caller, runID)
		tracker.AddEvent(event(t, step, `{"toolName":"first"}`, `[{"action":"approve","url":"https://x/v1/runs/approval?token=approve-1"}]`))
		amended := event(t, step, calls, links(1))
		amended.Amended = true
		asked, ok := tracker.AddEvent(amended)
		if p := tracker.Pending(); !ok || len(p) != 1 || p[0].ID != asked.ID || len(p[0].calls()) != 1 || p[0].calls()[0].ToolName != want {
			t.Errorf("%q: %+v", calls, p)
		}
	}
}

// BenchmarkTracker adds and decides 20,000 approvals.
func BenchmarkTracker(b *testing.B) {
	const n = 20_000
	asked, decided := make([]client.Event, n), make([]client.Event, n)
	for i := range n {
		step := client.Step{ToolCalls: []client.ToolCall{{ToolCallID: fmt.Sprint("call-", i)}}}
		done := step
		done.Approval = "APPROVED"
		step.ApprovalActions = []client.ApprovalAction{{Action: "approve", URL: fmt.Sprint("https://x/v1/runs/approval?token=token-", i)}}
		asked[i] = client.Event{ID: int64(i + 1), RunStatus: client.Paused, Step: &step}
		decided[i] = client.Event{ID: int64(n + i + 1), RunStatus: client.Paused, Step: &done}
	}
	for b.Loop() {
		tracker := NewTracker(caller, runID)
		for _, e := range asked {
			tracker.AddEvent(e)
		}
		for _, e := range decided {
			tracker.AddEvent(e)
		}
		if len(tracker.Pending()) != 0 {
			b.Fatal("something is pending")
		}
	}
}
