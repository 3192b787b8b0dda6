package resources_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/resources"
)

// TestEventBudget: pages of large events end at the budget, never empty, and
// say where the next one is; joined they are all events, once and in order.
func TestEventBudget(t *testing.T) {
	var items []string
	for id := 2; id <= 40; id += 2 { // with holes
		text, call := strings.Repeat("t", id*150), `{"toolCallId":"c","toolName":"n","toolParameters":{"a":"`+strings.Repeat("p", 3000)+`"},"toolResult":"r"}`
		calls := call
		if id == 20 { // far larger than a page by itself
			text, calls = strings.Repeat("<", 5000), strings.Repeat(call+",", 49)+call
		}
		items = append(items, fmt.Sprintf(`{"id":%d,"event":"step","runStatus":"RUNNING","step":{"text":%q,"reason":%[2]q,"toolCalls":[%[3]s]}}`, id, text, calls))
	}
	run := `{"runId":"` + someRun + `","status":"RUNNING","events":[` + strings.Join(items, ",") + `]}`
	for _, version := range []string{testbed.Oldest, testbed.Newest} {
		s := testbed.New(t, nil, answering(map[string]string{"/v1/runs/" + someRun + "?includeEvents": run})).Connect(version, nil)
		pages, id := 0, int64(2)
		for uri := "run://" + someRun + "/events?limit=500"; uri != ""; pages++ {
			raw, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
			if err != nil {
				t.Fatal(err)
			}
			var page resources.EventPage
			if err := json.Unmarshal([]byte(raw.Contents[0].Text), &page); err != nil {
				t.Fatal(err)
			}
			if n := len(raw.Contents[0].Text); n >= 12_000 || len(page.Events) == 0 || page.More != (page.Next != "") {
				t.Errorf("%s: %d bytes, %d events, more %v, next %s", uri, n, len(page.Events), page.More, page.Next)
			}
			for _, e := range page.Events {
				if e.EventID != id || len(e.ToolCalls) == 0 {
					t.Fatalf("%s: event %d, want %d: %+v", uri, e.EventID, id, e)
				}
				if last := e.ToolCalls[len(e.ToolCalls)-1].ToolName; id == 20 && !strings.HasSuffix(last, "more tool calls left out]") {
					t.Errorf("nothing says that tool calls are left out: %s", last)
				}
				id += 2
			}
			if page.LastEventID != id-2 || page.More && page.Next != fmt.Sprintf("run://%s/events?afterEventId=%d&limit=500", someRun, id-2) {
				t.Errorf("%s: last %d, next %s", uri, page.LastEventID, page.Next)
			}
			uri = page.Next
		}
		if id != 42 || pages < 10 || pages > 20 {
			t.Errorf("%s: %d pages to event %d", version, pages, id-2)
		}
	}
}

// TestFullPage holds that a page takes an event that fills it to the last byte, and no
// larger one.
func TestFullPage(t *testing.T) {
	const size = 10_000 // of the events of a page, in bytes; see docs/limits.md
	readWith := func(last int) (page resources.EventPage, bytes int) {
		var items []string
		for i, text := range []int{2000, 2000, 2000, 2000, last} {
			items = append(items, fmt.Sprintf(`{"id":%d,"event":"step","runStatus":"RUNNING","step":{"text":%q}}`, i+1, strings.Repeat("t", text)))
		}
		run := `{"runId":"` + someRun + `","status":"RUNNING","events":[` + strings.Join(items, ",") + `]}`
		s := testbed.New(t, nil, answering(map[string]string{"/v1/runs/" + someRun + "?includeEvents": run})).Connect(testbed.Newest, nil)
		page = read[resources.EventPage](t, s, "run://"+someRun+"/events?limit=500")
		for _, e := range page.Events {
			shown, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			bytes += len(shown)
		}
		return page, bytes
	}
	page, bytes := readWith(1000)
	if len(page.Events) != 5 {
		t.Fatalf("%d events of %d bytes", len(page.Events), bytes)
	}
	room := 1000 + size - bytes
	if page, bytes = readWith(room); len(page.Events) != 5 || bytes != size || page.More {
		t.Errorf("a full page: %d events of %d bytes, more %v", len(page.Events), bytes, page.More)
	}
	if page, bytes = readWith(room + 1); len(page.Events) != 4 || !page.More {
		t.Errorf("a byte too many: %d events of %d bytes, more %v", len(page.Events), bytes, page.More)
	}
}
