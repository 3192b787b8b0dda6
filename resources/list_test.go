package resources_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// TestListPages: whatever the intents are, a page of 80 runs stays under 4 KB,
// the pages hold every run once, and all their ids are completed.
func TestListPages(t *testing.T) {
	intents := []string{
		"Find all overdue invoices in Salesforce and post a summary of them to the finance channel in Slack, then remind the account owners",
		strings.Repeat("<&>", 300), strings.Repeat("\U0001F9FE\"", 200), "x",
	}
	bed := testbed.New(t, nil, nil)
	want := map[string]int{"integrations://active": 1}
	first := bed.Connect(testbed.Newest, nil)
	for i := range 80 {
		run := testbed.Call[tools.RunResult](t, first, "create_run", map[string]any{"intent": intents[i%len(intents)], "context": "sandbox: step_ms=0"})
		want[string("run://"+string(run.RunID))] = 1
	}
	for _, version := range []string{"2025-11-25", testbed.Newest} {
		s := bed.Connect(version, nil)
		got, params := map[string]int{}, &sdk.ListResourcesParams{}
		for {
			page, err := s.ListResources(t.Context(), params)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(page)
			if err != nil || len(text) >= 4096 {
				t.Fatalf("a page of %d bytes, %v: %s", len(text), err, text)
			}
			for _, r := range page.Resources {
				got[r.URI]++
				if r.Name == "" || r.Description == "" || r.MIMEType != "application/json" {
					t.Errorf("got %+v", r)
				}
			}
			if params.Cursor = page.NextCursor; params.Cursor == "" {
				break
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %d resources are listed, want %d, each once", version, len(got), len(want))
		}
		done, err := s.Complete(t.Context(), &sdk.CompleteParams{
			Ref: &sdk.CompleteReference{Type: "ref/resource", URI: "run://{runId}"}, Argument: sdk.CompleteParamsArgument{Name: "runId"},
		})
		if err != nil || len(done.Completion.Values) != 80 || slices.ContainsFunc(done.Completion.Values, func(id string) bool { return want["run://"+id] == 0 }) {
			t.Errorf("%s: completed %+v, %v", version, done, err)
		}
	}
}

// TestListWithoutTheAPI: where the API is down, resources/list tells what needs no
// API, and no error.
func TestListWithoutTheAPI(t *testing.T) {
	bed := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	})
	for _, version := range []string{"2025-11-25", testbed.Newest} {
		page, err := bed.Connect(version, nil).ListResources(t.Context(), nil)
		if err != nil || len(page.Resources) != 1 || page.Resources[0].URI != "integrations://active" || page.NextCursor != "" {
			t.Errorf("%s: %+v, %v", version, page, err)
		}
	}
	if log := bed.Log.String(); !strings.Contains(log, "could not be listed as resources") {
		t.Errorf("the log says nothing of it: %s", log)
	}
}
