package tools

import (
	"fmt"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
)

// outcomeNote says what came of asking the person; over reports that the run was
// seen not to wait for it any more. That the user was asked is said only where a
// person can have seen the question.
func (s *set) outcomeNote(o attend.Outcome, over bool) string {
	if o.Kind == attend.Authorization {
		return s.linkNote(o)
	}
	const nothing = " Nothing was sent."
	switch o.Status {
	case attend.Sent:
		d := s.decisionOf(o)
		if err := s.notTaken(d); err != nil {
			return "The decision was not taken: " + s.why(err) + "."
		}
		return d.summary(over)
	case attend.Unsent:
		return fmt.Sprintf("The decision to %s was not sent, for what the run waits for could not be read again: %s.", o.Decision, s.why(o.Err))
	case attend.Changed:
		return "The user decided, but the run asks for something else by now." + nothing
	case attend.ChangedOften:
		return changedOften + nothing
	case attend.Gone:
		if o.Decision != "" {
			return fmt.Sprintf("The decision to %s was not sent: the run no longer waits for it.", o.Decision)
		}
		return ""
	case attend.Open:
		return "The user is being asked to decide; the question stays open when this call has ended."
	case attend.Sending:
		return "The user has decided, and the decision is being sent."
	case attend.AskedElsewhere:
		return "The user is being asked to decide by another call."
	case attend.TooMany:
		return "The user was asked often enough in one call."
	}
	switch {
	case o.Before && o.MaybeSeen():
		return "The user was asked to decide before and did not; a waiting call does not ask again."
	case o.Before:
		return "The client could not ask the user before, or refused for them; a waiting call does not ask again."
	}
	return undecided(o) + nothing
}

// undecided says how a person did not decide.
func undecided(o attend.Outcome) string {
	const asked = "The user was asked and did not decide: "
	switch {
	case o.AtOnce && o.Status == attend.Declined:
		return "The client declined at once; the user may not have seen the question."
	case o.AtOnce && o.Status == attend.Canceled:
		return "The client cancelled at once; the user may not have seen the question."
	case o.Status == attend.Declined:
		return asked + "they declined to answer."
	case o.Status == attend.Canceled:
		return asked + "they dismissed the question."
	case o.Status == attend.NoChoice:
		return asked + "the form came back without a choice."
	case o.Status == attend.TimedOut:
		return asked + "no answer came in time."
	}
	return "The client could not ask the user."
}

// linkNote says what came of sending the person to a link.
func (s *set) linkNote(o attend.Outcome) string {
	switch {
	case o.AtOnce:
		return "The client did not open the link to authorise the integration; the user may not have seen it."
	case o.Status == attend.Declined:
		return "The user declined to authorise the integration."
	case o.Status == attend.Canceled:
		return "The user did not open the link to authorise the integration."
	case o.Status == attend.Open, o.Status == attend.AskedElsewhere:
		return "The user is being asked to open the link to authorise the integration."
	case o.Status == attend.TimedOut:
		return "The user was asked to authorise the integration, and no answer came in time."
	case o.Status == attend.NotAsked:
		return "The client could not ask the user to authorise the integration."
	}
	return ""
}

// outcomeStep says what to do where a person was asked and the run still waits, ""
// where the run itself says it.
func (s *set) outcomeStep(o attend.Outcome, runID client.RunID) string {
	follow := s.look(string(runID), fmt.Sprintf("runId and waitSeconds %d", maxWait))
	switch o.Status {
	case attend.Open, attend.AskedElsewhere, attend.Sending:
		// Some clients take the question away when the model's turn ends.
		return "Do not end your turn: " + follow + " now, to wait for the answer; the client shows the question meanwhile. The user can also decide " + s.elsewhere(runID) + "."
	case attend.Unsent, attend.Changed:
		return "When the user wants to be asked anew, call approve with runId. They can also decide " + s.elsewhere(runID) + "."
	case attend.Sent, attend.Gone:
		return ""
	}
	if !o.MaybeSeen() { // asking again by this client may be in vain
		return "Tell the user to decide " + s.elsewhere(runID) + "."
	}
	return s.askLater(runID)
}

// linkStep says what to do where the person saw the link and did not open it, ""
// where the run itself says it.
func linkStep(o attend.Outcome, a *Authorization) string {
	switch {
	case o.AtOnce || a == nil || a.URL == "":
		return ""
	case o.Status == attend.Declined, o.Status == attend.Canceled:
		return "Do not ask again by yourself. When the user wants to authorise it, show them authorization.url to open; the run goes on by itself."
	}
	return ""
}

// changedOften ends the asking in a call.
const changedOften = "What would happen changed 3 times while the user was asked."

// askedFailure returns the failure of a call of the approve tool that ends by what
// came of asking, nil where it has a result.
func (s *set) askedFailure(o attend.Outcome, runID client.RunID) error {
	conflict := func(message, nextStep string) error {
		return &problem{code: string(client.Conflict), message: message, nextStep: nextStep, cause: o.Err}
	}
	switch o.Status {
	case attend.Gone:
		if o.Decision == "" {
			return conflict("the run no longer waits for this approval: it was decided elsewhere or is over", s.adviceFor(client.Conflict).nextStep)
		}
		return conflict("the decision was not sent: the run no longer waits for it", s.adviceFor(client.Conflict).nextStep)
	case attend.ChangedOften:
		return conflict("what would happen changed 3 times while the user was asked; nothing was sent", s.askLater(runID))
	case attend.TooOften:
		return conflict("the user was asked about this approval 3 times within an hour, and is not asked again now; nothing was sent",
			"Tell the user to decide "+s.elsewhere(runID)+".")
	case attend.Unsent:
		return &problem{
			code: s.describe(o.Err).Code, cause: o.Err,
			message:  "the decision was not sent, for what the run waits for could not be read again: " + s.why(o.Err),
			nextStep: "Call approve with runId again: the user is asked anew.",
		}
	case attend.Sent:
		return s.notTaken(s.decisionOf(o))
	}
	return nil
}

// approveWait is how long the approve tool waits for its person's answer.
const approveWait = maxWait * time.Second
