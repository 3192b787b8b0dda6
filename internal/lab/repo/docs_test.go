package repo

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/cli"
)

// TestDocumentedTests holds the docs to the tests that they name.
func TestDocumentedTests(t *testing.T) {
	var tests []string
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(source), -1) {
			tests = append(tests, m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Glob("docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatalf("no docs: %v", err)
	}
	for _, doc := range append(docs, "README.md") {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)`").FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(tests, name[1]) {
				t.Errorf("%s names %s, which there is not", doc, name[1])
			}
		}
	}
}

var update = flag.Bool("update", false, "write the generated part of the README anew")

// TestREADMETools holds the README's table of tools to what the server offers.
// go test ./internal/lab/repo -run TestREADMETools -update writes it.
func TestREADMETools(t *testing.T) {
	var out, errs bytes.Buffer
	if code := cli.Run(t.Context(), []string{"tools"}, func(string) string { return "" }, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatal(errs.String())
	}
	var list struct {
		Tools []struct {
			Name, Description string
			InputSchema       json.RawMessage
		}
	}
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("\n| tool | arguments (`*` required) | what for |\n|---|---|---|\n")
	for _, tool := range list.Tools {
		what, _, _ := strings.Cut(tool.Description, ". ")
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", tool.Name, strings.Join(argumentsOf(t, tool.InputSchema), ", "), strings.TrimSuffix(what, "."))
	}
	table.WriteString("\n")
	const begin, end = "<!-- tools:begin -->\n", "<!-- tools:end -->"
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	is, after, ended := strings.Cut(rest, end)
	switch {
	case !found || !ended:
		t.Fatalf("README.md lacks %q or %q", begin, end)
	case is == table.String():
	case *update:
		if err := os.WriteFile("README.md", []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("README.md is behind the tools; go test ./internal/lab/repo -run TestREADMETools -update writes:%s", table.String())
	}
}

// argumentsOf lists the arguments of a tool in their order.
func argumentsOf(t *testing.T, schema json.RawMessage) (names []string) {
	t.Helper()
	var is struct {
		Properties json.RawMessage
		Required   []string
	}
	if err := json.Unmarshal(schema, &is); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(is.Properties))
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return names
		}
		switch token := token.(type) {
		case json.Delim:
			depth += map[json.Delim]int{'{': 1, '[': 1, '}': -1, ']': -1}[token]
		case string:
			if depth == 1 {
				name := "`" + token + "`"
				if slices.Contains(is.Required, token) {
					name += "\\*"
				}
				names = append(names, name)
				var skipped json.RawMessage
				if err := d.Decode(&skipped); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
