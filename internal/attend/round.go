package attend

import (
	"context"
	"time"

	"runs-mcp-server/client"
)

// Round is the error of a call of the stateless protocol (2026-07-28) that must ask
// its person. The call ends with the question; the client calls again with the
// answer and the sealed state.
type Round struct {
	Question
	RoundState
}

func (*Round) Error() string { return "the answer of a person is needed" }

// Resume is what a call of the stateless protocol brings of the round before.
type Resume struct {
	RoundState
	Answer Answer
	Sealed string // the state as it came; it can be used once
}

// RoundState is what the next round of a call needs to know. It travels, sealed, to
// the client and back: the server keeps nothing of the call between the two.
type RoundState struct {
	RunID      client.RunID  `json:"runId"`
	Kind       Kind          `json:"kind"`                 // of the question
	Subject    string        `json:"subject"`              // an approval's id, or an authorisation
	Digest     string        `json:"digest"`               // of what the person decides on, see [approval.Request.Digest]
	EventID    int64         `json:"eventId"`              // of the event that asked
	AskedAt    int64         `json:"askedAt"`              // Unix milliseconds
	Asked      int           `json:"asked"`                // questions of the call so far, this one included
	Changes    int           `json:"changes,omitempty"`    // how often what was asked about changed
	Reported   int64         `json:"reported,omitempty"`   // cursor up to which events were reported as news
	LinkOpened int64         `json:"linkOpened,omitempty"` // see [Result.LinkOpened]
	TimeLeft   time.Duration `json:"timeLeft,omitempty"`   // of the call's wait

	// What the tools add.
	Notifications int  `json:"notifications,omitempty"` // of progress so far
	KeepRefused   bool `json:"keepRefused,omitempty"`   // the run is not watched when the call is over
}

// resume goes on where the round before stood: the call waits for what comes of the
// person's answer. The error is [ErrUsed].
func (f *follower) resume(r Resume) error {
	if err := f.redeem(r.Sealed); err != nil {
		return err
	}
	f.asked, f.changes, f.reported, f.linkOpened, f.SkipHistory = r.Asked, r.Changes, r.Reported, r.LinkOpened, false
	q := &question{personRun: f.personRun, kind: r.Kind, subject: r.Subject, digest: r.Digest, eventID: r.EventID, answered: true}
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := func(context.Context) (Answer, error) { return r.Answer, nil }
	if !f.startQuestion(q, f.Caller, time.UnixMilli(r.AskedAt), answer) {
		return errClosed
	}
	f.joinQuestion(q)
	return nil
}
