package feed

import (
	"context"
	"errors"
	"slices"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// pendingPatience is how long a pending approval's link is looked for.
const pendingPatience = 5 * time.Second

// callsPatience is how long the tool calls of a pending step are looked for: the
// stream may bring them a little later than the stored events bring its links.
const callsPatience = time.Second

// errPatience ends the look for a link, or for tool calls.
var errPatience = errors.New("no link came in time")

// Pending returns the state of a run with the approvals that wait in it. The
// feed knows them from the stream or the stored events, whichever had the
// link; where no event comes in time, the run itself is read. The error is a
// [client.Error], or wraps that of ctx.
func (h *Hub) Pending(ctx context.Context, caller client.Caller, runID string) (State, error) {
	watch := h.Watch(caller, runID, 0)
	defer watch.Close()
	patient, cancel := context.WithTimeoutCause(ctx, pendingPatience, errPatience)
	defer cancel()
	var st State
	for {
		news, _, err := watch.wait(patient) // what the log dropped does not matter to the state
		switch {
		case errors.Is(err, errPatience) && st.Status == "":
			read, err := h.ReadRun(ctx, caller, runID)
			return read.State, err
		case errors.Is(err, errPatience):
			return st, nil
		case err != nil:
			return st, err
		}
		st = news.State
		switch {
		case st.Status != client.Paused && len(st.Pending) == 0, len(st.Pending) > 0 && !slices.ContainsFunc(st.Pending, approval.Pending.Untold):
			return st, nil
		case len(st.Pending) > 0:
			patient, cancel = context.WithTimeoutCause(patient, callsPatience, errPatience)
			defer cancel()
		}
	}
}

// Await waits until the state of a run is as until says. Its error is that of
// watching the run, a [client.Error], or wraps that of ctx.
func (h *Hub) Await(ctx context.Context, caller client.Caller, runID string, until func(State) bool) error {
	watch := h.Watch(caller, runID, 0)
	defer watch.Close()
	for {
		news, _, err := watch.wait(ctx)
		if err != nil || until(news.State) {
			return err
		}
	}
}
