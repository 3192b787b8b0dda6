package clients_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"runs-mcp-server/internal/clients"
)

// TestAnyFile holds for any file that a client can read: after installing, our entry is
// there and the others are what they were; after removing, the text is what it was.
func TestAnyFile(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f, text, before := drawFile(t, r, map[string]func(drawer, string) string{".json": drawer.json, ".toml": drawer.toml, ".yaml": drawer.yaml})
		c, err := f.Install("", serverFor(f, ourServer()))
		if err != nil {
			r.Fatalf("%v\n%s", err, text)
		}
		if _, err := c.Write(); err != nil {
			r.Fatal(err)
		}
		after, err := f.Read()
		if err != nil || withoutOurs(after) != withoutOurs(before) || len(after) != len(before)+1 {
			r.Fatalf("%v\n%s\nbecame\n%s", err, text, readFile(t, f.Path))
		}
		installed := readFile(t, f.Path)
		if c, err = f.Remove(""); err == nil {
			_, err = c.Write()
		}
		if got := readFile(t, f.Path); err != nil || got != text {
			r.Fatalf("%v\n%q\nbecame\n%q\nand then\n%q", err, text, installed, got)
		}
	})
}

// drawFile writes a file of any client, drawn by the function for its ending, and returns
// its text and entries.
func drawFile(t *testing.T, r *rapid.T, draw map[string]func(d drawer, list string) string) (f clients.File, text string, entries []clients.Entry) {
	id := rapid.SampledFrom(clients.IDs()).Draw(r, "client")
	f = fileOf(t, id)
	text = draw[filepath.Ext(f.Path)](drawer{r}, listName(id))
	write(t, f.Path, text)
	entries, err := f.Read()
	if err != nil {
		r.Fatalf("the test's own file: %v\n%s", err, text)
	}
	return f, text, entries
}

// withoutOurs returns what entries say, but for ours.
func withoutOurs(entries []clients.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		if e.Name != "runs" {
			fmt.Fprintf(&b, "%q %q %q %q\n", e.Name, e.Command, e.Args, e.Env)
		}
	}
	return b.String()
}

// drawer draws texts.
type drawer struct{ *rapid.T }

func (d drawer) oneOf(texts ...string) string { return rapid.SampledFrom(texts).Draw(d.T, "text") }

func (d drawer) count(most int) int { return rapid.IntRange(0, most).Draw(d.T, "count") }

// space returns what may stand between two words of JSON.
func (d drawer) space() string {
	return d.oneOf("", " ", "\n", "\n  ", "\n\t", " // a { comment\n", " /* a\n } comment */ ", "\r\n")
}

func (d drawer) json(list string) string {
	return d.space() + d.object(2, list) + d.oneOf("", "\n", " // end\n")
}

// object returns an object, with a list of servers among its members perhaps.
func (d drawer) object(depth int, list string) string {
	var members []string
	for i := range d.count(3) {
		members = append(members, fmt.Sprintf(`"m%d"%s:%s%s`, i, d.space(), d.space(), d.value(depth-1)))
	}
	if list != "" && d.count(2) > 0 {
		members = append(members, fmt.Sprintf(`"%s":%s`, list, d.servers()))
	}
	return d.braces(members)
}

// servers returns an object whose members are objects.
func (d drawer) servers() string {
	var members []string
	for i := range d.count(3) {
		members = append(members, fmt.Sprintf(`"s%d": %s`, i, d.object(1, "")))
	}
	return d.braces(members)
}

func (d drawer) braces(members []string) string {
	var b strings.Builder
	b.WriteString("{" + d.space())
	for i, m := range members {
		b.WriteString(m + d.space())
		if i < len(members)-1 || d.count(2) == 0 {
			b.WriteString("," + d.space())
		}
	}
	return b.String() + "}"
}

func (d drawer) value(depth int) string {
	if depth > 0 && d.count(1) == 0 {
		return d.object(depth, "")
	}
	return d.oneOf(`"text"`, `"// no comment"`, "1", "-2.5e3", "true", "null", "[1, 2]", "[]", `"é\n"`, "[ {} ]")
}

func (d drawer) toml(list string) string {
	var b strings.Builder
	end := d.oneOf("\n", "\r\n")
	line := func(text string) { b.WriteString(text + d.oneOf("", " # a [comment]") + end) }
	for i := range d.count(2) {
		line(fmt.Sprintf("k%d = %s", i, d.oneOf("1", "'x'", `"[mcp_servers.runs]"`, "[1, 2]", "{ a = 1 }", "2026-01-01T00:00:00Z")))
	}
	for i := range d.count(3) {
		b.WriteString(d.oneOf("", end, end+end, "# above"+end))
		line(fmt.Sprintf(d.oneOf("[t%d]", "["+list+".s%d]", "[[a%d]]"), i))
		line("command = " + d.oneOf("'npx'", "'''"+end+"[x]"+end+"'''"))
	}
	return d.lastLine(b.String(), end)
}

// lastLine returns a text that may lack its last line break.
func (d drawer) lastLine(text, end string) string {
	if d.count(3) == 0 {
		return strings.TrimSuffix(text, end)
	}
	return text
}

func (d drawer) yaml(list string) string {
	var b strings.Builder
	line := func(text string) { b.WriteString(text + d.oneOf("", " # a comment: x") + "\n") }
	for i := range d.count(2) {
		line(fmt.Sprintf("k%d: %s", i, d.oneOf("1", "x", `"a: b"`, "[1, 2]", "{a: 1}")))
	}
	if d.count(3) > 0 {
		indent := d.oneOf("  ", "    ", " ")
		line(list + ":")
		for i := range d.count(3) {
			b.WriteString(d.oneOf("", "\n", indent+"# above\n"))
			line(fmt.Sprintf("%ss%d:", indent, i))
			line(indent + indent + "cmd: npx")
			b.WriteString(d.oneOf("", indent+indent+"description: |\n"+indent+indent+"  more:\n\n"+indent+indent+"  lines\n", indent+indent+"args:\n"+indent+indent+"- a\n"))
		}
	}
	b.WriteString(d.oneOf("", "\n", "# end\n", "last: 1\n"))
	return d.lastLine(b.String(), "\n")
}
