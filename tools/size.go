package tools

import (
	"fmt"
	"slices"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/view"
)

// DefaultMaxResultBytes is how large a result may be where the operator does not
// say: below the 12,000 bytes at which Codex cuts for models it does not know.
const DefaultMaxResultBytes = 10_000

// MinMaxResultBytes is the least that the operator may set.
const MinMaxResultBytes = 8_000

func (r *RunResult) addNote(note string) { r.Summary += note }

// truncate leaves out whole parts, the least important first, until the result is
// small enough, and returns its JSON. It is the second of two stages:
//
//  1. buildResult (result.go) shares MaxResultBytes out: to the run's result
//     (showResult in result.go), to the approvals (showApprovals in result.go), then
//     what is left to the events of an eventPage (showEvents below). Events that do
//     not fit are left out and counted. A call that reads a part gets a piece of it
//     instead (showPiece in piece.go).
//  2. endpointOf (tools.go) calls truncate when all notes are added. The functions
//     below leave out, in this order: the context, the texts of events, the plan, the
//     run's result, the intent, the tool calls of approvals.
//
// A RunList has an order of its own: see its truncate in list_runs.go.
func (r *RunResult) truncate(o Options) []byte {
	text := view.JSON(r)
	for _, leaveOut := range []func(*RunResult, Options){
		leaveOutContext, leaveOutEventTexts, leaveOutPlan, leaveOutResult, leaveOutIntent, leaveOutToolCalls,
	} {
		if len(text) <= o.MaxResultBytes {
			break
		}
		leaveOut(r, o)
		text = view.JSON(r)
	}
	return text
}

func leaveOutContext(r *RunResult, _ Options) { r.Context = leftOut(r.Context) }

func leaveOutEventTexts(r *RunResult, _ Options) {
	for i := range r.Events {
		e := &r.Events[i]
		e.ToolCalls, e.Text, e.Reason = nil, leftOut(e.Text), leftOut(e.Reason)
	}
}

func leaveOutPlan(r *RunResult, o Options) {
	if r.Plan != nil {
		r.Plan = &view.Plan{Title: "[left out: " + o.readPart(r.RunID, partPlan) + "]"}
	}
}

func leaveOutResult(r *RunResult, _ Options) {
	if r.Result != nil {
		r.Result, r.ResultURI = nil, runURI(r.RunID, partResult)
	}
}

func leaveOutIntent(r *RunResult, _ Options) { r.Intent = leftOut(r.Intent) }

func leaveOutToolCalls(r *RunResult, o Options) {
	for i := range r.PendingApprovals {
		p := &r.PendingApprovals[i]
		p.ToolCalls, p.Reason = nil, leftOut(p.Reason)
		p.Summary += " [its parameters are left out: " + o.readToolCalls(r.RunID, p.EventID) + "]"
	}
}

// leftOut stands for a text that is left out, "" for none.
func leftOut(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf("[%d bytes left out]", len(text))
}

// defaultEventBytes is what the events of a result take where the call sets no
// limit of its own.
const defaultEventBytes = 4_500

// eventPage collects the events that a result shows.
type eventPage struct {
	limit     int
	bytes     int  // what its events may take; 0: as much as there is room for
	hidden    bool // show none, and move the cursor alone
	newest    bool // keep the newest, not the first
	types     []string
	toolCalls bool

	events  []client.Event
	leftOut int      // matching events not kept
	last    int64    // the cursor to go on from
	full    bool     // events after last were left out
	matched bool     // there was an event of the types
	others  []string // types of the other events
}

// newestEvents returns a page of the newest events for a call without limits of its
// own.
func newestEvents() *eventPage {
	return &eventPage{limit: defaultEvents, bytes: defaultEventBytes, newest: true}
}

// hiddenEvents returns a page that shows none of a run's events and counts those
// after the cursor.
func hiddenEvents(run *client.Run, cursor int64) *eventPage {
	page := &eventPage{hidden: true, last: cursor}
	if cursor == 0 {
		page.leftOut = run.Earlier
	}
	for _, e := range run.Events {
		if e.ID > cursor {
			page.leftOut++
		}
	}
	return page
}

func (p *eventPage) addEvents(events []client.Event) {
	for _, e := range events {
		p.addEvent(e)
	}
}

// addEvent adds the next event, or counts it where it is not shown.
func (p *eventPage) addEvent(e client.Event) {
	shows := p.wants(e) && !p.hidden
	switch {
	case p.full || shows && len(p.events) == p.limit && !p.newest:
		p.full = true
		if shows {
			p.leftOut++
		}
		return // the cursor stays before what is left out
	case shows:
		p.events = append(p.events, e)
		if len(p.events) > p.limit {
			p.events = slices.Delete(p.events, 0, 1)
			p.leftOut++
		}
	}
	p.last = e.ID
}

// maxOthers is how many types of events are named that were not asked for.
const maxOthers = 10

// wants reports whether an event has one of the page's types, and notes its type if
// not.
func (p *eventPage) wants(e client.Event) bool {
	if len(p.types) == 0 || slices.ContainsFunc(p.types, func(t string) bool { return strings.EqualFold(t, e.Type) }) {
		p.matched = true
		return true
	}
	if !slices.Contains(p.others, e.Type) && len(p.others) < maxOthers {
		p.others = append(p.others, e.Type)
	}
	return false
}

// countLeftOut counts the matching events of a run that the page does not show. The
// types of events that were not read are unknown.
func (p *eventPage) countLeftOut(run *client.Run) int {
	if p.newest && len(p.types) == 0 {
		return p.leftOut + run.Earlier
	}
	return p.leftOut
}

// showEvents renders the events of a page as far as the budget of bytes goes, and at
// least one. What does not fit is left out: the oldest of a page of the newest, else
// the last.
func (h *handlers) showEvents(v view.View, p *eventPage, budget int) []view.Event {
	if p.bytes > 0 {
		budget = min(budget, p.bytes)
	}
	events := slices.Clone(p.events)
	if p.newest {
		slices.Reverse(events)
	}
	shown := make([]view.Event, 0, len(events))
	for i, e := range events {
		event := h.showEvent(v, e, p.toolCalls)
		budget -= sizeOf(event)
		if budget < 0 && i > 0 {
			p.cutTo(i)
			break
		}
		shown = append(shown, event)
	}
	if p.newest {
		slices.Reverse(shown)
	}
	return shown
}

// cutTo notes that only so many of the page's events are shown.
func (p *eventPage) cutTo(shown int) {
	p.leftOut += len(p.events) - shown
	if !p.newest {
		p.full, p.last = true, p.events[shown-1].ID
	}
}

// showEvent renders one event.
func (h *handlers) showEvent(v view.View, e client.Event, withToolCalls bool) view.Event {
	shown := v.Event(e)
	if shown.Approval == "NOT_REQUIRED" {
		shown.Approval = "" // as with most steps
	}
	if withToolCalls && e.Step != nil {
		shown.ToolCalls = v.ToolCallsWithin(e.Step.ToolCalls, h.MaxResultBytes/4)
	}
	return shown
}

// sizeOf returns how many bytes a value takes in a result.
func sizeOf(v any) int { return len(view.JSON(v)) }
