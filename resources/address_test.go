package resources

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/server"
)

const runID = "123e4567-e89b-12d3-a456-426614174000"

func TestParseAddress(t *testing.T) {
	tests := []struct {
		uri  string
		want address
		err  string // part of it; "not found" for server.ErrResourceNotFound
	}{
		{"run://" + runID, address{runID: runID, limit: 50}, ""},
		{"run://" + strings.ToUpper(runID), address{runID: runID, limit: 50}, ""},
		{"run://" + runID + "/events", address{runID: runID, events: true, limit: 50}, ""},
		{"run://" + runID + "/events?afterEventId=7", address{runID: runID, events: true, afterEventID: 7, limit: 50}, ""},
		{"run://" + runID + "/events?limit=3&afterEventId=7", address{runID: runID, events: true, afterEventID: 7, limit: 3}, ""},
		{"run://" + runID + "/events?limit=501", address{}, "limit must be"},
		{"run://" + runID + "/events?limit=0", address{}, "limit must be"},
		{"run://" + runID + "/events?afterEventId=-1", address{}, "afterEventId must be"},
		{"run://" + runID + "/events?afterEventId=1&afterEventId=2", address{}, "twice"},
		{"run://" + runID + "/events?x=1", address{}, "takes afterEventId and limit alone"},
		{"run://" + runID + "/events?a=%zz", address{}, "malformed"},
		{"run://" + runID + "?x=1", address{}, "takes no query"},
		{"run://" + runID + "/steps", address{}, "not found"},
		{"run://" + runID[:35], address{}, "not found"},
		{"run://../approval", address{}, "not found"},
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
		case tt.err != "" && tt.err != "not found" && (err == nil || !strings.Contains(err.Error(), tt.err)):
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
	f.Add("run://%2e%2e/" + runID)
	f.Fuzz(func(t *testing.T, uri string) {
		a, err := parseAddress(uri)
		if err != nil {
			return
		}
		if len(a.runID) != 36 || strings.ContainsAny(a.runID, "/?#%.") || a.limit < 1 || a.limit > maxLimit || a.afterEventID < 0 {
			t.Fatalf("%q gave %+v", uri, a)
		}
		again := "run://" + a.runID
		if a.events {
			again += fmt.Sprintf("/events?afterEventId=%d&limit=%d", a.afterEventID, a.limit)
		}
		if b, err := parseAddress(again); err != nil || a != b {
			t.Fatalf("%q gave %+v, written again %+v, %v", uri, a, b, err)
		}
	})
}
