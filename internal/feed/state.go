package feed

import (
	"context"
	"slices"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/redact"
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

// Reading is a run as the API stores it, and the state its events leave it in.
type Reading struct {
	Run *client.Run
	State
	NoEvents bool // the run could be read without its events alone
}

// ReadRun reads a run with its events; without them where the API's answer with
// them is none that can be read. Its error is a [client.Error].
func (h *Hub) ReadRun(ctx context.Context, caller client.Caller, runID string) (Reading, error) {
	run, err := h.api.GetRun(ctx, caller, runID, true)
	noEvents := client.KindOf(err) == client.Invalid // they may be what is wrong, or too much
	if noEvents {
		var again error
		if run, again = h.api.GetRun(ctx, caller, runID, false); again == nil {
			err = nil
		}
	}
	if err != nil {
		return Reading{}, err
	}
	return Reading{run, h.StateOf(caller, run), noEvents}, nil
}

// StateOf returns the state that a run read with its events is in.
func (h *Hub) StateOf(caller client.Caller, run *client.Run) State {
	var s State
	var tokens redact.Collector
	tokens.Add(run.ApprovalTokens()...)
	tracker := approval.NewTracker(caller, run.RunID)
	for _, e := range run.Events {
		tracker.Add(e)
		s.follow(e)
	}
	s.Status, s.Ended, s.Pending, s.Tokens = run.Status, run.Status.Terminal(), tracker.Pending(), tokens.Secrets()
	if s.Ended {
		s.Auth = nil
	}
	for _, p := range s.Pending {
		h.desk.See(run.RunID, p)
	}
	return s
}
