package tools

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/audit"
)

// changedOften says why a call asks its person no more.
const changedOften = "what would happen changed 3 times while the user was asked"

// outcomeNote says what came of asking the person; over reports that the run was
// seen not to wait for it any more. That the user was asked is said only where a
// person can have seen the question.
func (h *handlers) outcomeNote(o attend.Outcome, over bool) string {
	if o.Kind == attend.Authorization {
		return linkNote(o)
	}
	const nothing = " Nothing was sent."
	switch o.Status {
	case attend.Sent:
		d := sentDecision(o)
		if err := d.refusal(); err != nil {
			return "The decision was not taken: " + h.reasonOf(err) + "."
		}
		return d.text(over)
	case attend.Unsent:
		return fmt.Sprintf("The decision to %s was not sent, for %s.", o.Decision, h.unsentReason(o.Err))
	case attend.Changed:
		return "The user decided, but the run asks for something else by now." + nothing
	case attend.ChangedOften:
		return "W" + changedOften[1:] + "." + nothing
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
	return undecidedNote(o) + nothing
}

// unsentReason says why a decision was not sent.
func (h *handlers) unsentReason(err error) string {
	if errors.Is(err, audit.ErrRefused) {
		return err.Error()
	}
	return "what the run waits for could not be read again: " + h.reasonOf(err)
}

// undecidedNote says how a person did not decide.
func undecidedNote(o attend.Outcome) string {
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
func linkNote(o attend.Outcome) string {
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
// where the step of the run itself is right.
func (h *handlers) outcomeStep(o attend.Outcome, runID client.RunID) string {
	switch o.Status {
	case attend.Open, attend.AskedElsewhere, attend.Sending:
		// Some clients take the question away when the model's turn ends.
		follow := h.readStep(runURI(runID, ""), fmt.Sprintf("runId and waitSeconds %d", maxWait))
		return "Do not end your turn: " + follow + " now, to wait for the answer; the client shows the question meanwhile. The user can also decide " + h.decideElsewhere(runID) + "."
	case attend.Unsent, attend.Changed:
		return "When the user wants to be asked anew, call approve with runId. They can also decide " + h.decideElsewhere(runID) + "."
	case attend.Sent, attend.Gone:
		return ""
	}
	if !o.MaybeSeen() { // this client may never show a question
		return "Tell the user to decide " + h.decideElsewhere(runID) + "."
	}
	return h.undecidedStep(runID)
}

// undecidedStep says what to do when a person was asked to decide and did not: no
// call asks them the same again by itself.
func (h *handlers) undecidedStep(runID client.RunID) string {
	return "Do not ask again by yourself. Tell the user that the run waits for them; when they want to be asked, call approve with runId. They can also decide " + h.decideElsewhere(runID) + "."
}

// linkStep says what to do where the person saw the link and did not open it, ""
// where the step of the run itself is right.
func linkStep(o attend.Outcome, a *Authorization) string {
	refused := o.Status == attend.Declined || o.Status == attend.Canceled
	if o.AtOnce || !refused || a == nil || a.URL == "" {
		return ""
	}
	return "Do not ask again by yourself. When the user wants to authorise it, show them authorization.url to open; the run goes on by itself."
}

// decision is one that was to be sent.
type decision struct {
	approval.Decision        // "" where the person did not decide
	id                string // of the approval, as far as that is known
	eventID           int64  // of the event that asked, as far as that is known
	known             bool   // the token is known to be this decision's
	err               error  // why it was not sent, or not taken
}

// sentDecision returns the decision that came of asking a person.
func sentDecision(o attend.Outcome) decision {
	return decision{Decision: o.Decision, id: o.Subject, eventID: o.EventID, known: true, err: o.Err}
}

// refusal returns why a decision was not taken, nil where it was, or may have been.
func (d decision) refusal() error {
	switch {
	case errors.Is(d.err, approval.ErrOtherToken):
		return invalid("token", strings.TrimPrefix(approval.ErrOtherToken.Error(), "the token ")+"; nothing was sent")
	case errors.Is(d.err, approval.ErrNoLink):
		return &problem{code: codeLinkUnavailable, message: "the approval offers no link to " + string(d.Decision)}
	case errors.Is(d.err, approval.ErrAlreadySent):
		return alreadySent()
	}
	switch client.KindOf(d.err) {
	case client.OutcomeUnknown:
		return nil
	case client.InvalidArgument, client.NotFound, client.Conflict:
		return &problem{code: client.Conflict, message: "the API did not take the decision: the approval was decided elsewhere or has expired"}
	}
	return d.err
}

// alreadySent is the failure of a second decision on one approval.
func alreadySent() *problem {
	return &problem{code: client.Conflict, message: "a decision was sent for this approval before; it is not sent twice"}
}

// text says what is known of a decision that was sent; over reports that the run was
// seen not to wait for it any more.
func (d decision) text(over bool) string {
	switch {
	case d.err != nil && d.known && over:
		return fmt.Sprintf("The decision to %s was sent. The API's answer was lost, but the run no longer waits for it.", d.Decision)
	case d.err != nil && d.known:
		return fmt.Sprintf("The decision to %s was sent, but the API's answer was lost; it is not sent again.", d.Decision)
	case d.err != nil:
		return "The token was sent, but the API's answer was lost; it is not sent again."
	case d.known:
		return fmt.Sprintf("The decision to %s was accepted by the API.", d.Decision)
	}
	return "The API took the token; which decision that was, and in which run, is not known here."
}

// isOver reports whether the run as it was read no longer waits for the decision.
func (d decision) isOver(got reading) bool {
	return d.id != "" && !got.NoEvents && got.Run.Events != nil &&
		!slices.ContainsFunc(got.Pending, func(p approval.Pending) bool { return p.ID == d.id })
}
