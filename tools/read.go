package tools

import (
	"context"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
)

// reading is a run as it was read, and what the call did just before.
type reading struct {
	feed.Snapshot
	decided bool // a decision on what waited was sent
	linked  bool // the person was sent to the link to authorise
	// piecemeal says that a piece is shown in the place of the run's result.
	piecemeal bool
}

// waits reports whether the run waits for a person.
func (r reading) waits() bool {
	return r.Run.Status == client.Paused || r.Run.Status == client.AuthRequired || len(r.Pending) > 0
}

// note says what a summary must add of the reading.
func (r reading) note() string {
	if !r.NoEvents {
		return ""
	}
	return " Its events cannot be shown: the API's answer with them is too large or unreadable."
}

// read reads a run for a call that saw its state before, zero for none.
func (s *set) read(ctx context.Context, c *call, runID client.RunID, seen feed.State) (reading, error) {
	snap, err := s.Feeds.Snapshot(ctx, c.caller, runID, feed.Wanted{Seen: seen})
	if err != nil {
		return reading{}, err
	}
	c.addTokens(snap.Tokens)
	return reading{Snapshot: snap}, nil
}
