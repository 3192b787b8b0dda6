package tools

import (
	"fmt"

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
				r.PendingApprovals[i].ToolCalls = nil
				r.PendingApprovals[i].Summary += " [its parameters are left out: call get_run with includeToolCalls]"
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

// fit makes a list take at most so many bytes of JSON: first without the
// events, then without the intents, then with fewer runs.
func (l *RunList) fit(limit int) {
	for i := len(l.Runs) - 1; i >= 0 && sizeOf(l) > limit; i-- {
		l.Runs[i].EventsLeftOut += len(l.Runs[i].Events)
		l.Runs[i].Events = nil
	}
	for i := len(l.Runs) - 1; i >= 0 && sizeOf(l) > limit; i-- {
		l.Runs[i].Intent = leftOut(l.Runs[i].Intent)
	}
	all := len(l.Runs)
	for len(l.Runs) > 1 && sizeOf(l) > limit {
		l.Runs = l.Runs[:len(l.Runs)-1]
		l.RunsLeftOut = all - len(l.Runs)
		l.NextStep = fmt.Sprintf("Not all runs of the page fit: call list_runs with pageSize %d.", len(l.Runs))
	}
}
