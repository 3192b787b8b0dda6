package approval

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"runs-mcp-server/client"
)

// TestMerge: what is pending by the stored events and the stream together. An
// approval is named by its tools, that of the whole run by "run".
func TestMerge(t *testing.T) {
	asked := func(id int, links, calls string) string {
		return fmt.Sprintf(`{"id":%d,"event":"step","runStatus":"PAUSED","step":{"approval":"PENDING","toolCalls":[%s],"approvalActions":%s}}`, id, calls, links)
	}
	tool := func(name string) string {
		return fmt.Sprintf(`{"toolCallId":%q,"toolName":%[1]q}`, name)
	}
	askedRun := func(links string) string {
		return `{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":` + links + `}`
	}
	action := func(id int, call string) string {
		return fmt.Sprintf(`{"id":%d,"event":"run_action","runStatus":"PAUSED","toolCallId":%q}`, id, call)
	}
	goesOn := func(id int) string { return fmt.Sprintf(`{"id":%d,"event":"status","runStatus":"RUNNING"}`, id) }
	decided := `{"id":1,"event":"step","runStatus":"PAUSED","step":{"approval":"APPROVED","toolCalls":[` + tool("a") + `],"approvalActions":` + links(1) + `}}`
	decidedLater := strings.Replace(decided, `"id":1`, `"id":2`, 1)
	other := strings.ReplaceAll(links(1), "approve-1", "approve-other")
	for name, tt := range map[string]struct {
		status         string
		stored, stream []string
		want           string
	}{
		"both":                                {"PAUSED", []string{asked(1, links(1), tool("a"))}, []string{asked(1, links(1), tool("a"))}, "a"},
		"the whole run":                       {"PAUSED", []string{askedRun(links(1))}, []string{askedRun(links(1))}, "run"},
		"links on the stream alone":           {"PAUSED", []string{asked(1, "[]", tool("a"))}, []string{asked(1, links(1), tool("a"))}, "a"},
		"and of the whole run":                {"PAUSED", []string{askedRun("[]")}, []string{askedRun(links(1))}, "run"},
		"links stored alone":                  {"PAUSED", []string{asked(1, links(1), tool("a"))}, []string{asked(1, "[]", tool("a"))}, "a"},
		"calls on the stream alone":           {"PAUSED", []string{asked(1, links(1), "")}, []string{asked(1, links(1), tool("a"))}, "a"},
		"calls stored alone":                  {"PAUSED", []string{asked(1, links(1), tool("a"))}, []string{asked(1, links(1), "")}, "a"},
		"other calls":                         {"PAUSED", []string{asked(1, links(1), tool("a"))}, []string{asked(1, links(1), tool("b"))}, "a"},
		"one call more":                       {"PAUSED", []string{asked(1, links(1), tool("a"))}, []string{asked(1, links(1), tool("a")+","+tool("b"))}, "a"},
		"other links":                         {"PAUSED", []string{asked(1, links(1), tool("a"))}, []string{asked(1, other, tool("a"))}, "a(deny)"},
		"links that the stream took back":     {"PAUSED", []string{asked(1, links(1), tool("a"))}, []string{asked(1, other, tool("a")), asked(1, links(1), tool("a"))}, "a(deny)"},
		"nothing stored yet":                  {"RUNNING", nil, []string{asked(1, links(1), tool("a"))}, "a"},
		"not on the stream yet":               {"PAUSED", []string{goesOn(1), asked(2, links(1), tool("a"))}, []string{goesOn(1)}, "a"},
		"no stream":                           {"PAUSED", []string{asked(1, links(1), tool("a"))}, nil, "a"},
		"decided elsewhere, the stream lags":  {"RUNNING", []string{asked(1, links(1), tool("a")), goesOn(2)}, []string{asked(1, links(1), tool("a"))}, ""},
		"the same, links on the stream alone": {"RUNNING", []string{asked(1, "[]", tool("a")), goesOn(2)}, []string{asked(1, links(1), tool("a"))}, ""},
		"the same, the asking is not stored":  {"RUNNING", []string{goesOn(2)}, []string{asked(1, links(1), tool("a"))}, ""},
		"one of two, by its call":             {"PAUSED", []string{asked(1, "[]", tool("a")), asked(2, "[]", tool("b")), action(3, "a")}, []string{asked(1, links(1), tool("a")), asked(2, links(2), tool("b"))}, "b"},
		"decided in its place":                {"PAUSED", []string{decided}, []string{asked(1, links(1), tool("a"))}, ""},
		"decided, the store lags":             {"PAUSED", []string{asked(1, links(1), tool("a"))}, []string{asked(1, links(1), tool("a")), goesOn(2)}, ""},
		"one of two, the store lags":          {"PAUSED", []string{asked(1, links(1), tool("a")), asked(2, links(2), tool("b"))}, []string{asked(1, links(1), tool("a")), asked(2, links(2), tool("b")), action(3, "b")}, "a"},
		"decided by a later step":             {"PAUSED", []string{decidedLater}, []string{asked(1, links(1), tool("a"))}, ""},
		"decided, no stream":                  {"PAUSED", []string{decided}, nil, ""},
		"decided in its place, another waits": {"PAUSED", []string{decided}, []string{asked(1, links(1), tool("a")), asked(2, links(2), tool("b"))}, "b"},
		"a step of which nothing is told":     {"PAUSED", nil, []string{`{"id":1,"event":"step","runStatus":"PAUSED","approvalActions":` + links(1) + `}`}, "?"},
		"ended":                               {"CANCELED", []string{asked(1, links(1), tool("a"))}, []string{asked(1, links(1), tool("a"))}, ""},
		"a second one behind the first":       {"PAUSED", []string{asked(1, links(1), tool("a")), goesOn(2)}, []string{asked(1, links(1), tool("a")), goesOn(2), asked(3, links(2), tool("b"))}, "b"},
	} {
		var run client.Run
		if err := json.Unmarshal([]byte(fmt.Sprintf(`{"runId":%q,"status":%q,"events":[%s]}`, runID, tt.status, strings.Join(tt.stored, ","))), &run); err != nil {
			t.Fatal(err)
		}
		stream, heard := NewTracker(caller, runID), int64(0)
		for _, text := range tt.stream {
			e := event(t, "%s", text)
			e.Amended = e.ID <= heard
			stream.AddEvent(e)
			heard = e.ID
		}
		told := stream.Pending()
		before := fmt.Sprint(told)
		var got []string
		for _, p := range Merge(caller, &run, told, heard) {
			var names []string
			if p.Scope == OfRun {
				names = []string{"run"}
			} else {
				for _, c := range p.calls() {
					names = append(names, c.ToolName)
				}
				if p.DetailsMissing() {
					names = []string{"?"}
				}
			}
			name := strings.Join(names, "+")
			if len(p.tokens) < 2 {
				for d := range p.tokens {
					name += "(" + string(d) + ")"
				}
			}
			got = append(got, name)
		}
		if strings.Join(got, ",") != tt.want {
			t.Errorf("%s: got %v, want %q", name, got, tt.want)
		}
		if fmt.Sprint(told) != before {
			t.Errorf("%s: the stream's own approvals were changed", name)
		}
	}
}
