package doctor

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestReport holds the status of a report, and its JSON.
func TestReport(t *testing.T) {
	r := &Report{Version: "1.2.3", Hide: func(text string) string { return strings.ReplaceAll(text, "secret", "[removed]") }}
	r.ok("A", "one", "all is well with %d", 1)
	r.Add("A", "two", Warning, "a secret is in plain text here", "Put it elsewhere.")
	r.skip("B", "three", "not checked")
	if r.Status != Warning {
		t.Errorf("status %s", r.Status)
	}
	r.Add("B", "four", Failed, "it does not work", "Repair it.")
	r.Add("B", "five", Warning, "x", "y")
	if r.Status != Failed {
		t.Errorf("status %s", r.Status)
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.HasPrefix(string(text), `{"version":"1.2.3","status":"failed","checks":[{"area":"A","name":"one","status":"ok","detail":"all is well with 1"},{"area":"A","name":"two","status":"warning","detail":"a [removed] is in plain text here","fix":"Put it elsewhere."}`) {
		t.Errorf("%s, %v", text, err)
	}
}
