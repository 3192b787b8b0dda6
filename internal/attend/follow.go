package attend

import (
	"context"
	"errors"
	"slices"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

const (
	// heartbeat is the longest silence while a call waits: idle timers of clients
	// and proxies must not fire.
	heartbeat = 15 * time.Second
	// linkTimeout is how long a paused run's approval link and tool calls are waited
	// for: the stream may bring them a little later than the event.
	linkTimeout = time.Second
	// maxQuestions is how many questions one call asks.
	maxQuestions = 8
	// maxChanges is how often what would happen may change in one call while its
	// person is being asked.
	maxChanges = 3
)

// Follow follows a run for a call, until the run has ended or needs a person who
// cannot be asked, or the call's time is up. Its error is a [Round], one of a round
// state that was used before, or that of watching the run: a [client.Error], or one
// that wraps the error of ctx. A person's decision is sent whatever ends the call.
func (a *Attendant) Follow(ctx context.Context, c Call) (Result, error) {
	f := &follower{Attendant: a, Call: c, personRun: personRun{c.Caller.Key, c.Person.Name, c.RunID}, startedAt: time.Now()}
	if c.Resume != nil {
		if err := f.resume(*c.Resume); err != nil {
			return Result{}, err
		}
	}
	f.watch = a.Feeds.Watch(c.Caller, c.RunID, c.After)
	defer f.watch.Close()
	f.heartbeatAt = f.startedAt.Add(heartbeat)
	end, err := f.followRun(ctx)
	if err = f.leaveQuestion(ctx, end, err); err != nil {
		return Result{}, err
	}
	return Result{End: end, State: f.state, LinkOpened: f.linkOpened, Outcome: f.outcome, Drained: f.drained}, nil
}

// followRun is the loop: it acts on what is known, then waits for more.
func (f *follower) followRun(ctx context.Context) (end string, err error) {
	for {
		if end, err := f.act(ctx); end != "" || err != nil {
			return end, err
		}
		if err := f.waitForNews(ctx); err != nil {
			return "", err
		}
		f.sendHeartbeat(ctx)
	}
}

// act does what is due now: it asks the person, or ends the call. It returns why the
// call ends, "" where it goes on.
func (f *follower) act(ctx context.Context) (end string, err error) {
	if end := f.receiveOutcome(); end != "" {
		return end, nil
	}
	f.completeLink(ctx)
	// A call for one approval joins a question about it when it asks.
	if f.question == nil && f.Only == "" && !f.state.Ended && !f.drained {
		f.joinOpenQuestion()
	}
	late := !f.Deadline.IsZero() && !time.Now().Before(f.Deadline)
	switch {
	case f.state.Ended:
		return Finished, nil
	case f.drained, late && f.question != nil:
		return TimeUp, nil
	case f.question != nil:
		return "", nil
	case late && f.Only == "" && f.needsPerson():
		return NeedsPerson, nil
	case late:
		return TimeUp, nil
	case f.Only != "":
		return f.askDecision(ctx)
	case f.needsPerson():
		return f.askPerson(ctx)
	}
	return "", nil
}

// waitForNews waits for events, an answer, or until something is due.
func (f *follower) waitForNews(ctx context.Context) error {
	until := f.heartbeatAt
	for _, t := range []time.Time{f.Deadline, f.detailsUntil} {
		if t.After(time.Now()) && t.Before(until) {
			until = t
		}
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	var answered <-chan struct{}
	if f.question != nil {
		answered = f.question.done
	}
	select {
	case <-f.watch.Ready():
		return f.readNews(ctx, until)
	case <-answered:
	case <-f.Draining:
		f.drained = true
	case <-timer.C:
	case <-ctx.Done():
		return contextError(ctx)
	}
	return nil
}

// errDue ends a read when something else is due.
var errDue = errors.New("something else is due")

// readNews reads what happened. Reading what the feed dropped may take long: it is
// given up when something is due.
func (f *follower) readNews(ctx context.Context, until time.Time) error {
	reading, stop := context.WithDeadlineCause(ctx, until, errDue)
	defer stop()
	news, err := f.watch.Next(reading)
	if errors.Is(err, errDue) {
		return nil
	}
	if err != nil {
		return err
	}
	if n := len(news.Events); f.SkipHistory && n > 0 {
		f.reported = news.Events[n-1].ID - 1 // the newest event is news: it says how the run is now
	}
	f.SkipHistory = false
	f.Observer.ObserveTokens(news.Tokens)
	for _, e := range news.Events {
		isNews := e.ID > f.reported
		if isNews {
			f.heartbeatAt = time.Now().Add(heartbeat)
		}
		f.Observer.ObserveEvent(ctx, e, isNews)
	}
	f.state = news.State
	return nil
}

// sendHeartbeat reports silence to the observer if a heartbeat is due.
func (f *follower) sendHeartbeat(ctx context.Context) {
	now := time.Now()
	if now.Before(f.heartbeatAt) || !f.Deadline.IsZero() && !now.Before(f.Deadline) {
		return
	}
	f.heartbeatAt = now.Add(heartbeat)
	f.Observer.ObserveSilence(ctx, f.state.Status, f.question != nil)
}

// needsPerson reports whether the run needs a person since the cursor. Where the
// link or the tool calls of a pause are not known, it waits a little longer.
func (f *follower) needsPerson() bool {
	st, waiting := f.state, f.undecided(f.state.Pending)
	// A pause whose approvals were all decided ends as soon as the run notices.
	decided := st.Status == client.Paused && len(st.Pending) > 0 && len(waiting) == 0
	opened := st.Status == client.AuthRequired && f.openedCurrentLink()
	st.Pending = waiting
	switch {
	case decided || opened || !st.NeedsPerson(f.needsSince()):
		f.detailsUntil = time.Time{}
		return false
	case st.Status != client.Paused || len(waiting) > 0 && !slices.ContainsFunc(waiting, approval.Pending.DetailsMissing):
		return true
	case f.detailsUntil.IsZero():
		f.detailsUntil = time.Now().Add(linkTimeout)
	}
	return !time.Now().Before(f.detailsUntil)
}

// needsSince returns the cursor for [feed.State.NeedsPerson]: only what the run began
// to wait for after it ends the call or is asked. It is the call's own cursor, or 0
// if the call named an event that does not exist yet.
func (f *follower) needsSince() int64 {
	if f.After > f.state.Last {
		return 0
	}
	return f.After
}

// openedCurrentLink reports whether the person opened the link that the run waits
// for now.
func (f *follower) openedCurrentLink() bool {
	q, auth := f.openedLink, f.state.Auth
	if q != nil && auth != nil && q.subject == AuthorizationSubject(f.state) && q.digest == linkDigest(f.LinkOf(auth)) {
		f.linkOpened = f.state.Since
	}
	return f.state.Since <= f.linkOpened
}

// completeLink tells the client, once, that the run has got the authorisation whose
// link the person opened: the client can close its dialog.
func (f *follower) completeLink(ctx context.Context) {
	if f.openedLink == nil || f.Person.Complete == nil || f.state.Status == "" || f.state.Status == client.AuthRequired {
		return
	}
	if f.openedLink.completed.CompareAndSwap(false, true) {
		f.Person.Complete(ctx, f.openedLink.text.ID)
	}
}
