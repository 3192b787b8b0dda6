package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"runs-mcp-server/internal/rawjson"
)

// Integration is a connected system that runs may use.
type Integration struct {
	IntegrationID         string `json:"integrationId"`
	CustomerIntegrationID string `json:"customerIntegrationId"` // what a run selects it by
	Active                bool   `json:"active"`
	Name                  string `json:"name"`
	Description           string `json:"description"`
	Host                  string `json:"host"`
	AuthType              string `json:"authType"`
}

var integrationNames = []string{"integrationId", "customerIntegrationId", "active", "name", "description", "host", "authType"}

// decode decodes an integration. It is active unless it says otherwise: only
// active ones were asked for. An item that is no object has no id.
func (i *Integration) decode(text []byte) {
	i.Active = true
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, integrationNames) {
		case "integrationId":
			rawjson.ReadText(&i.IntegrationID, value)
		case "customerIntegrationId":
			rawjson.ReadText(&i.CustomerIntegrationID, value)
		case "active":
			i.Active = string(value) != "false"
		case "name":
			rawjson.ReadText(&i.Name, value)
		case "description":
			rawjson.ReadText(&i.Description, value)
		case "host":
			rawjson.ReadText(&i.Host, value)
		case "authType":
			rawjson.ReadText(&i.AuthType, value)
		}
	}
}

// maxIntegrations bounds the integrations of an answer that are read.
const maxIntegrations = 10_000

// ListIntegrations reads the active integrations that have an id, in the API's
// order. It is a documented neighbour of the contract, which the API may lack: see
// [Lacking].
func (c *Client) ListIntegrations(ctx context.Context, caller Caller) ([]Integration, error) {
	var list []Integration
	err := c.send(ctx, caller, request{
		op: "list_integrations", method: http.MethodGet, path: []string{"v1", "integrations"}, query: url.Values{"active": {"true"}},
	}, func(data []byte) error {
		if !rawjson.IsArray(data) {
			return errors.New("no list")
		}
		rawjson.ReadList(&list, data, maxIntegrations, (*Integration).decode)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(i Integration) bool { return !i.Active || i.CustomerIntegrationID == "" }), nil
}

// Lacking reports whether a failed call to a neighbour of the contract means that
// the API does not have it, or not for this key. Gateways say that with several
// statuses, or with an answer of another kind.
func Lacking(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented:
		return true
	}
	return e.Kind == Invalid || e.Kind == Misconfigured && e.Status != 0
}
