package resources

import (
	"context"
	"errors"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/view"
)

// maxCalls bounds the tool calls of one event, in bytes of JSON.
const maxCalls = 5 << 10

// EventPage is what the events of a run read as.
type EventPage struct {
	RunID       client.RunID `json:"runId"`
	Status      string       `json:"status"`
	Events      []view.Event `json:"events"`
	LastEventID int64        `json:"lastEventId"`    // go on with it as afterEventId
	More        bool         `json:"more"`           // there are later events already
	Next        string       `json:"next,omitempty"` // where they are
}

// readEvents reads the events after a cursor, as many as the limit and [maxPage]
// allow, and at least one.
func (h *handlers) readEvents(ctx context.Context, caller client.Caller, a address) (any, error) {
	events, st, known, err := h.eventsAfter(ctx, caller, a)
	if err != nil {
		return nil, err
	}
	v := h.viewOf(caller, st.Tokens)
	page := EventPage{RunID: a.runID, Status: v.Status(st.Status), Events: []view.Event{}, LastEventID: a.from}
	if known && a.from > st.Last {
		page.LastEventID = 0 // ids may have begun anew: from the start, no event is missed
		page.setNext(a)
		return page, nil
	}
	page.addEvents(v, events, a)
	return page, nil
}

// eventsAfter returns the events of a run, at least those after the address's
// cursor. known reports whether the state's last event is known to be the newest.
func (h *handlers) eventsAfter(ctx context.Context, caller client.Caller, a address) (events []client.Event, st feed.State, known bool, err error) {
	if events, st, ok := h.Feeds.Read(caller, a.runID, a.from); ok {
		return events, st, true, nil
	}
	read, err := h.Feeds.Snapshot(ctx, caller, a.runID, feed.Wanted{})
	if err != nil {
		return nil, feed.State{}, false, err
	}
	if read.NoEvents {
		return nil, feed.State{}, false, errors.New("the Run API's answer with the run's events is too large or unreadable")
	}
	return read.Run.Events, read.State, read.Run.Events != nil, nil
}

// addEvents adds the events after the cursor that fit on the page.
func (p *EventPage) addEvents(v view.View, events []client.Event, a address) {
	left := maxPage
	for _, e := range events {
		if e.ID <= a.from {
			continue
		}
		shown := v.Event(e)
		if e.Step != nil {
			shown.ToolCalls = v.ToolCallsWithin(e.Step.ToolCalls, maxCalls)
		}
		left -= len(view.JSON(shown))
		if n := len(p.Events); n == a.limit || n > 0 && left < 0 {
			p.setNext(a)
			return
		}
		p.Events = append(p.Events, shown)
		p.LastEventID = e.ID
	}
}

// setNext says that there are events after the last one of the page.
func (p *EventPage) setNext(a address) {
	a.from = p.LastEventID
	p.More, p.Next = true, a.String()
}
