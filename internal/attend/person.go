package attend

import (
	"context"

	"runs-mcp-server/internal/approval"
)

// Kind says what a person is asked for.
type Kind string

// The kinds of questions.
const (
	Decision      Kind = "decision"      // on an approval, by a form
	Authorization Kind = "authorization" // of an integration, by a link to open
)

// Question is what a person is asked.
type Question struct {
	Kind    Kind
	Message string
	URL     string // to open, of an authorisation
	ID      string // names an authorisation's link to the client
}

// Action is what a person, or their client, does with a question.
type Action string

// The actions of the protocol.
const (
	Accept  Action = "accept"
	Decline Action = "decline"
	Cancel  Action = "cancel"
)

// Answer is what came back to a question.
type Answer struct {
	Action   Action
	Decision approval.Decision // of an accepted form, "" where it holds none
}

// Person is the one at a client, as they can be asked.
type Person struct {
	// Name is that of the session, or, in the stateless protocol, of the client:
	// a refusal is remembered by it.
	Name             string
	Approvals, Links bool // what they may be asked for
	// Complete tells the client that the person has done what they were sent to a
	// link for; nil: it needs no word of it.
	Complete func(ctx context.Context, id string)
	// Ask puts a question and returns the answer. It may outlive the call. Its
	// error wraps [context.Canceled] where the question was withdrawn,
	// [context.DeadlineExceeded] where no answer came in time; any other says that
	// the client could not ask. nil: the stateless protocol, see [Round].
	Ask func(context.Context, Question) (Answer, error)
}
