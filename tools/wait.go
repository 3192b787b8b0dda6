package tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
)

// maxWait is the longest a call waits, in seconds: clients give up on a call after
// 60 s, whatever progress says.
const maxWait = 45

// readTimeout bounds the reading of a run after the time that a call waits: a call
// is answered within 5 s after its time, whoever is slow.
const readTimeout = 4500 * time.Millisecond

// waiter looks at one run for one call, and waits for it where it is asked to.
type waiter struct {
	*set
	*call
	runID       client.RunID
	after       int64      // cursor from which events count
	history     bool       // what happened before the call is no progress: it named no event to go on from
	page        *eventPage // collects the events after the cursor
	withContext bool       // the result shows what the run was given
	part        string     // of the run that the result shows a piece of, "" for none
	offset      int        // where that piece begins

	deadline time.Time
	speaking context.Context // of progress: done at the deadline
	shown    int64           // cursor of the newest event that page was given
	seen     attend.Result   // how the wait ended
	run      *client.Run     // as it was read at the end
}

// watchFor tells how the run stands after a wait of so many seconds from the call's
// arrival; after the answer of its person, for what is left of them.
func (w *waiter) watchFor(ctx context.Context, waitSeconds int) (RunResult, error) {
	resume, err := w.resumes(w.runID)
	if err != nil {
		return RunResult{}, err
	}
	w.page.last, w.shown = w.after, w.after
	w.deadline = w.at.Add(time.Duration(waitSeconds) * time.Second)
	if resume != nil {
		w.deadline = w.at.Add(resume.TimeLeft)
	}
	ctx, cancel := context.WithDeadline(ctx, later(w.deadline, time.Now()).Add(readTimeout))
	defer cancel()
	late := w.Attend.TakeUnreported(w.caller.Key, w.personName, w.runID)
	if waitSeconds > 0 || resume != nil {
		if err := w.follow(ctx, resume); err != nil {
			return RunResult{}, err
		}
	}
	if w.seen.Outcome == nil {
		w.seen.Outcome = late
	}
	w.noteOutcome(w.seen.Outcome)
	got, err := w.read(ctx, w.call, w.runID, w.seen.State)
	if err != nil {
		return RunResult{}, err
	}
	w.run = got.Run
	return w.tell(ctx, got), nil
}

// later returns the later of two times.
func later(t, u time.Time) time.Time {
	if t.Before(u) {
		return u
	}
	return t
}

// follow waits. What the run needs of a person on the way is asked there and then,
// where the client can and the operator allows it.
func (w *waiter) follow(ctx context.Context, resume *attend.Resume) (err error) {
	speaking, stop := context.WithDeadline(ctx, w.deadline)
	defer stop()
	w.speaking = speaking
	call := attend.Call{
		Caller: w.caller, RunID: w.runID, After: w.after, Deadline: w.deadline, SkipHistory: w.history,
		Person: w.person(w.call), Resume: resume, LinkOf: func(a *client.Auth) string { return w.view().AuthorizationLink(a) },
		Draining: w.draining, Observer: w,
	}
	w.seen, err = w.Attend.Follow(ctx, call)
	if !errors.Is(err, attend.ErrUsed) {
		w.resume = nil
	}
	return err
}

// ObserveTokens implements [attend.Observer].
func (w *waiter) ObserveTokens(tokens []string) { w.addTokens(tokens) }

// ObserveEvent implements [attend.Observer]: every event becomes a progress notification.
func (w *waiter) ObserveEvent(_ context.Context, e client.Event, news bool) {
	if news {
		w.progress.say(w.speaking, fmt.Sprintf("%d: %s", e.ID, w.view().Describe(e)))
	}
	w.take(e)
}

// ObserveSilence implements [attend.Observer].
func (w *waiter) ObserveSilence(_ context.Context, status client.Status, asking bool) {
	w.progress.say(w.speaking, w.stillWaiting(status, asking))
}

func (c *call) stillWaiting(status client.Status, asking bool) string {
	switch {
	case asking:
		return "waiting for the user's answer"
	case status == "":
		return "waiting for the run"
	}
	return "still " + c.view().Status(status)
}

// take gives an event after the cursor to the page.
func (w *waiter) take(e client.Event) {
	w.page.add(e)
	w.shown = e.ID
}

// tell makes the result of the look: the run as it was read, what came of
// asking the person, and what they decide on.
func (w *waiter) tell(ctx context.Context, got reading) RunResult {
	// What happened since the wait ended belongs to the state that was read.
	for _, e := range got.Run.Events {
		if e.ID > w.shown {
			w.take(e)
		}
	}
	newest := max(got.Last, w.seen.State.Last)
	beyond := w.after > newest && (newest > 0 || got.Run.Events != nil)
	if beyond {
		w.page.last = 0 // ids may have begun anew: from there on nothing is passed over
	}
	got.piecemeal = w.part != ""
	got.linked = w.seen.LinkOpened > 0 && w.seen.LinkOpened >= w.seen.State.Since
	r := w.result(w.call, got, w.page)
	w.tellAsked(&r, got)
	if beyond {
		r.Summary += fmt.Sprintf(" afterEventId was beyond the newest event, which is %d: go on from 0.", newest)
	}
	if len(w.page.types) > 0 && !w.page.matched && len(w.page.others) > 0 {
		r.Summary += " No event has a type of eventTypes; there are: " + quoted(w.view(), w.page.others) + "."
	}
	if got.Unsettled && !w.page.full {
		r.NextStep = "The API does not tell the run's result yet: in a few seconds " + w.look(string(w.runID), "runId") + ". If there is none then, tell the user."
	}
	r.WaitEnded = waitEnded(w.seen.End, got.Run.Status)
	if slices.ContainsFunc(r.PendingApprovals, func(p PendingApproval) bool { return p.Scope == string(approval.OfRun) }) {
		plan, _ := w.Decider.Plan(ctx, w.caller, got.Run) // left out where nobody tells it
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

// tellAsked says in a result what came of asking the person.
func (w *waiter) tellAsked(r *RunResult, got reading) {
	note := ""
	if o := w.seen.Outcome; o != nil {
		note = w.outcomeNote(*o, w.decisionOf(*o).over(got))
		step := w.outcomeStep(*o, w.runID)
		if o.Kind == attend.Authorization {
			step = linkStep(*o, r.Authorization)
		}
		if step != "" && got.waits() {
			r.NextStep = step
		}
	}
	if w.seen.Drained {
		note += " The wait was cut short: this server is stopping. The run goes on; follow it on a new connection."
	}
	r.Summary = strings.TrimSpace(strings.TrimSpace(note) + " " + r.Summary)
}

// waitEnded says why a wait ended so that it fits the state that is told.
func waitEnded(end string, status client.Status) string {
	switch {
	case end != "" && status.Terminal():
		return attend.Finished
	case end == attend.Finished:
		return attend.TimeUp // nobody told how the run ended
	}
	return end
}
