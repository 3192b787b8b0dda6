package attend

import (
	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// Fate is what became of the asking for one need of a run.
type Fate string

// The fates. Up to Withdrawn they are those of a question, the others those of a
// call that has put none, or has not heard of its outcome yet.
const (
	Sent      Fate = "sent"      // a decision; Err says what the API did not take, or lost the answer to
	Unsent    Fate = "unsent"    // a decision, for Err
	Changed   Fate = "changed"   // a decision was not sent: the run asks for something else by now
	Gone      Fate = "gone"      // the run no longer waits; a decision, if any, was not sent
	Declined  Fate = "declined"  // the person did not decide
	Canceled  Fate = "canceled"  // the same, or the client by itself
	Empty     Fate = "empty"     // an accepted form without a choice
	Silent    Fate = "silent"    // no answer in time
	Unasked   Fate = "unasked"   // the client could not ask, or for Err
	Opened    Fate = "opened"    // the link
	Withdrawn Fate = "withdrawn" // before an answer

	Open         Fate = "open"      // the question waits for its answer
	Sending      Fate = "sending"   // the person has decided, and the decision is being sent
	Elsewhere    Fate = "elsewhere" // another call of the stateless protocol is asking
	TooOften     Fate = "tooOften"  // by the approve tool
	TooMany      Fate = "tooMany"   // questions in one call
	ChangedOften Fate = "changing"  // what would happen changed again and again
)

// Outcome is what came of the asking for one need.
type Outcome struct {
	Fate
	Kind     Kind
	Subject  string            // an approval's id, or an authorisation
	EventID  int64             // of the event that asked
	Decision approval.Decision // the person's, "" where they made none
	AtOnce   bool              // the client refused faster than a person can
	Before   bool              // it came of a question of an earlier call, and the same is not asked again
	Err      error
}

// Taken reports whether a decision was sent, and is not known to have been refused.
func (o Outcome) Taken() bool {
	return o.Fate == Sent && (o.Err == nil || client.KindOf(o.Err) == client.OutcomeUnknown)
}

// Seen reports whether a person can have seen the question that was refused.
func (o Outcome) Seen() bool { return !o.AtOnce && o.Fate != Unasked }

// refuses reports whether the person or their client was asked in vain.
func (o Outcome) refuses() bool {
	switch o.Fate {
	case Declined, Canceled, Empty, Silent, Unasked:
		return true
	}
	return false
}
