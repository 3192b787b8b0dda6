package tools

import (
	"strings"
	"testing"

	"runs-mcp-server/internal/view"
)

// TestTruncate: parts of a result are left out one by one, the least important first,
// and each says how to read it.
func TestTruncate(t *testing.T) {
	long := strings.Repeat("x", 3_000)
	full := func() *RunResult {
		r := &RunResult{Plan: &view.Plan{Title: long}, Events: []view.Event{{EventID: 3, Text: long, Reason: "why", ToolCalls: []view.ToolCall{{}}}}}
		r.RunID, r.Intent, r.Result, r.Context = "123e4567-e89b-12d3-a456-426614174000", long, long, long
		r.PendingApprovals = []PendingApproval{{EventID: 8, Summary: "It would pay.", Reason: long, ToolCalls: []view.ToolCall{{}}}}
		return r
	}
	steps := []struct {
		name string
		left func(r *RunResult) bool
	}{
		{"context", func(r *RunResult) bool { return r.Context == "[3000 bytes left out]" }},
		{"events", func(r *RunResult) bool {
			e := r.Events[0]
			return e.Text == "[3000 bytes left out]" && e.Reason == "[3 bytes left out]" && e.ToolCalls == nil && e.EventID == 3
		}},
		{"plan", func(r *RunResult) bool { return r.Plan.Title == "[left out: get_run with part plan reads it]" }},
		{"result", func(r *RunResult) bool {
			return r.Result == nil && r.ResultURI == "run://123e4567-e89b-12d3-a456-426614174000/result"
		}},
		{"intent", func(r *RunResult) bool { return r.Intent == "[3000 bytes left out]" }},
		{"approvals", func(r *RunResult) bool {
			p := r.PendingApprovals[0]
			return p.Summary == "It would pay. [its parameters are left out: get_run with afterEventId 7, limit 1 and includeToolCalls true shows them]" &&
				p.Reason == "[3000 bytes left out]" && p.ToolCalls == nil
		}},
	}
	size := sizeOf(full())
	for n := range len(steps) + 1 {
		r := full()
		r.truncate(Options{MaxResultBytes: size}.resolve())
		for i, step := range steps {
			if step.left(r) != (i < n) {
				t.Errorf("at %d bytes: %s left out %t", size, step.name, step.left(r))
			}
		}
		size = sizeOf(r) - 1
	}
	bare := &RunResult{}
	bare.truncate(Options{MaxResultBytes: 1})
	if bare.Plan != nil || bare.ResultURI != "" || bare.Context != "" || bare.Intent != "" {
		t.Errorf("what was not there is left out: %+v", bare)
	}
}

// TestTruncateList leaves out events, then the ends of intents, then runs.
func TestTruncateList(t *testing.T) {
	intent := strings.Repeat("i", 150)
	full := func() *RunList {
		l := &RunList{Summary: "3 runs on page 1. Filters: none.", Page: 1, PageSize: 3}
		for range 3 {
			l.Runs = append(l.Runs, ListedRun{Intent: intent, Events: []view.Event{{Text: "event"}}, EventsLeftOut: 2})
		}
		return l
	}
	l := full()
	l.truncate(Options{MaxResultBytes: sizeOf(l)})
	if l.Runs[2].Events == nil || l.RunsLeftOut != 0 {
		t.Errorf("a list that fits was cut: %+v", l)
	}
	l = full()
	l.truncate(Options{MaxResultBytes: sizeOf(l) - 1})
	if r := l.Runs[2]; r.Events != nil || r.EventsLeftOut != 3 || l.Runs[1].Events == nil || r.Intent != intent {
		t.Errorf("the last events were not left out: %+v", l)
	}
	l = full()
	for i := range l.Runs {
		l.Runs[i].Events = nil
	}
	l.truncate(Options{MaxResultBytes: sizeOf(l) - 1})
	if l.Runs[2].Intent != intent[:60]+"…" || l.Runs[1].Intent != intent || len(l.Runs) != 3 {
		t.Errorf("the last intent was not cut: %+v", l)
	}
	l = full()
	l.truncate(Options{MaxResultBytes: 1})
	if len(l.Runs) != 1 || l.RunsLeftOut != 2 || !l.More || l.Summary != "3 runs on page 1, of which the first 1 are shown: more would be too large. Filters: none." {
		t.Errorf("got %+v", l)
	}
}

// TestCutText cuts between characters.
func TestCutText(t *testing.T) {
	for _, tt := range []struct {
		text  string
		limit int
		want  string
	}{{"", 0, ""}, {"abc", 3, "abc"}, {"abcd", 3, "abc…"}, {"aää", 4, "aä…"}, {"aää", 5, "aää"}} {
		if got := cutText(tt.text, tt.limit); got != tt.want {
			t.Errorf("%q to %d: %q", tt.text, tt.limit, got)
		}
	}
	for n, want := range map[int]string{0: "", 1: "a", 2: "a, a", 3: "a, a and 1 more"} {
		if got := joinFirst(make([]int, n), 2, func(int) string { return "a" }); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	for limit, want := range map[int]string{2: "a", 3: "a", 4: "ab", 6: "ab", 8: "abä", 9: "abä\"", 100: "abä\"x"} { // 2 bytes are the quotes
		if got := cutToJSON("abä\"x", limit); len(got) > 0 && !strings.HasPrefix("abä\"x", got) || sizeOf(got) > max(limit, 3) || limit == 100 && got != want {
			t.Errorf("%d: %q", limit, got)
		}
	}
}
