package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"runs-mcp-server/client"
)

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

// userOf returns the user that a call acts for: the caller's unless another may be
// named.
func (h *handlers) userOf(caller client.Caller, asked string) (string, error) {
	switch {
	case asked == "" || asked == caller.UserID:
		return caller.UserID, nil
	case caller.UserID == "" || h.AllowAnyUser:
		return asked, nil
	}
	return "", invalid("userId", "may not name another user than this caller's; leave it out")
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
