package tools

import (
	"slices"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/view"
)

// DefaultMaxResultBytes is how large a result may be where the operator does
// not say: below the 12,000 bytes at which Codex cuts for models it does not know.
const DefaultMaxResultBytes = 10_000

// MinMaxResultBytes is the least that the operator may set.
const MinMaxResultBytes = 8_000

const (
	// maxPending is how many pending approvals are shown.
	maxPending = 10
	// defaultEventBytes is what the events of a result take where the call
	// sets no limit of its own.
	defaultEventBytes = 4_500
	// previewBytes is what is shown of a run's result that is too large.
	previewBytes = 2_000
)

// sizeOf returns how many bytes a value takes in an answer.
func sizeOf(v any) int { return len(view.JSON(v)) }

// eventPage collects the events that a result shows.
type eventPage struct {
	limit     int
	bytes     int  // what its events may take, 0: as much as there is room for
	hidden    bool // show none, and follow the cursor alone
	newest    bool // keep the newest, not the first
	types     []string
	toolCalls bool

	events  []client.Event
	leftOut int      // matching events not kept
	last    int64    // the cursor to go on from
	full    bool     // events after last were left out
	matched bool     // there was an event of the types
	others  []string // types of those that there were beside
}

// maxOthers is how many types of events are named that were not asked for.
const maxOthers = 10

func (p *eventPage) add(e client.Event) {
	wanted := len(p.types) == 0 || slices.ContainsFunc(p.types, func(t string) bool { return strings.EqualFold(t, e.Type) })
	if wanted {
		p.matched = true
	} else if !slices.Contains(p.others, e.Type) && len(p.others) < maxOthers {
		p.others = append(p.others, e.Type)
	}
	matches := !p.hidden && wanted
	switch {
	case p.full:
		if matches {
			p.leftOut++
		}
		return
	case matches && len(p.events) == p.limit && !p.newest:
		p.full = true
		p.leftOut++
		return
	case matches:
		p.events = append(p.events, e)
		if len(p.events) > p.limit {
			p.events = slices.Delete(p.events, 0, 1)
			p.leftOut++
		}
	}
	p.last = e.ID
}

// allLeftOut counts the matching events of a run that the page does not show. Of
// those that were not read nobody knows the type.
func (p *eventPage) allLeftOut(run *client.Run) int {
	if p.newest && len(p.types) == 0 {
		return p.leftOut + run.Earlier
	}
	return p.leftOut
}

// notShown is a page that shows none of a run's events, of which those after
// the cursor are left out.
func notShown(run *client.Run, cursor int64) *eventPage {
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

// show renders the events of a page as far as the budget goes, and at least
// one: a page of the newest leaves its oldest out, another one ends earlier.
func (s *set) show(v view.View, p *eventPage, budget int) []view.Event {
	if p.bytes > 0 {
		budget = min(budget, p.bytes)
	}
	out := make([]view.Event, 0, len(p.events))
	for i := range p.events {
		at := i
		if p.newest {
			at = len(p.events) - 1 - i
		}
		shown := v.Event(p.events[at])
		if shown.Approval == "NOT_REQUIRED" {
			shown.Approval = "" // as with most steps
		}
		if p.toolCalls && p.events[at].Step != nil {
			shown.ToolCalls = v.ToolCallsWithin(p.events[at].Step.ToolCalls, s.MaxResultBytes/4)
		}
		budget -= sizeOf(shown)
		if budget < 0 && i > 0 {
			p.leftOut += len(p.events) - i
			if !p.newest {
				p.full, p.last = true, p.events[i-1].ID
			}
			break
		}
		out = append(out, shown)
	}
	if p.newest {
		slices.Reverse(out)
	}
	return out
}
