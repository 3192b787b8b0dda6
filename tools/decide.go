package tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
)

// decision is one that was to be sent.
type decision struct {
	approval.Decision        // "" where the person did not decide
	id                string // of the approval, as far as that is known
	eventID           int64  // of the event that asked, as far as that is known
	known             bool   // the token is known to be this decision's
	err               error  // why it was not sent, or not taken
}

// decisionOf returns the decision that came of asking a person.
func (s *set) decisionOf(o attend.Outcome) decision {
	return decision{Decision: o.Decision, id: o.Subject, eventID: o.EventID, known: true, err: o.Err}
}

// notTaken returns why a decision was not taken, nil where it was, or may have been.
func (s *set) notTaken(d decision) error {
	switch {
	case errors.Is(d.err, approval.ErrOtherToken):
		return invalid("token", strings.TrimPrefix(approval.ErrOtherToken.Error(), "the token ")+"; nothing was sent")
	case errors.Is(d.err, approval.ErrNoLink):
		return &problem{code: codeLinkUnavailable, message: "the approval offers no link to " + string(d.Decision), nextStep: s.DecideElsewhereStep("")}
	case errors.Is(d.err, approval.ErrAlreadySent):
		return s.sentBefore()
	}
	switch client.KindOf(d.err) {
	case client.OutcomeUnknown:
		return nil
	case client.InvalidArgument, client.NotFound, client.Conflict:
		return &problem{
			code: string(client.Conflict), message: "the API did not take the decision: the approval was decided elsewhere or has expired",
			nextStep: s.adviceFor(client.Conflict).nextStep,
		}
	}
	return d.err
}

// summary says what is known of a decision that was sent; over reports that the
// run was seen not to wait for it any more.
func (d decision) summary(over bool) string {
	switch {
	case d.err != nil && d.known && over:
		return fmt.Sprintf("The decision to %s was sent. The API's answer was lost, but the run no longer waits for it.", d.Decision)
	case d.err != nil && d.known:
		return fmt.Sprintf("The decision to %s was sent, but the API's answer was lost; it is not sent again.", d.Decision)
	case d.err != nil:
		return "The token was sent, but the API's answer was lost; it is not sent again."
	case d.known:
		return fmt.Sprintf("The decision to %s was accepted by the API.", d.Decision)
	default:
		return "The API took the token; which decision that was, and in which run, is not known here."
	}
}

// over reports whether the run as it was read no longer waits for the decision.
func (d decision) over(got reading) bool {
	return d.id != "" && !got.NoEvents && got.Run.Events != nil &&
		!slices.ContainsFunc(got.Pending, func(p approval.Pending) bool { return p.ID == d.id })
}

// afterDecision tells what is known of a decision: sent, refused by the API,
// or doubtful, and how the run stands.
func (s *set) afterDecision(ctx context.Context, c *call, runID client.RunID, d decision) (RunResult, error) {
	if err := s.notTaken(d); err != nil {
		return RunResult{}, err
	}
	result, got, err := s.afterAsking(ctx, c, runID, d.eventID, d.known)
	if err != nil {
		return RunResult{}, &problem{
			code: string(client.OutcomeUnknown), cause: err, message: "the decision was sent, but the run cannot be read",
			nextStep: "Do not decide again. To see the state of the run, " + s.look(string(runID), "runId") + ".",
		}
	}
	result.Summary = d.summary(d.over(got)) + " " + result.Summary
	return result, nil
}

// afterAsking tells how a run stands on from an event, for what came since was
// shown to nobody.
func (s *set) afterAsking(ctx context.Context, c *call, runID client.RunID, eventID int64, decided bool) (RunResult, reading, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	got, err := s.read(ctx, c, runID, feed.State{})
	if err != nil {
		return RunResult{}, got, err
	}
	got.decided = decided
	return s.result(c, got, notShown(got.Run, eventID)), got, nil
}
