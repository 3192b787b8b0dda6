package follow

import (
	"fmt"
	"testing"
	"time"

	"runs-mcp-server/client"
)

// stepAt is a step event with a text, at a time in milliseconds.
func stepAt(id int64, ms int, text string) client.Event {
	return client.Event{ID: id, Type: client.EventStep, Timestamp: time.UnixMilli(1e12 + int64(ms)).UTC().Format(time.RFC3339Nano), Step: &client.Step{Text: text}}
}

// with returns the event with a tool call, type or cursor of its own.
func with(e client.Event, change func(*client.Event)) client.Event {
	if e.Step != nil {
		copied := *e.Step
		e.Step = &copied
	}
	change(&e)
	return e
}

// TestSameEvent says which differences make two events.
func TestSameEvent(t *testing.T) {
	known := with(stepAt(7, 5500, "x"), func(e *client.Event) { e.Step.ToolCalls = []client.ToolCall{{ToolCallID: "a"}} })
	status := client.Event{ID: 8, Type: "start", RunStatus: client.Running, Timestamp: known.Timestamp}
	auth := client.Event{ID: 9, Type: client.EventAuth, Auth: &client.Auth{Status: "required"}, Timestamp: known.Timestamp}
	for _, tt := range []struct {
		name string
		e    client.Event
		want int64 // the cursor of the event that it repeats, 0 for a new one
	}{
		{"itself", known, 7},
		{"another id", with(known, func(e *client.Event) { e.ID = 17 }), 7},
		{"a millisecond less than a second later", stepAt(17, 6499, "x"), 7},
		{"a second later", stepAt(17, 6500, "x"), 0},
		{"a millisecond less than a second earlier", stepAt(17, 4501, "x"), 7},
		{"a second earlier", stepAt(17, 4500, "x"), 0},
		{"two seconds later, by its id too", stepAt(7, 7500, "x"), 0},
		{"another text", stepAt(17, 5500, "y"), 0},
		{"another text of the same id and millisecond", stepAt(7, 5500, "y"), 7},
		{"another text of the same id", stepAt(7, 5501, "y"), 0},
		{"another reason", with(stepAt(17, 5500, "x"), func(e *client.Event) { e.Step.Reason = "r" }), 0},
		{"no tool call", stepAt(17, 5500, "x"), 7},
		{"another tool call", with(known, func(e *client.Event) { e.ID, e.Step.ToolCalls = 17, []client.ToolCall{{ToolCallID: "b"}} }), 0},
		{"another tool call of the same id", with(known, func(e *client.Event) { e.Step.ToolCalls = []client.ToolCall{{ToolCallID: "b"}} }), 0},
		{"another type of a step", with(known, func(e *client.Event) { e.ID, e.Type = 17, "other" }), 7},
		{"no time", with(known, func(e *client.Event) { e.ID, e.Timestamp = 17, "" }), 0},
		{"a status", with(status, func(e *client.Event) { e.ID = 17 }), 8},
		{"a status of another type", with(status, func(e *client.Event) { e.ID, e.Type = 17, "end" }), 0},
		{"a status in capitals", with(status, func(e *client.Event) { e.ID, e.Type = 17, "START" }), 8},
		{"a status without a type", with(status, func(e *client.Event) { e.ID, e.Type = 17, "" }), 8},
		{"another status", with(status, func(e *client.Event) { e.ID, e.RunStatus = 17, client.Paused }), 0},
		{"an authorisation", with(auth, func(e *client.Event) { e.ID = 17 }), 9},
		{"another authorisation", with(auth, func(e *client.Event) { e.ID, e.Auth = 17, &client.Auth{Status: "success"} }), 0},
	} {
		h := newHistory()
		for _, e := range []client.Event{known, status, auth} {
			h.addEvent(e, fromRead)
		}
		got := int64(0)
		if found := h.find(tt.e, fromStream); found != nil {
			got = found.cursor
		}
		if got != tt.want {
			t.Errorf("%s: repeats %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestWholeSeconds: of times in whole seconds an id and a time do not make one event.
func TestWholeSeconds(t *testing.T) {
	h := newHistory()
	h.addEvent(stepAt(7, 5000, "x"), fromRead)
	if h.find(stepAt(7, 5000, "y"), fromStream) != nil {
		t.Error("another text of the same id and second is the same event")
	}
}

// TestEachRepeatsOnce: a read and a stream repeat each event once, the oldest first,
// unless its id says which.
func TestEachRepeatsOnce(t *testing.T) {
	h := newHistory()
	for id := range int64(3) {
		h.addEvent(stepAt(id+1, 5000+int(id), "x"), fromRead)
	}
	find := func(id int64, from source) int64 {
		if found := h.find(stepAt(id, 5000, "x"), from); found != nil {
			return found.cursor
		}
		return 0
	}
	h.startPass(fromStream)
	if got := fmt.Sprint(find(99, fromStream), find(2, fromStream), find(98, fromStream), find(97, fromStream), find(2, fromStream)); got != "1 2 3 0 2" {
		t.Errorf("a stream repeats %s", got)
	}
	if got := fmt.Sprint(find(96, fromRead)); got != "0" {
		t.Errorf("the read that brought them repeats %s", got)
	}
	h.startPass(fromRead)
	h.startPass(fromStream)
	if got := fmt.Sprint(find(95, fromRead), find(94, fromStream), find(93, fromStream)); got != "1 1 2" {
		t.Errorf("the next read and stream repeat %s", got)
	}
}

// TestForgetting: of too many events the oldest quarter is forgotten.
func TestForgetting(t *testing.T) {
	h := newHistory()
	add := func(from, to int) {
		for i := from; i <= to; i++ {
			h.addEvent(stepAt(int64(i), i, fmt.Sprint(i)), fromRead)
		}
	}
	add(1, maxKnown)
	if h.truncated || h.find(stepAt(1, 1, "1"), fromStream) == nil {
		t.Error("forgotten too early")
	}
	add(maxKnown+1, maxKnown+1)
	for _, tt := range []struct {
		i     int
		known bool
	}{{1, false}, {maxKnown / 4, false}, {maxKnown/4 + 1, true}, {maxKnown, true}, {maxKnown + 1, true}} {
		found := h.find(stepAt(int64(tt.i), tt.i, fmt.Sprint(tt.i)), fromStream)
		if (found != nil) != tt.known || found != nil && found.cursor != int64(tt.i) {
			t.Errorf("event %d: known %t", tt.i, found != nil)
		}
	}
	if !h.truncated || len(h.entries) != maxKnown-maxKnown/4+1 {
		t.Errorf("truncated %t, %d entries", h.truncated, len(h.entries))
	}
}

// TestMerge: what makes an event be yielded again.
func TestMerge(t *testing.T) {
	for _, tt := range []struct {
		name     string
		had, now details
		more     bool
		want     details
	}{
		{"nothing", details{}, details{}, false, details{}},
		{"links", details{}, details{links: true}, true, details{links: true}},
		{"links again", details{links: true}, details{links: true}, false, details{links: true}},
		{"links no more", details{links: true}, details{}, false, details{links: true}},
		{"calls", details{}, details{calls: 1}, true, details{calls: 1}},
		{"calls no more", details{calls: 1}, details{}, false, details{calls: 1}},
		{"other calls", details{calls: 1}, details{calls: 2}, false, details{calls: 1}},
		{"other calls of what waits", details{pending: true, calls: 1}, details{pending: true, calls: 2}, true, details{pending: true, calls: 2}},
		{"the same calls of what waits", details{pending: true, calls: 1}, details{pending: true, calls: 1}, false, details{pending: true, calls: 1}},
		{"old calls of what is decided", details{decided: true, calls: 1}, details{pending: true, calls: 2}, false, details{decided: true, calls: 1}},
		{"a decision", details{pending: true}, details{decided: true}, true, details{decided: true}},
		{"a decision again", details{decided: true}, details{decided: true}, false, details{decided: true}},
		{"a decision of what did not wait", details{}, details{decided: true}, false, details{}},
	} {
		got := tt.had
		if more := got.merge(tt.now); more != tt.more || got != tt.want {
			t.Errorf("%s: %t, %+v; want %t, %+v", tt.name, more, got, tt.more, tt.want)
		}
	}
}

// TestDetails of a step: its approval, links and all that its tool calls say.
func TestDetails(t *testing.T) {
	h := newHistory()
	call := func(id, name, parameters string) details {
		return h.detailsOf(client.Event{Step: &client.Step{ToolCalls: []client.ToolCall{{ToolCallID: id, ToolName: name, ToolParameters: []byte(parameters)}}}})
	}
	if one := call("a", "b", "c"); one.calls == 0 || one != call("a", "b", "c") || one == call("x", "b", "c") || one == call("a", "x", "c") || one == call("a", "b", "x") {
		t.Error("tool calls are told apart by less than all that they say")
	}
	link := []client.ApprovalAction{{Action: "approve"}}
	for _, tt := range []struct {
		e    client.Event
		want details
	}{
		{client.Event{}, details{}},
		{client.Event{ApprovalActions: link}, details{links: true}},
		{client.Event{Step: &client.Step{ApprovalActions: link, Approval: "PENDING"}}, details{links: true, pending: true}},
		{client.Event{Step: &client.Step{Approval: "DENIED"}}, details{decided: true}},
		{client.Event{Step: &client.Step{}}, details{}},
	} {
		if got := h.detailsOf(tt.e); got != tt.want {
			t.Errorf("%+v: got %+v, want %+v", tt.e, got, tt.want)
		}
	}
}
