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

// Snapshot is one reading of a run: the stored run and its feed, merged.
type Snapshot struct {
	Run *client.Run // the stored run, with the Status of State
	State
	NoEvents  bool // the run could only be read without its events
	Unsettled bool // the run has ended, but the API lacks its status or result yet
}

// Wanted says what a [Snapshot] must have.
type Wanted struct {
	// Decidable makes Snapshot wait some seconds for the links and tool calls of
	// pending approvals: the stream may bring them later than the stored events.
	Decidable bool
	// Seen is the state that the caller saw last, zero for none. It counts where the
	// stored run lags behind it.
	Seen State
}

// Snapshot reads a run. The error is a [client.Error], or wraps that of ctx.
func (h *Hub) Snapshot(ctx context.Context, caller client.Caller, runID client.RunID, want Wanted) (Snapshot, error) {
	var err error
	live, watched := h.liveState(caller, runID)
	if want.Decidable {
		if live, err = h.awaitDecidable(ctx, caller, runID); err != nil {
			return Snapshot{}, err
		}
		watched = live.Status != ""
	}
	snap, err := h.readStored(ctx, caller, runID)
	if err != nil {
		return Snapshot{}, err
	}
	if want.Seen.Ended || want.Seen.Status.Terminal() || snap.Status.Terminal() && want.Seen.Status != "" {
		snap = h.rereadEnded(ctx, caller, snap)
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

// readStored reads the stored run. If its answer with events breaks the contract, it
// is read without them.
func (h *Hub) readStored(ctx context.Context, caller client.Caller, runID client.RunID) (Snapshot, error) {
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

// rereads are the pauses before an ended run is read again, if its stored state lags
// behind its events: 2 s in all, because a caller waits for the answer.
var rereads = [...]time.Duration{200 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond}

// rereadEnded reads a run that has ended again, a few times, until the stored run
// has its terminal status and result.
func (h *Hub) rereadEnded(ctx context.Context, caller client.Caller, snap Snapshot) Snapshot {
	for _, pause := range rereads {
		if complete(snap.Run) {
			return snap
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if again, err := h.readStored(ctx, caller, snap.Run.RunID); err == nil {
			snap = again
		}
	}
	snap.Unsettled = !complete(snap.Run)
	return snap
}

// complete reports whether a stored run has ended, and has the result that its
// status promises.
func complete(run *client.Run) bool {
	switch run.Status {
	case client.Success, client.PartialSuccess:
		return len(run.Result) > 0 && !bytes.Equal(run.Result, []byte("null"))
	}
	return run.Status.Terminal()
}

// lagsBehind reports whether the stored run does not show yet what was seen: its end,
// or that it waits for a person. If it has later events, it does not lag.
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

// undecided reports whether this server has sent no decision on an approval.
func (h *Hub) undecided(p approval.Pending) bool { return !h.decider.Sent(p) }

// liveState returns the state of a run's feed. It reports false if nobody watches the
// run, or nothing is known yet.
func (h *Hub) liveState(caller client.Caller, runID client.RunID) (State, bool) {
	_, st, ok := h.Read(caller, runID, math.MaxInt64)
	return st, ok
}

// union returns the tokens of both, bounded by a [redact.Collector].
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
	// linkTimeout bounds the wait for the link of a pending approval.
	linkTimeout = 5 * time.Second
	// callsTimeout bounds the wait for the tool calls of a pending step: the stream may
	// bring them a little later than the stored events bring the links.
	callsTimeout = time.Second
)

// errNoLink ends the wait for a link, or for tool calls.
var errNoLink = errors.New("no link came in time")

// awaitDecidable watches a run until the links and tool calls of its pending
// approvals are known, or time is up. It returns the feed's state then, which is zero
// if no event came in time.
func (h *Hub) awaitDecidable(ctx context.Context, caller client.Caller, runID client.RunID) (State, error) {
	watch := h.Watch(caller, runID, 0)
	defer watch.Close()
	waiting, cancel := context.WithTimeoutCause(ctx, linkTimeout, errNoLink)
	defer cancel()
	var st State
	for {
		news, _, err := watch.wait(waiting) // the state includes dropped events
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
			waiting, cancel = context.WithTimeoutCause(waiting, callsTimeout, errNoLink)
			defer cancel()
		}
	}
}

// Await waits until the state of a run fulfils until. The error is a [client.Error],
// if the run cannot be watched, or wraps that of ctx.
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
