package doctor

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestReport holds how a report is printed, and its JSON.
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
	var out bytes.Buffer
	r.Print(&out, 36, func(s Status, text string) string { return "<" + text + ">" })
	const want = `A
  <ok      > one: all is well with 1
  <warning > two: a [removed] is in
           plain text here
           Fix: Put it elsewhere.

B
  <skipped > three: not checked
  <failed  > four: it does not work
           Fix: Repair it.
  <warning > five: x
           Fix: y

1 ok, 2 warning, 1 failed, 1 skipped
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.HasPrefix(string(text), `{"version":"1.2.3","status":"failed","checks":[{"area":"A","name":"one","status":"ok","detail":"all is well with 1"},{"area":"A","name":"two","status":"warning","detail":"a [removed] is in plain text here","fix":"Put it elsewhere."}`) {
		t.Errorf("%s, %v", text, err)
	}
}
