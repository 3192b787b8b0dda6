// Package approval knows what of a run waits for a person: it finds pending
// approvals in the run's events, says what a person decides on, and sends each
// decision at most once.
//
// The files, from the top down:
//
//	approval.go  Decision, Scope and Pending: one approval that waits
//	tracker.go   which approvals are pending, by the run's events, and the tokens of
//	             their links
//	merge.go     what is pending by the stored events and the stream together
//	decider.go   sends decisions, each once, and remembers what was sent and shown
//	plan.go      the plan of a run that waits to start
//	question.go  what a person is asked, as one text
//	quote.go     texts of the run in quotes, json.go its JSON values, lines.go the lines
//	digest.go    a hash of what would happen, that a person's answer counts for
package approval

import "runs-mcp-server/client"

// Decision is what a person decides.
type Decision string

// The two decisions.
const (
	Approve Decision = "approve"
	Deny    Decision = "deny"
)

func (d Decision) other() Decision {
	if d == Approve {
		return Deny
	}
	return Approve
}

// Scope says what an approval is about.
type Scope string

// The scopes of an approval.
const (
	OfRun  Scope = "run"  // the whole run, before it starts
	OfStep Scope = "step" // the tool calls of one step
)

// Pending is an approval that waits for a decision. Its tokens never leave this
// package. Its ID names it and gives no power to decide.
type Pending struct {
	ID      string
	Scope   Scope
	EventID int64        // cursor of the event that asked
	Step    *client.Step // what would happen, nil for the run's scope

	caller client.Key // who can see the approval under this ID
	tokens map[Decision]string
	links  eventLinks // all that the event has had
}

// DetailsMissing reports whether a step waits whose tool calls are not known.
func (p Pending) DetailsMissing() bool { return p.Scope == OfStep && len(p.calls()) == 0 }

// calls returns the tool calls that wait.
func (p Pending) calls() []client.ToolCall {
	if p.Step == nil {
		return nil
	}
	return p.Step.ToolCalls
}

// callIDs returns the ids of the tool calls that wait, as far as they are known.
func (p Pending) callIDs() (ids []string) {
	for _, c := range p.calls() {
		if c.ToolCallID != "" {
			ids = append(ids, c.ToolCallID)
		}
	}
	return ids
}
