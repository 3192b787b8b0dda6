package attend

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
)

// snapshotGrace is how long after its deadline a call may still read the run to ask
// about it.
const snapshotGrace = time.Second

// askPerson asks the person for what the run needs: a decision, or an authorisation.
// Person says which of the two this call may ask for. If it may not, the call ends
// with NeedsPerson.
func (f *follower) askPerson(ctx context.Context) (end string, err error) {
	auth := f.state.Auth
	switch {
	case len(f.undecided(f.state.Pending)) > 0 && f.Person.Approvals:
		return f.askDecision(ctx)
	case f.state.Status == client.AuthRequired && f.Person.Links && auth != nil && f.LinkOf(auth) != "":
		return f.askAuthorization(auth)
	}
	return NeedsPerson, nil
}

// askDecision reads the run and asks the person to decide on the first approval that
// waits and that they did not refuse to decide on.
func (f *follower) askDecision(ctx context.Context) (end string, err error) {
	reading := ctx
	if !f.Deadline.IsZero() {
		var stop context.CancelFunc
		reading, stop = context.WithDeadline(ctx, f.Deadline.Add(snapshotGrace))
		defer stop()
	}
	snapshot, err := f.Feeds.Snapshot(reading, f.Caller, f.RunID, feed.Wanted{Decidable: true})
	switch {
	case ctx.Err() != nil:
		return "", contextError(ctx)
	case err != nil:
		return f.endWith(Outcome{Status: NotAsked, Kind: Decision, Err: err})
	}
	f.Observer.ObserveTokens(snapshot.Tokens)
	var refused *Outcome
	for _, p := range f.approvalsToAsk(snapshot) {
		q := f.decisionQuestion(reading, f.personRun, f.Caller, snapshot.Run, p, f.changedID == p.ID)
		if refused = f.refusalOf(q); refused == nil {
			return f.askOrJoin(q)
		}
	}
	switch {
	case refused != nil:
		return f.endWith(*refused)
	case f.Only != "":
		return f.endWith(Outcome{Status: Gone, Kind: Decision, Subject: f.Only})
	}
	return "", nil
}

// approvalsToAsk returns the approvals of a snapshot that the person may be asked
// about. The one that changed while they answered comes first. Approvals that the
// snapshot no longer has are remembered as such.
func (f *follower) approvalsToAsk(snapshot feed.Snapshot) []approval.Pending {
	for _, p := range f.state.Pending {
		if !snapshot.Waits(p.ID) {
			f.noLongerPending = append(f.noLongerPending, p.ID)
		}
	}
	waiting := f.undecided(snapshot.Pending)
	if f.Only != "" {
		waiting = slices.DeleteFunc(waiting, func(p approval.Pending) bool { return p.ID != f.Only })
	}
	if i := slices.IndexFunc(waiting, func(p approval.Pending) bool { return p.ID == f.changedID }); i > 0 {
		waiting[0], waiting[i] = waiting[i], waiting[0]
	}
	return waiting
}

// refusalOf returns how the person refused the same question before, nil where they
// may be asked. A call that asks about one approval asks again what was refused
// before it started.
func (f *follower) refusalOf(q *question) *Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.findRecord(q.personRun, q.subject)
	if !r.refused(q.digest) {
		return nil
	}
	o := r.refusal
	if !r.refusedAt.After(f.startedAt) {
		if f.Only != "" {
			return nil
		}
		o.Before = true
	}
	return &o
}

// askAuthorization asks the person to open the link with which an integration is
// authorised.
func (f *follower) askAuthorization(auth *client.Auth) (end string, err error) {
	q := f.linkQuestion(f.personRun, f.Caller, f.state, f.LinkOf(auth))
	if refused := f.refusalOf(q); refused != nil {
		return f.endWith(*refused)
	}
	q.text.ID = uuid.NewString()
	return f.askOrJoin(q)
}

// askOrJoin asks a question, or joins the one that is open for the same need. It ends
// the call if the question must not be asked now.
func (f *follower) askOrJoin(q *question) (end string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	record := f.recordOf(q.personRun, q.subject)
	if open := cmp.Or(record.open, f.decidedQuestion(q.need())); open != nil {
		f.joinQuestion(open)
		return "", nil
	}
	// Both may have happened while this call read the run.
	if f.Decider.Sent(q.pending) {
		return "", nil
	}
	if f.Only == "" && record.refused(q.digest) {
		return f.endWith(record.refusal)
	}
	if f.asked >= maxQuestions {
		return f.endWith(q.withStatus(TooMany, nil))
	}
	if f.Person.Ask == nil {
		if round, ok := f.rounds.Get(q.need()); ok {
			f.joinQuestion(round)
			return "", nil
		}
	}
	// Asking again because the content changed is part of the same question.
	if f.Only != "" && f.changedID != q.subject && !record.countApproveQuestion() {
		return f.endWith(q.withStatus(TooOften, nil))
	}
	f.asked++
	return f.startRoundOrQuestion(q, record)
}

// startRoundOrQuestion asks a question. In the stateless protocol a [Round] asks it
// and ends the call; else a goroutine asks it and the call waits. f.mu is held.
func (f *follower) startRoundOrQuestion(q *question, record *record) (end string, err error) {
	if f.Person.Ask == nil {
		f.Attendant.asked[q.kind]++
		f.startRound(q)
		return "", &Round{q.text, f.roundState(q)}
	}
	ask := func(ctx context.Context) (Answer, error) { return f.Person.Ask(ctx, q.text) }
	if !f.startQuestion(q, f.Caller, time.Now(), ask) {
		return f.endWith(q.withStatus(NotAsked, errTooMany))
	}
	record.open = q
	f.joinQuestion(q)
	return "", nil
}

// endWith ends the call with what came of asking.
func (f *follower) endWith(o Outcome) (end string, err error) {
	f.outcome = &o
	return NeedsPerson, nil
}

// roundState returns what the call's next round needs to go on from here.
func (f *follower) roundState(q *question) RoundState {
	s := RoundState{
		RunID: f.RunID, Kind: q.kind, Subject: q.subject, Digest: q.digest, EventID: q.eventID, AskedAt: time.Now().UnixMilli(),
		Asked: f.asked, Changes: f.changes, Reported: max(f.reported, f.watch.Cursor()), LinkOpened: f.linkOpened,
	}
	if !f.Deadline.IsZero() {
		s.TimeLeft = max(0, time.Until(f.Deadline))
	}
	return s
}
