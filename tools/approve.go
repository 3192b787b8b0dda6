package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/feed"
)

type approveArgs struct {
	RunID      client.RunID `json:"runId" jsonschema:"format=uuid" jsonschema_description:"The run that waits."`
	Decision   string       `json:"decision" jsonschema:"enum=approve,enum=deny"`
	ApprovalID string       `json:"approvalId,omitempty" jsonschema:"maxLength=64" jsonschema_description:"Which pending approval; default: the only one."`
	Token      string       `json:"token,omitempty" jsonschema:"maxLength=4096" jsonschema_description:"One-time token of a link that came another way."`
}

type askArgs struct {
	RunID      client.RunID `json:"runId" jsonschema:"format=uuid" jsonschema_description:"The run that waits."`
	ApprovalID string       `json:"approvalId,omitempty" jsonschema:"maxLength=64" jsonschema_description:"Which pending approval; default: the oldest."`
	Decision   string       `json:"decision,omitempty" jsonschema:"enum=approve,enum=deny" jsonschema_description:"What the user seems to want. It decides nothing."`
}

func approveDescription(o Options) string {
	if o.Approvals == ApprovalsAgent {
		return "Approve or deny what a PAUSED run waits for, its plan or a pending step: approve lets it go on, deny stops it. The operator lets the model decide: judge what would happen first. A decision is final."
	}
	return "Ask the user to approve or deny what a PAUSED run waits for, its plan or a pending step. The user decides, never the model; without an answer nothing is decided and the run stays PAUSED."
}

// approveWait is how long the approve tool waits for the answer of its person, or
// of the API.
const approveWait = maxWait * time.Second

// askApproval has the person at the client decide.
func (h *handlers) askApproval(ctx context.Context, c *call, args askArgs) (RunResult, error) {
	c.runID = args.RunID
	resume, err := c.resumeOf(args.RunID)
	if err != nil {
		return RunResult{}, err
	}
	deadline := c.at.Add(approveWait)
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(readTimeout))
	defer cancel()
	late := h.Attend.TakeUnreported(c.caller.Key, c.personName, args.RunID)
	if late != nil && late.DecisionTaken() && (args.ApprovalID == "" || args.ApprovalID == late.Subject) {
		return h.decisionResult(ctx, c, args.RunID, sentDecision(*late))
	}
	if resume != nil && args.ApprovalID != "" && args.ApprovalID != resume.Subject {
		resume = nil // the answer is about another approval, and stays good for that
	}
	if resume != nil {
		args.ApprovalID = resume.Subject
	} else if args.ApprovalID, err = h.approvalToAsk(ctx, c, args); err != nil {
		return RunResult{}, err
	}
	ended, err := h.Attend.Follow(ctx, attend.Call{
		Caller: c.caller, RunID: args.RunID, Deadline: deadline, SkipHistory: true, Only: args.ApprovalID,
		Person: h.person(c), Resume: resume, Draining: c.draining,
		Observer: &observer{call: c, deadline: deadline, page: &eventPage{hidden: true}},
	})
	if err != nil {
		return RunResult{}, err
	}
	c.resume = nil
	c.noteOutcome(ended.Outcome)
	return h.askResult(ctx, c, args.RunID, ended)
}

// approvalToAsk returns the id of the approval that the person is to be asked about.
func (h *handlers) approvalToAsk(ctx context.Context, c *call, args askArgs) (approvalID string, err error) {
	read, err := h.Feeds.Snapshot(ctx, c.caller, args.RunID, feed.Wanted{Decidable: true})
	if err != nil {
		return "", err
	}
	c.addTokens(read.Tokens)
	if waiting := h.undecided(read.Pending); args.ApprovalID == "" && len(waiting) > 0 {
		args.ApprovalID = waiting[0].ID
	}
	p, err := h.selectApproval(read.State, args.RunID, args.ApprovalID)
	if err != nil || c.canAskByForm() {
		return p.ID, err
	}
	next := h.decideStep(false, args.RunID)
	if h.Local {
		next += " Who starts this server can let the model decide with --approvals=agent."
	}
	return "", &problem{code: client.Conflict, message: "only a person may decide, and this client cannot ask one; nothing was sent", nextStep: next}
}

// askResult returns what came of asking the person, and how the run stands.
func (h *handlers) askResult(ctx context.Context, c *call, runID client.RunID, ended attend.Result) (RunResult, error) {
	if ended.Outcome == nil && ended.Drained {
		return RunResult{}, canceled("this server is stopping; nothing was sent")
	}
	o := attend.Outcome{Status: attend.Gone}
	if ended.Outcome != nil {
		o = *ended.Outcome
	}
	if err := h.askFailure(o, runID); err != nil {
		return RunResult{}, err
	}
	if o.Status == attend.Sent {
		return h.decisionResult(ctx, c, runID, sentDecision(o))
	}
	result, got, err := h.resultSince(ctx, c, runID, o.EventID, false)
	if err != nil {
		return RunResult{}, err
	}
	result.Summary = h.outcomeNote(o, false) + " " + result.Summary
	if got.waits() {
		result.NextStep = h.outcomeStep(o, runID)
	}
	return result, nil
}

// askFailure returns the failure that came of asking the person, nil where the call
// has a result.
func (h *handlers) askFailure(o attend.Outcome, runID client.RunID) error {
	conflict := func(message, nextStep string) error {
		return &problem{code: client.Conflict, message: message, nextStep: nextStep, cause: o.Err}
	}
	switch o.Status {
	case attend.Gone:
		if o.Decision == "" {
			return conflict("the run no longer waits for this approval: it was decided elsewhere or is over", "")
		}
		return conflict("the decision was not sent: the run no longer waits for it", "")
	case attend.ChangedOften:
		return conflict(changedOften+"; nothing was sent", h.undecidedStep(runID))
	case attend.TooOften:
		return conflict("the user was asked about this approval 3 times within an hour, and is not asked again now; nothing was sent",
			"Tell the user to decide "+h.decideElsewhere(runID)+".")
	case attend.Unsent:
		return &problem{
			code: client.Kind(h.describe(o.Err).Code), cause: o.Err,
			message:  "the decision was not sent, for " + h.unsentReason(o.Err),
			nextStep: "Call approve with runId again: the user is asked anew.",
		}
	}
	return nil
}

// approve decides as the model says.
func (h *handlers) approve(ctx context.Context, c *call, args approveArgs) (RunResult, error) {
	c.runID = args.RunID
	c.addGiven(args.Token)
	sending, cancel := context.WithDeadline(ctx, c.at.Add(approveWait))
	defer cancel()
	// Also for a token: only the run's state tells which decision it makes.
	read, err := h.Feeds.Snapshot(sending, c.caller, args.RunID, feed.Wanted{Decidable: true})
	if err != nil {
		return RunResult{}, err
	}
	c.addTokens(read.Tokens)
	d := decision{Decision: approval.Decision(args.Decision), known: true}
	if args.Token != "" {
		d.eventID = read.Since
		d.known, d.err = h.Decider.DecideByToken(sending, c.caller, approval.TokenDecision{
			RunID: args.RunID, Decision: d.Decision, Token: args.Token, LinksKnown: len(read.Pending) > 0,
		})
		return h.decisionResult(ctx, c, args.RunID, d)
	}
	p, err := h.selectApproval(read.State, args.RunID, args.ApprovalID)
	if err != nil {
		return RunResult{}, err
	}
	d.id, d.eventID = p.ID, p.EventID
	request := approval.Request{Pending: p}
	if h.Audit != nil { // what is decided is recorded
		request = h.Decider.Request(sending, c.caller, read.Run, p, h.Secrets)
	}
	d.err = h.Decider.Decide(sending, c.caller, request, d.Decision, audit.Agent)
	return h.decisionResult(ctx, c, args.RunID, d)
}

// selectApproval returns the approval that a call means. Without an id that is the
// only one that waits, if it was shown: another one may wait by now.
func (h *handlers) selectApproval(st feed.State, runID client.RunID, approvalID string) (approval.Pending, error) {
	waiting := h.undecided(st.Pending)
	for _, p := range waiting {
		if p.ID == approvalID || approvalID == "" && len(waiting) == 1 && h.Decider.WasShown(p) {
			return p, nil
		}
	}
	return approval.Pending{}, h.noSuchApproval(st, runID, approvalID, waiting)
}

// noSuchApproval says why a call means none of the approvals that wait.
func (h *handlers) noSuchApproval(st feed.State, runID client.RunID, approvalID string, waiting []approval.Pending) *problem {
	idOf := func(p approval.Pending) string { return p.ID }
	ids := joinFirst(waiting, maxPending, idOf)
	read := h.readStep(runURI(runID, ""), "runId")
	judge := strings.ToUpper(read[:1]) + read[1:] + " to see what would happen, judge it, then call approve with its approvalId."
	switch {
	case len(waiting) == 1 && approvalID == "":
		return &problem{code: client.InvalidArgument, message: "approvalId is required: what waits was not shown yet. It is " + ids, nextStep: judge}
	case len(waiting) > 0 && approvalID == "":
		return &problem{code: client.InvalidArgument, message: fmt.Sprintf("approvalId is required: %d approvals wait. There are: %s", len(waiting), ids), nextStep: judge}
	case slices.ContainsFunc(st.Pending, func(p approval.Pending) bool { return p.ID == approvalID }), len(waiting) == 0 && len(st.Pending) > 0:
		return alreadySent()
	case len(waiting) > 0:
		return invalid("approvalId", "names no approval that waits now; there are: "+ids)
	case st.Status == client.Paused:
		return &problem{
			code: codeLinkUnavailable, message: "the run waits for an approval, but the API no longer tells its link",
			nextStep: h.DecideElsewhereStep(runID),
		}
	}
	return &problem{code: client.Conflict, message: "nothing waits for an approval in this run; it is " + string(st.Status)}
}

// decisionResult returns what is known of a decision: sent, refused by the API, or
// unknown; and how the run stands.
func (h *handlers) decisionResult(ctx context.Context, c *call, runID client.RunID, d decision) (RunResult, error) {
	if err := d.refusal(); err != nil {
		return RunResult{}, err
	}
	result, got, err := h.resultSince(ctx, c, runID, d.eventID, d.known)
	if err != nil {
		return RunResult{}, &problem{
			code: client.OutcomeUnknown, cause: err, message: "the decision was sent, but the run cannot be read",
			nextStep: "Do not decide again. To see the state of the run, " + h.readStep(runURI(runID, ""), "runId") + ".",
		}
	}
	result.Summary = d.text(d.isOver(got)) + " " + result.Summary
	return result, nil
}

// resultSince returns how a run stands. It shows no events, and the cursor of the
// event that asked: what came since was shown to nobody.
func (h *handlers) resultSince(ctx context.Context, c *call, runID client.RunID, eventID int64, decided bool) (RunResult, reading, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	got, err := h.readRun(ctx, c, runID, feed.State{})
	if err != nil {
		return RunResult{}, got, err
	}
	got.decided = decided
	return h.buildResult(c, got, hiddenEvents(got.Run, eventID)), got, nil
}
