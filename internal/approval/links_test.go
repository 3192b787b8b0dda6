package approval

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestTwoLinksForOneDecision: two links for one decision count as none, wherever they
// stand in the event and whether they come at once or later. The other decision keeps
// its link.
func TestTwoLinksForOneDecision(t *testing.T) {
	link := func(action, token string) string {
		return fmt.Sprintf(`{"action":%q,"url":"https://x/v1/runs/approval?token=%s"}`, action, token)
	}
	event1 := func(run, step []string) string {
		return fmt.Sprintf(`{"id":1,"event":"step","runStatus":"PAUSED","approvalActions":[%s],"step":{"approval":"PENDING","toolCalls":[{"toolName":"t"}],"approvalActions":[%s]}}`,
			strings.Join(run, ","), strings.Join(step, ","))
	}
	a, b, d := link("approve", "token-a"), link("approve", "token-b"), link("deny", "token-d")
	var many []string
	for i := range maxLinks + 1 {
		many = append(many, link("approve", fmt.Sprintf("token-%d", i)))
	}
	last := link("deny", fmt.Sprintf("token-%d", maxLinks))
	for name, tt := range map[string]struct {
		events []string
		want   string // the tokens as JSON; "" where nothing waits
	}{
		"one each":              {[]string{event1(nil, []string{a, d})}, `{"approve":"token-a","deny":"token-d"}`},
		"the same at both":      {[]string{event1([]string{a, d}, []string{d, a})}, `{"approve":"token-a","deny":"token-d"}`},
		"one at each place":     {[]string{event1([]string{a}, []string{d})}, `{"approve":"token-a","deny":"token-d"}`},
		"two at one place":      {[]string{event1(nil, []string{a, b, d})}, `{"deny":"token-d"}`},
		"in other letter case":  {[]string{event1(nil, []string{a, link("APPROVE", "token-b"), d})}, `{"deny":"token-d"}`},
		"two at two places":     {[]string{event1([]string{a}, []string{b, d})}, `{"deny":"token-d"}`},
		"two, and no other":     {[]string{event1(nil, []string{a, b})}, ""},
		"one after the other":   {[]string{event1(nil, []string{a, d}), event1(nil, []string{b, d})}, `{"deny":"token-d"}`},
		"and back":              {[]string{event1(nil, []string{a, d}), event1(nil, []string{b, d}), event1(nil, []string{a, d})}, `{"deny":"token-d"}`},
		"the deny link later":   {[]string{event1(nil, []string{a}), event1(nil, []string{d})}, `{"approve":"token-a","deny":"token-d"}`},
		"one for both":          {[]string{event1(nil, []string{a, link("deny", "token-a")})}, ""},
		"one of two for both":   {[]string{event1(nil, []string{a, b, link("deny", "token-b")})}, ""},
		"for both, but later":   {[]string{event1(nil, []string{a, d}), event1(nil, []string{link("deny", "token-a")})}, ""},
		"more than are kept":    {[]string{event1(many, []string{last})}, ""},
		"more, and another":     {[]string{event1(many, []string{d})}, ""},
		"links of no decision":  {[]string{event1(nil, []string{link("maybe", "token-m")})}, ""},
		"links without a token": {[]string{event1(nil, []string{`{"action":"approve","url":"https://x/v1/runs/approval"}`})}, ""},
	} {
		tracker := NewTracker(caller, runID)
		for i, text := range tt.events {
			e := event(t, "%s", text)
			e.Amended = i > 0
			tracker.AddEvent(e)
		}
		got := ""
		if p := tracker.Pending(); len(p) > 1 {
			t.Errorf("%s: %d wait", name, len(p))
		} else if len(p) == 1 {
			tokens, _ := json.Marshal(p[0].tokens)
			got = string(tokens)
			if p[0].ID != tracker.id(p[0].tokens) || p[0].DetailsMissing() {
				t.Errorf("%s: got %+v", name, p[0])
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

// TestLinksOfTwoEvents: the links of two events make two approvals.
func TestLinksOfTwoEvents(t *testing.T) {
	tracker := NewTracker(caller, runID)
	for n := range 2 {
		tracker.AddEvent(event(t, `{"id":%d,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, n+1, links(n)))
	}
	var at []int64
	for _, p := range tracker.Pending() {
		at = append(at, p.EventID)
	}
	if !slices.Equal(at, []int64{1, 2}) {
		t.Errorf("pending from events %v", at)
	}
}
