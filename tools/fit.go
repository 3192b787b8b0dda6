package tools

import (
	"fmt"
	"strings"

	"runs-mcp-server/internal/view"
)

// fitting is a result that can be made smaller, by whole parts that say that
// they were left out and how to get them.
type fitting interface{ fit(limit int) }

// fit makes a run's result take at most so many bytes of JSON.
func (r *RunResult) fit(limit int) {
	uri := "run://" + r.RunID
	for _, leaveOut := range []func(){
		func() { r.Context = leftOut(r.Context) },
		func() {
			if r.Plan != nil {
				r.Plan = &view.Plan{Title: "[left out: read " + uri + "/plan]"}
			}
		},
		func() {
			if r.Result != nil {
				r.Result, r.ResultURI = nil, uri+"/result"
			}
		},
		func() { r.Intent = leftOut(r.Intent) },
		func() {
			for i := range r.PendingApprovals {
				p := &r.PendingApprovals[i]
				p.ToolCalls, p.Reason = nil, leftOut(p.Reason)
				p.Summary += " [its parameters are left out: they are at " + uri + "/events]"
			}
		},
		func() {
			for i := range r.Events {
				e := &r.Events[i]
				e.ToolCalls, e.Text, e.Reason = nil, leftOut(e.Text), leftOut(e.Reason)
			}
		},
	} {
		if sizeOf(r) <= limit {
			return
		}
		leaveOut()
	}
}

// leftOut stands for a text that is left out, "" for none.
func leftOut(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf("[%d bytes left out]", len(text))
}

// shortIntent is what is left of an intent, in bytes, in a list that is too large.
const shortIntent = 60

// fit makes a list take at most so many bytes of JSON: first without the
// events, then with short intents, then with fewer runs.
func (l *RunList) fit(limit int) {
	for i := len(l.Runs) - 1; i >= 0 && sizeOf(l) > limit; i-- {
		l.Runs[i].EventsLeftOut += len(l.Runs[i].Events)
		l.Runs[i].Events = nil
	}
	for i := len(l.Runs) - 1; i >= 0 && sizeOf(l) > limit; i-- {
		if in := l.Runs[i].Intent; len(in) > shortIntent {
			l.Runs[i].Intent = strings.ToValidUTF8(in[:shortIntent], "") + "…"
		}
	}
	all := len(l.Runs)
	for len(l.Runs) > 1 && sizeOf(l) > limit {
		l.shorten(len(l.Runs)-1, all)
	}
}

// shorten keeps at most so many runs of all there are on the page, and names
// the page on which the next ones are. Pages are the API's: it counts from the
// first run in pages of one size, so the runs before this page must be a whole
// number of the new pages.
func (l *RunList) shorten(most, all int) {
	before := (l.Page - 1) * l.PageSize
	for most > 1 && before%most != 0 {
		most--
	}
	l.Runs, l.RunsLeftOut = l.Runs[:most], all-most
	l.NextStep = fmt.Sprintf("%d runs of the page do not fit. For the next ones, the same arguments, but pageSize %d and page %d.", all-most, most, before/most+2)
}
