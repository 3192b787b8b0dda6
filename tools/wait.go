package tools

import (
	"context"
	"errors"
	"fmt"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
)

const (
	// maxWait is the longest a call waits, in seconds: clients give up on a
	// call after 60 s, whatever progress says.
	maxWait = 45
	// heartbeat is the longest silence while a call waits, so that idle
	// timers do not fire.
	heartbeat = 15 * time.Second
	// linkPatience is how long a pause is looked at for the approval link
	// that the stream may bring a little later than the event.
	linkPatience = time.Second
)

// Why a wait ended.
const (
	endFinished    = "finished"
	endNeedsPerson = "needs_person"
	endTimeUp      = "time_up"
)

// errDue ends a look at the run when something else is to be done.
var errDue = errors.New("the next look is due")

// waiter watches one run for one call.
type waiter struct {
	*set
	caller   client.Caller
	runID    string
	after    int64
	deadline time.Time
	take     func(client.Event) // is given every event after the cursor, in order

	watch     *feed.Watch
	told      int64  // cursor up to which progress was told, or need not be
	history   bool   // what happened before the call need not be told: it named no event to go on from
	linked    int64  // cursor of the authorisation that the person was sent to
	note      string // what came of asking the person
	undecided bool   // the person was asked, and did not decide
	state     feed.State
	beatAt    time.Time // when the next heartbeat is due
	linkUntil time.Time // how long a pause is looked at for its link, zero when it is not
}

// wait watches until the run has ended, needs a person since the cursor, or
// the deadline is there, and says which. Every event becomes a progress
// notification.
func (w *waiter) wait(ctx context.Context) (end string, err error) {
	p := arrivalOf(ctx).progress
	w.beatAt = time.Now().Add(heartbeat)
	for {
		news, err := w.next(ctx)
		switch {
		case errors.Is(err, errDue):
			if end := w.due(time.Now()); end != "" {
				return end, nil
			}
			p.say(ctx, w.stillWaiting(w.state))
		case err != nil:
			return "", err
		default:
			if n := len(news.Events); w.history && n > 0 {
				w.told = news.Events[n-1].ID - 1 // the newest tells how it stands
			}
			w.history = false
			for _, e := range news.Events {
				if e.ID > w.told {
					p.say(ctx, fmt.Sprintf("%d: %s", e.ID, w.View.Describe(e)))
				}
				w.take(e)
			}
			if end := w.follow(news.State); end != "" {
				return end, nil
			}
		}
		w.beatAt = time.Now().Add(heartbeat)
	}
}

// next waits for news, or errDue when something else is to be done.
func (w *waiter) next(ctx context.Context) (feed.News, error) {
	until := w.deadline
	for _, t := range []time.Time{w.beatAt, w.linkUntil} {
		if !t.IsZero() && t.Before(until) {
			until = t
		}
	}
	ctx, cancel := context.WithDeadlineCause(ctx, until, errDue)
	defer cancel()
	return w.watch.Next(ctx)
}

// follow takes a new state and says why the wait ends with it, "" if it goes on.
func (w *waiter) follow(st feed.State) (end string) {
	w.state = st
	waiting := w.unsent(st.Pending)
	// A pause whose approvals were all decided is over as soon as the run notices.
	decided := st.Status == client.Paused && len(st.Pending) > 0 && len(waiting) == 0
	st.Pending = waiting
	switch {
	case st.Ended:
		return endFinished
	case decided || !st.NeedsPerson(w.since(st)), st.Status == client.AuthRequired && st.Since <= w.linked:
		w.linkUntil = time.Time{}
	case st.Status != client.Paused || len(waiting) > 0:
		return endNeedsPerson
	case w.linkUntil.IsZero():
		w.linkUntil = time.Now().Add(linkPatience)
	}
	return ""
}

// since returns the cursor from which a need ends the wait: all count where
// the call named an event that there is not yet.
func (w *waiter) since(st feed.State) int64 {
	if w.after > st.Last {
		return 0
	}
	return w.after
}

// due says why the wait ends now, "" if only a heartbeat is due.
func (w *waiter) due(now time.Time) (end string) {
	switch {
	case !w.linkUntil.IsZero() && !now.Before(w.linkUntil):
		return endNeedsPerson
	case !now.Before(w.deadline):
		return endTimeUp
	}
	return ""
}

func (s *set) stillWaiting(st feed.State) string {
	if st.Status == "" {
		return "waiting for the run"
	}
	return "still " + s.View.Status(st.Status)
}
