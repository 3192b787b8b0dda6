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

// readTimeout bounds the reading of a run after the time that a call waits: every
// call is answered within 5 s after its time.
const readTimeout = 4500 * time.Millisecond

// waitDeadline returns when the call's wait for a run ends. A call that comes with
// its person's answer has what was left of its time when it asked.
func (c *call) waitDeadline(waitSeconds int) time.Time {
	if c.resume != nil {
		return c.at.Add(c.resume.TimeLeft)
	}
	return c.at.Add(time.Duration(waitSeconds) * time.Second)
}

// answerDeadline returns when the call gives up reading the run after its wait.
func (c *call) answerDeadline(waitSeconds int) time.Time {
	deadline := c.waitDeadline(waitSeconds)
	if now := time.Now(); deadline.Before(now) {
		deadline = now
	}
	return deadline.Add(readTimeout)
}

// watch is how one call watches one run.
type watch struct {
	runID       client.RunID
	after       int64      // cursor from which events count
	skipHistory bool       // the call named no event to go on from: earlier events are no progress
	page        *eventPage // collects the events after the cursor
	inPieces    bool       // a piece is shown in the place of the run's result

	ended attend.Result // how the wait ended, zero without one
	run   *client.Run   // as it was read after the wait
}

// watchRun returns how a run stands, after a wait for at most waitSeconds from the
// call's arrival; 0 is no wait.
func (h *handlers) watchRun(ctx context.Context, c *call, w *watch, waitSeconds int) (RunResult, error) {
	resume, err := c.resumeOf(w.runID)
	if err != nil {
		return RunResult{}, err
	}
	w.page.last = w.after
	o := &observer{call: c, deadline: c.waitDeadline(waitSeconds), page: w.page, cursor: w.after}
	late := h.Attend.TakeUnreported(c.caller.Key, c.personName, w.runID)
	if waitSeconds > 0 || resume != nil {
		if err := h.waitForRun(ctx, w, o, resume); err != nil {
			return RunResult{}, err
		}
	}
	if w.ended.Outcome == nil {
		w.ended.Outcome = late
	}
	c.noteOutcome(w.ended.Outcome)
	got, err := h.readRun(ctx, c, w.runID, w.ended.State)
	if err != nil {
		return RunResult{}, err
	}
	w.run = got.Run
	o.addMissed(got.Run.Events)
	return h.buildWatchResult(ctx, c, w, got), nil
}

// waitForRun waits until the run has ended, needs a person or the time is up. The
// person is asked on the way, where the client can and the operator allows it.
func (h *handlers) waitForRun(ctx context.Context, w *watch, o *observer, resume *attend.Resume) (err error) {
	c := o.call
	w.ended, err = h.Attend.Follow(ctx, attend.Call{
		Caller: c.caller, RunID: w.runID, After: w.after, Deadline: o.deadline, SkipHistory: w.skipHistory,
		Person: h.person(c), Resume: resume, LinkOf: func(a *client.Auth) string { return c.view().AuthorizationLink(a) },
		Draining: c.draining, Observer: o,
	})
	if !errors.Is(err, attend.ErrUsed) {
		c.resume = nil
	}
	return err
}

// observer implements [attend.Observer]: it tells the client what happens, as
// progress, and collects the events.
type observer struct {
	*call
	deadline time.Time // of progress
	page     *eventPage
	cursor   int64 // of the newest event that page was given
}

// ObserveTokens implements [attend.Observer].
func (o *observer) ObserveTokens(tokens []string) { o.addTokens(tokens) }

// ObserveEvent implements [attend.Observer]: every event becomes a progress notification.
func (o *observer) ObserveEvent(ctx context.Context, e client.Event, news bool) {
	if news {
		o.sendProgress(ctx, fmt.Sprintf("%d: %s", e.ID, o.view().Describe(e)))
	}
	o.page.addEvent(e)
	o.cursor = e.ID
}

// ObserveSilence implements [attend.Observer].
func (o *observer) ObserveSilence(ctx context.Context, status client.Status, asking bool) {
	switch {
	case asking:
		o.sendProgress(ctx, "waiting for the user's answer")
	case status == "":
		o.sendProgress(ctx, "waiting for the run")
	default:
		o.sendProgress(ctx, "still "+o.view().Status(status))
	}
}

func (o *observer) sendProgress(ctx context.Context, message string) {
	ctx, cancel := context.WithDeadline(ctx, o.deadline)
	defer cancel()
	o.progress.sendMessage(ctx, message)
}

// addMissed adds the events that happened since the wait ended: they belong to the
// state that was read.
func (o *observer) addMissed(events []client.Event) {
	for _, e := range events {
		if e.ID > o.cursor {
			o.page.addEvent(e)
		}
	}
}

// buildWatchResult makes the result of a watch: the run as it was read, what came of
// asking the person, and the plan they decide on.
func (h *handlers) buildWatchResult(ctx context.Context, c *call, w *watch, got reading) RunResult {
	newest := max(got.Last, w.ended.State.Last)
	beyond := w.after > newest && (newest > 0 || got.Run.Events != nil)
	if beyond {
		w.page.last = 0 // ids may have begun anew: from 0 on, no event is missed
	}
	got.inPieces = w.inPieces
	got.linked = w.ended.LinkOpened > 0 && w.ended.LinkOpened >= w.ended.State.Since
	r := h.buildResult(c, got, w.page)
	h.addOutcome(&r, w, got)
	if beyond {
		r.addNote(fmt.Sprintf(" afterEventId was beyond the newest event, which is %d: go on from 0.", newest))
	}
	if len(w.page.types) > 0 && !w.page.matched && len(w.page.others) > 0 {
		r.addNote(" No event has a type of eventTypes; there are: " + quoteNames(c.view(), w.page.others) + ".")
	}
	if got.Unsettled && !w.page.full {
		r.NextStep = "The API does not tell the run's result yet: in a few seconds " + h.readStep(runURI(w.runID, ""), "runId") + ". If there is none then, tell the user."
	}
	r.WaitEnded = waitEnded(w.ended.End, got.Run.Status)
	if slices.ContainsFunc(r.PendingApprovals, func(p PendingApproval) bool { return p.Scope == string(approval.OfRun) }) {
		plan, _ := h.Decider.Plan(ctx, c.caller, got.Run) // nil where the API does not tell it
		r.Plan = h.showPlan(c.view(), w.runID, plan, min(judgedPlanBytes, h.MaxResultBytes/3))
	}
	return r
}

// addOutcome says in a result what came of asking the person.
func (h *handlers) addOutcome(r *RunResult, w *watch, got reading) {
	note := ""
	if o := w.ended.Outcome; o != nil {
		note = h.outcomeNote(*o, sentDecision(*o).isOver(got))
		step := h.outcomeStep(*o, w.runID)
		if o.Kind == attend.Authorization {
			step = linkStep(*o, r.Authorization)
		}
		if step != "" && got.waits() {
			r.NextStep = step
		}
	}
	if w.ended.Drained {
		note += " The wait was cut short: this server is stopping. The run goes on; follow it on a new connection."
	}
	r.Summary = strings.TrimSpace(strings.TrimSpace(note) + " " + r.Summary)
}

// waitEnded says why a wait ended, so that it fits the status that was read.
func waitEnded(end string, status client.Status) string {
	switch {
	case end != "" && status.Terminal():
		return attend.Finished
	case end == attend.Finished:
		return attend.TimeUp // the API does not tell how the run ended
	}
	return end
}
