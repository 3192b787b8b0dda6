package attend

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
)

// meet asks the person for what the run needs, where they can be asked.
func (v *visit) meet(ctx context.Context) (end string, err error) {
	switch {
	case len(v.undecided(v.state.Pending)) > 0 && v.Person.Approvals:
		return v.askDecision(ctx)
	case v.state.Status == client.AuthRequired && v.Person.Links && v.state.Auth != nil && v.LinkOf(v.state.Auth) != "":
		return v.askAuthorization()
	}
	return NeedsPerson, nil
}

// askDecision asks the person to decide on the first approval that waits and that
// they did not refuse to decide on before. The run is read for it.
func (v *visit) askDecision(ctx context.Context) (end string, err error) {
	reading := ctx
	if !v.Deadline.IsZero() {
		var stop context.CancelFunc
		reading, stop = context.WithDeadline(ctx, v.Deadline.Add(lastLook))
		defer stop()
	}
	read, err := v.Feeds.Snapshot(reading, v.Caller, v.RunID, feed.Wanted{Decidable: true})
	switch {
	case ctx.Err() != nil:
		return "", done(ctx)
	case err != nil:
		return v.ended(Outcome{Fate: Unasked, Kind: Decision, Err: err})
	}
	v.Observer.Tokens(read.Tokens)
	refused := (*Outcome)(nil)
	for _, p := range v.candidates(read) {
		r := v.Decider.Request(reading, v.Caller, read.Run, p, v.Secrets)
		q := &question{who: v.who, kind: Decision, subject: p.ID, digest: r.Digest(), eventID: p.EventID, pending: p}
		if refused = v.refusal(q); refused == nil {
			return v.ask(q, Question{Kind: Decision, Message: r.Question(v.changed == p.ID)})
		}
	}
	if refused != nil {
		return v.ended(*refused)
	}
	if v.Only != "" {
		return v.ended(Outcome{Fate: Gone, Kind: Decision, Subject: v.Only})
	}
	return "", nil
}

// candidates returns the approvals that a run which was read waits for and that
// the person may be asked about, first the one that changed while they were.
func (v *visit) candidates(read feed.Snapshot) []approval.Pending {
	for _, p := range v.state.Pending {
		if !slices.ContainsFunc(read.Pending, func(o approval.Pending) bool { return o.ID == p.ID }) {
			v.gone = append(v.gone, p.ID)
		}
	}
	waiting := v.undecided(read.Pending)
	if v.Only != "" {
		waiting = slices.DeleteFunc(waiting, func(p approval.Pending) bool { return p.ID != v.Only })
	}
	if i := slices.IndexFunc(waiting, func(p approval.Pending) bool { return p.ID == v.changed }); i > 0 {
		waiting[0], waiting[i] = waiting[i], waiting[0]
	}
	return waiting
}

// refusal returns how the person did not decide on the same before, nil where they
// may be asked. The approve tool asks again what was refused before its call.
func (v *visit) refusal(q *question) *Outcome {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.lookUp(q.who, q.subject)
	if !t.refused(q.digest) {
		return nil
	}
	o := t.refusal
	if !t.refusedAt.After(v.began) {
		if v.Only != "" {
			return nil
		}
		o.Before = true
	}
	return &o
}

// askAuthorization sends the person to the link with which an integration is
// authorised.
func (v *visit) askAuthorization() (end string, err error) {
	link, auth := v.LinkOf(v.state.Auth), v.state.Auth
	q := &question{
		who: v.who, kind: Authorization, subject: SubjectOf(v.state), digest: linkDigest(link), eventID: v.state.Since,
		linkID: uuid.NewString(),
	}
	if refused := v.refusal(q); refused != nil {
		return v.ended(*refused)
	}
	name := approval.Quote(v.Secrets.With(string(v.Caller.Key)), auth.IntegrationName, 128)
	return v.ask(q, Question{
		Kind: Authorization, URL: link, ID: q.linkID,
		Message: "A run needs your permission to use " + name + ". Open the link to give it; the run goes on by itself.",
	})
}

// linkDigest names a link.
func linkDigest(link string) string {
	sum := sha256.Sum256([]byte(link))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ask puts a question, or joins the one that is open for the same. In the
// stateless protocol it returns the [Round] that ends the call, or joins that of
// another call.
func (v *visit) ask(q *question, text Question) (end string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.topicOf(q.who, q.subject)
	if t.open != nil {
		v.join(t.open)
		return "", nil
	}
	if sending := v.sending(approvalOf{v.key, q.runID, q.subject}); sending != nil {
		v.join(sending)
		return "", nil
	}
	switch { // what happened while this call read the run
	case q.kind == Decision && v.Decider.Sent(q.pending):
		return "", nil
	case v.Only == "" && t.refused(q.digest):
		return v.ended(t.refusal)
	}
	o := Outcome{Kind: q.kind, Subject: q.subject, EventID: q.eventID}
	if v.Asked >= maxAsked {
		o.Fate = TooMany
		return v.ended(o)
	}
	if v.Person.Ask == nil {
		if other, ok := v.rounds.Get(approvalOf{v.key, q.runID, q.subject}); ok {
			v.join(other)
			return "", nil
		}
	}
	if v.Only != "" && v.changed != q.subject && !t.mayAskByHand() {
		o.Fate = TooOften
		return v.ended(o)
	}
	v.Asked++
	if v.Person.Ask == nil {
		v.beginRound(q)
		return "", &Round{text, v.position(q)}
	}
	if v.put(q, v.Caller, time.Now(), func(ctx context.Context) (Answer, error) { return v.Person.Ask(ctx, text) }) == nil {
		o.Fate, o.Err = Unasked, errTooMany
		return v.ended(o)
	}
	t.open = q
	v.join(q)
	return "", nil
}

// sending returns the question about a need whose answer is a decision that is being
// sent, whoever made it; nil where there is none. a.mu is held.
func (a *Attendant) sending(n approvalOf) *question {
	for q := range a.open {
		if q.key == n.key && q.runID == n.runID && q.subject == n.subject && q.decided.Load() {
			return q
		}
	}
	return nil
}

// ended ends the visit with what came of asking.
func (v *visit) ended(o Outcome) (end string, err error) {
	v.outcome = &o
	return NeedsPerson, nil
}

// position says where the call stands when it asks.
func (v *visit) position(q *question) Position {
	at := Position{
		RunID: v.RunID, Kind: q.kind, Subject: q.subject, Digest: q.digest, EventID: q.eventID, AskedAt: time.Now().UnixMilli(),
		Asked: v.Asked, Changes: v.Changes, Told: max(v.Told, v.watch.Cursor()), SentTo: v.SentTo,
	}
	if !v.Deadline.IsZero() {
		at.TimeLeft = max(0, time.Until(v.Deadline))
	}
	return at
}

// join has the visit wait for a question; a.mu is held.
func (v *visit) join(q *question) {
	q.joined++
	v.joined = q
}

// joinOpen joins the question that the person has open about what the run waits
// for, whatever the cursor.
func (v *visit) joinOpen() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.undecided(v.state.Pending) {
		if t := v.lookUp(v.who, p.ID); t.open != nil && (v.Only == "" || v.Only == p.ID) {
			v.join(t.open)
			return true
		}
	}
	if t := v.lookUp(v.who, SubjectOf(v.state)); v.Only == "" && t.open != nil {
		v.join(t.open)
		return true
	}
	return false
}

// hear takes the outcome of the question that the visit waits for, if there is
// one, and says why the visit ends with it.
func (v *visit) hear() (end string) {
	if v.joined == nil {
		return ""
	}
	select {
	case <-v.joined.done:
	default:
		return ""
	}
	q := v.joined
	v.joined = nil
	v.leave(q, false)
	if q.round {
		return ""
	}
	return v.heed(q)
}

// heed says what an outcome means for the visit.
func (v *visit) heed(q *question) (end string) {
	o := q.outcome
	v.outcome = &o
	switch o.Fate {
	case Changed:
		v.changed = o.Subject
		if v.Changes++; v.Changes >= maxChanges {
			v.outcome.Fate = ChangedOften
			return NeedsPerson
		}
		return ""
	case Withdrawn: // the session ends
		v.outcome, v.drained = nil, true
		return ""
	}
	if v.Only != "" {
		return NeedsPerson
	}
	switch {
	case o.Taken():
		return ""
	case o.Fate == Opened:
		v.went = q
		return ""
	case o.Fate == Gone:
		v.gone = append(v.gone, o.Subject)
		if o.Decision == "" {
			v.outcome = nil
		}
		return ""
	}
	return NeedsPerson
}

const (
	// withdrawTimeout is how long a call that ends waits for its question to be
	// withdrawn: its own response may be the only way to the client.
	withdrawTimeout = 1500 * time.Millisecond
	// lastMoment is how long a call whose time is up waits for what a person has
	// just decided.
	lastMoment = 2 * time.Second
)

// depart ends the visit's waiting for its question. It returns err, nil where a
// person's decision came before it.
func (v *visit) depart(ctx context.Context, end string, err error) error {
	q := v.joined
	if q == nil {
		return err
	}
	cancelled := err != nil && errors.Is(ctx.Err(), context.Canceled)
	heard := v.leave(q, cancelled)
	patience := time.Duration(0)
	switch {
	case q.round:
	case cancelled && q.decided.Load():
		patience = sendTimeout
	case q.decided.Load():
		patience = lastMoment
	case cancelled || v.drained || end == Finished:
		patience = withdrawTimeout
	}
	if heard == nil && patience > 0 {
		select {
		case <-q.done:
			heard = &q.outcome
		case <-time.After(patience):
		}
	}
	o := Outcome{Kind: q.kind, Subject: q.subject, EventID: q.eventID, Fate: Open}
	switch {
	case heard != nil && heard.Fate == Withdrawn:
		return err
	case heard != nil:
		o = *heard
		v.clearLate(q)
	case q.round:
		o.Fate = Elsewhere
	case q.decided.Load():
		o.Fate = Sending
	}
	v.outcome = &o
	if o.Decision != "" {
		return nil
	}
	return err
}
