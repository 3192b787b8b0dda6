package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// decisionTimeout bounds what is done once a person has decided.
const decisionTimeout = 30 * time.Second

// decision is one that was to be sent.
type decision struct {
	approval.Decision        // "" where the person did not decide
	undecided         string // why not, in words
	id                string // of the approval, as far as that is known
	eventID           int64  // of the event that asked, as far as that is known
	known             bool   // the token is known to be this decision's
	err               error  // why it was not sent, or not taken
}

// maxChanges is how often what would happen may change in one call while its
// person is asked.
const maxChanges = 3

// errChanges ends the asking in a call.
var errChanges = &problem{
	code: string(client.Conflict), message: fmt.Sprintf("what would happen changed %d times while the user was asked; nothing was sent", maxChanges),
	nextStep: undecidedStep + ".",
}

// askDecision asks the person at the client to decide what r asks for, and sends
// what they choose if the run still asks for that. Whoever has chosen is heard:
// the decision is sent even if the client has gone by then.
func (s *set) askDecision(ctx context.Context, c *call, r approval.Request, round approval.Round) (decision, error) {
	d := decision{id: r.ID, eventID: r.EventID}
	for changed := false; ; changed = true {
		round.Subject, round.Digest = r.ID, r.Digest()
		if c.decidedOther(round) {
			c.changes++
			changed = true
		}
		if c.changes >= maxChanges {
			return d, errChanges
		}
		answer, err := s.ask(ctx, c, question{name: decisionName, round: round, params: mcp.ElicitationParams{Message: r.Question(changed), RequestedSchema: decisionForm}})
		if err != nil {
			return d, err
		}
		if d.Decision = decisionOf(answer); d.Decision == "" {
			d.undecided = undecided(answer)
			return d, nil
		}
		s.Log.Info("a person decided", "runId", round.RunID, "approvalId", r.ID, "decision", d.Decision)
		now, err := s.sendDecision(ctx, c, r, round, d.Decision)
		if now == nil {
			d.known, d.err = true, err
			return d, nil
		}
		r = *now
		c.changes++
	}
}

// sendDecision sends what a person chose. Where the run asks for something else
// by now, nothing is sent, and that is returned. A call of the 2026-07-28
// protocol has read the run since its person chose.
func (s *set) sendDecision(ctx context.Context, c *call, r approval.Request, round approval.Round, d approval.Decision) (now *approval.Request, err error) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), decisionTimeout)
	defer done()
	if !c.modern {
		again, waits, err := s.readRequest(ctx, c, round.RunID, r.ID)
		switch {
		case err != nil:
			return nil, s.unverified(err)
		case !waits:
			return nil, s.noLongerWaits()
		case again.Digest() != round.Digest:
			return &again, nil
		}
		r = again
	}
	return nil, s.Desk.Decide(ctx, c.caller, r.Pending, d)
}

// readRequest reads what an approval is about now; waits is false where the run
// no longer waits for it. A person may take minutes to answer, and somebody else
// may have decided before they are asked.
func (s *set) readRequest(ctx context.Context, c *call, runID, approvalID string) (r approval.Request, waits bool, err error) {
	read, err := s.Feeds.Waiting(ctx, c.caller, runID)
	if err != nil {
		return approval.Request{}, false, err
	}
	i := slices.IndexFunc(read.Pending, func(p approval.Pending) bool { return p.ID == approvalID })
	if i < 0 {
		return approval.Request{}, false, nil
	}
	return s.Desk.Request(ctx, c.caller, read.Run, read.Pending[i], s.Secrets), true, nil
}

func (s *set) noLongerWaits() *problem {
	return &problem{
		code: string(client.Conflict), message: "the decision was not sent: the run no longer waits for it",
		nextStep: s.adviceFor(client.Conflict).nextStep,
	}
}

// unverified says of a decision that it was not sent, for nobody could tell
// whether it was to what would happen.
func (s *set) unverified(err error) *problem {
	return &problem{
		code: s.describe(err).Code, message: "the decision was not sent, for what the run waits for could not be read again: " + s.why(err),
		nextStep: "Call approve with runId again: the user is asked anew.",
	}
}

// decisionName names the answer to a decision among a client's input responses.
const decisionName = "decision"

// decisionForm is what a person fills in: one of two, and none beforehand. Some
// clients put their cursor on the first: that one is harmless.
var decisionForm = json.RawMessage(`{"type":"object","properties":{"decision":{"type":"string","title":"Your decision",` +
	`"description":"deny stops it, and with it usually the run; approve lets it happen","enum":["deny","approve"]}},"required":["decision"]}`)

// decisionOf returns the decision that a person made, "" where they made none.
// Only an accepted form with one of the two choices is one.
func decisionOf(answer *mcp.ElicitationResult) approval.Decision {
	fields, _ := answer.Content.(map[string]any)
	choice, _ := fields["decision"].(string)
	d := approval.Decision(choice)
	if answer.Action != mcp.ElicitationResponseActionAccept || d != approval.Approve && d != approval.Deny {
		return ""
	}
	return d
}

// undecided says how a person did not decide.
func undecided(answer *mcp.ElicitationResult) string {
	switch answer.Action {
	case mcp.ElicitationResponseActionAccept:
		return "the form came back without a choice"
	case mcp.ElicitationResponseActionDecline:
		return "they declined to answer"
	default:
		return "no answer came"
	}
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

// summary says what is known of a decision; over reports that the run was seen
// not to wait for it any more.
func (d decision) summary(over bool) string {
	switch {
	case d.undecided != "":
		return "The user was asked and did not decide: " + d.undecided + ". Nothing was sent."
	case d.err != nil && d.known && over:
		return fmt.Sprintf("The decision to %s was sent. The API's answer was lost, but the run no longer waits for it.", d.Decision)
	case d.err != nil && d.known:
		return fmt.Sprintf("The decision to %s was sent, but the API's answer was lost; it is not sent again.", d.Decision)
	case d.err != nil:
		return "The token was sent, but the API's answer was lost; it is not sent again."
	case d.known:
		return fmt.Sprintf("The decision to %s was taken by the API.", d.Decision)
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
func (s *set) afterDecision(ctx context.Context, c *call, runID string, d decision) (RunResult, error) {
	if err := s.notTaken(d); err != nil {
		return RunResult{}, err
	}
	got, err := s.readState(ctx, c, runID, time.Now().Add(readTimeout))
	switch {
	case err != nil && d.undecided != "":
		return RunResult{}, err
	case err != nil:
		return RunResult{}, &problem{
			code: string(client.OutcomeUnknown), message: "the decision was sent, but the run cannot be read",
			nextStep: "Do not decide again. To see the state of the run, " + s.look(runID, "runId") + ".",
		}
	}
	got.decided = d.known
	// On from the event that asked: what came since was shown to nobody.
	result := s.result(c, got, notShown(got.Run.Events, d.eventID))
	result.Summary = d.summary(d.over(got)) + " " + result.Summary
	if d.undecided != "" && got.waits() {
		result.NextStep = s.askLater(runID)
	}
	return result, nil
}
