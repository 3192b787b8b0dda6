package feed

import (
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

// StateOf returns the state that a run read with its events is in.
func StateOf(caller client.Caller, run *client.Run) State {
	var s State
	tracker := approval.NewTracker(caller, run.RunID)
	for _, e := range run.Events {
		tracker.Add(e)
		s.follow(e)
	}
	s.Status, s.Ended, s.Pending = run.Status, run.Status.Terminal(), tracker.Pending()
	if s.Ended {
		s.Auth = nil
	}
	return s
}
