package resources_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/view"
	"runs-mcp-server/resources"
	"runs-mcp-server/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func read[R any](t *testing.T, s *sdk.ClientSession, uri string) R {
	t.Helper()
	got, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
	if err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	if len(got.Contents) != 1 || got.Contents[0].URI != uri || got.Contents[0].MIMEType != "application/json" {
		t.Fatalf("%s: got %+v", uri, got.Contents)
	}
	var r R
	if err := json.Unmarshal([]byte(got.Contents[0].Text), &r); err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	return r
}

// TestRead reads a run and pages through its events.
func TestRead(t *testing.T) {
	for _, version := range []string{testbed.Oldest, testbed.Newest} {
		s := testbed.New(t, nil, nil).Connect(version, nil)
		templates, err := s.ListResourceTemplates(t.Context(), nil)
		if err != nil || len(templates.ResourceTemplates) != 4 {
			t.Fatalf("templates %+v, %v", templates, err)
		}
		for _, template := range templates.ResourceTemplates {
			if !strings.HasPrefix(template.URITemplate, "run://{runId}") || template.Title == "" || template.Description == "" || template.MIMEType != "application/json" {
				t.Errorf("got %+v", template)
			}
		}
		run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: steps=10 step_ms=0", "waitSeconds": 30})
		if got := read[view.Run](t, s, string("run://"+string(run.RunID))); got.Status != "SUCCESS" || got.Result == nil || got.Context != "" {
			t.Errorf("got %+v", got)
		}
		next, after := int64(1), int64(0)
		for more := true; more; {
			page := read[resources.EventPage](t, s, fmt.Sprintf("run://%s/events?limit=4&afterEventId=%d", run.RunID, after))
			for _, e := range page.Events {
				if e.EventID != next {
					t.Fatalf("event %d, want %d", e.EventID, next)
				}
				next++
			}
			after, more = page.LastEventID, page.More
		}
		if next != 14 {
			t.Errorf("%d events, want 13", next-1)
		}
	}
}

// TestNotFound is the protocol's error of its era, for every address that is
// not a run this caller can see.
func TestNotFound(t *testing.T) {
	for version, code := range map[string]int64{testbed.Oldest: -32002, testbed.Newest: -32602} {
		s := testbed.New(t, nil, nil).Connect(version, nil)
		const foreign = "run://123e4567-e89b-12d3-a456-426614174000"
		for _, uri := range []string{
			foreign, foreign + "/events", foreign + "/plan", foreign + "/result", foreign + "/result?offset=1&limit=1",
			"runs://17", "integrations://", "integrations://all", "integrations://active?x=1", "file:///etc/passwd",
		} {
			_, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
			var wire *jsonrpc.Error
			if !errors.As(err, &wire) || wire.Code != code {
				t.Errorf("%s %s: got %v, want code %d", version, uri, err, code)
				continue
			}
			var data struct{ URI string }
			if json.Unmarshal(wire.Data, &data) != nil || data.URI != uri {
				t.Errorf("%s: data %s", uri, wire.Data)
			}
		}
	}
}

// TestHalfExpanded: an address whose template a client filled in by half is
// what its sender meant.
func TestHalfExpanded(t *testing.T) {
	for _, version := range []string{testbed.Oldest, testbed.Newest} {
		s := testbed.New(t, nil, nil).Connect(version, nil)
		run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: steps=3 step_ms=0", "waitSeconds": 30})
		upper := strings.ToUpper(string(run.RunID))
		for uri, want := range map[string]string{
			string(" run://" + run.RunID + "/ "):                                                `"status":"SUCCESS"`,
			"run://" + upper:                                                                    `"status":"SUCCESS"`,
			string("RUN://<" + run.RunID + ">"):                                                 `"status":"SUCCESS"`,
			string(run.RunID):                                                                   `"status":"SUCCESS"`,
			string("run://" + string(run.RunID) + "/events?"):                                   `"lastEventId":6`,
			"run://" + upper + "/events{?afterEventId,limit}":                                   `"lastEventId":6`,
			string("run://" + string(run.RunID) + "/events%7B?afterEventId,limit%7D"):           `"lastEventId":6`,
			string("run://" + string(run.RunID) + "/events?afterEventId={afterEventId}&limit="): `"lastEventId":6`,
			string("run://" + string(run.RunID) + "/events?limit=2{&afterEventId}"):             `"lastEventId":2`,
			string("run://" + string(run.RunID) + "/events{?afterEventId=1,limit=2}"):           `"lastEventId":3`,
			string("run://" + string(run.RunID) + "/plan/{?offset,limit}"):                      `"summary":"The whole plan: 3 steps."`,
			string("run://%7B" + run.RunID + "%7D/result%7B%3Foffset%2Climit%7D"):               `"offset":0`,
			"Integrations://active/":                                                            `"integrations":[`,
		} {
			got, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
			if err != nil || len(got.Contents) != 1 || !strings.Contains(got.Contents[0].Text, want) {
				t.Errorf("%s %q: got %+v, %v", version, uri, got, err)
				continue
			}
			if half := strings.Contains(uri, "{"); half && strings.Contains(uri, "/events") {
				if err := s.Subscribe(t.Context(), &sdk.SubscribeParams{URI: uri}); err != nil {
					t.Errorf("%s %q: subscribing: %v", version, uri, err)
				}
			}
			// What is answered has an address that means the same.
			again, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: got.Contents[0].URI})
			if err != nil || again.Contents[0].Text != got.Contents[0].Text {
				t.Errorf("%s %q: %q reads as %+v, %v", version, uri, got.Contents[0].URI, again, err)
			}
		}
	}
}

// TestWrongAddress says what is wrong with an address of a run that names none.
func TestWrongAddress(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	for _, version := range []string{testbed.Oldest, testbed.Newest} {
		s := bed.Connect(version, nil)
		for uri, want := range map[string]string{
			"run://{runId}":                          "after run:// comes a run's id, a UUID",
			"run://%7BrunId%7D":                      "after run:// comes a run's id, a UUID",
			"run://<id>/events{?afterEventId,limit}": "after run:// comes a run's id, a UUID",
			"run://":                                 "after run:// comes a run's id, a UUID",
			"run://17/plan":                          "after run:// comes a run's id, a UUID",
			"run://123e4567-e89b-12d3-a456-426614174000/secrets":      "a run has events, plan and result",
			"run://123e4567-e89b-12d3-a456-426614174000?limit=5":      "takes no query",
			"run://123e4567-e89b-12d3-a456-426614174000/events?x=1":   "the query takes afterEventId and limit alone",
			"run://123e4567-e89b-12d3-a456-426614174000/events?a=%zz": "the query is malformed",
		} {
			_, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
			var wire *jsonrpc.Error
			if !errors.As(err, &wire) || wire.Code != -32602 || !strings.Contains(wire.Message, want) || len(wire.Data) > 0 {
				t.Errorf("%s %q: got %v, want %q", version, uri, err, want)
			}
		}
	}
}

// TestWrongQuery: what is wrong with a query is the protocol's error for
// parameters, without the data that marks an unknown resource.
func TestWrongQuery(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	for _, version := range []string{testbed.Oldest, testbed.Newest} {
		s := bed.Connect(version, nil)
		for query, want := range map[string]string{
			"/events?limit=9999": "limit must be a whole number from 1 to 500", "/result?limit=0": "limit must be", "/result?offset=x": "offset must be",
			"/result?offset=1&offset=2": "twice",
		} {
			_, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://123e4567-e89b-12d3-a456-426614174000" + query})
			var wire *jsonrpc.Error
			if !errors.As(err, &wire) || wire.Code != -32602 || !strings.Contains(wire.Message, want) || len(wire.Data) > 0 {
				t.Errorf("%s %s: got %v", version, query, err)
			}
		}
	}
}

// TestFailedRead says what is wrong and nothing secret.
func TestFailedRead(t *testing.T) {
	bed := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			fmt.Fprintf(w, `{"message":"overloaded, key %s"}`, r.Header.Get("x-api-key"))
		})
	})
	s := bed.Connect(testbed.Newest, nil)
	_, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://123e4567-e89b-12d3-a456-426614174000"})
	if err == nil || !strings.Contains(err.Error(), "upstream_unavailable") || strings.Contains(err.Error(), string(bed.Caller.Key)) {
		t.Errorf("got %v", err)
	}
}

// TestCursorBeyondTheNewest: the ids may have begun anew, so what follows is read
// from the start.
func TestCursorBeyondTheNewest(t *testing.T) {
	s := testbed.New(t, nil, nil).Connect(testbed.Newest, nil)
	run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: steps=2 step_ms=0", "waitSeconds": 30})
	page := read[resources.EventPage](t, s, string("run://"+string(run.RunID)+"/events?afterEventId=99999"))
	if len(page.Events) != 0 || !page.More || page.LastEventID != 0 || page.Next != "run://"+string(run.RunID)+"/events?afterEventId=0&limit=50" {
		t.Errorf("got %+v", page)
	}
}
