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

// Why the following of a run ended.
const (
	Finished    = "finished"
	NeedsPerson = "needs_person"
	TimeUp      = "time_up"
)

const (
	// Heartbeat is the longest silence while a call waits, so that idle timers do
	// not fire.
	Heartbeat = 15 * time.Second
	// linkTimeout is how long a pause is looked at for the approval link and the
	// tool calls that the stream may bring a little later than the event.
	linkTimeout = time.Second
	// lastLook is how long after its deadline a call may still read what to ask.
	lastLook = time.Second
	// maxAsked is how many questions one call puts to a person.
	maxAsked = 8
	// maxChanges is how often what would happen may change in one call while its
	// person is asked.
	maxChanges = 3
)

// Visit is one call's following of one run.
type Visit struct {
	Caller   client.Caller
	RunID    client.RunID
	After    int64     // cursor from which events and needs count
	Deadline time.Time // zero: none
	History  bool      // what happened before is no news: the call named no event to go on from
	// Only is the approval that the person is to be asked about, even if they
	// refused before: then the visit ends with its outcome. "": whatever the run
	// needs.
	Only string

	Person   Person
	Resume   *Resume // what the call brings of an earlier round; nil: it is the first
	Asked    int     // questions, and changes of what was asked, in earlier rounds
	Changes  int
	Told     int64                     // cursor up to which news were told in them
	SentTo   int64                     // cursor of the authorisation to whose link the person was sent in them
	LinkOf   func(*client.Auth) string // the link of an authorisation, "" where there is none to open
	Draining <-chan struct{}           // closed when the call must stop waiting; nil: never
	Observer Observer
}

// GoOn has the visit go on where an earlier round of its call stood; nil: there was
// none.
func (v *Visit) GoOn(r *Resume) {
	if r != nil {
		v.Asked, v.Changes, v.Told, v.SentTo, v.History = r.Asked, r.Changes, r.Told, r.SentTo, false
	}
}

// Observer is told what a visit sees, in its goroutine.
type Observer interface {
	// Seen tells of an event after the cursor; news says that nobody was told.
	Seen(ctx context.Context, e client.Event, news bool)
	// Tokens tells of the tokens of the run's links.
	Tokens(tokens []string)
	// Quiet is called after each [Heartbeat] without a call of Seen with news.
	Quiet(ctx context.Context, status client.Status, asking bool)
}

// Result is how a visit ended.
type Result struct {
	End     string     // Finished, NeedsPerson or TimeUp
	State   feed.State // as it was seen last
	Since   int64      // cursor from which needs counted
	SentTo  int64      // cursor of the authorisation to whose link the person was sent
	Outcome *Outcome   // of asking, the last one; nil: nobody was to be asked
	Drained bool       // the call had to stop waiting
}

// visit is a Visit under way.
type visit struct {
	*Attendant
	Visit
	who
	watch  *feed.Watch
	state  feed.State
	joined *question
	gone   []string  // approvals that the run was read without, though its stream still tells them
	went   *question // whose link the person opened
	began  time.Time

	outcome   *Outcome
	changed   string    // approval about which the person answered, and which is another by now
	beatAt    time.Time // when the next heartbeat is due
	linkUntil time.Time // how long a pause is looked at for its link, zero when it is not
	drained   bool
}

// Follow follows a run for a call. Where the run needs a person, they are asked as
// the visit says, and the following goes on. Its error is a [Round], one of a
// position that was used, or that of watching the run: a [client.Error], or one
// that wraps that of ctx. A person's decision is sent whatever becomes of the visit.
func (a *Attendant) Follow(ctx context.Context, in Visit) (Result, error) {
	v := &visit{Attendant: a, Visit: in, who: who{in.Caller.Key, in.Person.Name, in.RunID}, began: time.Now()}
	if in.Resume != nil {
		var err error
		if v.joined, err = a.answered(in.Caller, in.Person.Name, in.Resume); err != nil {
			return Result{}, err
		}
	}
	v.watch = a.Feeds.Watch(in.Caller, in.RunID, in.After)
	defer v.watch.Close()
	v.beatAt = v.began.Add(Heartbeat)
	end, err := v.run(ctx)
	if err = v.depart(ctx, end, err); err != nil {
		return Result{}, err
	}
	return Result{End: end, State: v.state, Since: v.since(), SentTo: v.SentTo, Outcome: v.outcome, Drained: v.drained}, nil
}

// run is the loop: it looks at what is known, and waits for more.
func (v *visit) run(ctx context.Context) (end string, err error) {
	for {
		if end, err := v.consider(ctx); end != "" || err != nil {
			return end, err
		}
		if err := v.wait(ctx); err != nil {
			return "", err
		}
	}
}

// consider says why the visit ends now, "" where it goes on. It asks the person
// where that is due.
func (v *visit) consider(ctx context.Context) (end string, err error) {
	if end := v.hear(); end != "" {
		return end, nil
	}
	v.completeLink(ctx)
	late := !v.Deadline.IsZero() && !time.Now().Before(v.Deadline)
	switch {
	case v.state.Ended:
		return Finished, nil
	case v.drained:
		return TimeUp, nil
	case v.joined == nil && v.joinOpen(), v.joined != nil:
		if late {
			return TimeUp, nil
		}
		return "", nil
	case v.Only != "" && !late:
		return v.askDecision(ctx)
	case v.Only == "" && v.needsPerson():
		if late {
			return NeedsPerson, nil
		}
		return v.meet(ctx)
	case late:
		return TimeUp, nil
	}
	return "", nil
}

// wait waits for news, an answer, or until something is due.
func (v *visit) wait(ctx context.Context) error {
	until := v.beatAt
	for _, t := range []time.Time{v.Deadline, v.linkUntil} {
		if t.After(time.Now()) && t.Before(until) {
			until = t
		}
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	var answered <-chan struct{}
	if v.joined != nil {
		answered = v.joined.done
	}
	select {
	case <-v.watch.Ready():
		return v.takeNews(ctx, until)
	case <-answered:
	case <-v.Draining:
		v.drained = true
	case <-timer.C:
		v.beat(ctx)
	case <-ctx.Done():
		return done(ctx)
	}
	return nil
}

// done is the error of a context that is done, with its cause.
func done(ctx context.Context) error { return errors.Join(ctx.Err(), context.Cause(ctx)) }

// errDue ends a read when something else is due.
var errDue = errors.New("something else is due")

// takeNews takes what happened; a read of what the feed dropped is given up when
// something is due.
func (v *visit) takeNews(ctx context.Context, until time.Time) error {
	reading, stop := context.WithDeadlineCause(ctx, until, errDue)
	defer stop()
	news, err := v.watch.Next(reading)
	if errors.Is(err, errDue) {
		v.beat(ctx)
		return nil
	}
	if err != nil {
		return err
	}
	if n := len(news.Events); v.History && n > 0 {
		v.Told = news.Events[n-1].ID - 1 // the newest tells how it stands
	}
	v.History = false
	v.Observer.Tokens(news.Tokens)
	for _, e := range news.Events {
		if e.ID > v.Told {
			v.beatAt = time.Now().Add(Heartbeat)
		}
		v.Observer.Seen(ctx, e, e.ID > v.Told)
	}
	v.state = news.State
	return nil
}

// beat tells that nothing happened for long, if that is so.
func (v *visit) beat(ctx context.Context) {
	now := time.Now()
	if now.Before(v.beatAt) || !v.Deadline.IsZero() && !now.Before(v.Deadline) {
		return
	}
	v.beatAt = now.Add(Heartbeat)
	v.Observer.Quiet(ctx, v.state.Status, v.joined != nil)
}

// needsPerson reports whether the run needs a person since the cursor. A pause of
// which link or tool calls are not known is looked at a little longer.
func (v *visit) needsPerson() bool {
	st, waiting := v.state, v.undecided(v.state.Pending)
	// A pause whose approvals were all decided is over as soon as the run notices.
	decided := st.Status == client.Paused && len(st.Pending) > 0 && len(waiting) == 0
	there := st.Status == client.AuthRequired && v.sentThere()
	st.Pending = waiting
	switch {
	case decided || there || !st.NeedsPerson(v.since()):
		v.linkUntil = time.Time{}
		return false
	case st.Status != client.Paused || len(waiting) > 0 && !slices.ContainsFunc(waiting, approval.Pending.DetailsMissing):
		return true
	case v.linkUntil.IsZero():
		v.linkUntil = time.Now().Add(linkTimeout)
	}
	return !time.Now().Before(v.linkUntil)
}

// since returns the cursor from which needs count: all do where the call named an
// event that there is not yet.
func (v *visit) since() int64 {
	if v.After > v.state.Last {
		return 0
	}
	return v.After
}

// undecided returns the approvals on which this server sent no decision, and
// which the run was not read without.
func (v *visit) undecided(pending []approval.Pending) []approval.Pending {
	return slices.DeleteFunc(slices.Clone(pending), func(p approval.Pending) bool {
		return v.Decider.Sent(p) || slices.Contains(v.gone, p.ID)
	})
}

// sentThere reports whether the person was sent to the link that the run waits for.
func (v *visit) sentThere() bool {
	if v.went != nil && v.went.subject == SubjectOf(v.state) && v.state.Auth != nil && v.went.digest == linkDigest(v.LinkOf(v.state.Auth)) {
		v.SentTo = v.state.Since
	}
	return v.state.Since <= v.SentTo
}

// completeLink tells the client once that its person has done what they were sent
// to a link for, so that it can take its dialog away.
func (v *visit) completeLink(ctx context.Context) {
	if v.went == nil || v.Person.Complete == nil || v.state.Status == "" || v.state.Status == client.AuthRequired {
		return
	}
	if v.went.told.CompareAndSwap(false, true) {
		v.Person.Complete(ctx, v.went.linkID)
	}
}
