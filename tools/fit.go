package tools

import (
	"fmt"
	"strings"

	"runs-mcp-server/internal/view"
)

// toolResult is the result of a tool.
type toolResult interface {
	// fit makes the result take at most o.MaxResultBytes of JSON. It leaves out
	// whole parts, and says so and how to get them.
	fit(o Options)
	// addIgnored says in the summary which arguments were ignored.
	addIgnored(names []string)
}

func (r *RunResult) addIgnored(names []string) { r.Summary += ignoredNote(names) }
func (l *RunList) addIgnored(names []string)   { l.Summary += ignoredNote(names) }

// maxIgnored is how many ignored arguments are named.
const maxIgnored = 4

// ignoredNote names arguments that were ignored, "" where there are none.
func ignoredNote(names []string) string {
	if len(names) == 0 {
		return ""
	}
	shown := make([]string, 0, maxIgnored)
	for _, name := range names[:min(len(names), maxIgnored)] {
		shown = append(shown, view.Quote(shortName(name)))
	}
	more := ""
	if n := len(names) - len(shown); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return " Ignored: this tool has no argument " + strings.Join(shown, ", ") + more + "."
}

func (r *RunResult) fit(o Options) {
	for _, leaveOut := range []func(){
		func() { r.Context = leftOut(r.Context) },
		func() {
			for i := range r.Events {
				e := &r.Events[i]
				e.ToolCalls, e.Text, e.Reason = nil, leftOut(e.Text), leftOut(e.Reason)
			}
		},
		func() {
			if r.Plan != nil {
				r.Plan = &view.Plan{Title: "[left out: " + o.readPart(r.RunID, partPlan) + "]"}
			}
		},
		func() {
			if r.Result != nil {
				r.Result, r.ResultURI = nil, "run://"+string(r.RunID)+"/result"
			}
		},
		func() { r.Intent = leftOut(r.Intent) },
		func() {
			for i := range r.PendingApprovals {
				p := &r.PendingApprovals[i]
				p.ToolCalls, p.Reason = nil, leftOut(p.Reason)
				p.Summary += " [its parameters are left out: " + o.readCalls(r.RunID, p.EventID) + "]"
			}
		},
	} {
		if sizeOf(r) <= o.MaxResultBytes {
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

// fit leaves out the events first, then shortens intents, then shows fewer runs.
func (l *RunList) fit(o Options) {
	limit := o.MaxResultBytes
	for i := len(l.Runs) - 1; i >= 0 && sizeOf(l) > limit; i-- {
		l.Runs[i].EventsLeftOut += len(l.Runs[i].Events)
		l.Runs[i].Events = nil
	}
	for i := len(l.Runs) - 1; i >= 0 && sizeOf(l) > limit; i-- {
		if in := l.Runs[i].Intent; len(in) > shortIntent {
			l.Runs[i].Intent = strings.ToValidUTF8(in[:shortIntent], "") + "…"
		}
	}
	all := len(l.Runs) + l.RunsLeftOut
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
	_, rest, _ := strings.Cut(l.Summary, ".") // what was said of the filters stays
	l.Summary = fmt.Sprintf("%d runs on page %d, of which the first %d are shown: more would be too large.", all, l.Page, kept) + rest
	l.NextStep = fmt.Sprintf("For the next ones, the same arguments, but pageSize %d and page %d.", kept, shown/kept+1)
	if shown/kept+1 > maxListPage {
		l.NextStep = "For the next ones, narrow the list with a filter."
	}
}

// maxListPage is the last page that the API takes.
const maxListPage = 1000
