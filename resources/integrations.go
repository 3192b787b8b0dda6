package resources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/view"
)

// activeIntegrations is the address of the integrations that a run may use.
const activeIntegrations = "integrations://active"

// maxIntegrations is how many integrations are shown: create_run takes as many.
const maxIntegrations = 200

func integrationsResource() mcp.Resource {
	return mcp.NewResource(activeIntegrations, "active_integrations", mcp.WithResourceTitle("Active integrations"),
		mcp.WithResourceDescription("The integrations that a run may use, for selectedCustomerIntegrationIds."), mcp.WithMIMEType("application/json"))
}

// IntegrationList is what the active integrations read as.
type IntegrationList struct {
	Summary      string             `json:"summary"` // in our words
	Integrations []view.Integration `json:"integrations"`
	LeftOut      int                `json:"leftOut,omitempty"`
}

// readIntegrations reads the integrations that a run may use. An API that lacks the
// list is no error: the operator's own ids are left to choose from.
func (h *handlers) readIntegrations(ctx context.Context, caller client.Caller, _ string) (any, error) {
	usable, disallowed, err := h.usableIntegrations(ctx, caller)
	if err != nil && !client.Lacking(err) {
		return nil, err
	}
	shown := firstIntegrations(usable[:min(len(usable), maxIntegrations)])
	out := IntegrationList{Integrations: shown, LeftOut: len(usable) - len(shown)}
	switch {
	case err != nil && len(shown) > 0:
		out.Summary = lackOfList(err) + " These are the operator's."
	case err != nil:
		out.Summary = lackOfList(err) + " Ask the user for ids."
	default:
		out.Summary = fmt.Sprintf("A run may use %d active integrations.", len(usable))
	}
	if disallowed > 0 {
		out.Summary += fmt.Sprintf(" %d more are active, but the operator does not allow them.", disallowed)
	}
	out.Summary += " " + h.howToChoose(h.view(caller))
	return out, nil
}

// lackOfList says that the API lacks the list.
func lackOfList(err error) string {
	var e *client.Error
	if errors.As(err, &e) && e.Status >= 300 {
		return fmt.Sprintf("The Run API does not tell which integrations are active: it answered %d.", e.Status)
	}
	return "The Run API does not tell which integrations are active: its answer is no list of them."
}

// howToChoose says what naming integrations means, as the operator set it.
func (h *handlers) howToChoose(v view.View) string {
	switch {
	case len(h.Integrations) == 0:
		return `Name ids as selectedCustomerIntegrationIds, or ["*"] for all active ones.`
	case h.AllowAnyIntegration && !slices.Contains(h.Integrations, "*"):
		return "Without selectedCustomerIntegrationIds a run may use the operator's: " + v.Line(strings.Join(h.Integrations, ", "), 400) + ". Others can be named."
	default:
		return "Without selectedCustomerIntegrationIds a run may use all that the operator allows; name ids to use fewer."
	}
}

// anyAllowed reports whether the operator lets a run use any integration.
func (h *handlers) anyAllowed() bool {
	return len(h.Integrations) == 0 || h.AllowAnyIntegration || slices.Contains(h.Integrations, "*")
}

// usableIntegrations returns the integrations that a run may use, and how many active
// ones the operator does not allow. With an error of the API it returns the operator's
// own.
func (h *handlers) usableIntegrations(ctx context.Context, caller client.Caller) (usable []view.Integration, disallowed int, err error) {
	list, err := h.API.ListIntegrations(ctx, caller)
	if err != nil {
		list = h.operatorIntegrations()
	}
	usable, v := []view.Integration{}, h.view(caller)
	seen := map[string]bool{}
	for _, i := range list {
		id := i.CustomerIntegrationID
		shown := v.Integration(i)
		// An id that may not be shown as it is could not be used either.
		if seen[id] || shown.CustomerIntegrationID != id {
			continue
		}
		seen[id] = true
		if h.anyAllowed() || slices.Contains(h.Integrations, id) {
			usable = append(usable, shown)
		} else {
			disallowed++
		}
	}
	return usable, disallowed, err
}

// operatorIntegrations returns the integrations that the operator named, of which the
// ids alone are known.
func (h *handlers) operatorIntegrations() (list []client.Integration) {
	for _, id := range h.Integrations {
		if id != "*" {
			list = append(list, client.Integration{CustomerIntegrationID: id})
		}
	}
	return list
}

// firstIntegrations returns the first of a list, as many as take [maxList] bytes of
// JSON.
func firstIntegrations(list []view.Integration) []view.Integration {
	left := maxList
	for i := range list {
		if left -= len(view.JSON(list[i])); left < 0 {
			return list[:i]
		}
	}
	return list
}
