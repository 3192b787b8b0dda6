package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
)

// maxRunID is how much is shown of what the API tells as a run's id, in bytes.
const maxRunID = 64

type createRunArgs struct {
	Intent           string         `json:"intent" jsonschema:"minLength=1,maxLength=20000" jsonschema_description:"What the run shall achieve, in plain words."`
	Context          string         `json:"context,omitempty" jsonschema:"maxLength=200000" jsonschema_description:"What the run must know beside the intent."`
	Integrations     []string       `json:"selectedCustomerIntegrationIds,omitempty" jsonschema:"minItems=1,maxItems=200" jsonschema_description:"Integrations it may use, of integrations://active; [\"*\"] for all."`
	UserID           string         `json:"userId,omitempty" jsonschema:"maxLength=256" jsonschema_description:"The person it acts for."`
	ApprovalStrategy string         `json:"approvalStrategy,omitempty" jsonschema:"enum=NONE,enum=ON_START,enum=ON_TOOL_CALL" jsonschema_description:"What a person must approve: nothing, the plan, or every tool call."`
	RepeatKey        string         `json:"repeatKey,omitempty" jsonschema:"maxLength=256" jsonschema_description:"Use the tools of this earlier run of the same intent again."`
	OutputSchema     map[string]any `json:"outputSchema,omitempty" jsonschema_description:"JSON Schema (draft 7, root object) of the result."`
	WaitSeconds      int            `json:"waitSeconds,omitempty" jsonschema:"minimum=0,maximum=45" jsonschema_description:"Wait until it ends or needs a person; default 0."`
}

type createRunWithPassThroughArgs struct {
	createRunArgs
	PassThrough []client.PassThrough `json:"passThrough,omitempty" jsonschema:"maxItems=50" jsonschema_description:"Secret headers, query and credentials by integration."`
}

func (s *set) createRunTool() server.ServerTool {
	d := definition{
		name: "create_run", title: "Create run",
		description: "Start a run: a long automation, workflow, job or task that executes an intent in many steps across the company's apps and integrations, " +
			"such as CRM, tickets, chat, e-mail and invoices. It acts for real and cannot be undone: create it once, when the user wants the work done, never again when the outcome is unknown" +
			s.ifOffered("list_runs", "; not to look at earlier runs (list_runs)") + ". It returns at once" + s.ifOffered("get_run", "; next, follow it with get_run"),
		hints:    hints{destructive: true, openWorld: true},
		makesRun: true,
	}
	if s.AskAuthorization || s.AskApprovals && s.Offers("approve") {
		d.description += ". With waitSeconds it asks the user where it must"
	}
	d.description += "."
	if s.AllowPassThrough {
		return tool(s, d, func(ctx context.Context, c *call, args createRunWithPassThroughArgs) (RunResult, error) {
			return s.createRun(ctx, c, args.createRunArgs, args.PassThrough)
		})
	}
	return tool(s, d, func(ctx context.Context, c *call, args createRunArgs) (RunResult, error) {
		return s.createRun(ctx, c, args, nil)
	})
}

func (s *set) createRun(ctx context.Context, c *call, args createRunArgs, passThrough []client.PassThrough) (RunResult, error) {
	for _, p := range passThrough {
		c.addGiven(p.Secrets()...)
	}
	run, err := s.createOrResume(ctx, c, args, passThrough)
	if err != nil {
		return RunResult{}, err
	}
	result, err := s.afterCreate(ctx, c, run, args.WaitSeconds)
	if err != nil {
		return RunResult{}, err
	}
	if result.Plan == nil {
		if run.Plan == nil {
			run.Plan, _ = s.Decider.Plan(ctx, c.caller, run) // left out where nobody tells it
		}
		result.Plan = s.showPlan(c.view(), run.RunID, run.Plan, planBytes)
	}
	strategy := s.strategy(args)
	if strategy != client.ApproveNothing {
		result.ApprovalStrategy = string(strategy)
	}
	if args.ApprovalStrategy != "" && args.ApprovalStrategy != string(strategy) {
		result.Summary += " The operator wants " + string(strategy) + " at least."
	}
	if c.unkept {
		result.Summary += " Too many runs with approvals are watched already; the approval link of this one may be missed."
	}
	return result, nil
}

// createOrResume creates the run, unless an earlier round of the call did: one
// that comes back with its person's answer goes on with the run it made,
// whatever its arguments are now. What is wrong with them must not be corrected
// and called again.
func (s *set) createOrResume(ctx context.Context, c *call, args createRunArgs, passThrough []client.PassThrough) (*client.Run, error) {
	if c.resume != nil {
		return &client.Run{RunID: c.resume.RunID}, nil
	}
	body, err := s.createBody(ctx, c, args, passThrough)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	run, err := s.API.CreateRun(ctx, c.caller, body)
	if client.KindOf(err) == client.OutcomeUnknown {
		err = s.unclear(ctx, c.caller, body, began, err)
	}
	if err != nil {
		return nil, err
	}
	c.addTokens(run.ApprovalTokens())
	// A client that loses the connection may never see the answer.
	c.progress.say(ctx, "run "+c.view().Line(string(run.RunID), maxRunID)+" was created")
	if body.ApprovalStrategy != client.ApproveNothing {
		s.Decider.RememberPlan(c.caller, run.RunID, run.Plan)
		c.unkept = !s.Feeds.Pin(c.caller, run.RunID)
	}
	return run, nil
}

// strategy returns the stricter of what the call and what the operator asks for.
func (s *set) strategy(args createRunArgs) client.ApprovalStrategy {
	return client.ApprovalStrategy(args.ApprovalStrategy).AtLeast(s.LeastApproval).AtLeast(client.ApproveNothing)
}

// afterCreate tells how the new run stands. Its only error is a question to the
// person: the run exists, and its id must reach the caller whatever happens to
// the watching of it.
func (s *set) afterCreate(ctx context.Context, c *call, run *client.Run, waitSeconds int) (RunResult, error) {
	page := &eventPage{limit: defaultEvents, bytes: defaultEventBytes, newest: true}
	if waitSeconds > 0 || c.resume != nil {
		w := &waiter{set: s, call: c, runID: run.RunID, page: page}
		result, err := w.watchFor(ctx, waitSeconds)
		if round := (*attend.Round)(nil); errors.As(err, &round) || errors.Is(err, attend.ErrUsed) {
			return result, err
		}
		if err == nil {
			run.ExecutionPlanID = cmp.Or(run.ExecutionPlanID, w.run.ExecutionPlanID)
			return result, nil
		}
		s.Log.Info("a new run could not be watched", "runId", run.RunID, "error", err)
		result = s.result(c, reading{Snapshot: feed.Snapshot{Run: run}}, nil)
		result.Summary = "The run was created, but watching it failed: " + s.why(err) + "."
		if about := strings.TrimSuffix(c.aboutDecision(), ": "); about != "" {
			result.Summary += " T" + about[1:] + "."
		}
		return result, nil
	}
	for _, e := range run.Events {
		page.add(e)
	}
	return s.result(c, reading{Snapshot: feed.Snapshot{Run: run, State: s.Feeds.StateOf(c.caller, run)}}, page), nil
}

// createBody builds the request within the operator's limits.
func (s *set) createBody(ctx context.Context, c *call, args createRunArgs, passThrough []client.PassThrough) (client.CreateRunRequest, error) {
	body := client.CreateRunRequest{Intent: args.Intent, Context: args.Context, RepeatKey: args.RepeatKey}
	if strings.TrimSpace(args.Intent) == "" {
		return body, invalid("intent", "must say what the run shall achieve")
	}
	var err error
	if body.UserID, err = s.user(c.caller, args.UserID); err != nil {
		return body, err
	}
	if body.Integrations, err = s.integrations(args.Integrations); err != nil {
		return body, err
	}
	if err := s.missing(ctx, c, body); err != nil {
		return body, err
	}
	body.ApprovalStrategy = s.strategy(args)
	if len(args.OutputSchema) > 0 {
		if err := checkOutputSchema(args.OutputSchema); err != nil {
			return body, err
		}
		if body.OutputSchema, err = json.Marshal(args.OutputSchema); err != nil {
			return body, err
		}
	}
	body.PassThrough, err = s.passThrough(body.Integrations, passThrough)
	return body, err
}

// missing says at once what neither the call nor the operator gave, and who
// knows it: a model would guess one after the other.
func (s *set) missing(ctx context.Context, c *call, body client.CreateRunRequest) error {
	var lacks []string
	if body.UserID == "" {
		lacks = append(lacks, "userId is required: the operator set no default user (--user-id)")
	}
	if len(body.Integrations) == 0 {
		lacks = append(lacks, "selectedCustomerIntegrationIds is required: the operator set no default integrations (--integrations)")
	}
	if len(lacks) == 0 {
		return nil
	}
	return &problem{
		code: codeInvalidArgument, message: strings.Join(lacks, "; "),
		nextStep: "Ask the user for it, do not guess" + s.activeIntegrations(ctx, c, body) + ". Then call again.",
	}
}

// integrationsTime bounds the look for the integrations that a call could name.
const integrationsTime = 3 * time.Second

// maxActive is what the integrations take that a failure names, in bytes.
const maxActive = 180

// activeIntegrations names the integrations that a create could have named, for a
// client that reads no resources; "" where it named some, or the API tells none.
func (s *set) activeIntegrations(ctx context.Context, c *call, body client.CreateRunRequest) string {
	if len(body.Integrations) > 0 {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, integrationsTime)
	defer cancel()
	list, err := s.API.ListIntegrations(ctx, c.caller)
	if err != nil || len(list) == 0 {
		return ""
	}
	said, left := "", len(list)
	for _, i := range list {
		one := c.view().Line(i.CustomerIntegrationID, 64)
		if name := c.view().Line(i.Name, 32); name != "" {
			one += " (" + name + ")"
		}
		if len(said)+len(one) > maxActive {
			break
		}
		said, left = said+", "+one, left-1
	}
	said = strings.TrimPrefix(said, ", ")
	if left > 0 {
		said += fmt.Sprintf(" and %d more in integrations://active", left)
	}
	return "; active are " + said
}

// user returns who a call acts for: the operator's user unless another may be named.
func (s *set) user(caller client.Caller, asked string) (string, error) {
	switch {
	case asked == "" || asked == caller.UserID:
		return caller.UserID, nil
	case caller.UserID == "" || s.AllowAnyUser:
		return asked, nil
	}
	return "", invalid("userId", "may not name another user than this caller's; leave it out")
}

// integrations returns what a run may use: the operator's integrations, or
// some of them, unless others may be named.
func (s *set) integrations(asked []string) ([]string, error) {
	operator := s.Integrations
	switch {
	case len(asked) == 0:
		return operator, nil
	case len(operator) == 0 || s.AllowAnyIntegration || slices.Contains(operator, "*"):
		return asked, nil
	}
	for _, id := range asked {
		if !slices.Contains(operator, id) {
			return nil, invalid("selectedCustomerIntegrationIds", "may only name integrations that the operator allows: "+strings.Join(operator, ", "))
		}
	}
	return asked, nil
}

// passThrough joins the operator's data for the selected integrations with the
// call's, which goes first.
func (s *set) passThrough(integrations []string, given []client.PassThrough) ([]client.PassThrough, error) {
	out := make([]client.PassThrough, 0, len(given))
	has := map[string]bool{}
	for i, p := range given {
		if has[p.CustomerIntegrationID] {
			return nil, invalid(fmt.Sprintf("passThrough.%d.customerIntegrationId", i), "names an integration twice")
		}
		if p.Values != nil {
			if err := p.Values.Check(); err != nil {
				return nil, invalid(fmt.Sprintf("passThrough.%d", i), err.Error())
			}
		}
		has[p.CustomerIntegrationID] = true
		out = append(out, p)
	}
	all := slices.Contains(integrations, "*")
	for id, p := range s.PassThrough {
		if !has[id] && (all || slices.Contains(integrations, id)) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b client.PassThrough) int {
		return strings.Compare(a.CustomerIntegrationID, b.CustomerIntegrationID)
	})
	return out, nil
}
