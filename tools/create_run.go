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

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/view"
)

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

func createRunDescription(o Options) string {
	text := "Start a run: a long automation, workflow, job or task that executes an intent in many steps across the company's apps and integrations, " +
		"such as CRM, tickets, chat, e-mail and invoices. It acts for real and cannot be undone: create it once, when the user wants the work done, never again when the outcome is unknown" +
		o.ifOffered("list_runs", "; not to look at earlier runs (list_runs)") + ". It returns at once" + o.ifOffered("get_run", "; next, follow it with get_run")
	if o.AskAuthorization || o.AskApprovals && o.hasTool("approve") {
		text += ". With waitSeconds it asks the user where it must"
	}
	return text + "."
}

func (h *handlers) createRun(ctx context.Context, c *call, args createRunArgs, passThrough []client.PassThrough) (RunResult, error) {
	for _, p := range passThrough {
		c.addGiven(p.Secrets()...)
	}
	run, err := h.createOrResume(ctx, c, args, passThrough)
	if err != nil {
		return RunResult{}, err
	}
	if c.taskMode != noTask && h.answerWithTask(ctx, c, run, args.WaitSeconds) {
		return RunResult{}, nil
	}
	var result RunResult
	if args.WaitSeconds > 0 || c.resume != nil {
		result, err = h.awaitNewRun(ctx, c, run, args.WaitSeconds)
	} else {
		result = h.newRunResult(c, run)
	}
	if err != nil {
		return RunResult{}, err
	}
	if result.Plan == nil {
		result.Plan = h.newRunPlan(ctx, c, run)
	}
	strategy := h.strategyOf(args)
	if strategy != client.ApproveNothing {
		result.ApprovalStrategy = string(strategy)
	}
	if args.ApprovalStrategy != "" && args.ApprovalStrategy != string(strategy) {
		result.addNote(" The operator wants " + string(strategy) + " at least.")
	}
	if c.keepRefused {
		result.addNote(" Too many runs with approvals are watched already; the approval link of this one may be missed.")
	}
	return result, nil
}

// maxRunID bounds what a progress message shows of a new run's id, in bytes.
const maxRunID = 64

// createOrResume creates the run, or returns the one that an earlier round of the
// call created. Then the arguments do not matter: a model that is told to correct
// them would create a second run.
func (h *handlers) createOrResume(ctx context.Context, c *call, args createRunArgs, passThrough []client.PassThrough) (*client.Run, error) {
	if c.resume != nil {
		c.runID = c.resume.RunID
		return &client.Run{RunID: c.resume.RunID}, nil
	}
	body, err := h.createBody(ctx, c, args, passThrough)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	run, err := h.sendCreate(ctx, c, body)
	if err != nil {
		return nil, h.createFailure(ctx, c, body, start, err)
	}
	c.runID = run.RunID
	c.addTokens(run.ApprovalTokens())
	// A client that loses the connection may never see the result.
	c.progress.sendMessage(ctx, "run "+c.view().Line(string(run.RunID), maxRunID)+" was created")
	if body.ApprovalStrategy != client.ApproveNothing {
		h.Decider.RememberPlan(c.caller, run.RunID, run.Plan)
		c.keepRefused = !h.Feeds.Pin(c.caller, run.RunID)
	}
	return run, nil
}

// sendCreate sends the request, and records it if creates are recorded.
func (h *handlers) sendCreate(ctx context.Context, c *call, body client.CreateRunRequest) (*client.Run, error) {
	if h.Audit == nil {
		return h.API.CreateRun(ctx, c.caller, body)
	}
	return h.createAudited(ctx, c, body)
}

// awaitNewRun waits for a new run and returns how it stands. Its only errors are a
// question to the person and a round that was used: the run exists, so its id must
// reach the caller whatever happens to the watching of it.
func (h *handlers) awaitNewRun(ctx context.Context, c *call, run *client.Run, waitSeconds int) (RunResult, error) {
	ctx, cancel := context.WithDeadline(ctx, c.answerDeadline(waitSeconds))
	defer cancel()
	w := &watch{runID: run.RunID, page: newestEvents()}
	result, err := h.watchRun(ctx, c, w, waitSeconds)
	if _, asks := errors.AsType[*attend.Round](err); asks || errors.Is(err, attend.ErrUsed) {
		return RunResult{}, err
	}
	if err == nil {
		run.ExecutionPlanID = cmp.Or(run.ExecutionPlanID, w.run.ExecutionPlanID)
		return result, nil
	}
	h.Log.Info("a new run could not be watched", "runId", run.RunID, "error", err)
	result = h.buildResult(c, reading{Snapshot: feed.Snapshot{Run: run}}, &eventPage{})
	result.Summary = "The run was created, but watching it failed: " + h.reasonOf(err) + "."
	if note := c.decisionNote(); note != "" {
		result.addNote(" T" + note[1:] + ".")
	}
	return result, nil
}

// newRunResult returns how a new run stands by the answer to its create alone.
func (h *handlers) newRunResult(c *call, run *client.Run) RunResult {
	page := newestEvents()
	page.addEvents(run.Events)
	return h.buildResult(c, reading{Snapshot: feed.Snapshot{Run: run, State: h.Feeds.StateOf(c.caller, run)}}, page)
}

// newRunPlan returns the first steps of a new run's plan, nil where the API does not
// tell it.
func (h *handlers) newRunPlan(ctx context.Context, c *call, run *client.Run) *view.Plan {
	if run.Plan == nil {
		run.Plan, _ = h.Decider.Plan(ctx, c.caller, run)
	}
	return h.showPlan(c.view(), run.RunID, run.Plan, planBytes)
}

// createBody builds the request of create_run within the operator's limits. It does
// not check outputSchema: the API refuses a wrong one and says why.
func (h *handlers) createBody(ctx context.Context, c *call, args createRunArgs, passThrough []client.PassThrough) (client.CreateRunRequest, error) {
	body := client.CreateRunRequest{Intent: args.Intent, Context: args.Context, RepeatKey: args.RepeatKey, ApprovalStrategy: h.strategyOf(args)}
	if strings.TrimSpace(args.Intent) == "" {
		return body, invalid("intent", "must say what the run shall achieve")
	}
	var err error
	if body.UserID, err = h.userOf(c.caller, args.UserID); err != nil {
		return body, err
	}
	if body.Integrations, err = h.integrationsOf(args.Integrations); err != nil {
		return body, err
	}
	if err := h.checkComplete(ctx, c, body); err != nil {
		return body, err
	}
	if len(args.OutputSchema) > 0 {
		if body.OutputSchema, err = json.Marshal(args.OutputSchema); err != nil {
			return body, err
		}
	}
	body.PassThrough, err = h.mergePassThrough(body.Integrations, passThrough)
	return body, err
}

// strategyOf returns the stricter of what the call and what the operator asks for.
func (h *handlers) strategyOf(args createRunArgs) client.ApprovalStrategy {
	return client.ApprovalStrategy(args.ApprovalStrategy).AtLeast(h.LeastApproval).AtLeast(client.ApproveNothing)
}

// integrationsOf returns what a run may use: the operator's integrations or some of
// them, unless others may be named.
func (h *handlers) integrationsOf(asked []string) ([]string, error) {
	operator := h.Integrations
	switch {
	case len(asked) == 0:
		return operator, nil
	case len(operator) == 0 || h.AllowAnyIntegration || slices.Contains(operator, "*"):
		return asked, nil
	}
	for _, id := range asked {
		if !slices.Contains(operator, id) {
			return nil, invalid("selectedCustomerIntegrationIds", "may only name integrations that the operator allows: "+strings.Join(operator, ", "))
		}
	}
	return asked, nil
}

// checkComplete names all that neither the call nor the operator gave, and who knows
// it: a model would guess one after the other.
func (h *handlers) checkComplete(ctx context.Context, c *call, body client.CreateRunRequest) error {
	var missing []string
	nextStep := "Ask the user for it, do not guess"
	if body.UserID == "" {
		missing = append(missing, "userId is required: the operator set no default user (--user-id)")
	}
	if len(body.Integrations) == 0 {
		missing = append(missing, "selectedCustomerIntegrationIds is required: the operator set no default integrations (--integrations)")
		nextStep += h.activeIntegrations(ctx, c)
	}
	if len(missing) == 0 {
		return nil
	}
	return &problem{code: client.InvalidArgument, message: strings.Join(missing, "; "), nextStep: nextStep + ". Then call again."}
}

const (
	// integrationsTime bounds the request for the integrations that a failure names.
	integrationsTime = 3 * time.Second
	// maxActive bounds the text that names them, in bytes.
	maxActive = 180
)

// activeIntegrations names the integrations that the call could have named, for
// clients that read no resources; "" where the API does not tell them.
func (h *handlers) activeIntegrations(ctx context.Context, c *call) string {
	ctx, cancel := context.WithTimeout(ctx, integrationsTime)
	defer cancel()
	list, err := h.API.ListIntegrations(ctx, c.caller)
	if err != nil || len(list) == 0 {
		return ""
	}
	text, left := "", len(list)
	for _, i := range list {
		item := c.view().Line(i.CustomerIntegrationID, 64)
		if name := c.view().Line(i.Name, 32); name != "" {
			item += " (" + name + ")"
		}
		if len(text)+len(item) > maxActive {
			break
		}
		text, left = text+", "+item, left-1
	}
	text = strings.TrimPrefix(text, ", ")
	if left > 0 {
		text += fmt.Sprintf(" and %d more in integrations://active", left)
	}
	return "; active are " + text
}

// mergePassThrough returns the data that a call gave, with the operator's for the
// other selected integrations.
func (h *handlers) mergePassThrough(integrations []string, given []client.PassThrough) ([]client.PassThrough, error) {
	merged := slices.Clone(given)
	byID := func(id string) func(client.PassThrough) bool {
		return func(p client.PassThrough) bool { return p.CustomerIntegrationID == id }
	}
	for i, p := range given {
		if slices.ContainsFunc(given[:i], byID(p.CustomerIntegrationID)) {
			return nil, invalid(fmt.Sprintf("passThrough.%d.customerIntegrationId", i), "names an integration twice")
		}
		if p.Values == nil {
			continue
		}
		if err := p.Values.Check(); err != nil {
			return nil, invalid(fmt.Sprintf("passThrough.%d", i), err.Error())
		}
	}
	all := slices.Contains(integrations, "*")
	for id, p := range h.PassThrough {
		if (all || slices.Contains(integrations, id)) && !slices.ContainsFunc(given, byID(id)) {
			merged = append(merged, p)
		}
	}
	slices.SortFunc(merged, func(a, b client.PassThrough) int {
		return strings.Compare(a.CustomerIntegrationID, b.CustomerIntegrationID)
	})
	return merged, nil
}
