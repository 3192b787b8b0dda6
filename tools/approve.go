package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
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

func (s *set) approveTool() server.ServerTool {
	d := definition{
		name: "approve", title: "Approve or deny",
		hints: hints{destructive: true, openWorld: true},
	}
	if s.Approvals == ApprovalsAgent {
		d.description = "Approve or deny what a PAUSED run waits for, its plan or a pending step: approve lets it go on, deny stops it. The operator lets the model decide: judge what would happen first. A decision is final."
		return tool(s, d, s.approve)
	}
	d.description = "Ask the user to approve or deny what a PAUSED run waits for, its plan or a pending step. The user decides, never the model; without an answer nothing is decided and the run stays PAUSED."
	return tool(s, d, s.askApproval)
}

// askApproval has the person at the client decide.
func (s *set) askApproval(ctx context.Context, c *call, args askArgs) (RunResult, error) {
	resume, err := c.resumes(args.RunID)
	if err != nil {
		return RunResult{}, err
	}
	ctx, cancel := context.WithDeadline(ctx, c.at.Add(approveWait+readTimeout))
	defer cancel()
	late := s.Attend.TakeUnreported(c.caller.Key, c.personName, args.RunID)
	if late != nil && late.DecisionTaken() && (args.ApprovalID == "" || args.ApprovalID == late.Subject) {
		return s.afterDecision(ctx, c, args.RunID, s.decisionOf(*late))
	}
	if resume != nil && args.ApprovalID != "" && args.ApprovalID != resume.Subject {
		resume = nil // the answer is about another approval, and stays good for that
	}
	if resume != nil {
		args.ApprovalID = resume.Subject
	} else if args.ApprovalID, err = s.approvalToAsk(ctx, c, args); err != nil {
		return RunResult{}, err
	}
	speaking, stop := context.WithDeadline(ctx, c.at.Add(approveWait))
	defer stop()
	w := &waiter{set: s, call: c, runID: args.RunID, page: &eventPage{limit: 1}, speaking: speaking}
	call := attend.Call{
		Caller: c.caller, RunID: args.RunID, Deadline: c.at.Add(approveWait), SkipHistory: true, Only: args.ApprovalID,
		Person: s.person(c), Resume: resume, Draining: c.draining, Observer: w,
	}
	seen, err := s.Attend.Follow(ctx, call)
	if err != nil {
		return RunResult{}, err
	}
	c.resume = nil
	c.noteOutcome(seen.Outcome)
	return s.afterAnswer(ctx, c, args.RunID, seen)
}

// approvalToAsk returns the id of the approval that the person is to be asked about.
func (s *set) approvalToAsk(ctx context.Context, c *call, args askArgs) (approvalID string, err error) {
	read, err := s.Feeds.Snapshot(ctx, c.caller, args.RunID, feed.Wanted{Decidable: true})
	if err != nil {
		return "", err
	}
	c.addTokens(read.Tokens)
	if waiting := s.unsent(read.Pending); args.ApprovalID == "" && len(waiting) > 0 {
		args.ApprovalID = waiting[0].ID
	}
	p, err := s.choose(read.State, args.RunID, args.ApprovalID)
	if err != nil || c.canAsk(mcp.ElicitationModeForm) {
		return p.ID, err
	}
	next := s.approvalStep(false, args.RunID)
	if s.Local {
		next += " Who starts this server can let the model decide with --approvals=agent."
	}
	return "", &problem{
		code: string(client.Conflict), message: "only a person may decide, and this client cannot ask one; nothing was sent", nextStep: next,
	}
}

// afterAnswer tells what came of asking, and how the run stands.
func (s *set) afterAnswer(ctx context.Context, c *call, runID client.RunID, seen attend.Result) (RunResult, error) {
	o := attend.Outcome{Status: attend.Gone}
	if seen.Outcome != nil {
		o = *seen.Outcome
	}
	switch err := s.askedFailure(o, runID); {
	case seen.Outcome == nil && seen.Drained:
		return RunResult{}, &problem{
			code: string(client.Canceled), message: "this server is stopping; nothing was sent", nextStep: s.adviceFor(client.Canceled).nextStep,
		}
	case err != nil:
		return RunResult{}, err
	case o.Status == attend.Sent:
		return s.afterDecision(ctx, c, runID, s.decisionOf(o))
	}
	result, got, err := s.afterAsking(ctx, c, runID, o.EventID, false)
	if err != nil {
		return RunResult{}, err
	}
	result.Summary = s.outcomeNote(o, false) + " " + result.Summary
	if got.waits() {
		result.NextStep = s.outcomeStep(o, runID)
	}
	return result, nil
}

// approve decides as the model says.
func (s *set) approve(ctx context.Context, c *call, args approveArgs) (RunResult, error) {
	c.addGiven(args.Token)
	deciding, stop := context.WithDeadline(ctx, c.at.Add(approveWait))
	defer stop()
	// A token needs the run's state too: whose it is may be known only then.
	read, err := s.Feeds.Snapshot(deciding, c.caller, args.RunID, feed.Wanted{Decidable: true})
	if err != nil {
		return RunResult{}, err
	}
	c.addTokens(read.Tokens)
	d := decision{Decision: approval.Decision(args.Decision), known: true}
	if args.Token != "" {
		d.eventID = read.Since
		d.known, d.err = s.Decider.DecideByToken(deciding, c.caller, approval.TokenDecision{
			RunID: args.RunID, Decision: d.Decision, Token: args.Token, LinksKnown: len(read.Pending) > 0,
		})
		return s.afterDecision(ctx, c, args.RunID, d)
	}
	p, err := s.choose(read.State, args.RunID, args.ApprovalID)
	if err != nil {
		return RunResult{}, err
	}
	d.id, d.eventID = p.ID, p.EventID
	d.err = s.Decider.Decide(deciding, c.caller, p, d.Decision)
	return s.afterDecision(ctx, c, args.RunID, d)
}

// choose picks the approval that a call means. One that is not named must have
// been shown: another than the one that was looked at may wait by now.
func (s *set) choose(st feed.State, runID client.RunID, approvalID string) (approval.Pending, error) {
	waiting := s.unsent(st.Pending)
	ids := make([]string, 0, len(waiting))
	for _, p := range waiting {
		if p.ID == approvalID || approvalID == "" && len(waiting) == 1 && s.Decider.WasShown(p) {
			return p, nil
		}
		ids = append(ids, p.ID)
	}
	list := strings.Join(ids[:min(len(ids), maxPending)], ", ")
	if n := len(ids) - maxPending; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	look := s.look(string(runID), "runId")
	judge := &problem{code: codeInvalidArgument, nextStep: strings.ToUpper(look[:1]) + look[1:] + " to see what would happen, judge it, then call approve with its approvalId."}
	switch {
	case len(ids) == 1 && approvalID == "":
		judge.message = "approvalId is required: what waits was not shown yet. It is " + list
		return approval.Pending{}, judge
	case len(ids) > 0 && approvalID == "":
		judge.message = fmt.Sprintf("approvalId is required: %d approvals wait. There are: %s", len(ids), list)
		return approval.Pending{}, judge
	case slices.ContainsFunc(st.Pending, func(p approval.Pending) bool { return p.ID == approvalID }), len(ids) == 0 && len(st.Pending) > 0:
		return approval.Pending{}, s.sentBefore()
	case len(ids) > 0:
		return approval.Pending{}, invalid("approvalId", "names no approval that waits now; there are: "+list)
	case st.Status == client.Paused:
		return approval.Pending{}, &problem{
			code: codeLinkUnavailable, message: "the run waits for an approval, but the API no longer tells its link",
			nextStep: s.DecideElsewhereStep(runID),
		}
	}
	return approval.Pending{}, &problem{
		code: string(client.Conflict), message: "nothing waits for an approval in this run; it is " + string(st.Status),
		nextStep: s.adviceFor(client.Conflict).nextStep,
	}
}

func (s *set) sentBefore() *problem {
	return &problem{
		code: string(client.Conflict), message: "a decision was sent for this approval before; it is not sent twice",
		nextStep: s.adviceFor(client.Conflict).nextStep,
	}
}
