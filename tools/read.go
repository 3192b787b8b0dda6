package tools

import (
	"bytes"
	"context"
	"math"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
)

// rereads are the pauses before an ended run is read again whose stored state
// lags behind its events: 2 s in all, for somebody waits for the answer.
var rereads = [...]time.Duration{200 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond}

// reading is a run as it was read, and what the call did just before.
type reading struct {
	feed.Reading
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

// readState reads a run. What a watched feed knows of approvals goes before what
// the API stores: their links may have been said on the stream alone.
func (s *set) readState(ctx context.Context, c *call, runID string) (reading, error) {
	read, err := s.Feeds.ReadRun(ctx, c.caller, runID)
	if err != nil {
		return reading{}, err
	}
	c.addTokens(read.Tokens)
	c.addTokens(s.Feeds.Tokens(c.caller, runID))
	if _, live, ok := s.Feeds.Read(c.caller, runID, math.MaxInt64); ok {
		read.Last = max(read.Last, live.Last)
		if len(read.Pending) == 0 && read.Run.Status == client.Paused {
			read.Pending = live.Pending
		}
	}
	return reading{Reading: read}, nil
}

// readAfter reads a run after a wait. Where the API's stored state lags behind
// the events that ended the wait, it is read again (an ended run), or what was
// waited for goes before it. settled reports that nothing lacks.
func (w *waiter) readAfter(ctx context.Context) (got reading, settled bool, err error) {
	if got, err = w.readState(ctx, w.call, w.runID); err != nil {
		return got, false, err
	}
	end, state := w.seen.End, w.seen.State
	if end == attend.NeedsPerson && w.lacksNeed(got) {
		got.Run.Status, got.State = state.Status, state
	}
	if end == "" || end != attend.Finished && !got.Run.Status.Terminal() {
		return got, true, nil
	}
	for _, pause := range rereads {
		if complete(got.Run) {
			return got, true, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if again, err := w.readState(ctx, w.call, w.runID); err == nil {
			got = again
		}
	}
	settled = complete(got.Run)
	if !got.Run.Status.Terminal() && state.Status.Terminal() {
		got.Run.Status, got.State = state.Status, state
	}
	return got, settled, nil
}

// lacksNeed reports whether a run that was read does not yet show the need
// that ended the wait. Later events mean that it is over instead.
func (w *waiter) lacksNeed(got reading) bool {
	state := w.seen.State
	if n := len(got.Run.Events); n > 0 && got.Run.Events[n-1].ID > state.Last || got.Ended {
		return false
	}
	return !got.NeedsPerson(w.seen.Since) || len(got.Pending) < len(state.Pending)
}

// complete reports whether a run that was read has ended and has the result
// that its status promises.
func complete(run *client.Run) bool {
	switch run.Status {
	case client.Success, client.PartialSuccess:
		return len(run.Result) > 0 && !bytes.Equal(run.Result, []byte("null"))
	}
	return run.Status.Terminal()
}
