package view

import (
	"net/url"
	"strings"

	"runs-mcp-server/client"
)

// Integration is a connected system that runs may use.
type Integration struct {
	CustomerIntegrationID string `json:"customerIntegrationId"`
	IntegrationID         string `json:"integrationId,omitempty"`
	Name                  string `json:"name,omitempty"`
	Description           string `json:"description,omitempty"`
	Host                  string `json:"host,omitempty"`
	AuthType              string `json:"authType,omitempty"`
}

// maxDescription bounds an integration's description, in bytes: there are many.
const maxDescription = 300

// Integration renders an integration.
func (v View) Integration(i client.Integration) Integration {
	return Integration{
		CustomerIntegrationID: v.Line(i.CustomerIntegrationID, maxWord),
		IntegrationID:         v.Line(i.IntegrationID, maxWord),
		Name:                  v.Line(i.Name, maxWord),
		Description:           v.Line(i.Description, maxDescription),
		Host:                  v.Line(hostOf(i.Host), maxWord),
		AuthType:              v.Line(i.AuthType, maxWord),
	}
}

// hostOf returns the host of an address with or without a scheme, "" for none. The
// rest of an address may hold a password.
func hostOf(address string) string {
	if !strings.Contains(address, "://") {
		address = "//" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
