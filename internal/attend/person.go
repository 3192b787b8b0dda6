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
	URL     string // of an authorisation: the link to open
	ID      string // of an authorisation: names the link to the client
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

// Person is how the person at a client can be asked.
type Person struct {
	// Name is that of the session or, in the stateless protocol, of the client.
	// Refusals are remembered by it.
	Name             string
	Approvals, Links bool // what they may be asked for
	// Complete tells the client that an authorisation is complete whose link the
	// person opened. nil: the client need not know.
	Complete func(ctx context.Context, id string)
	// Ask asks a question and returns the answer. It may outlive the call. The
	// error wraps [context.Canceled] where the question was withdrawn, and
	// [context.DeadlineExceeded] where no answer came in time; any other says that
	// the client could not ask. nil: the stateless protocol, see [Round].
	Ask func(context.Context, Question) (Answer, error)
}
