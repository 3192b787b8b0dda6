package sandbox

import "strings"

// integration is one connected system, as GET /v1/integrations answers it.
type integration struct {
	IntegrationID         string `json:"integrationId"`
	CustomerIntegrationID string `json:"customerIntegrationId"`
	Active                bool   `json:"active"`
	Name                  string `json:"name"`
	Description           string `json:"description,omitempty"`
	Host                  string `json:"host"`
	AuthType              string `json:"authType,omitempty"`
}

// integrations returns the integrations, the same for every key. One is inactive,
// to test the active filter and the refusal of inactive ones.
func integrations() []integration {
	return []integration{
		{"salesforce", "salesforce_abcd1234", true, "Salesforce", "Accounts, contacts and opportunities", "https://salesforce.sandbox.invalid", "oauth2"},
		{"slack", "slack_ijkl9012", true, "Slack", "Channels and messages", "https://slack.sandbox.invalid", "oauth2"},
		{"jira", "jira_mnop3456", true, "Jira", "Issues and projects", "https://jira.sandbox.invalid", "oauth2"},
		{"aws", "aws_qrst7890", true, "AWS", "Cloud resources", "https://aws.sandbox.invalid", "aws"},
		{"hubspot", "hubspot_efgh5678", false, "HubSpot", "Companies and deals", "https://hubspot.sandbox.invalid", "oauth2"},
	}
}

// selectIntegrations resolves selectedCustomerIntegrationIds. ["*"] selects all
// active ones; a repeated id counts once.
func selectIntegrations(ids []string) (selected []integration, problems []string) {
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
			selected = append(selected, i)
		}
		if !i.Active && wanted[id] {
			problems = append(problems, "selectedCustomerIntegrationIds: "+id+" is not active")
		}
		delete(wanted, id)
	}
	if !all && len(wanted) > 0 {
		problems = append(problems, `selectedCustomerIntegrationIds must be ["*"] or known ids, which are `+strings.Join(known, ", "))
	}
	return selected, problems
}
