package tools

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
)

type approveArgs struct {
	RunID      string `json:"runId" jsonschema:"format=uuid" jsonschema_description:"The run that waits."`
	Decision   string `json:"decision" jsonschema:"enum=approve,enum=deny"`
	ApprovalID string `json:"approvalId,omitempty" jsonschema:"maxLength=64" jsonschema_description:"Which pending approval; may be left out when one is pending."`
}

type approveWithTokenArgs struct {
	approveArgs
	Token string `json:"token,omitempty" jsonschema:"maxLength=4096" jsonschema_description:"One-time token of a link that came another way."`
}

// findPatience is how long a pending approval's link is looked for.
const findPatience = 5 * time.Second

func (s *set) approveTool() server.ServerTool {
	d := definition{
		name: "approve", title: "Approve or deny",
		hints: hints{destructive: true, openWorld: true},
	}
	if s.Approvals != ApprovalsAgent {
		d.description = "Ask for a decision on what a PAUSED run waits for. A person decides, never the model."
		return tool(s, d, s.refuseApproval)
	}
	d.description = "Decide what a PAUSED run waits for: approve lets it go on, deny stops it. The operator lets the model decide: judge what would happen first. A decision cannot be taken back."
	return tool(s, d, func(ctx context.Context, caller client.Caller, args approveWithTokenArgs) (RunResult, error) {
		return s.approve(ctx, caller, args.approveArgs, args.Token)
	})
}

// refuseApproval answers where only a person may decide.
func (s *set) refuseApproval(context.Context, client.Caller, approveArgs) (RunResult, error) {
	return RunResult{}, &problem{
		code:     string(client.Conflict),
		message:  "only a person may decide here, and this server cannot ask one; nothing was sent",
		nextStep: "Tell the user to decide in the vendor's console, or to have the operator start the server with --approvals=agent.",
	}
}

func (s *set) approve(ctx context.Context, caller client.Caller, args approveArgs, token string) (RunResult, error) {
	decision := approval.Decision(args.Decision)
	var sendErr error
	if token != "" {
		s.View.Learn(token)
		// Whose the token is may be known only once the run's events are.
		if _, err := s.pending(ctx, caller, args.RunID); err != nil {
			return RunResult{}, err
		}
		sendErr = s.Desk.DecideByToken(ctx, caller, args.RunID, decision, token)
	} else {
		st, err := s.pending(ctx, caller, args.RunID)
		if err != nil {
			return RunResult{}, err
		}
		chosen, err := choose(st, args.ApprovalID)
		if err != nil {
			return RunResult{}, err
		}
		sendErr = s.Desk.Decide(ctx, caller, chosen, decision)
	}
	return s.afterDecision(ctx, caller, args.RunID, decision, sendErr)
}

// pending returns the state of a run with the approvals that wait in it. The
// feed knows them from the stream or the stored events, whichever had the link.
func (s *set) pending(ctx context.Context, caller client.Caller, runID string) (feed.State, error) {
	watch := s.Feeds.Watch(caller, runID, 0)
	defer watch.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, findPatience, errDue)
	defer cancel()
	var st feed.State
	for {
		news, err := watch.Next(ctx)
		switch {
		case errors.Is(err, errDue) && st.Status == "":
			return st, &client.Error{Kind: client.Timeout, Op: "approve", Message: "the events of the run could not be read in time"}
		case errors.Is(err, errDue):
			return st, nil
		case err != nil:
			return st, err
		}
		st = news.State
		if st.Status != client.Paused || len(st.Pending) > 0 {
			return st, nil
		}
	}
}

// choose picks the approval that a call means.
func choose(st feed.State, approvalID string) (approval.Pending, error) {
	ids := make([]string, 0, len(st.Pending))
	for _, p := range st.Pending {
		if p.ID == approvalID || approvalID == "" && len(st.Pending) == 1 {
			return p, nil
		}
		ids = append(ids, p.ID)
	}
	switch {
	case len(ids) > 0 && approvalID == "":
		return approval.Pending{}, invalid("approvalId", fmt.Sprintf("is required: %d approvals wait: %s", len(ids), strings.Join(ids, ", ")))
	case len(ids) > 0:
		return approval.Pending{}, invalid("approvalId", "names no approval that waits now; there are: "+strings.Join(ids, ", "))
	case st.Status == client.Paused:
		return approval.Pending{}, &problem{
			code: codeLinkUnavailable, message: "the run waits for an approval, but the API no longer tells its link",
			nextStep: "Tell the user to decide in the vendor's console.",
		}
	}
	return approval.Pending{}, &problem{
		code: string(client.Conflict), message: "nothing waits for an approval in this run; it is " + string(st.Status),
		nextStep: adviceFor(client.Conflict).nextStep,
	}
}

// afterDecision tells what is known of a decision: sent, refused by the API,
// or doubtful, and how the run stands.
func (s *set) afterDecision(ctx context.Context, caller client.Caller, runID string, decision approval.Decision, sendErr error) (RunResult, error) {
	switch {
	case errors.Is(sendErr, approval.ErrOtherToken):
		return RunResult{}, invalid("token", "belongs to the other decision or to another run; nothing was sent")
	case errors.Is(sendErr, approval.ErrNoLink):
		return RunResult{}, &problem{code: codeLinkUnavailable, message: "the approval offers no link to " + string(decision), nextStep: "Tell the user to decide in the vendor's console."}
	case errors.Is(sendErr, approval.ErrAlreadySent):
		return RunResult{}, &problem{code: string(client.Conflict), message: "a decision was sent for this approval before; it is not sent twice", nextStep: adviceFor(client.Conflict).nextStep}
	}
	var upstream *client.Error
	doubtful := client.KindOf(sendErr) == client.OutcomeUnknown
	if errors.As(sendErr, &upstream) && !doubtful {
		if upstream.Kind == client.InvalidArgument || upstream.Kind == client.NotFound || upstream.Kind == client.Conflict {
			return RunResult{}, &problem{
				code: string(client.Conflict), message: "the API did not take the decision: the approval was decided elsewhere or has expired",
				nextStep: adviceFor(client.Conflict).nextStep,
			}
		}
		return RunResult{}, sendErr
	}
	run, st, err := s.readState(ctx, caller, runID)
	if err != nil {
		return RunResult{}, &problem{
			code: string(client.OutcomeUnknown), message: "the decision was sent, but the run cannot be read",
			nextStep: "Do not decide again. Call get_run to see the state of the run.",
		}
	}
	result := s.result(run, st, lastEventOnly(run))
	result.Summary = fmt.Sprintf("The decision to %s was taken by the API. %s", decision, result.Summary)
	if doubtful {
		result.Summary = fmt.Sprintf("The decision to %s was sent, but the API's answer was lost; it is not sent again. %s", decision, s.summary(result))
	}
	return result, nil
}
