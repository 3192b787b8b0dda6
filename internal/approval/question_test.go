package approval

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

// nobody is the view of a person from whom there is nothing to hide.
func nobody() view.View { return view.New(redact.New()).ForPerson() }

// asks is the question for some tool calls.
func asks(reason string, calls ...client.ToolCall) string {
	return Question(nobody(), Pending{Scope: OfStep, Step: &client.Step{Reason: reason, ToolCalls: calls}}, &client.Run{RunID: runID, Intent: "pay"}, nil)
}

func call(name, parameters string) client.ToolCall {
	return client.ToolCall{ToolName: name, ToolParameters: json.RawMessage(parameters)}
}

// TestQuestion says the tool calls first, then the reason as the run's own.
func TestQuestion(t *testing.T) {
	want := `A run asks to go on.
It would call "pay" with {"amount":1000,"to":"<a>"}
It would call "log" with parameters that the API does not tell
The run's own reason: "so it is"
What the run is for: "pay"
Run ` + runID
	if got := asks("so it is", call("pay", `{"to":"<a>","amount":1000}`), call("log", "")); got != want {
		t.Errorf("got %s", got)
	}
	plan := &client.Plan{Steps: []client.PlanStep{{Description: "look"}, {Description: "pay"}}}
	if got := Question(nobody(), Pending{Scope: OfRun}, nil, plan); got != "A run asks to start.\nIts plan:\n1. \"look\"\n2. \"pay\"" {
		t.Errorf("got %s", got)
	}
	for name, unknown := range map[string]*client.Plan{"none": nil, "empty": {}, "blank": {Text: " \n"}} {
		if got := Question(nobody(), Pending{Scope: OfRun}, nil, unknown); !strings.HasSuffix(got, "The API does not tell its plan.") {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if got := asks(""); !strings.Contains(got, "It does not say which tools it would call.") || strings.Contains(got, "reason") {
		t.Errorf("got %s", got)
	}
}

// TestQuestionCannotBeForged: whatever a run says stays on its line and in its
// quotes, and shows no more than it is.
func TestQuestionCannotBeForged(t *testing.T) {
	evil := "x\"\u201d\n\u2028It would call \u201clist\u201d\r\x1b[2J\u202e\"\uff02 with {}"
	quoted, _ := json.Marshal(evil)
	plan := &client.Plan{Steps: []client.PlanStep{{Description: evil}}}
	run := &client.Run{RunID: evil, Intent: evil}
	for name, got := range map[string]string{
		"step": Question(nobody(), Pending{Scope: OfStep, Step: &client.Step{Reason: evil, ToolCalls: []client.ToolCall{call(evil, fmt.Sprintf(`{%s:%s}`, quoted, quoted))}}}, run, nil),
		"plan": Question(nobody(), Pending{Scope: OfRun}, run, plan),
		"text": Question(nobody(), Pending{Scope: OfRun}, run, &client.Plan{Text: evil}),
	} {
		for _, line := range strings.Split(got, "\n") {
			starts := slices.ContainsFunc([]string{"A run asks to ", `It would call "x\"`, "The run's own reason: ", "What the run is for: ", "Its plan:", "1. "}, func(s string) bool { return strings.HasPrefix(line, s) })
			if !starts || strings.ContainsAny(line, "\r\x1b\u202e\u2028") {
				t.Errorf("%s: a line of the run's own: %q", name, line)
			}
			if strings.Contains(strings.SplitN(line, " with {", 2)[0], "\u201d") {
				t.Errorf("%s: a quote that looks closed: %s", name, line)
			}
		}
	}
}

// TestQuestionIsBounded, and says in its own words, or by a mark, what it
// leaves out; every call that is listed says something of itself.
func TestQuestionIsBounded(t *testing.T) {
	fat := strings.Repeat("x", 5000)
	var many []client.ToolCall
	for i := range 25 {
		many = append(many, call(fmt.Sprint("tool", i), fmt.Sprintf(`{"a":%q,"b":1}`, fat)))
	}
	got := asks(fat, many...)
	if len(got) > 6<<10 || strings.Count(got, "It would call") != 10 || !strings.Contains(got, "\nand 15 more tools that are not listed here\n") || strings.Count(got, "bytes left out") != 11 || strings.Count(got, `"b":1}`) != 10 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
	if got := Question(nobody(), Pending{Scope: OfRun}, nil, &client.Plan{Text: fat}); !strings.Contains(got, "[3000 bytes left out]") {
		t.Errorf("a plan of text: %s", got)
	}
	if got := asks("", call("one", fmt.Sprintf(`{"a":%q}`, fat[:2900]))); strings.Contains(got, "left out") {
		t.Errorf("one call was cut: %s", got)
	}
	for steps, said := range map[string]string{"go": "and 10 more steps", fat: "and 53 more steps"} {
		plan := &client.Plan{Steps: slices.Repeat([]client.PlanStep{{Description: steps}}, 60)}
		if got := Question(nobody(), Pending{Scope: OfRun}, nil, plan); len(got) > 4<<10 || !strings.Contains(got, said+" that are not listed here") {
			t.Errorf("want %q: %s", said, got)
		}
	}
}

// TestHiddenIsTold: where something of what would happen had to be hidden, the
// question says so.
func TestHiddenIsTold(t *testing.T) {
	v := view.New(redact.New("q7Rz0XkT9-wLm2Ve")).ForPerson()
	ask := func(to string) string {
		return Question(v, Pending{Scope: OfStep, Step: &client.Step{ToolCalls: []client.ToolCall{call("pay", fmt.Sprintf(`{"to":%q}`, to))}}}, nil, nil)
	}
	const told = "\nSomething above is hidden"
	if got := ask("q7Rz0XkT9-wLm2Ve"); !strings.Contains(got, `{"to":"[removed]"}`) || !strings.Contains(got, told) {
		t.Errorf("got %s", got)
	}
	if got := ask("production-db"); strings.Contains(got, told) {
		t.Errorf("got %s", got)
	}
	// Curly quotes and blanks make no lines of their own.
	if got := ask("x" + strings.Repeat(" ", 80) + "It would call \u201cread\u201d"); !strings.Contains(got, `{"to":"x It would call 'read'"}`) {
		t.Errorf("got %s", got)
	}
}
