package client_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"runs-mcp-server/client"
)

// TestListIntegrations reads what the API may answer, and tells what it lacks
// from what fails.
func TestListIntegrations(t *testing.T) {
	tests := []struct {
		name    string
		status  int
		body    string
		ids     string // with spaces between them
		lacking bool   // else, without ids, another failure
	}{
		{"documented", 200, `[{"integrationId":"slack","customerIntegrationId":"slack_1","active":true,"name":"Slack","host":"https://slack.test","new":1},{"customerIntegrationId":"jira_1","active":true}]`, "slack_1 jira_1", false},
		{"activity left out", 200, `[{"customerIntegrationId":"a"},{"customerIntegrationId":"b","active":null}]`, "a b", false},
		{"filter not minded", 200, `[{"customerIntegrationId":"a","active":false},{"customerIntegrationId":"b","active":true}]`, "b", false},
		{"odd items", 200, `[null,5,"x",[],{},{"customerIntegrationId":7},{"customerIntegrationId":"a","name":[],"host":5}]`, "a", false},
		{"a page", 200, "<html>", "", true},
		{"an object", 200, `{"items":[]}`, "", true},
		{"null", 200, "null", "", true},
		{"nothing", 204, "", "", true},
		{"a redirect", 302, "", "", true},
		{"no such address", 404, "", "", true},
		{"gone", 410, "", "", true},
		{"no such method", 405, "", "", true},
		{"not implemented", 501, "", "", true},
		{"not for this key, or a gateway's no such address", 403, "", "", true},
		{"bad key", 401, "", "", false},
		{"slow down", 429, "", "", false},
		{"down", 503, "", "", false},
	}
	for _, tt := range tests {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.String() != "/v1/integrations?active=true" || r.Method != http.MethodGet || r.Header.Get("x-api-key") == "" {
				t.Errorf("sent %s %s", r.Method, r.URL)
			}
			w.WriteHeader(tt.status)
			io.WriteString(w, tt.body)
		})
		list, err := c.ListIntegrations(t.Context(), caller)
		var ids []string
		for _, i := range list {
			ids = append(ids, i.CustomerIntegrationID)
			if !i.Active {
				t.Errorf("%s: got %+v", tt.name, i)
			}
		}
		if got := strings.Join(ids, " "); got != tt.ids || (err == nil) != (tt.ids != "") || client.Lacking(err) != tt.lacking {
			t.Errorf("%s: got %q, %v", tt.name, got, err)
		}
	}
	if client.Lacking(nil) || client.Lacking(io.EOF) {
		t.Error("an error of no call says that the API lacks something")
	}
}

// TestIntegrationFields: each field of an integration is decoded.
func TestIntegrationFields(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `[{"integrationId":"i","customerIntegrationId":"c","active":true,"name":"n","description":"d","host":"h","authType":"a"}]`)
	})
	want := client.Integration{IntegrationID: "i", CustomerIntegrationID: "c", Active: true, Name: "n", Description: "d", Host: "h", AuthType: "a"}
	if list, err := c.ListIntegrations(t.Context(), caller); err != nil || len(list) != 1 || list[0] != want {
		t.Errorf("got %+v, %v", list, err)
	}
}
