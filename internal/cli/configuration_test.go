package cli

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the configuration table of README.md")

// TestConfigurationTable holds that the table in README.md is made of the flags' tags.
// With -update it writes the table.
func TestConfigurationTable(t *testing.T) {
	const readme, begin, end = "../../README.md", "<!-- configuration:begin -->\n", "<!-- configuration:end -->"
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("README.md has no place for the table")
	}
	want := "\n" + configurationTable(t) + "\n"
	switch {
	case table == want:
	case *update:
		if err := os.WriteFile(readme, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("README.md differs; run: go test ./internal/cli -run TestConfigurationTable -update\n%s", want)
	}
}

// configurationTable returns the table of all flags and variables of the server: those of
// http come last.
func configurationTable(t *testing.T) string {
	p := &process{ctx: t.Context(), env: func(string) string { return "" }, out: io.Discard, stderr: io.Discard}
	nodes := p.newParser(&serverCommands{}).Model.Children
	shared, all := nodes[0].Flags, nodes[1].Flags
	var own []*kong.Flag
	for _, f := range all {
		if !slices.ContainsFunc(shared, func(s *kong.Flag) bool { return s.Name == f.Name }) {
			own = append(own, f)
		}
	}
	var b strings.Builder
	b.WriteString("| flag | environment | default | meaning |\n|---|---|---|---|\n")
	for _, f := range append(slices.Clone(shared), own...) {
		if !f.Hidden && f.Name != "help" {
			b.WriteString(configurationRow(f, slices.Contains(own, f)))
		}
	}
	return b.String()
}

// configurationRow returns the row of a flag.
func configurationRow(f *kong.Flag, http bool) string {
	name, meaning := "--"+f.Name, cmp.Or(f.Tag.Get("doc"), f.Help)
	if f.Tag.Negatable != "" {
		name = "--[no-]" + f.Name
	}
	if http {
		meaning = "('http') " + meaning
	}
	var variables []string
	for _, v := range strings.Split(cmp.Or(f.Tag.Get("variables"), f.Tag.Get("from")), ",") {
		if v != "" {
			variables = append(variables, "'"+v+"'")
		}
	}
	preset := "–"
	switch {
	case f.HasDefault && f.Default != "":
		preset = "'" + f.Default + "'"
	case f.Tag.Get("unset") != "":
		preset = f.Tag.Get("unset")
	case f.IsBool():
		preset = "off"
	}
	for name, value := range textVariables() {
		preset, meaning = strings.ReplaceAll(preset, "${"+name+"}", value), strings.ReplaceAll(meaning, "${"+name+"}", value)
	}
	return asCode(fmt.Sprintf("| '%s' | %s | %s | %s |\n", name, strings.Join(variables, ", "), preset, meaning))
}

// quoted matches 'x', and not the apostrophe of a word.
var quoted = regexp.MustCompile(`(^|[\s(])'([^'\s][^']*)'`)

// asCode returns a text of a tag as Markdown.
func asCode(text string) string { return quoted.ReplaceAllString(text, "$1`$2`") }
