package client

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestEveryField: each field of a run, its events and its plan is decoded.
func TestEveryField(t *testing.T) {
	const text = `{"runId":"` + onceRun + `","repeatKey":"k","repeatRunId":"` + onceRun + `","status":"PAUSED","executionPlanId":"p","intent":"i","context":"c",
		"createdAt":"t1","updatedAt":"t2","result":{"a":1},
		"plan":{"planType":"json","plan":{"title":"ti","description":"de","steps":[{"id":"1","description":"d1","dependsOnSteps":["0"]}]}},
		"events":[{"id":3,"event":"step","runStatus":"RUNNING","timestamp":"t3","approvalActions":[{"action":"deny","url":"u1"}],
			"auth":{"status":"required","url":"u2","integrationName":"n"},
			"step":{"reason":"r","text":"x","approval":"PENDING","approvalActions":[{"action":"approve","url":"u3"}],
				"toolCalls":[{"toolCallId":"tc","toolName":"tn","toolParameters":{"b":2},"toolResult":[3]}]}}]}`
	var got Run
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	raw := got.Events[0].Raw
	want := Run{
		RunID: onceRun, RepeatKey: "k", RepeatRunID: onceRun, Status: Paused, ExecutionPlanID: "p", Intent: "i", Context: "c",
		CreatedAt: "t1", UpdatedAt: "t2", Result: json.RawMessage(`{"a":1}`),
		Plan: &Plan{Title: "ti", Description: "de", Steps: []PlanStep{{ID: "1", Description: "d1", DependsOnSteps: []string{"0"}}}, Raw: got.Plan.Raw},
		Events: []Event{{
			ID: 3, Type: EventStep, RunStatus: Running, Timestamp: "t3", ApprovalActions: []ApprovalAction{{"deny", "u1"}}, Raw: raw,
			Auth: &Auth{Status: "required", URL: "u2", IntegrationName: "n"},
			Step: &Step{Reason: "r", Text: "x", Approval: "PENDING", ApprovalActions: []ApprovalAction{{"approve", "u3"}},
				ToolCalls: []ToolCall{{ToolCallID: "tc", ToolName: "tn", ToolParameters: json.RawMessage(`{"b":2}`), ToolResult: json.RawMessage(`[3]`)}}},
		}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !strings.HasPrefix(string(raw), `{"id":3,`) || !strings.HasPrefix(string(got.Plan.Raw), `{"planType":`) {
		t.Errorf("raw are %s and %s", raw, got.Plan.Raw)
	}
}

// TestNulls: null and values of another type leave fields empty.
func TestNulls(t *testing.T) {
	for text, want := range map[string]Run{
		`null`:                           {},
		`{"plan":null,"events":null}`:    {},
		`{"plan":{"plan":null}}`:         {Plan: &Plan{Raw: json.RawMessage(`{"plan":null}`)}},
		`{"events":[]}`:                  {Events: []Event{}},
		`{"runId":null,"status":null}`:   {},
		`{"runId":"X","repeatRunId":""}`: {RunID: "X"},
	} {
		var got Run
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`5`, `"x"`, `[]`} {
		if err := json.Unmarshal([]byte(text), new(Run)); err == nil {
			t.Errorf("%s is a run", text)
		}
	}
	for name, payload := range map[string]string{"a step": `{"step":{"toolCalls":null,"approvalActions":null}}`, "wrong types": `{"step":{"toolCalls":5,"approvalActions":{}}}`} {
		if e := decodeEvent("step", []byte(payload)); e.Step == nil || e.Step.ToolCalls != nil || e.Step.ApprovalActions != nil {
			t.Errorf("%s: got %+v", name, e.Step)
		}
	}
}

// TestEventForms: stored events name and nest their fields in several ways.
func TestEventForms(t *testing.T) {
	for _, tt := range []struct {
		item, kind, text string
		id               int64
		numbered         bool
	}{
		{`{"id":5,"event":"a","step":{"text":"x"}}`, "a", "x", 5, true},
		{`{"eventId":6,"type":"b","data":{"step":{"text":"x"}}}`, "b", "x", 6, true},
		{`{"id":"7","payload":{"step":{"text":"x"}}}`, EventStep, "x", 7, true},
		{`{"id":8,"event":"c","type":"d","data":5,"payload":"{\"step\":{\"text\":\"x\"}}"}`, "c", "x", 8, true},
		{`{"id":"x","eventId":9,"event":5,"type":"e","step":{"text":"x"}}`, "e", "x", 9, true},
		{`{"id":10,"data":"no object","step":{"text":"x"}}`, EventStep, "x", 10, true},
		{`"{\"id\":11,\"step\":{\"text\":\"x\"}}"`, EventStep, "x", 11, true},
		{`" {\"id\":12,\"step\":{\"text\":\"x\"}} "`, EventStep, "x", 12, true},
		{`"{no JSON"`, "", "", 0, false},
		{`{"event":"f"}`, "f", "", 0, false},
		{`{"id":""}`, "", "", 0, false},
		{`{"id":0}`, "", "", 0, false},
		{`{"id":-1}`, "", "", 0, false},
		{`{"id":1}`, "", "", 1, true},
		{`{"id":4503599627370495}`, "", "", 1<<52 - 1, true},
		{`{"id":4503599627370496}`, "", "", 0, false},
		{`{"id":1.5}`, "", "", 0, false},
	} {
		e, numbered := storedEvent([]byte(tt.item))
		text := ""
		if e.Step != nil {
			text = e.Step.Text
		}
		if e.Type != tt.kind || text != tt.text || e.ID != tt.id || numbered != tt.numbered || string(e.Raw) != tt.item {
			t.Errorf("%s: got %+v, text %q, numbered %t", tt.item, e, text, numbered)
		}
	}
}

// TestEventTypes: an event without a name is named by its payload.
func TestEventTypes(t *testing.T) {
	for payload, want := range map[string]string{
		`{"step":{}}`: EventStep, `{"auth":{}}`: EventAuth, `{"approvalActions":[{}]}`: EventRunApproval, `{"approvalActions":[]}`: "", `{"runStatus":"RUNNING"}`: "",
		`{"approval":"PENDING"}`: EventStep, `{"approval":""}`: "", `{"approval":5}`: "", `{"step":{},"auth":{}}`: EventStep,
	} {
		if e := decodeEvent("", []byte(payload)); e.Type != want {
			t.Errorf("%s is %q, want %q", payload, e.Type, want)
		}
	}
	if e := decodeEvent("step", []byte(`{"text":"x"}`)); e.Step == nil || e.Step.Text != "x" {
		t.Errorf("a flat step without an approval: %+v", e)
	}
	if e := decodeEvent("step", []byte(`{"text":"x","step":{"text":"y"}}`)); e.Step.Text != "y" {
		t.Errorf("a step beside flat fields: %+v", e.Step)
	}
	if e := decodeEvent("step", []byte("no JSON")); e.Type != "step" || e.Step != nil || string(e.Raw) != "no JSON" {
		t.Errorf("no JSON: %+v", e)
	}
}

// TestLinks: the run's links come before those of a step.
func TestLinks(t *testing.T) {
	run, step := []ApprovalAction{{"approve", "r"}}, []ApprovalAction{{"approve", "s"}}
	for _, tt := range []struct {
		e    Event
		want string
	}{
		{Event{}, ""},
		{Event{Step: &Step{}}, ""},
		{Event{ApprovalActions: run}, "r"},
		{Event{Step: &Step{ApprovalActions: step}}, "s"},
		{Event{ApprovalActions: run, Step: &Step{ApprovalActions: step}}, "r"},
	} {
		got := ""
		for _, link := range tt.e.Links() {
			got += link.URL
		}
		if got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.e, got, tt.want)
		}
	}
}

// TestCursors: the cursors of stored events grow, whatever their ids are.
func TestCursors(t *testing.T) {
	for ids, want := range map[string]string{
		"1 2 3": "1 2 3 false", "3 1 2": "1 2 3 false", "1 - 3": "1 2 3 false", "- - -": "1 2 3 true", "5 - 5": "5 6 7 false", "3 - 1": "3 4 5 false", "2 2 1": "1 2 3 false", "-": "1 true", "": "false",
	} {
		var items []string
		for id := range strings.FieldsSeq(ids) {
			item := `{"id":` + id + `}`
			if id == "-" {
				item = `{}`
			}
			items = append(items, item)
		}
		var run Run
		if err := run.decode([]byte(`{"events":[`+strings.Join(items, ",")+`]}`), maxEvents); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, e := range run.Events {
			got += fmt.Sprint(e.ID, " ")
		}
		if got += fmt.Sprint(run.Positions); got != want {
			t.Errorf("%q: got %q, want %q", ids, got, want)
		}
	}
}

// TestPages: both forms of a list, and how many runs there are.
func TestPages(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                                                       "0 -1",
		`[{"runId":"r"}]`:                                          "1 -1",
		`{"runs":[{"runId":"r"},{}]}`:                              "2 -1",
		`{"runs":[],"pagination":5}`:                               "0 -1",
		`{"runs":[],"pagination":{}}`:                              "0 -1",
		`{"pagination":{"total":7},"runs":[]}`:                     "0 7",
		`{"runs":[],"pagination":{"totalItems":8}}`:                "0 8",
		`{"runs":[],"pagination":{"totalItems":8,"total":7}}`:      "0 8",
		`{"runs":[],"pagination":{"total":7,"totalItems":"8"}}`:    "0 7",
		`{"runs":[],"pagination":{"total":null,"pageSize":20}}`:    "0 -1",
		`{"runs":[],"pagination":{"total":0,"otherTotalItems":5}}`: "0 0",
	} {
		page := RunPage{Total: -1}
		if err := page.decode([]byte(text)); err != nil || fmt.Sprint(len(page.Runs), page.Total) != want || page.More != 0 || page.Runs == nil {
			t.Errorf("%s: got %+v, %v; want %s", text, page, err, want)
		}
	}
	for _, text := range []string{`{}`, `{"runs":5}`, `5`, `null`, `[5]`, `{"runs":["x"]}`} {
		if err := new(RunPage).decode([]byte(text)); err == nil {
			t.Errorf("%s is a page", text)
		}
	}
}

// TestListedEvents: of each run of a list the ten newest events are decoded.
func TestListedEvents(t *testing.T) {
	run := `{"runId":"r","events":[` + strings.TrimSuffix(strings.Repeat("{},", 12), ",") + `]}`
	var page RunPage
	if err := page.decode([]byte("[" + run + "]")); err != nil || len(page.Runs[0].Events) != 10 || page.Runs[0].Earlier != 2 || page.Runs[0].Events[0].Missing != 2 {
		t.Errorf("got %+v, %v", page.Runs, err)
	}
}

// TestStrategies are ordered from the least to the most strict.
func TestStrategies(t *testing.T) {
	for _, tt := range []struct{ s, least, want ApprovalStrategy }{
		{ApproveNothing, ApproveNothing, ApproveNothing},
		{ApproveNothing, ApproveStart, ApproveStart},
		{ApproveStart, ApproveNothing, ApproveStart},
		{ApproveStart, ApproveToolCall, ApproveToolCall},
		{ApproveToolCall, ApproveStart, ApproveToolCall},
		{"", ApproveNothing, ApproveNothing},
	} {
		if got := tt.s.AtLeast(tt.least); got != tt.want {
			t.Errorf("%s, at least %s: got %s", tt.s, tt.least, got)
		}
	}
}

// TestTerminal: five of the nine statuses are terminal.
func TestTerminal(t *testing.T) {
	got := ""
	for _, s := range Statuses() {
		if s.Terminal() {
			got += string(s) + " "
		}
	}
	if want := "CANCELED NO_SUCCESS PARTIAL_SUCCESS SUCCESS FAILED "; got != want || len(Statuses()) != 9 {
		t.Errorf("terminal are %s", got)
	}
}
