package tools

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
)

const anID = "123e4567-e89b-12d3-a456-426614174000"

func read[A any](t *testing.T, raw string) (A, error) {
	t.Helper()
	args, _, err := newArguments[A](inputSchema[A](), false).read(mcp.CallToolRequest{Params: mcp.CallToolParams{RawArguments: json.RawMessage(raw)}})
	return args, err
}

// TestCoerced: what can mean one thing only is taken for that.
func TestCoerced(t *testing.T) {
	yes, after := true, int64(7)
	tests := []struct {
		raw  string
		want getRunArgs
	}{
		{`{"runId":"run://` + anID + `"}`, getRunArgs{RunID: anID}},
		{`{"runId":" RUN://` + strings.ToUpper(anID) + `/events?afterEventId=3 "}`, getRunArgs{RunID: anID}},
		{`{"runId":"` + strings.ToUpper(anID) + `"}`, getRunArgs{RunID: anID}},
		{`{"runId":"` + anID + `","limit":"5","afterEventId":" 7 ","includeEvents":"True"}`, getRunArgs{RunID: anID, Limit: 5, AfterEventID: &after, IncludeEvents: &yes}},
		{`{"runId":"` + anID + `","limit":5.0,"waitSeconds":1e1,"afterEventId":null}`, getRunArgs{RunID: anID, Limit: 5, WaitSeconds: 10}},
		{`{"runId":"` + anID + `","eventTypes":"step"}`, getRunArgs{RunID: anID, EventTypes: []string{"step"}}},
		{`{"runId":"` + anID + `","eventTypes":"[\"step\",\"end\"]"}`, getRunArgs{RunID: anID, EventTypes: []string{"step", "end"}}},
	}
	for _, tt := range tests {
		if got, err := read[getRunArgs](t, tt.raw); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v", tt.raw, got, err)
		}
	}
	created, err := read[createRunArgs](t, `{"intent":"x","selectedCustomerIntegrationIds":"*","approvalStrategy":"on_start","outputSchema":"{\"type\":\"object\",\"maximum\":9007199254740993}"}`)
	if err != nil || created.Integrations[0] != "*" || created.ApprovalStrategy != "ON_START" || created.OutputSchema["maximum"] != json.Number("9007199254740993") {
		t.Errorf("got %+v, %v", created, err)
	}
}

// TestNotCoerced is what could mean more than one thing.
func TestNotCoerced(t *testing.T) {
	for raw, want := range map[string]string{
		`{"runId":"https://example.com/` + anID + `"}`:            "runId must be a UUID",
		`{"runId":["` + anID + `"]}`:                              "runId must be of type string",
		`{"runId":null}`:                                          "runId must be of type string, not null",
		`{"runId":"` + anID + `","limit":"5.5"}`:                  "limit must be of type integer",
		`{"runId":"` + anID + `","limit":"99999999999999999999"}`: "limit must be of type integer",
		`{"runId":"` + anID + `","includeEvents":"1"}`:            "includeEvents must be of type boolean",
		`{"runId":"` + anID + `","includeEvents":1}`:              "includeEvents must be of type boolean",
		`{"runId":"` + anID + `","eventTypes":[5]}`:               "eventTypes.0 must be of type string",
		`[]`:                             "arguments must be of type object",
		`"{\"runId\":\"` + anID + `\"}"`: "arguments must be of type object",
	} {
		if _, err := read[getRunArgs](t, raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", raw, err, want)
		}
	}
	if _, err := read[createRunArgs](t, `{"intent":"x","outputSchema":"not json"}`); err == nil || !strings.Contains(err.Error(), "outputSchema must be a JSON object, or a text that holds one") {
		t.Errorf("got %v", err)
	}
}
