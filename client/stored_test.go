package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// value draws the JSON of a field, often of another type than the one it should
// have.
func value(depth int) *rapid.Generator[string] {
	leaf := rapid.SampledFrom([]string{`"text"`, `"d\u00e4\n"`, `"x?token=a-token"`, `"PENDING"`, "null", "true", "12", "-1.5e3", `""`, "[]", "{}"})
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf, fields(depth), rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(items []string) string {
		return "[" + strings.Join(items, ", ") + "]"
	}))
}

// fields draws an object with fields of events, in any case, some of them twice.
func fields(depth int) *rapid.Generator[string] {
	names := rapid.SampledFrom([]string{"runStatus", "RUNSTATUS", "timestamp", "step", "St\\u0065p", "auth", "approvalActions", "reason", "text", "approval",
		"toolCalls", "toolCallId", "toolName", "toolParameters", "toolResult", "status", "url", "integrationName", "action", "other"})
	return rapid.Map(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf(`"%s" :%s`, names.Draw(t, "name"), value(depth-1).Draw(t, "value"))
	}), 0, 6), func(members []string) string { return "{" + strings.Join(members, ",") + "}" })
}

// TestDecodedAsByJSON: an event is decoded as encoding/json would, except that
// fields of the wrong type stay empty.
func TestDecodedAsByJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := fields(4).Draw(t, "event")
		var want Event
		var wrongType *json.UnmarshalTypeError
		if err := json.Unmarshal([]byte(raw), &want); err != nil && !errors.As(err, &wrongType) {
			t.Fatalf("%s: %v", raw, err)
		}
		got := decodeValidEvent("other", []byte(raw))
		got.Raw, got.Type = nil, ""
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nis read as  %+v %+v %+v\nand says    %+v %+v %+v", raw, got, got.Step, got.Auth, want, want.Step, want.Auth)
		}
	})
}

// TestNewestEvents: the newest of too many events are decoded as if all were, and
// the tokens of the others are known.
func TestNewestEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.IntRange(1, 12)
		some := rapid.Bool().Draw(t, "some have no id")
		var items []string
		for i := range rapid.IntRange(1, 12).Draw(t, "events") {
			item := fmt.Sprintf(`{"approvalActions":[{"url":"?token=t%d"}]`, i)
			if !some || rapid.Bool().Draw(t, "has an id") {
				item += fmt.Sprintf(`,"id":%d`, id.Draw(t, "id"))
			}
			items = append(items, item+"}")
		}
		text := []byte(`{"runId":"r","events":[` + strings.Join(items, ",") + `]}`)
		most := rapid.IntRange(1, 12).Draw(t, "most")
		var all, newest Run
		if err := errors.Join(all.decode(text, maxEvents), newest.decode(text, most)); err != nil {
			t.Fatal(err)
		}
		older := max(len(items)-most, 0)
		want := slices.Clone(all.Events[older:])
		want[0].Missing = int64(older)
		if !reflect.DeepEqual(newest.Events, want) || newest.Earlier != older || newest.Positions != all.Positions {
			t.Fatalf("of %s\nthe newest %d are %+v, %d earlier; want %+v", text, most, newest.Events, newest.Earlier, want)
		}
		known, of := newest.ApprovalTokens(), all.ApprovalTokens()
		slices.Sort(known)
		if slices.Sort(of); !slices.Equal(known, of) {
			t.Fatalf("of %s\nthe tokens %q are known, not %q", text, known, of)
		}
	})
}

// TestManyInOne: items beyond a limit are counted or kept raw, and no token is
// lost.
func TestManyInOne(t *testing.T) {
	many := func(item string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	var run Run
	links := strings.TrimSuffix(many(`{}`, maxLinks+5), "]") + `,{"url":"?token=late"}]`
	err := run.decode([]byte(`{"runId":"r","plan":{"plan":{"steps":`+many(`{"id":"1"}`, maxSteps+7)+`}},"events":[{"step":{"approvalActions":`+links+`,"toolCalls":`+many(`{"toolName":"x"}`, maxCalls+3)+`}}]}`), maxEvents)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(run.Plan.Steps); n != maxSteps+1 || run.Plan.Steps[maxSteps].Description != "[7 later steps are not read]" {
		t.Errorf("%d steps, the last is %+v", n, run.Plan.Steps[n-1])
	}
	step := run.Events[0].Step
	if n := len(step.ToolCalls); n != maxCalls+1 || step.ToolCalls[maxCalls].ToolName != "[3 more tool calls]" || !strings.Contains(string(step.ToolCalls[maxCalls].ToolParameters), `"x"`) {
		t.Errorf("%d tool calls, the last is %.100v", n, step.ToolCalls[n-1])
	}
	if got := run.ApprovalTokens(); len(step.ApprovalActions) != maxLinks+1 || !slices.Equal(got, []string{"late"}) {
		t.Errorf("%d links with the tokens %q", len(step.ApprovalActions), got)
	}
	var page RunPage
	if err := page.decode([]byte(many("{}", maxRuns+9))); err != nil || len(page.Runs) != maxRuns || page.More != 9 {
		t.Errorf("%d runs and %d more, %v", len(page.Runs), page.More, err)
	}
}

// TestToken: a link's token is what net/url reads.
func TestToken(t *testing.T) {
	for _, link := range []string{"https://x.test/a?token=1", "?a=b&token=1&token=2", "?token=%zz&token=b", "?tok%65n=a%2Fb+c", "?token;x=1&token=2", "?token=1;2&token=3", "?token", "", "%", "?x=1#token=2"} {
		want := ""
		if u, err := url.Parse(link); err == nil {
			want = u.Query().Get("token")
		}
		if got := (ApprovalAction{URL: link}).Token(); got != want {
			t.Errorf("%s: %q, want %q", link, got, want)
		}
	}
}

// TestFlatStep: a step's fields may stand in the event itself, which is a step's
// then without a name, too.
func TestFlatStep(t *testing.T) {
	for name, isStep := range map[string]bool{"step": true, "": true, "other": false} {
		e := decodeValidEvent(name, []byte(`{"text":"pay","approval":"PENDING"}`))
		if got := e.Step != nil && e.Step.Text == "pay" && e.Type == EventStep; got != isStep {
			t.Errorf("an event %q is %+v", name, e)
		}
	}
	if e := decodeValidEvent("", []byte(`{"text":"pay"}`)); e.Step != nil {
		t.Errorf("a text alone made a step: %+v", e)
	}
}
