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

// events reads the events after a cursor, as many as the limit and [maxPage]
// allow, and at least one.
func (s *set) events(ctx context.Context, caller client.Caller, a address) (any, error) {
	page := EventPage{RunID: a.runID, Events: []view.Event{}, LastEventID: a.from}
	events, st, ok := s.Feeds.Read(caller, a.runID, a.from)
	if !ok {
		read, err := s.Feeds.Snapshot(ctx, caller, a.runID, feed.Wanted{})
		switch {
		case err != nil:
			return nil, err
		case read.NoEvents:
			return nil, errors.New("the Run API's answer with the run's events is too large or unreadable")
		}
		st, events = read.State, read.Run.Events
	}
	v := s.viewOf(caller, st.Tokens)
	page.Status = v.Status(st.Status)
	if a.from > st.Last && (ok || events != nil) {
		// Ids may have begun anew: from the start nothing is passed over.
		page.LastEventID, a.from, page.More = 0, 0, true
		page.Next = a.String()
		return page, nil
	}
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
		if n := len(page.Events); n == a.limit || n > 0 && left < 0 {
			a.from = page.LastEventID
			page.More, page.Next = true, a.String()
			break
		}
		page.Events = append(page.Events, shown)
		page.LastEventID = e.ID
	}
	return page, nil
}
