package resources

import (
	"errors"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const runID = "123e4567-e89b-12d3-a456-426614174000"

func TestParseAddress(t *testing.T) {
	tests := []struct {
		uri  string
		want address
		err  string // part of it; "not found" for server.ErrResourceNotFound
	}{
		{"run://" + runID, address{runID: runID}, ""},
		{"run://" + strings.ToUpper(runID), address{runID: runID}, ""},
		{"run://" + runID + "/events", address{runID, partEvents, 0, 50}, ""},
		{"run://" + runID + "/events?", address{runID, partEvents, 0, 50}, ""},
		{"run://" + runID + "/events?afterEventId=7", address{runID, partEvents, 7, 50}, ""},
		{"run://" + runID + "/events?limit=3&afterEventId=7", address{runID, partEvents, 7, 3}, ""},
		{"run://" + runID + "/plan", address{runID, partPlan, 0, 50}, ""},
		{"run://" + runID + "/plan?offset=100&limit=500", address{runID, partPlan, 100, 500}, ""},
		{"run://" + strings.ToUpper(runID) + "/result", address{runID, partResult, 0, 8192}, ""},
		{"run://" + runID + "/result?limit=65536&offset=9", address{runID, partResult, 9, 65536}, ""},
		{"run://" + runID + "/events?limit=501", address{}, "limit must be a whole number from 1 to 500"},
		{"run://" + runID + "/events?limit=0", address{}, "limit must be"},
		{"run://" + runID + "/events?afterEventId=-1", address{}, "afterEventId must be"},
		{"run://" + runID + "/events?afterEventId=1&afterEventId=2", address{}, "twice"},
		{"run://" + runID + "/events?x=1", address{}, "takes afterEventId and limit alone"},
		{"run://" + runID + "/events?offset=1", address{}, "takes afterEventId and limit alone"},
		{"run://" + runID + "/events?a=%zz", address{}, "malformed"},
		{"run://" + runID + "/result?limit=65537", address{}, "limit must be a whole number from 1 to 65536"},
		{"run://" + runID + "/result?offset=-1", address{}, "offset must be"},
		{"run://" + runID + "/result?offset=1.5", address{}, "offset must be"},
		{"run://" + runID + "/result?offset=9223372036854775807", address{}, "offset must be"},
		{"run://" + runID + "/result?afterEventId=1", address{}, "takes offset and limit alone"},
		{"run://" + runID + "?x=1", address{}, "takes no query"},
		{"run://" + runID + "/plan?limit=501", address{}, "limit must be a whole number from 1 to 500"},
		{"run://" + runID + "/result/events", address{}, "a run has events, plan and result"},
		{"run://" + runID + "/result#offset=1", address{}, "a run has events, plan and result"},
		{"run://" + runID + "/steps", address{}, "a run has events, plan and result"},
		{"run://" + runID[:35], address{}, "comes a run's id"},
		{"run://../approval", address{}, "comes a run's id"},
		{"run://", address{}, "comes a run's id"},
		{"run://{runId}", address{}, "comes a run's id"},
		{"run://<runId>/events", address{}, "comes a run's id"},
		{"run://%7BrunId%7D/events%7B?afterEventId,limit%7D", address{}, "comes a run's id"},
		{"run://{runId}/events{?afterEventId,limit}", address{}, "comes a run's id"},
		{"run://" + runID + "/", address{runID: runID}, ""},
		{"run://" + runID + "?", address{runID: runID}, ""},
		{"run://" + runID + "{?afterEventId,limit}", address{runID: runID}, ""},
		{"run://{" + runID + "}", address{runID: runID}, ""},
		{"run://<" + runID + ">/plan", address{runID, partPlan, 0, 50}, ""},
		{" <RUN://" + runID + ">\n", address{runID: runID}, ""},
		{"run://run://" + runID, address{runID: runID}, ""},
		{strings.ToUpper(runID), address{runID: runID}, ""},
		{"run%3A%2F%2F" + runID + "%2Fevents%3Flimit%3D3", address{runID, partEvents, 0, 3}, ""},
		{"run://" + runID + "/PLAN", address{runID, partPlan, 0, 50}, ""},
		{"run://" + runID + "/plan//", address{runID, partPlan, 0, 50}, ""},
		{"run://" + runID + "/events/?limit=3", address{runID, partEvents, 0, 3}, ""},
		{"run://" + runID + "/events{?afterEventId,limit}", address{runID, partEvents, 0, 50}, ""},
		{"run://" + runID + "/events%7B?afterEventId,limit%7D", address{runID, partEvents, 0, 50}, ""},
		{"run://" + runID + "/events%7B%3FafterEventId%2Climit%7D", address{runID, partEvents, 0, 50}, ""},
		{"run://" + runID + "/events?afterEventId=7{&limit}", address{runID, partEvents, 7, 50}, ""},
		{"run://" + runID + "/events?afterEventId={afterEventId}&limit=", address{runID, partEvents, 0, 50}, ""},
		{"run://" + runID + "/events?afterEventId=<afterEventId>&limit= 4 ", address{runID, partEvents, 0, 4}, ""},
		{"run://" + runID + "/events?afterEventId={7}", address{runID, partEvents, 7, 50}, ""},
		{"run://" + runID + "/events{?afterEventId=7,limit=3}", address{runID, partEvents, 7, 3}, ""},
		{"run://" + runID + "/result{?offset,limit}?offset=9", address{runID, partResult, 9, 8192}, ""},
		{"integrations://active", address{}, "not found"},
		{"runs://" + runID, address{}, "not found"},
		{"", address{}, "not found"},
	}
	for _, tt := range tests {
		got, err := parseAddress(tt.uri)
		switch {
		case tt.err == "" && (err != nil || got != tt.want):
			t.Errorf("%s: got %+v, %v; want %+v", tt.uri, got, err, tt.want)
		case tt.err == "not found" && !errors.Is(err, server.ErrResourceNotFound):
			t.Errorf("%s: got %v, want not found", tt.uri, err)
		case tt.err != "" && tt.err != "not found" && (!errors.Is(err, mcp.ErrInvalidParams) || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%s: got %v, want %q", tt.uri, err, tt.err)
		}
	}
}

// FuzzAddress: what is accepted names one run and can be written again.
func FuzzAddress(f *testing.F) {
	f.Add("run://" + runID)
	f.Add("run://" + runID + "/events?afterEventId=1&limit=2")
	f.Add("run://" + runID + "/events?limit=2&&afterEventId=1")
	f.Add("run://" + runID + "/events/events")
	f.Add("run://" + runID + "/plan")
	f.Add("run://" + runID + "/result?offset=7&limit=65536")
	f.Add("run://%2e%2e/" + runID)
	f.Add(" RUN://{" + runID + "}/events{?afterEventId=1,limit=2}{&x}")
	f.Fuzz(func(t *testing.T, uri string) {
		a, err := parseAddress(uri)
		if err != nil {
			return
		}
		pages := a.part.paging()
		if len(a.runID) != 36 || strings.ContainsAny(string(a.runID), "/?#%.") || a.limit < min(pages.maxLimit, 1) || a.limit > pages.maxLimit || a.from < 0 {
			t.Fatalf("%q gave %+v", uri, a)
		}
		if b, err := parseAddress(a.String()); err != nil || a != b {
			t.Fatalf("%q gave %+v, written again %+v, %v", uri, a, b, err)
		}
	})
}
