package sandbox

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestParseBehaviour(t *testing.T) {
	tests := []struct {
		text     string
		steps    int
		words    string
		problems int
	}{
		{"", 0, "", 0},
		{"nothing to see", 0, "", 0},
		{"sandbox: steps=3", 3, "", 0},
		{"Be kind. sandbox: steps=3", 3, "", 0},
		{"one\nsandbox: steps=3\r\ntwo steps=4", 3, "", 0},
		{"sandbox: steps=3\nsandbox: text=a  b = c ", 3, "a  b = c", 0},
		{"mysandbox: steps=3", 0, "", 0},
		{"mysandbox: sandbox: steps=3", 3, "", 0},
		{"sandbox:", 0, "", 0},
		{"sandbox:steps=3", 3, "", 0},
		{"sandbox: steps", 0, "", 1},
		{"sandbox: steps=", 0, "", 1},
		{"sandbox: pace=1 outcome=success text=", 0, "", 3},
		{"sandbox: approvals=3", 0, "", 1},
	}
	for _, tt := range tests {
		b, problems := parseBehaviour(tt.text)
		if b.steps != tt.steps || b.text != tt.words || len(problems) != tt.problems {
			t.Errorf("%q: %d steps, text %q, problems %q", tt.text, b.steps, b.text, problems)
		}
	}
}

// TestOptionsAreDocumented holds the table of docs/sandbox.md to the parser.
func TestOptionsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (.*?) \\| (.*?) \\| .+ \\|$").FindAllStringSubmatch(string(doc), -1)
	all := options()
	if len(rows) != len(all) {
		t.Fatalf("%d options documented, %d known", len(rows), len(all))
	}
	for i, o := range all {
		if got, want := rows[i][1:], []string{o.name, o.values, o.preset}; strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("documented as %q, known as %q", got, want)
		}
	}
}

func FuzzParseBehaviour(f *testing.F) {
	for _, o := range options() {
		f.Add("sandbox: " + o.name + "=1")
	}
	f.Add("x sandbox: text=y\nsandbox: approvals=parallel:2 steps=10000")
	f.Fuzz(func(t *testing.T, text string) {
		b, problems := parseBehaviour(text)
		if !strings.Contains(text, "sandbox:") && (len(problems) > 0 || b != behaviour{}) {
			t.Errorf("%q: no marker, but %+v %q", text, b, problems)
		}
		if len(problems) == 0 && (b.steps < 0 || b.steps > maxSteps || b.parallel < 0 || b.parallel > maxParallel || b.resultKB > maxResultKB || b.stepPause < 0) {
			t.Errorf("%q: out of bounds: %+v", text, b)
		}
		again, _ := parseBehaviour(text)
		if again != b {
			t.Errorf("%q: read twice, %+v and %+v", text, b, again)
		}
	})
}

// TestGrowthIsBounded fills a sandbox that may hold two runs.
func TestGrowthIsBounded(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	s.maxRuns = 2
	add := func(id string, ended bool) *problem {
		r := &run{id: id, ended: ended}
		p := s.addRun(r)
		if p == nil {
			s.active.Done() // no goroutine was started
		}
		return p
	}
	for _, step := range []struct {
		id      string
		ended   bool
		refused bool
		kept    string
	}{
		{"a", false, false, "a"},
		{"b", true, false, "a b"},
		{"c", false, false, "a c"},
		{"d", true, true, "a c"},
	} {
		p := add(step.id, step.ended)
		var kept []string
		for _, r := range s.order {
			kept = append(kept, r.id)
		}
		if (p != nil) != step.refused || strings.Join(kept, " ") != step.kept || len(s.runs) != len(s.order) {
			t.Errorf("after %s: refused %v, kept %v", step.id, p, kept)
		}
	}
}

func TestTopic(t *testing.T) {
	for intent, want := range map[string]string{
		"Find all overdue invoices in Salesforce": "overdue invoices",
		"look up the new hires, and greet them":   "the new hires",
		"Overdue invoices":                        "the records",
		"Send":                                    "the records",
		"":                                        "the records",
		"get one two three four five six seven":   "one two three four five six",
	} {
		if got := planTopic(intent); got != want {
			t.Errorf("%q is about %q, want %q", intent, got, want)
		}
	}
	if got := planTitle("a\n\tb " + strings.Repeat("x", 100)); len([]rune(got)) != 80 || !strings.HasPrefix(got, "a b x") {
		t.Errorf("title %q", got)
	}
}
