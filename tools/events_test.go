package tools

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

// eventsOf returns events of types, with ids from 1 on.
func eventsOf(types ...string) []client.Event {
	var events []client.Event
	for i, t := range types {
		events = append(events, client.Event{ID: int64(i + 1), Type: t})
	}
	return events
}

func idsOf(events []client.Event) (ids []int64) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

// TestEventPage holds which events a page keeps, how many it counts as left out, and
// the cursor to go on from.
func TestEventPage(t *testing.T) {
	for _, tt := range []struct {
		name    string
		page    eventPage
		types   []string
		ids     []int64
		leftOut int
		last    int64
		full    bool
		matched bool
		others  []string
	}{
		{"none", eventPage{limit: 2, last: 7}, nil, nil, 0, 7, false, false, nil},
		{"as many as the limit", eventPage{limit: 2}, []string{"a", "b"}, []int64{1, 2}, 0, 2, false, true, nil},
		{"more: the first", eventPage{limit: 2}, []string{"a", "b", "c", "d"}, []int64{1, 2}, 2, 2, true, true, nil},
		{"more: the newest", eventPage{limit: 2, newest: true}, []string{"a", "b", "c", "d"}, []int64{3, 4}, 2, 4, false, true, nil},
		{"hidden", eventPage{hidden: true}, []string{"a", "b"}, nil, 0, 2, false, true, nil},
		{"by type, in any case", eventPage{limit: 5, types: []string{"STEP"}}, []string{"start", "step", "end", "end"}, []int64{2}, 0, 4, false, true, []string{"start", "end"}},
		{"by a type that is not there", eventPage{limit: 5, types: []string{"x"}}, []string{"start", "step"}, nil, 0, 2, false, false, []string{"start", "step"}},
		{"full: others do not count and move no cursor", eventPage{limit: 1, types: []string{"s"}}, []string{"s", "o", "s", "o", "s"}, []int64{1}, 2, 2, true, true, []string{"o"}},
		{"others are bounded", eventPage{limit: 1, types: []string{"s"}}, strings.Split("abcdefghijklm", ""), nil, 0, 13, false, false, strings.Split("abcdefghij", "")},
	} {
		p := tt.page
		p.addEvents(eventsOf(tt.types...))
		if !slices.Equal(idsOf(p.events), tt.ids) || p.leftOut != tt.leftOut || p.last != tt.last || p.full != tt.full || p.matched != tt.matched || !slices.Equal(p.others, tt.others) {
			t.Errorf("%s: events %v, left out %d, last %d, full %t, matched %t, others %v", tt.name, idsOf(p.events), p.leftOut, p.last, p.full, p.matched, p.others)
		}
	}
}

// TestHiddenEvents counts the events after the cursor, and from the start on also
// those that were not read.
func TestHiddenEvents(t *testing.T) {
	run := &client.Run{Events: eventsOf("a", "b", "c"), Earlier: 5}
	for cursor, want := range map[int64]int{0: 8, 1: 2, 2: 1, 3: 0} {
		p := hiddenEvents(run, cursor)
		if p.leftOut != want || p.last != cursor || !p.hidden || p.countLeftOut(run) != want {
			t.Errorf("from %d: %d left out, last %d", cursor, p.leftOut, p.last)
		}
	}
	for _, tt := range []struct {
		page eventPage
		want int
	}{
		{eventPage{newest: true, leftOut: 2}, 7},
		{eventPage{newest: true, leftOut: 2, types: []string{"a"}}, 2},
		{eventPage{leftOut: 2}, 2},
	} {
		if got := tt.page.countLeftOut(run); got != tt.want {
			t.Errorf("%+v: %d left out, want %d", tt.page, got, tt.want)
		}
	}
}

// TestShowEvents shows as many events as fit, and at least one.
func TestShowEvents(t *testing.T) {
	h, v := newHandlers(Options{MaxResultBytes: 10_000}), view.New(redact.New())
	size := sizeOf(v.Event(client.Event{ID: 1, Type: "a"}))
	for _, tt := range []struct {
		name          string
		page          eventPage
		budget        int
		first, last   int64
		leftOut       int
		cursor        int64
		full          bool
		withoutEvents bool
	}{
		{"all, exactly", eventPage{limit: 9}, 3 * size, 1, 3, 0, 3, false, false},
		{"one byte less", eventPage{limit: 9}, 3*size - 1, 1, 2, 1, 2, true, false},
		{"one at least", eventPage{limit: 9}, -5, 1, 1, 2, 1, true, false},
		{"the newest", eventPage{limit: 9, newest: true}, 2 * size, 2, 3, 1, 3, false, false},
		{"a limit of its own", eventPage{limit: 9, bytes: size}, 3 * size, 1, 1, 2, 1, true, false},
		{"a limit that is larger than the budget", eventPage{limit: 9, bytes: 9 * size}, 2 * size, 1, 2, 1, 2, true, false},
		{"none", eventPage{hidden: true}, 0, 0, 0, 0, 3, false, true},
	} {
		p := tt.page
		p.addEvents(eventsOf("a", "a", "a"))
		shown := h.showEvents(v, &p, tt.budget)
		if tt.withoutEvents != (len(shown) == 0) || p.leftOut != tt.leftOut || p.last != tt.cursor || p.full != tt.full {
			t.Errorf("%s: %d shown, %d left out, last %d, full %t", tt.name, len(shown), p.leftOut, p.last, p.full)
		}
		if !tt.withoutEvents && (shown[0].EventID != tt.first || shown[len(shown)-1].EventID != tt.last) {
			t.Errorf("%s: %d to %d", tt.name, shown[0].EventID, shown[len(shown)-1].EventID)
		}
	}
}

// TestShowEvent: tool calls are shown where they were asked for, within a quarter of
// the result.
func TestShowEvent(t *testing.T) {
	h, v := newHandlers(Options{MaxResultBytes: 8_000}), view.New(redact.New())
	var calls []client.ToolCall
	for range 20 {
		calls = append(calls, client.ToolCall{ToolName: "pay", ToolParameters: json.RawMessage(`{"text":"` + strings.Repeat("word ", 40) + `"}`)})
	}
	e := client.Event{ID: 1, Type: "step", Step: &client.Step{Approval: "NOT_REQUIRED", ToolCalls: calls}}
	if shown := h.showEvent(v, e, false); shown.ToolCalls != nil || shown.Approval != "" {
		t.Errorf("got %+v", shown)
	}
	if shown := h.showEvent(v, e, true); len(shown.ToolCalls) == 0 || sizeOf(shown.ToolCalls) > 2_200 || sizeOf(shown.ToolCalls) < 1_500 {
		t.Errorf("%d calls in %d bytes", len(shown.ToolCalls), sizeOf(shown.ToolCalls))
	}
	e.Step.Approval = "PENDING"
	if shown := h.showEvent(v, e, false); shown.Approval != "PENDING" {
		t.Errorf("got %+v", shown)
	}
	if shown := h.showEvent(v, client.Event{ID: 2, Type: "end"}, true); shown.ToolCalls != nil {
		t.Errorf("got %+v", shown)
	}
}
