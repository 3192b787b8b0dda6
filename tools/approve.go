package tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	// A token needs the run's state too: whose it is may be known only then.
	st, err := s.pending(ctx, caller, args.RunID)
	if err != nil {
		return RunResult{}, err
	}
	d := decision{Decision: approval.Decision(args.Decision), known: true}
	if token != "" {
		s.View.Learn(token)
		d.asked = st.Since
		d.known, d.err = s.Desk.DecideByToken(ctx, caller, approval.ByToken{
			RunID: args.RunID, Decision: d.Decision, Token: token, LinksKnown: len(st.Pending) > 0,
		})
	} else {
		chosen, err := s.choose(st, args.ApprovalID)
		if err != nil {
			return RunResult{}, err
		}
		d.asked = chosen.EventID
		d.err = s.Desk.Decide(ctx, caller, chosen, d.Decision)
	}
	return s.afterDecision(ctx, caller, args.RunID, d)
}

// pending returns the state of a run with the approvals that wait in it. The
// feed knows them from the stream or the stored events, whichever had the
// link; where no event comes in time, the run itself is read.
func (s *set) pending(ctx context.Context, caller client.Caller, runID string) (feed.State, error) {
	watch := s.Feeds.Watch(caller, runID, 0)
	defer watch.Close()
	patient, cancel := context.WithTimeoutCause(ctx, findPatience, errDue)
	defer cancel()
	var st feed.State
	for {
		news, err := watch.Next(patient)
		switch {
		case errors.Is(err, errDue) && st.Status == "":
			got, err := s.readState(ctx, caller, runID)
			return got.State, err
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

// choose picks the approval that a call means. One that is not named must have
// been shown: another than the one that was looked at may wait by now.
func (s *set) choose(st feed.State, approvalID string) (approval.Pending, error) {
	waiting := s.unsent(st.Pending)
	ids := make([]string, 0, len(waiting))
	for _, p := range waiting {
		if p.ID == approvalID || approvalID == "" && len(waiting) == 1 && s.Desk.Shown(p) {
			return p, nil
		}
		ids = append(ids, p.ID)
	}
	list := strings.Join(ids[:min(len(ids), maxPending)], ", ")
	switch {
	case len(ids) == 1 && approvalID == "":
		return approval.Pending{}, invalid("approvalId", "is required: what waits was not shown yet; look at what waits first with get_run. It is "+list)
	case len(ids) > 0 && approvalID == "":
		return approval.Pending{}, invalid("approvalId", fmt.Sprintf("is required: %d approvals wait; look at what waits first with get_run. There are: %s", len(ids), list))
	case slices.ContainsFunc(st.Pending, func(p approval.Pending) bool { return p.ID == approvalID }), len(ids) == 0 && len(st.Pending) > 0:
		return approval.Pending{}, errSentBefore()
	case len(ids) > 0:
		return approval.Pending{}, invalid("approvalId", "names no approval that waits now; there are: "+list)
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

func errSentBefore() *problem {
	return &problem{
		code: string(client.Conflict), message: "a decision was sent for this approval before; it is not sent twice",
		nextStep: adviceFor(client.Conflict).nextStep,
	}
}

// decision is one that was to be sent.
type decision struct {
	approval.Decision
	asked int64 // cursor of the event that asked, as far as that is known
	known bool  // the token is known to be this decision's
	err   error // why it was not sent, or not taken
}

// problem returns why a decision was not taken, nil where it was, or may have been.
func (d decision) problem() error {
	switch {
	case errors.Is(d.err, approval.ErrOtherToken):
		return invalid("token", strings.TrimPrefix(approval.ErrOtherToken.Error(), "the token ")+"; nothing was sent")
	case errors.Is(d.err, approval.ErrNoLink):
		return &problem{code: codeLinkUnavailable, message: "the approval offers no link to " + string(d.Decision), nextStep: "Tell the user to decide in the vendor's console."}
	case errors.Is(d.err, approval.ErrAlreadySent):
		return errSentBefore()
	}
	switch client.KindOf(d.err) {
	case client.OutcomeUnknown:
		return nil
	case client.InvalidArgument, client.NotFound, client.Conflict:
		return &problem{
			code: string(client.Conflict), message: "the API did not take the decision: the approval was decided elsewhere or has expired",
			nextStep: adviceFor(client.Conflict).nextStep,
		}
	}
	return d.err
}

// summary says what is known of a decision that was sent.
func (d decision) summary() string {
	switch {
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

// afterDecision tells what is known of a decision: sent, refused by the API,
// or doubtful, and how the run stands.
func (s *set) afterDecision(ctx context.Context, caller client.Caller, runID string, d decision) (RunResult, error) {
	if err := d.problem(); err != nil {
		return RunResult{}, err
	}
	got, err := s.readState(ctx, caller, runID)
	if err != nil {
		return RunResult{}, &problem{
			code: string(client.OutcomeUnknown), message: "the decision was sent, but the run cannot be read",
			nextStep: "Do not decide again. Call get_run to see the state of the run.",
		}
	}
	got.decided = d.known
	// On from the event that asked: what came since was shown to nobody.
	result := s.result(got, notShown(got.run.Events, d.asked))
	result.Summary = d.summary() + " " + result.Summary
	return result, nil
}
