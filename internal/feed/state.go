package feed

import (
	"slices"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// State is how a run stands.
type State struct {
	Status client.Status // "" while no event told it
	// Since is the cursor of the event with which the status began.
	Since   int64
	Last    int64 // cursor of the newest event, 0 while there is none
	Ended   bool  // the run has ended and nothing more will come
	Pending []approval.Pending
	// Auth is the authorisation that waits for a person, nil when none does.
	Auth *client.Auth
	// Tokens are those of the approval links of all events there were, to be
	// left out of whatever is shown of the run. They are as many and as large
	// as a [redact.Collector] keeps.
	Tokens []string
}

// Waits reports whether an approval waits.
func (s State) Waits(approvalID string) bool {
	return slices.ContainsFunc(s.Pending, func(p approval.Pending) bool { return p.ID == approvalID })
}

// NeedsPerson reports whether the run waits for a person since after the cursor.
func (s State) NeedsPerson(afterEventID int64) bool {
	for _, p := range s.Pending {
		if p.EventID > afterEventID {
			return true
		}
	}
	waits := s.Status == client.Paused || s.Status == client.AuthRequired
	return waits && s.Since > afterEventID
}

// follow moves the state on by one event.
func (s *State) follow(e client.Event) {
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
