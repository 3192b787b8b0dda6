package attend

import (
	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// Status is what came of asking for one need of a run.
type Status string

// The statuses of a question that is done.
const (
	Sent      Status = "sent"      // a decision was sent; Err says what the API refused, or that its answer was lost
	Unsent    Status = "unsent"    // a decision was not sent, because of Err
	Changed   Status = "changed"   // a decision was not sent: the run asks for something else now
	Gone      Status = "gone"      // the run no longer waits; a decision, if any, was not sent
	Declined  Status = "declined"  // the person did not decide
	Canceled  Status = "canceled"  // the same, or the client by itself
	NoChoice  Status = "noChoice"  // the form was accepted without a choice
	TimedOut  Status = "timedOut"  // no answer came in time
	NotAsked  Status = "notAsked"  // the client could not ask, or Err kept the server from asking
	Opened    Status = "opened"    // the link was opened
	Withdrawn Status = "withdrawn" // the question was taken back before an answer
)

// The statuses of a call that ends without the outcome of a question of its own.
const (
	Open           Status = "open"           // the question waits for its answer
	Sending        Status = "sending"        // the person has decided, and the decision is being sent
	AskedElsewhere Status = "askedElsewhere" // another call of the stateless protocol is asking
	TooOften       Status = "tooOften"       // the approve tool has asked often enough
	TooMany        Status = "tooMany"        // the call has asked enough questions
	ChangedOften   Status = "changedOften"   // what would happen changed again and again
)

// Outcome is what came of asking for one need of a run.
type Outcome struct {
	Status
	Kind     Kind
	Subject  string            // an approval's id, or an authorisation
	EventID  int64             // of the event that asked
	Decision approval.Decision // the person's, "" where they made none
	AtOnce   bool              // the client refused faster than a person can read
	Before   bool              // an earlier call asked; the same is not asked again
	Err      error
}

// DecisionTaken reports whether a decision was sent and, as far as is known, not
// refused.
func (o Outcome) DecisionTaken() bool {
	return o.Status == Sent && (o.Err == nil || client.KindOf(o.Err) == client.OutcomeUnknown)
}

// MaybeSeen reports whether a person can have seen the question that was refused.
func (o Outcome) MaybeSeen() bool { return !o.AtOnce && o.Status != NotAsked }

// isRefusal reports whether the person, or their client, was asked and did not decide.
func (o Outcome) isRefusal() bool {
	switch o.Status {
	case Declined, Canceled, NoChoice, TimedOut, NotAsked:
		return true
	}
	return false
}
