package feed

import (
	"slices"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// State is the state of a run after an event.
type State struct {
	Status  client.Status      // "" while no event has one
	Since   int64              // the cursor of the event with which the status began
	Last    int64              // the cursor of the newest event, 0 while there is none
	Ended   bool               // the run has ended and no more events come
	Pending []approval.Pending // approvals that wait for a person
	Auth    *client.Auth       // the authorisation that waits for a person, nil for none
	// Tokens are the tokens of the approval links of all events, to be hidden in
	// whatever is shown of the run. A [redact.Collector] bounds them.
	Tokens []string
}

// Waits reports whether an approval waits.
func (s State) Waits(approvalID string) bool {
	return slices.ContainsFunc(s.Pending, func(p approval.Pending) bool { return p.ID == approvalID })
}

// NeedsPerson reports whether the run began to wait for a person after the cursor.
func (s State) NeedsPerson(afterEventID int64) bool {
	for _, p := range s.Pending {
		if p.EventID > afterEventID {
			return true
		}
	}
	waits := s.Status == client.Paused || s.Status == client.AuthRequired
	return waits && s.Since > afterEventID
}

// apply updates the state by one event.
func (s *State) apply(e client.Event) {
	s.Last = e.ID
	if e.RunStatus != "" && e.RunStatus != s.Status {
		s.Status, s.Since = e.RunStatus, e.ID
	}
	switch {
	case e.Auth != nil && e.Auth.Status == "required":
		s.Auth, s.Since = e.Auth, e.ID
	case s.Status != client.AuthRequired:
		s.Auth = nil
	}
}
