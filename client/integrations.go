package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
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

// integrationFields is Integration without its methods, so that decoding it
// does not recurse.
type integrationFields Integration

// UnmarshalJSON reads an integration, which is active unless it says otherwise:
// the active ones were asked for. Fields of the wrong type stay empty.
func (i *Integration) UnmarshalJSON(data []byte) error {
	fields := integrationFields{Active: true}
	_ = decodeLenient(data, &fields) // an item that is no object has no id, and is passed over
	*i = Integration(fields)
	return nil
}

// ListIntegrations reads the active integrations that have an id, in the API's
// order: a documented neighbour of the contract, which the API may lack (see
// [Lacking]).
func (c *Client) ListIntegrations(ctx context.Context, caller Caller) ([]Integration, error) {
	var list []Integration
	err := c.do(ctx, c.calls, caller, request{
		op: "list_integrations", method: http.MethodGet, path: []string{"v1", "integrations"}, query: url.Values{"active": {"true"}},
	}, func(data []byte) error {
		if err := json.Unmarshal(data, &list); err != nil {
			return err
		}
		if list == nil {
			return errors.New("null in place of a list")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(i Integration) bool { return !i.Active || i.CustomerIntegrationID == "" }), nil
}

// Lacking reports whether a failed call to a neighbour of the contract means
// that the API does not have it, or not for this key: no such address or
// method, as gateways variously say, or an answer of another kind.
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
