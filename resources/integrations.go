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

// activeIntegrations is the address of what a run may use.
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

// activeIntegrations reads what a run may use. An API that does not tell is no
// error: the operator's own ids are left to choose from.
func (s *set) activeIntegrations(ctx context.Context, caller client.Caller, _ string) (any, error) {
	usable, barred, err := s.usable(ctx, caller)
	if err != nil && !client.Lacking(err) {
		return nil, err
	}
	shown := withinList(usable[:min(len(usable), maxIntegrations)])
	out := IntegrationList{Integrations: shown, LeftOut: len(usable) - len(shown)}
	switch {
	case err != nil && len(shown) > 0:
		out.Summary = notTold(err) + " These are the operator's."
	case err != nil:
		out.Summary = notTold(err) + " Ask the user for ids."
	default:
		out.Summary = fmt.Sprintf("A run may use %d active integrations.", len(usable))
	}
	if barred > 0 {
		out.Summary += fmt.Sprintf(" %d more are active, but the operator does not allow them.", barred)
	}
	out.Summary += " " + s.howToChoose(s.view(caller))
	return out, nil
}

// notTold says that the API lacks the list.
func notTold(err error) string {
	var e *client.Error
	if errors.As(err, &e) && e.Status >= 300 {
		return fmt.Sprintf("The Run API does not tell which integrations are active: it answered %d.", e.Status)
	}
	return "The Run API does not tell which integrations are active: its answer is no list of them."
}

// howToChoose says what naming integrations means, as the operator set it.
func (s *set) howToChoose(v view.View) string {
	switch {
	case len(s.Integrations) == 0:
		return `Name ids as selectedCustomerIntegrationIds, or ["*"] for all active ones.`
	case s.AllowAnyIntegration && !slices.Contains(s.Integrations, "*"):
		return "Without selectedCustomerIntegrationIds a run may use the operator's: " + v.Line(strings.Join(s.Integrations, ", "), 400) + ". Others can be named."
	default:
		return "Without selectedCustomerIntegrationIds a run may use all that the operator allows; name ids to use fewer."
	}
}

// anyAllowed reports whether the operator lets a run use any integration.
func (s *set) anyAllowed() bool {
	return len(s.Integrations) == 0 || s.AllowAnyIntegration || slices.Contains(s.Integrations, "*")
}

// usable returns the integrations that a run may use, and how many active ones
// the operator bars. Where the API does not tell, with its error come the
// operator's own.
func (s *set) usable(ctx context.Context, caller client.Caller) (usable []view.Integration, barred int, err error) {
	list, err := s.API.ListIntegrations(ctx, caller)
	if err != nil {
		for _, id := range s.Integrations {
			if id != "*" {
				list = append(list, client.Integration{CustomerIntegrationID: id})
			}
		}
	}
	usable, v := []view.Integration{}, s.view(caller)
	seen := map[string]bool{}
	for _, i := range list {
		id := i.CustomerIntegrationID
		shown := v.Integration(i)
		// An id that may not be shown as it is could not be used either.
		if seen[id] || shown.CustomerIntegrationID != id {
			continue
		}
		seen[id] = true
		if s.anyAllowed() || slices.Contains(s.Integrations, id) {
			usable = append(usable, shown)
		} else {
			barred++
		}
	}
	return usable, barred, err
}

// withinList returns the first items, as many as take [maxList] bytes of JSON.
func withinList[T any](items []T) []T {
	left := maxList
	for i := range items {
		if left -= len(view.JSON(items[i])); left < 0 {
			return items[:i]
		}
	}
	return items
}
