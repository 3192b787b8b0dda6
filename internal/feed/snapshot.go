package feed

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/redact"
)

// Snapshot is one reading of a run: what the API stores of it and what its feed
// knows, merged.
type Snapshot struct {
	Run *client.Run // as it is stored, but for its Status: that is the State's
	State
	NoEvents  bool // the run could be read without its events alone
	Unsettled bool // it has ended, and the API does not tell how, or its result, yet
}

// Wanted is what a reader of a run wants of a [Snapshot], beside the run.
type Wanted struct {
	// Decidable has the links and tool calls of what waits looked for, for some
	// seconds: the stream may tell them later than the stored events.
	Decidable bool
	// Seen is the state that the reader saw last, zero for none: where the stored
	// run lags behind it, that counts.
	Seen State
}

// Snapshot reads a run. The error is a [client.Error], or wraps that of ctx.
func (h *Hub) Snapshot(ctx context.Context, caller client.Caller, runID client.RunID, want Wanted) (Snapshot, error) {
	var err error
	live, watched := h.state(caller, runID)
	if want.Decidable {
		if live, err = h.awaitDecidable(ctx, caller, runID); err != nil {
			return Snapshot{}, err
		}
		watched = live.Status != ""
	}
	snap, err := h.stored(ctx, caller, runID)
	if err != nil {
		return Snapshot{}, err
	}
	if want.Seen.Ended || want.Seen.Status.Terminal() || snap.Status.Terminal() && want.Seen.Status != "" {
		snap = h.settled(ctx, caller, snap)
	}
	if watched && !snap.Ended {
		snap.Pending = approval.Merge(caller, snap.Run, live.Pending, live.Last)
	}
	snap.Last = max(snap.Last, live.Last)
	snap.Tokens = union(snap.Tokens, h.Tokens(caller, runID))
	if h.lagsBehind(snap, want.Seen) {
		tokens := snap.Tokens
		snap.State = want.Seen
		snap.Run.Status, snap.Tokens = want.Seen.Status, tokens
	}
	return snap, nil
}

// stored reads a run as the API stores it: without its events where the API's
// answer with them is none that can be read.
func (h *Hub) stored(ctx context.Context, caller client.Caller, runID client.RunID) (Snapshot, error) {
	run, err := h.api.GetRun(ctx, caller, runID, true)
	noEvents := client.KindOf(err) == client.Invalid // they may be what is wrong, or too much
	if noEvents {
		var again error
		if run, again = h.api.GetRun(ctx, caller, runID, false); again == nil {
			err = nil
		}
	}
	if err != nil {
		return Snapshot{}, err
	}
	return Snapshot{Run: run, State: h.StateOf(caller, run), NoEvents: noEvents}, nil
}

// rereads are the pauses before an ended run is read again whose stored state
// lags behind its events: 2 s in all, for somebody waits for the answer.
var rereads = [...]time.Duration{200 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond}

// settled reads a run that is known to have ended until the API tells so, and its
// result, for a little while.
func (h *Hub) settled(ctx context.Context, caller client.Caller, snap Snapshot) Snapshot {
	for _, pause := range rereads {
		if complete(snap.Run) {
			return snap
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if again, err := h.stored(ctx, caller, snap.Run.RunID); err == nil {
			snap = again
		}
	}
	snap.Unsettled = !complete(snap.Run)
	return snap
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

// lagsBehind reports whether a run as it is stored does not show yet what was seen:
// its end, or that it waits for a person. Later events mean that this is over.
func (h *Hub) lagsBehind(snap Snapshot, seen State) bool {
	n := len(snap.Run.Events)
	switch {
	case snap.Run.Status.Terminal():
		return false
	case seen.Status.Terminal():
		return true
	case n > 0 && snap.Run.Events[n-1].ID > seen.Last:
		return false
	case seen.Status == client.AuthRequired:
		return snap.Status != client.AuthRequired
	case seen.Status != client.Paused || len(seen.Pending) > 0 && !slices.ContainsFunc(seen.Pending, h.undecided):
		return false
	}
	return snap.Status != client.Paused || len(snap.Pending) < len(seen.Pending)
}

// undecided reports whether this server sent no decision on an approval.
func (h *Hub) undecided(p approval.Pending) bool { return !h.decider.Sent(p) }

// StateOf returns the state that a run read with its events is in.
func (h *Hub) StateOf(caller client.Caller, run *client.Run) State {
	var s State
	var tokens redact.Collector
	tokens.Add(run.ApprovalTokens()...)
	tracker := approval.NewTracker(caller, run.RunID)
	for _, e := range run.Events {
		tracker.AddEvent(e)
		s.follow(e)
	}
	s.Status, s.Ended, s.Pending, s.Tokens = run.Status, run.Status.Terminal(), tracker.Pending(), tokens.Secrets()
	if s.Ended {
		s.Auth, s.Pending = nil, nil
	}
	for _, p := range s.Pending {
		h.decider.RememberTokens(run.RunID, p)
	}
	return s
}

// state returns what the feed of a run knows; false where nobody watches it, or
// nothing is known yet.
func (h *Hub) state(caller client.Caller, runID client.RunID) (State, bool) {
	_, st, ok := h.Read(caller, runID, math.MaxInt64)
	return st, ok
}

// union returns the tokens of both, as many as a [redact.Collector] keeps.
func union(some, more []string) []string {
	if len(more) == 0 {
		return some
	}
	var all redact.Collector
	all.Add(some...)
	all.Add(more...)
	return all.Secrets()
}

const (
	// linkTimeout is how long a pending approval's link is looked for.
	linkTimeout = 5 * time.Second
	// callsTimeout is how long the tool calls of a pending step are looked for: the
	// stream may bring them a little later than the stored events bring its links.
	callsTimeout = time.Second
)

// errNoLink ends the look for a link, or for tool calls.
var errNoLink = errors.New("no link came in time")

// awaitDecidable watches a run until the links and tool calls of what waits in it
// are known, and returns what the feed knows then: nothing where no event comes in
// time.
func (h *Hub) awaitDecidable(ctx context.Context, caller client.Caller, runID client.RunID) (State, error) {
	watch := h.Watch(caller, runID, 0)
	defer watch.Close()
	looking, cancel := context.WithTimeoutCause(ctx, linkTimeout, errNoLink)
	defer cancel()
	var st State
	for {
		news, _, err := watch.wait(looking) // what the log dropped does not matter to the state
		switch {
		case errors.Is(err, errNoLink):
			return st, nil
		case err != nil:
			return st, err
		}
		st = news.State
		switch {
		case st.Status != client.Paused && len(st.Pending) == 0, len(st.Pending) > 0 && !slices.ContainsFunc(st.Pending, approval.Pending.DetailsMissing):
			return st, nil
		case len(st.Pending) > 0:
			looking, cancel = context.WithTimeoutCause(looking, callsTimeout, errNoLink)
			defer cancel()
		}
	}
}

// Await waits until the state of a run is as until says. Its error is that of
// watching the run, a [client.Error], or wraps that of ctx.
func (h *Hub) Await(ctx context.Context, caller client.Caller, runID client.RunID, until func(State) bool) error {
	watch := h.Watch(caller, runID, 0)
	defer watch.Close()
	for {
		news, _, err := watch.wait(ctx)
		if err != nil || until(news.State) {
			return err
		}
	}
}
