package attend

import (
	"context"
	"errors"
	"slices"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
)

// Why [Attendant.Follow] ended.
const (
	Finished    = "finished"
	NeedsPerson = "needs_person"
	TimeUp      = "time_up"
)

// Call is a call that follows one run.
type Call struct {
	Caller   client.Caller
	RunID    client.RunID
	After    int64     // cursor: earlier events, and what they need, do not count
	Deadline time.Time // zero: none
	// SkipHistory says that events before the call are no news: the call named no
	// event to go on from.
	SkipHistory bool
	// Only is the one approval to ask about, even if the person refused it before
	// this call. The call ends with its outcome. "": whatever the run needs.
	Only string

	Person   Person
	Resume   *Resume                   // what the call brings of an earlier input round; nil: it is the first
	LinkOf   func(*client.Auth) string // the link of an authorisation, "" where there is none to open
	Draining <-chan struct{}           // closed when the call must stop waiting; nil: never
	Observer Observer
}

// Observer receives what a call sees. All methods are called in the call's own
// goroutine.
type Observer interface {
	// ObserveEvent receives an event after the cursor. news is false for events
	// that an earlier round reported, or that [Call.SkipHistory] skips.
	ObserveEvent(ctx context.Context, e client.Event, news bool)
	// ObserveTokens receives the tokens of the run's approval links.
	ObserveTokens(tokens []string)
	// ObserveSilence is called after each [heartbeat] without news.
	ObserveSilence(ctx context.Context, status client.Status, asking bool)
}

// Result is how a call's following ended.
type Result struct {
	End     string     // Finished, NeedsPerson or TimeUp
	State   feed.State // as it was seen last
	Outcome *Outcome   // of the last question; nil: nobody was to be asked
	Drained bool       // the call had to stop waiting
	// LinkOpened is the cursor of the authorisation whose link the person opened
	// in this call, 0 for none.
	LinkOpened int64
}

// follower is a Call in progress. It belongs to the call's goroutine.
type follower struct {
	*Attendant
	Call
	personRun
	startedAt time.Time

	watch *feed.Watch
	state feed.State
	// noLongerPending are approvals that the stream still has and the stored run
	// has not.
	noLongerPending []string
	detailsUntil    time.Time // how long a pause's link and tool calls are waited for; zero: they are not
	heartbeatAt     time.Time // when the next heartbeat is due
	drained         bool

	// In a later input round these four go on from where the round before stood.
	asked      int   // questions so far
	changes    int   // how often what was asked about changed
	reported   int64 // cursor up to which events were reported as news
	linkOpened int64 // see [Result.LinkOpened]

	question   *question // that the call waits for, nil for none
	outcome    *Outcome  // of the last question
	changedID  string    // approval whose content changed while the person answered
	openedLink *question // whose link the person opened
}

// undecided returns the approvals that this server sent no decision on and that the
// stored run still has.
func (f *follower) undecided(pending []approval.Pending) []approval.Pending {
	return slices.DeleteFunc(slices.Clone(pending), func(p approval.Pending) bool {
		return f.Decider.Sent(p) || slices.Contains(f.noLongerPending, p.ID)
	})
}

// contextError returns the error of a context that is done, with its cause.
func contextError(ctx context.Context) error { return errors.Join(ctx.Err(), context.Cause(ctx)) }
