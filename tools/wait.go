package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
)

const (
	// maxWait is the longest a call waits, in seconds: clients give up on a
	// call after 60 s, whatever progress says.
	maxWait = 45
	// heartbeat is the longest silence while a call waits, so that idle
	// timers do not fire.
	heartbeat = 15 * time.Second
	// linkPatience is how long a pause is looked at for the approval link and
	// the tool calls that the stream may bring a little later than the event.
	linkPatience = time.Second
)

// Why a wait ended.
const (
	endFinished    = "finished"
	endNeedsPerson = "needs_person"
	endTimeUp      = "time_up"
)

// The causes for which a look at the run ends without news.
var (
	errDue      = errors.New("the next look is due")
	errDraining = errors.New("the server or the client is leaving")
)

// waiter looks at one run for one call, and waits for it where it is asked to.
type waiter struct {
	*set
	*call
	runID       string
	after       int64      // cursor from which events count
	history     bool       // what happened before the call is no progress: it named no event to go on from
	page        *eventPage // collects the events after the cursor
	withContext bool       // the result shows what the run was given
	part        string     // of the run that the result shows a piece of, "" for none
	offset      int        // where that piece begins

	watch     *feed.Watch
	deadline  time.Time
	shown     int64    // cursor of the newest event that page was given
	told      int64    // cursor up to which progress was told, or need not be
	sentTo    int64    // cursor of the authorisation to whose link the person was sent
	note      string   // what came of asking the person
	later     string   // what to do where the person was asked and did not answer as it takes
	gone      []string // ids of approvals that the run was read without, though its stream still tells them
	state     feed.State
	run       *client.Run // as it was read at the end
	beatAt    time.Time   // when the next heartbeat is due
	linkUntil time.Time   // how long a pause is looked at for its link, zero when it is not
}

// watchFor tells how the run stands after a wait of so many seconds from the call's
// arrival; after the answer of its person, for what is left of them.
func (w *waiter) watchFor(ctx context.Context, waitSeconds int) (RunResult, error) {
	resumes, err := w.set.resume(w.call, w.runID)
	if err != nil {
		return RunResult{}, err
	}
	w.page.last, w.shown = w.after, w.after
	w.deadline = w.at.Add(time.Duration(waitSeconds) * time.Second)
	if resumes {
		w.goOn()
	}
	end := ""
	if waitSeconds > 0 || resumes {
		w.watch = w.Feeds.Watch(w.caller, w.runID, w.after)
		defer w.watch.Close()
		if end, err = w.waitAsking(ctx); err != nil {
			return RunResult{}, err
		}
	}
	got, settled, err := w.readAfter(ctx, end)
	if err != nil {
		return RunResult{}, err
	}
	w.run = got.Run
	return w.tell(ctx, got, settled, end), nil
}

// take gives an event after the cursor to the page.
func (w *waiter) take(e client.Event) {
	w.page.add(e)
	w.shown = e.ID
}

// tell makes the result of the look: the run as it was read, what came of
// asking the person, and what they decide on.
func (w *waiter) tell(ctx context.Context, got reading, settled bool, end string) RunResult {
	// What happened since the wait ended belongs to the state that was read.
	for _, e := range got.Run.Events {
		if e.ID > w.shown {
			w.take(e)
		}
	}
	newest := max(got.Last, w.state.Last)
	beyond := w.after > newest && (newest > 0 || got.Run.Events != nil)
	if beyond {
		w.page.last = 0 // ids may have begun anew: from there on nothing is passed over
	}
	got.piecemeal = w.part != ""
	got.linked = w.sentTo > 0 && w.sentTo >= w.state.Since
	r := w.result(w.call, got, w.page)
	if w.unheard() {
		reason := cmp.Or(w.note, "Nobody asks for it any more.")
		w.note = "The user's decision was not sent. " + reason
	}
	r.Summary = strings.TrimSpace(w.note + " " + r.Summary)
	if beyond {
		r.Summary += fmt.Sprintf(" afterEventId was beyond the newest event, which is %d: go on from 0.", newest)
	}
	if len(w.page.types) > 0 && !w.page.matched && len(w.page.others) > 0 {
		r.Summary += " No event has a type of eventTypes; there are: " + quoted(w.view(), w.page.others) + "."
	}
	switch {
	case !settled && !w.page.full:
		r.NextStep = "The API does not tell the run's result yet: in a few seconds " + w.look(w.runID, "runId") + ". If there is none then, tell the user."
	case w.later != "" && got.waits():
		r.NextStep = w.later
	}
	r.WaitEnded = waitEnded(end, got.Run.Status)
	if slices.ContainsFunc(r.PendingApprovals, func(p PendingApproval) bool { return p.Scope == string(approval.OfRun) }) {
		plan, _ := w.Desk.Plan(ctx, w.caller, got.Run) // left out where nobody tells it
		r.Plan = w.showPlan(w.view(), w.runID, plan, min(judgedPlanBytes, w.MaxResultBytes/3))
	}
	if w.after > 0 || w.offset > 0 { // whoever goes on was told the rest before
		r.Intent, r.CreatedAt, r.RepeatRunID = "", "", ""
	}
	if w.withContext {
		r.Context = w.view().Text(got.Run.Context, w.MaxResultBytes/2)
		r.Intent = w.view().Text(got.Run.Intent, w.MaxResultBytes/4)
	}
	if w.part != "" {
		w.showPiece(ctx, w.call, &r, got.Run, w.part, w.offset)
	}
	return r
}

// waitEnded says why a wait ended so that it fits the state that is told.
func waitEnded(end string, status client.Status) string {
	switch {
	case end != "" && status.Terminal():
		return endFinished
	case end == endFinished:
		return endTimeUp // nobody told how the run ended
	}
	return end
}

// wait watches until the run has ended, needs a person since the cursor, or
// the deadline is there, and says which. Every event becomes a progress
// notification.
func (w *waiter) wait(ctx context.Context) (end string, err error) {
	say := func(message string) {
		w.progress.say(ctx, message)
		w.beatAt = time.Now().Add(heartbeat)
	}
	w.beatAt = time.Now().Add(heartbeat)
	waiting, stop := w.whileServed(ctx)
	defer stop()
	for {
		news, err := w.next(waiting)
		switch {
		case errors.Is(err, errDraining):
			w.note = strings.TrimSpace(w.note + " The wait was cut short: this server is stopping. The run goes on; follow it on a new connection.")
			return endTimeUp, nil
		case errors.Is(err, errDue):
			if end := w.due(time.Now()); end != "" {
				return end, nil
			}
			say(w.stillWaiting())
		case err != nil:
			return "", err
		default:
			if n := len(news.Events); w.history && n > 0 {
				w.told = news.Events[n-1].ID - 1 // the newest tells how it stands
			}
			w.history = false
			w.addTokens(news.Tokens)
			for _, e := range news.Events {
				if e.ID > w.told {
					say(fmt.Sprintf("%d: %s", e.ID, w.view().Describe(e)))
				}
				w.take(e)
			}
			if end := w.follow(news.State); end != "" {
				return end, nil
			}
		}
	}
}

// whileServed returns a context that also ends, by errDraining, when the
// call must stop waiting.
func (w *waiter) whileServed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if w.draining != nil {
		go func() {
			select {
			case <-w.draining:
				cancel(errDraining)
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(nil) }
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
	w.addTokens(st.Tokens)
	w.state = st
	waiting := w.undecided(st.Pending)
	// A pause whose approvals were all decided is over as soon as the run notices.
	decided := st.Status == client.Paused && len(st.Pending) > 0 && len(waiting) == 0
	st.Pending = waiting
	switch {
	case st.Ended:
		return endFinished
	case decided || !st.NeedsPerson(w.since(st)), st.Status == client.AuthRequired && st.Since <= w.sentTo:
		w.linkUntil = time.Time{}
	case st.Status != client.Paused || len(waiting) > 0 && !slices.ContainsFunc(waiting, approval.Pending.Untold):
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

func (w *waiter) stillWaiting() string {
	if w.state.Status == "" {
		return "waiting for the run"
	}
	return "still " + w.view().Status(w.state.Status)
}
