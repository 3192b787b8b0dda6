package attend

import (
	"context"
	"time"

	"runs-mcp-server/client"
)

// Round is the error of a call of the stateless protocol that must ask its person:
// it ends with the question, and the client calls again with the answer and the
// sealed position.
type Round struct {
	Question
	Position
}

func (*Round) Error() string { return "the answer of a person is needed" }

// Resume is what a call of the stateless protocol brings of the round before.
type Resume struct {
	Position
	Answer Answer
	State  string // the position as it came, sealed; it is used up with the answer
}

// roundTime is how long a round keeps other calls from asking the same: a client
// may have lost it.
const roundTime = 60 * time.Second

// beginRound keeps other calls of the caller from asking the same while its person
// is asked by a round. a.mu is held.
func (a *Attendant) beginRound(of *question) {
	n := approvalOf{of.key, of.runID, of.subject}
	round := &question{who: of.who, kind: of.kind, subject: of.subject, eventID: of.eventID, round: true, done: make(chan struct{})}
	a.rounds.Add(n, round)
	time.AfterFunc(roundTime, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.endRound(n, round)
	})
}

// endRound lets other calls ask again. Without a round it ends whichever there is.
// a.mu is held.
func (a *Attendant) endRound(n approvalOf, round *question) {
	now, ok := a.rounds.Get(n)
	if !ok || round != nil && now != round {
		return
	}
	a.rounds.Remove(n)
	close(now.done)
}

// answered begins to do what the answer of a round says, and joins it. The error
// is [ErrUsed].
func (a *Attendant) answered(caller client.Caller, person string, r *Resume) (*question, error) {
	if err := a.Redeem(r.State); err != nil {
		return nil, err
	}
	q := &question{
		who: who{caller.Key, person, r.RunID}, kind: r.Kind, subject: r.Subject, digest: r.Digest, eventID: r.EventID,
		answered: true, joined: 1,
	}
	asked := time.UnixMilli(r.AskedAt)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.put(q, caller, asked, func(context.Context) (Answer, error) { return r.Answer, nil }) == nil {
		return nil, errClosed
	}
	return q, nil
}
