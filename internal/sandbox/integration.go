package sandbox

import (
	"net/http"
	"strings"
)

// integration is one connected system as GET /v1/integrations shows it.
type integration struct {
	IntegrationID         string `json:"integrationId"`
	CustomerIntegrationID string `json:"customerIntegrationId"`
	Active                bool   `json:"active"`
	Name                  string `json:"name"`
	Description           string `json:"description,omitempty"`
	Host                  string `json:"host"`
	AuthType              string `json:"authType,omitempty"`
}

// integrations are the same for every key. One is inactive, so that the
// active filter and the refusal of inactive ones have something to act on.
func integrations() []integration {
	return []integration{
		{"salesforce", "salesforce_abcd1234", true, "Salesforce", "Accounts, contacts and opportunities", "https://salesforce.sandbox.invalid", "oauth2"},
		{"slack", "slack_ijkl9012", true, "Slack", "Channels and messages", "https://slack.sandbox.invalid", "oauth2"},
		{"jira", "jira_mnop3456", true, "Jira", "Issues and projects", "https://jira.sandbox.invalid", "oauth2"},
		{"aws", "aws_qrst7890", true, "AWS", "Cloud resources", "https://aws.sandbox.invalid", "aws"},
		{"hubspot", "hubspot_efgh5678", false, "HubSpot", "Companies and deals", "https://hubspot.sandbox.invalid", "oauth2"},
	}
}

func (s *Sandbox) listIntegrations(w http.ResponseWriter, r *http.Request, _ int) *problem {
	active := r.URL.Query().Get("active")
	if active != "" && active != "true" && active != "false" {
		return invalid("active must be a boolean value")
	}
	shown := []integration{}
	for _, i := range integrations() {
		if active == "" || i.Active == (active == "true") {
			shown = append(shown, i)
		}
	}
	writeJSON(w, http.StatusOK, shown)
	return nil
}

// choose resolves selectedCustomerIntegrationIds: ["*"] is all active ones, a
// repeated id counts once.
func choose(ids []string) (chosen []integration, problems []string) {
	all := len(ids) == 1 && ids[0] == "*"
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	var known []string
	for _, i := range integrations() {
		id := i.CustomerIntegrationID
		if i.Active {
			known = append(known, id)
		}
		if i.Active && (all || wanted[id]) {
			chosen = append(chosen, i)
		}
		if !i.Active && wanted[id] {
			problems = append(problems, "selectedCustomerIntegrationIds: "+id+" is not active")
		}
		delete(wanted, id)
	}
	if !all && len(wanted) > 0 {
		problems = append(problems, `selectedCustomerIntegrationIds must be ["*"] or known ids, which are `+strings.Join(known, ", "))
	}
	return chosen, problems
}
