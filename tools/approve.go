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
	"runs-mcp-server/internal/feed"
)

type approveArgs struct {
	RunID      string `json:"runId" jsonschema:"format=uuid" jsonschema_description:"The run that waits."`
	Decision   string `json:"decision" jsonschema:"enum=approve,enum=deny"`
	ApprovalID string `json:"approvalId,omitempty" jsonschema:"maxLength=64" jsonschema_description:"Which pending approval; default: the only one."`
	Token      string `json:"token,omitempty" jsonschema:"maxLength=4096" jsonschema_description:"One-time token of a link that came another way."`
}

type askArgs struct {
	RunID      string `json:"runId" jsonschema:"format=uuid" jsonschema_description:"The run that waits."`
	ApprovalID string `json:"approvalId,omitempty" jsonschema:"maxLength=64" jsonschema_description:"Which pending approval; default: the oldest."`
	Decision   string `json:"decision,omitempty" jsonschema:"enum=approve,enum=deny" jsonschema_description:"What the user seems to want. It decides nothing."`
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
	// Claude Code then has a person confirm each call, whatever is allowed.
	d.meta = map[string]any{"anthropic/requiresUserInteraction": true}
	d.description = "Ask the user to approve or deny what a PAUSED run waits for, its plan or a pending step. The user decides, never the model; without an answer nothing is decided and the run stays PAUSED."
	return tool(s, d, s.askApproval)
}

// askApproval has the person at the client decide.
func (s *set) askApproval(ctx context.Context, c *call, args askArgs) (RunResult, error) {
	if _, err := s.resume(c, args.RunID); err != nil {
		return RunResult{}, err
	}
	patient, cancel := c.unhurried(ctx)
	defer cancel()
	// The stream may tell a link or a tool call only once: it stays open.
	watch := s.Feeds.Watch(c.caller, args.RunID, 0)
	defer watch.Close()
	read, err := s.Feeds.Waiting(patient, c.caller, args.RunID)
	if err != nil {
		return RunResult{}, err
	}
	c.addTokens(read.Tokens)
	if waiting := s.unsent(read.Pending); args.ApprovalID == "" && len(waiting) > 0 {
		args.ApprovalID = c.answered(waiting).ID
	}
	p, err := s.choose(read.State, args.RunID, args.ApprovalID)
	if err != nil {
		return RunResult{}, err
	}
	if !c.canAsk(mcp.ElicitationModeForm) {
		next := s.approvalStep(false, args.RunID)
		if s.Local {
			next += " Who starts this server can let the model decide with --approvals=agent."
		}
		return RunResult{}, &problem{
			code: string(client.Conflict), message: "only a person may decide, and this client cannot ask one; nothing was sent", nextStep: next,
		}
	}
	r := s.Desk.Request(patient, c.caller, read.Run, p, s.Secrets)
	d, err := s.askDecision(ctx, c, r, approval.Round{RunID: args.RunID})
	if err != nil {
		return RunResult{}, err
	}
	return s.afterDecision(ctx, c, args.RunID, d)
}

// approve decides as the model says.
func (s *set) approve(ctx context.Context, c *call, args approveArgs) (RunResult, error) {
	c.addGiven(args.Token)
	// A token needs the run's state too: whose it is may be known only then.
	st, err := s.Feeds.Pending(ctx, c.caller, args.RunID)
	if err != nil {
		return RunResult{}, err
	}
	c.addTokens(st.Tokens)
	d := decision{Decision: approval.Decision(args.Decision), known: true}
	if args.Token != "" {
		d.eventID = st.Since
		d.known, d.err = s.Desk.DecideByToken(ctx, c.caller, approval.ByToken{
			RunID: args.RunID, Decision: d.Decision, Token: args.Token, LinksKnown: len(st.Pending) > 0,
		})
		return s.afterDecision(ctx, c, args.RunID, d)
	}
	p, err := s.choose(st, args.RunID, args.ApprovalID)
	if err != nil {
		return RunResult{}, err
	}
	d.id, d.eventID = p.ID, p.EventID
	d.err = s.Desk.Decide(ctx, c.caller, p, d.Decision)
	return s.afterDecision(ctx, c, args.RunID, d)
}

// choose picks the approval that a call means. One that is not named must have
// been shown: another than the one that was looked at may wait by now.
func (s *set) choose(st feed.State, runID, approvalID string) (approval.Pending, error) {
	waiting := s.unsent(st.Pending)
	ids := make([]string, 0, len(waiting))
	for _, p := range waiting {
		if p.ID == approvalID || approvalID == "" && len(waiting) == 1 && s.Desk.Shown(p) {
			return p, nil
		}
		ids = append(ids, p.ID)
	}
	list := strings.Join(ids[:min(len(ids), maxPending)], ", ")
	if n := len(ids) - maxPending; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	look := s.look(runID, "runId")
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
