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

// shorten keeps so many runs of all there are on the page, and names the page on
// which the next ones are. Pages of another size begin elsewhere: that one may
// begin with some runs that were shown, and passes none over.
func (l *RunList) shorten(kept, all int) {
	shown := (l.Page-1)*l.PageSize + kept
	l.Runs, l.RunsLeftOut, l.More = l.Runs[:kept], all-kept, true
	l.Summary = fmt.Sprintf("%d runs on page %d, of which the first %d are shown: more would be too large.", all, l.Page, kept)
	l.NextStep = fmt.Sprintf("For the next ones, the same arguments, but pageSize %d and page %d.", kept, shown/kept+1)
	if shown/kept+1 > maxListPage {
		l.NextStep = "For the next ones, narrow the list with a filter."
	}
}

// maxListPage is the last page that the API takes.
const maxListPage = 1000
