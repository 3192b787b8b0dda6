package approval

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

// asks returns the question for some tool calls.
func asks(reason string, calls ...client.ToolCall) string {
	return Request{Pending: Pending{Scope: OfStep, Step: &client.Step{Reason: reason, ToolCalls: calls}}, Run: &client.Run{RunID: runID, Intent: "pay"}, secrets: redact.New()}.Question(false)
}

// starts returns the question for a plan.
func starts(told, remembered *client.Plan) string {
	return Request{Pending: Pending{Scope: OfRun}, Run: &client.Run{}, Plan: told, remembered: remembered, secrets: redact.New()}.Question(false)
}

func call(name, parameters string) client.ToolCall {
	return client.ToolCall{ToolName: name, ToolParameters: json.RawMessage(parameters)}
}

// unbroken returns a question with each paragraph on one line.
func unbroken(question string) string { return strings.ReplaceAll(question, "\n"+indent, "") }

// TestQuestion: the question says how much would happen, then what, then the run's
// own reason.
func TestQuestion(t *testing.T) {
	pay, look := client.PlanStep{Description: "pay"}, client.PlanStep{Description: "look"}
	for name, tt := range map[string]struct{ got, want string }{
		"one call": {asks("so it is", call("pay", `{"amount":1000, "to": "<a>","to":"b"}`)), `A run asks for 1 tool call, 35 bytes of parameters.
It would call "pay" with {"to":"b","to":"<a>","amount":1000}
The run's own reason: "so it is"
What the run is for: "pay"
Run ` + runID},
		"calls": {asks("", call("pay", `{"n":[1.0,1e2,-0,true,null,{}]}`), call("log", ""), call("list", `""`)), `A run asks for 3 tool calls, 33 bytes of parameters.
It would call "pay", "log", "list"
1. "pay" with {"n":[1.0, 1e2, -0, true, null, {}]}
2. "log" with parameters that the API does not tell
3. "list" with ""
What the run is for: "pay"
Run ` + runID},
		"no call":     {asks(""), "A run asks to go on. It does not say which tools it would call.\nWhat the run is for: \"pay\"\nRun " + runID},
		"steps":       {starts(&client.Plan{Title: "t", Description: "d", Steps: []client.PlanStep{look, pay}}, nil), "A run asks to start: the whole run, 2 steps.\n1. \"look\"\n2. \"pay\"\nThe plan's title: \"t\"\nThe plan's description: \"d\""},
		"text":        {starts(&client.Plan{Text: "go"}, nil), "A run asks to start: the whole run, a plan of 2 bytes.\nIts plan: \"go\""},
		"no plan":     {starts(nil, nil), "A run asks to start: the whole run. The API does not tell its plan."},
		"a kept plan": {starts(nil, &client.Plan{Steps: []client.PlanStep{pay}}), "A run asks to start: the whole run, 1 step.\n1. \"pay\"\nThis is its plan as it was created. The API does not tell these steps now."},
		"a kept plan and another": {starts(&client.Plan{Text: "soon"}, &client.Plan{Steps: []client.PlanStep{pay}}),
			"A run asks to start: the whole run, 1 step.\nThe API says of its plan: \"soon\"\n1. \"pay\"\nThis is its plan as it was created. The API does not tell these steps now."},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, tt.got, tt.want)
		}
	}
	changed := Request{Pending: Pending{Scope: OfStep, Step: &client.Step{ToolCalls: []client.ToolCall{call("pay", `{}`)}}}, Run: &client.Run{}, secrets: redact.New()}.Question(true)
	if !strings.HasPrefix(changed, "Changed: it asks for 1 tool call, 2 bytes of parameters.\n") {
		t.Errorf("changed: got %s", changed)
	}
}

// TestQuote: invisible characters are escaped, and long rows of them are counted.
func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"plain é ü 漢字 🙂":                  `"plain é ü 漢字 🙂"`,
		`a"b\c`:                           `"a\"b\\c"`,
		"\u201cx\u201d \uff02":            `"\u201cx\u201d \uff02"`,
		"a\nb\tc\r\u2028":                 `"a\nb\tc\r\u2028"`,
		"a\u202eb\u2066c\u200fd":          `"a\u202eb\u2066c\u200fd"`,
		"a\u200bb\ufeffc\u00add":          `"a\u200bb\ufeffc\u00add"`,
		"a\u2800b\u3164c\U000e0041":       `"a\u2800b\u3164c\U000e0041"`,
		"a\x1b[2J\x00\x7f\u009b":          `"a\x1b[2J\x00\x7f\u009b"`,
		"❤\ufe0f":                         `"❤\ufe0f"`,
		"a\u00a0b\u3000":                  `"a\u00a0b\u3000"`,
		"\xff":                            `"\xff"`,
		"e\u0301 न\u0940":                 "\"e\u0301 न\u0940\"",
		"\u0301a":                         `"\u0301a"`,
		"1\u0301":                         `"1\u0301"`,
		"a\u0336b\u20e0":                  `"a\u0336b\u20e0"`,
		"a" + strings.Repeat("\u0301", 3): "\"a\u0301\u0301\u0301\"",
		"a" + strings.Repeat("\u0301", 300) + "b":            `"a" [300 combining marks] "b"`,
		"a" + strings.Repeat(" ", 300) + "b":                 `"a" [300 blanks] "b"`,
		"a" + strings.Repeat("\n \u00a0", 100):               `"a" [300 blanks]`,
		strings.Repeat("\U000e0041", 300) + "b":              `"" [300 invisible characters] "b"`,
		"\u05d0\u05d1 100":                                   "\u2066\"\u05d0\u05d1 100\"\u2069",
		"a\u0333b\u0334c\u0338d\u0339e\u20d0f":               "\"a\u0333b\\u0334c\\u0338d\u0339e\\u20d0f\"",
		"\u0590 \u0900":                                      "\"\\u0590 \\u0900\"",
		strings.Repeat("x", 140):                             `"` + strings.Repeat("x", 140) + `"`,
		strings.Repeat("x", 141):                             `"` + strings.Repeat("x", 100) + `" [41 bytes cut]`,
		strings.Repeat("x", 200):                             `"` + strings.Repeat("x", 100) + `" [100 bytes cut]`,
		strings.Repeat("\u202e", 8) + strings.Repeat("x", 9): `"` + strings.Repeat(`\u202e`, 8) + strings.Repeat("x", 9) + `"`,
	} {
		if got := Quote(redact.New(), text, 100); got != want {
			t.Errorf("%+q: got %s, want %s", text, got, want)
		}
	}
	const secret = "a-secret-of-the-operator"
	for text, want := range map[string]string{
		"x " + secret + " y":                     `"x [removed] y"`,
		"x a-sec\u200bret-of-the-operator\u202e": `"x [removed]" [2 invisible characters]`,
		strings.Repeat("x", 99) + secret + "y":   `"` + strings.Repeat("x", 99) + `" [25 bytes cut]`,
		strings.Repeat("\u200b", 99) + secret:    `"[removed]" [99 invisible characters]`,
	} {
		w := &writer{secrets: redact.New(secret)}
		if got := w.quote(text, 100); got != want || (w.hidden > 0) != strings.Contains(want, "removed") || w.cut != strings.Contains(want, "cut") {
			t.Errorf("%+q: got %s, want %s; %+v", text, got, want, w)
		}
	}
}

// TestQuestionCannotBeForged: a run's text stays on its line and in its quotes, and
// holds no invisible character.
func TestQuestionCannotBeForged(t *testing.T) {
	evil := "x\"\u201d\n\u2028It would call \u201clist\u201d\r\x1b[2J\u202e\"\uff02 with {}" + strings.Repeat("\n  Run y", 20)
	quoted, _ := json.Marshal(evil)
	run := &client.Run{RunID: client.RunID(evil), Intent: evil}
	plan := &client.Plan{Title: evil, Description: evil, Steps: []client.PlanStep{{Description: evil}}}
	calls := []client.ToolCall{call(evil, fmt.Sprintf(`{%s:%s}`, quoted, quoted)), call("b", string(quoted))}
	for name, r := range map[string]Request{
		"step":       {Pending: Pending{Scope: OfStep, Step: &client.Step{Reason: evil, ToolCalls: calls[:1]}}},
		"steps":      {Pending: Pending{Scope: OfStep, Step: &client.Step{Text: evil, ToolCalls: calls}}},
		"plan":       {Pending: Pending{Scope: OfRun}, Plan: plan},
		"text":       {Pending: Pending{Scope: OfRun}, Plan: &client.Plan{Text: evil}},
		"remembered": {Pending: Pending{Scope: OfRun}, Plan: &client.Plan{Text: evil}, remembered: plan},
	} {
		r.Run, r.secrets = run, redact.New()
		ours := []string{"A run asks ", `It would call "x\"`, "The run's own reason: ", "What the run is for: ", "Its plan: ", "The API says of its plan: ", "The plan's title: ", "The plan's description: ", "This is its plan", "1. ", "2. \"b\" with \"x", indent}
		for _, line := range strings.Split(r.Question(false), "\n") {
			if !slices.ContainsFunc(ours, func(s string) bool { return strings.HasPrefix(line, s) }) || widthOf(line) > columns {
				t.Errorf("%s: a line of the run's own: %q", name, line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Contains(line, "\u201d") {
				t.Errorf("%s: what cannot be seen, or looks like a quote: %q", name, line)
			}
		}
	}
}

// TestFirstLines: the first three lines of 80 columns show what would happen,
// whatever is put before it.
func TestFirstLines(t *testing.T) {
	fat := strings.Repeat("x", 5000)
	many := []client.ToolCall{call("mail.search", `{"q":"`+fat+`"}`), call("drop_database", `{"name":"production"}`)}
	for range 98 {
		many = append(many, call("log", `{}`))
	}
	for name, tt := range map[string]struct {
		got  string
		want []string
	}{
		"a small field behind a large one":  {asks(fat, call("pay", `{"note":"`+fat+`","to":"DE89370400440532013000","amount":1000}`)), []string{`"pay"`, `"DE89370400440532013000"`, "1000", "Not all is shown."}},
		"a small field in a large one":      {asks(fat, call("pay", `{"a":{"note":"`+fat+`","to":"x@y.test"}}`)), []string{`"x@y.test"`}},
		"blanks before it":                  {asks("", call("pay", `{"to":"`+strings.Repeat(" ", 2000)+`x@y.test"}`)), []string{"x@y.test", "[2000 blanks]"}},
		"lines before it":                   {asks("", call("pay", `{"to":"`+strings.Repeat(`\n`, 2000)+`x@y.test"}`)), []string{"x@y.test", "[2000 blanks]"}},
		"marks before it":                   {asks("", call("pay", `{"to":"a`+strings.Repeat(`\u0301`, 500)+`x@y.test"}`)), []string{"x@y.test"}},
		"what is invisible before it":       {asks("", call("pay", `{"to":"`+strings.Repeat(`\u200b`, 500)+`x@y.test"}`)), []string{"x@y.test"}},
		"many calls":                        {asks("", many...), []string{"100 tool calls, 5225 bytes", `"mail.search", "drop_database", "log", `, " and 95 more\n"}},
		"two calls":                         {asks("", many[:2]...), []string{"2 tool calls", `"drop_database"`}},
		"steps":                             {starts(&client.Plan{Description: fat, Steps: []client.PlanStep{{Description: "look"}, {Description: "pay"}}}, nil), []string{"the whole run, 2 steps. Not all is shown.", `1. "look"`, `2. "pay"`}},
		"a placeholder, and a plan of ours": {starts(&client.Plan{Text: "soon"}, &client.Plan{Steps: []client.PlanStep{{Description: "pay"}}}), []string{"1 step", `1. "pay"`}},
	} {
		lines := strings.Split(tt.got, "\n")
		first := strings.Join(lines[:min(3, len(lines))], "\n")
		for _, want := range tt.want {
			if !strings.Contains(first, want) {
				t.Errorf("%s: %s does not stand in\n%s", name, want, first)
			}
		}
		for _, line := range lines {
			if widthOf(line) > columns {
				t.Errorf("%s: a line of %d columns: %s", name, widthOf(line), line)
			}
		}
	}
}

// TestLinesBreakBetweenWords: a number or an address is not broken.
func TestLinesBreakBetweenWords(t *testing.T) {
	for n := range 80 {
		for _, word := range []string{"DE89370400440532013000", "first.last+tag@mail.example", "1,000,000.00", `C:\\Users\\x`, "e\u0301e\u0301e\u0301e\u0301e\u0301"} {
			lines := breakLines(strings.Repeat("x", n) + ` {"to":"` + word + `","n":[` + strings.Repeat("12345, ", n) + `1]}`)
			if !strings.Contains(lines, word) || strings.Count(lines, "12345") != n {
				t.Errorf("%d: %s", n, lines)
			}
		}
	}
}

// TestListsAreCut at their limits, not before.
func TestListsAreCut(t *testing.T) {
	steps := func(n, size int) string {
		return starts(&client.Plan{Steps: slices.Repeat([]client.PlanStep{{Description: strings.Repeat("x", size)}}, n)}, nil)
	}
	names := func(a, b int) string {
		return strings.Split(asks("", call(strings.Repeat("a", a), ""), call(strings.Repeat("b", b), "")), "\n")[1]
	}
	for name, tt := range map[string]struct{ got, has, hasNot string }{
		"50 steps":            {steps(50, 1), "50. ", "not listed"},
		"51 steps":            {steps(51, 1), "and 1 more step not listed here", "51. "},
		"steps of 2000 bytes": {steps(9, 248), "and 1 more step not listed here", "9. "},
		"steps of 1992 bytes": {steps(9, 247), "9. ", "not listed"},
		"names of 80 columns": {names(24, 25), `b"`, "more"},
		"names of 81 columns": {names(25, 25), `a" and 1 more`, "b"},
		"a name of its own":   {names(53, 1), `a" and 1 more`, "b"},
		"too long a name":     {names(56, 1), "1. ", "more"},
	} {
		if !strings.Contains(tt.got, tt.has) || strings.Contains(tt.got, tt.hasNot) {
			t.Errorf("%s: %s", name, tt.got)
		}
	}
}

// TestShowValue cuts arrays, objects and numbers at their limits, and says how much is
// left out.
func TestShowValue(t *testing.T) {
	digits := strings.Repeat("7", 46)
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, tt := range []struct {
		value string
		limit int
		want  string
	}{
		{`[1,2,3]`, 6, "[1, 2, 3]"},
		{`[1,2,3]`, 5, "[1, 2 [1 more, 1 bytes cut]]"},
		{`{"a":1,"b":22}`, 7, `{"a":1,"b":22}`},
		{`{"a":1,"b":22}`, 6, `{"a":1 [1 more, 5 bytes cut]}`},
		{`{"long":"value","a":[],"b":{}}`, 100, `{"a":[],"b":{},"long":"value"}`},
		{digits[:45], 5, digits[:45]},
		{digits, 5, "77777 [41 digits cut]"},
		{deep(16), 100, deep(16)},
		{deep(17), 100, deep(16)[:16] + "[2 bytes cut: too deep]" + deep(16)[16:]},
		{`[{},"x",true,null]`, 100, `[{}, "x", true, null]`},
		{`[9123456789]`, 100, `[[removed]]`},
	} {
		w := &writer{secrets: redact.New("9123456789")}
		got := w.showValue([]byte(tt.value), 0, tt.limit)
		if got != tt.want || w.cut != strings.Contains(got, " cut") || (w.hidden > 0) != strings.Contains(got, "removed") {
			t.Errorf("%s within %d: got %s, want %s; %t, %d", tt.value, tt.limit, got, tt.want, w.cut, w.hidden)
		}
	}
}

// TestQuestionIsBounded: the question has a maximum size, says what it leaves out,
// and shows something of each call that it lists.
func TestQuestionIsBounded(t *testing.T) {
	fat := strings.Repeat("x", 5000)
	var many []client.ToolCall
	for i := range 25 {
		many = append(many, call(fmt.Sprint("tool", i), fmt.Sprintf(`{"a":%q,"b":1}`, fat)))
	}
	got := asks(fat, many...)
	flat := unbroken(got)
	if len(got) > 6<<10 || strings.Count(flat, `{"b":1,"a":"xxx`) != 10 || !strings.Contains(got, "\nand 15 more tool calls not listed here\n") || strings.Count(flat, "bytes cut]") != 11 || !strings.Contains(got, "25 tool calls, 125350 bytes of parameters. Not all is shown.\n") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
	for n, want := range map[int]string{10: "10. ", 11: "and 1 more tool call not listed here\n", 12: "and 2 more tool calls not listed here\n"} {
		calls := slices.Repeat([]client.ToolCall{call("t", `{}`)}, n)
		if got := asks("", calls...); !strings.Contains(got, want) || strings.Contains(got, "Not all is shown.") != (n > 10) || !strings.HasPrefix(got, fmt.Sprintf("A run asks for %d tool calls", n)) {
			t.Errorf("%d calls: %s", n, got)
		}
	}
	if got := starts(&client.Plan{Text: fat}, nil); !strings.Contains(unbroken(got), "[3000 bytes cut]") || !strings.Contains(got, "Not all is shown.") {
		t.Errorf("a plan of text: %s", got)
	}
	if got := asks("", call("one", fmt.Sprintf(`{"a":%q}`, fat[:2900]))); strings.Contains(got, "cut]") || strings.Contains(got, "Not all") {
		t.Errorf("one call was cut: %s", got)
	}
	for steps, said := range map[string]string{"go": "and 10 more steps", fat: "and 53 more steps"} {
		plan := &client.Plan{Steps: slices.Repeat([]client.PlanStep{{Description: steps}}, 60)}
		if got := starts(plan, nil); len(got) > 4<<10 || !strings.Contains(got, said+" not listed here") || !strings.Contains(got, "60 steps. Not all is shown.") {
			t.Errorf("want %q: %s", said, got)
		}
	}
	for name, parameters := range map[string]string{
		"deep":     strings.Repeat("[", 100) + strings.Repeat("]", 100),
		"wide":     "[" + strings.Repeat("1,", 5000) + "1]",
		"fields":   "{" + strings.Repeat(`"a":1,`, 5000) + `"a":1}`,
		"digits":   strings.Repeat("1", 5000),
		"a name":   `{"` + fat + `":1}`,
		"nested":   strings.Repeat(`{"a":[`, 10) + `"` + fat + `"` + strings.Repeat("]}", 10),
		"invisble": `"` + strings.Repeat(`\u200bx`, 5000) + `"`,
	} {
		got := asks("", call("one", parameters))
		if flat := unbroken(got); len(got) > 5<<10 || !strings.Contains(flat, " cut") || !strings.Contains(got, "Not all is shown.") {
			t.Errorf("%s: %d bytes: %s", name, len(got), got)
		}
	}
}

// TestHiddenIsTold: the question says that it hides a secret.
func TestHiddenIsTold(t *testing.T) {
	const secret = "q7Rz0XkT9-wLm2Ve"
	ask := func(r Request) string {
		r.Run, r.secrets = &client.Run{}, redact.New(secret)
		return r.Question(false)
	}
	for name, got := range map[string]string{
		"parameter": ask(Request{Pending: Pending{Scope: OfStep, Step: &client.Step{ToolCalls: []client.ToolCall{call("pay", `{"to":"`+secret+`"}`)}}}}),
		"field":     ask(Request{Pending: Pending{Scope: OfStep, Step: &client.Step{ToolCalls: []client.ToolCall{call("pay", `{"`+secret+`":"x"}`)}}}}),
		"tool":      ask(Request{Pending: Pending{Scope: OfStep, Step: &client.Step{ToolCalls: []client.ToolCall{call(secret, `{}`)}}}}),
		"step":      ask(Request{Pending: Pending{Scope: OfRun}, Plan: &client.Plan{Steps: []client.PlanStep{{Description: secret}}}}),
		"text":      ask(Request{Pending: Pending{Scope: OfRun}, Plan: &client.Plan{Text: secret}}),
	} {
		if strings.Contains(got, secret) || !strings.Contains(got, `"[removed]"`) || !strings.Contains(got, "Not all is shown.\n") || !strings.Contains(got, "\n1 secret is hidden") {
			t.Errorf("%s: got %s", name, got)
		}
	}
	r := Request{Pending: Pending{Scope: OfStep, Step: &client.Step{ToolCalls: []client.ToolCall{call("pay", `{"to":"production-db"}`)}}}}
	if got := ask(r); strings.Contains(got, "hidden") {
		t.Errorf("got %s", got)
	}
	var tokens []string
	for i := range 2001 {
		tokens = append(tokens, fmt.Sprint("token-number-", i))
	}
	r.Run, r.secrets = &client.Run{}, redact.New(tokens...)
	if got := r.Question(false); !strings.Contains(unbroken(got), "withheld") || !strings.Contains(got, "Not all is shown.") {
		t.Errorf("with too many tokens: %s", got)
	}
}
