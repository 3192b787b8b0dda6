package clients_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"runs-mcp-server/internal/clients"
)

// TestInstallText holds how an entry is written into a file that a person has laid out in
// their own way. ENTRY stands for it, at its indentation.
func TestInstallText(t *testing.T) {
	const line = `"runs": {"command": "/x/runs-mcp-server", "args": []}`
	entry := func(id, indent, unit, newline string) string {
		lines := []string{`"runs": {`, unit + `"command": "/x/runs-mcp-server",`, unit + `"args": []`, "}"}
		switch id {
		case "codex":
			lines = []string{"[mcp_servers.runs]", `command = "/x/runs-mcp-server"`, "args = []"}
		case "goose":
			lines = []string{"runs:", unit + "type: stdio", unit + "name: runs", unit + `description: "Runs of the toolregistry.ai Run API"`, unit + "enabled: true", unit + "cmd: /x/runs-mcp-server", unit + "args: []", unit + "timeout: 300"}
		}
		return indent + strings.Join(lines, newline+indent)
	}
	for _, tt := range []struct{ id, before, after, indent, unit string }{
		{"cursor", "{}", "{\n  \"mcpServers\": {\nENTRY\n  }\n}", "    ", "  "},
		{"cursor", "{\n}\n", "{\n  \"mcpServers\": {\nENTRY\n  }\n}\n", "    ", "  "},
		{"cursor", "{ // none\n}\n", "{ // none\n  \"mcpServers\": {\nENTRY\n  }\n}\n", "    ", "  "},
		{"cursor", `{"a": 1}`, `{"a": 1, "mcpServers": {` + line + `}}`, "", ""},
		{"cursor", `{"a": 1,}`, `{"a": 1, "mcpServers": {` + line + `},}`, "", ""},
		{"cursor", `{"mcpServers": {}}`, "{\"mcpServers\": {\nENTRY\n}}", "  ", "  "},
		{"cursor", "{\"mcpServers\": {\n}}\n", "{\"mcpServers\": {\nENTRY\n}}\n", "  ", "  "},
		{"cursor", "{\n    \"mcpServers\": {}\n}\n", "{\n    \"mcpServers\": {\nENTRY\n    }\n}\n", "        ", "    "},
		{"cursor", "{\n\t\"mcpServers\": {\n\t\t\"a\": {}\n\t}\n}\n", "{\n\t\"mcpServers\": {\n\t\t\"a\": {},\nENTRY\n\t}\n}\n", "\t\t", "\t"},
		{"cursor", "{\n  \"mcpServers\": { \"a\": {},\n      \"b\": {}, // b\n  },\n}\n", "{\n  \"mcpServers\": { \"a\": {},\n      \"b\": {}, // b\nENTRY,\n  },\n}\n", "      ", "  "},
		{"cursor", "{\n  \"mcpServers\": { \"a\": {}\n  }\n}\n", "{\n  \"mcpServers\": { \"a\": {},\nENTRY\n  }\n}\n", "    ", "  "},
		{"cursor", "{\n  \"a\": 1 /* more\n lines */\n}\n", "{\n  \"a\": 1, /* more\n lines */\n  \"mcpServers\": {\nENTRY\n  }\n}\n", "    ", "  "},
		{"cursor", "{\n  \"a\": 1, /* more\n lines */\n  // and more\n}\n", "{\n  \"a\": 1, /* more\n lines */\n  \"mcpServers\": {\nENTRY\n  },\n  // and more\n}\n", "    ", "  "},
		{"cursor", "{\r\n  \"a\": 1\r\n}\r\n", "{\r\n  \"a\": 1,\r\n  \"mcpServers\": {\r\nENTRY\r\n  }\r\n}\r\n", "    ", "  "},
		{"codex", "a = 1", "a = 1\n\nENTRY", "", ""},
		{"codex", "a = 1\n", "a = 1\n\nENTRY\n", "", ""},
		{"codex", "[mcp_servers.runs]\ncommand = 'runs-mcp-server'", "ENTRY", "", ""},
		{"codex", "[mcp_servers.runs]\ncommand = 'runs-mcp-server'\n", "ENTRY\n", "", ""},
		{"codex", "[mcp_servers.runs]\ncommand = 'runs-mcp-server'\n[z]\na = 1", "ENTRY\n[z]\na = 1", "", ""},
		{"codex", "[mcp_servers.runs]\ncommand = 'runs-mcp-server'\n# of z\n\n[z]\na = 1\n", "ENTRY\n# of z\n\n[z]\na = 1\n", "", ""},
		{"codex", "[mcp_servers.runs]\ncommand = 'runs-mcp-server'\n\n[mcp_servers.runs.env]\nA = 'b'", "ENTRY\nenv = { A = \"b\" }", "", ""},
		{"codex", "[mcp_servers.runs.env]\nA = 'b'\n\n[mcp_servers.runs]\ncommand = 'runs-mcp-server'\n", "ENTRY\nenv = { A = \"b\" }\n", "", ""},
		{"goose", "a: 1", "a: 1\nextensions:\nENTRY", "  ", "  "},
		{"goose", "extensions:", "extensions:\nENTRY", "  ", "  "},
		{"goose", "extensions: {}\na: 1", "extensions:\nENTRY\na: 1", "  ", "  "},
		{"goose", "extensions:\n    a:\n        cmd: x\n", "extensions:\nENTRY\n    a:\n        cmd: x\n", "    ", "  "},
		{"goose", "extensions:\n  runs:\n    cmd: runs-mcp-server", "extensions:\nENTRY", "  ", "  "},
		{"goose", "extensions:\n  runs:\n    cmd: runs-mcp-server\nb: 1", "extensions:\nENTRY\nb: 1", "  ", "  "},
		{"goose", "extensions:\n  a:\n    cmd: x\n  runs:\n    cmd: runs-mcp-server\n  # of b\n  b:\n    cmd: x\n", "extensions:\n  a:\n    cmd: x\nENTRY\n  # of b\n  b:\n    cmd: x\n", "  ", "  "},
	} {
		f := fileOf(t, tt.id)
		write(t, f.Path, tt.before)
		c, err := f.Install("", clients.Server{Command: "/x/runs-mcp-server", NoKey: true})
		if err == nil {
			_, err = c.Write()
		}
		newline := "\n"
		if strings.Contains(tt.before, "\r\n") {
			newline = "\r\n"
		}
		want := strings.Replace(tt.after, "ENTRY", entry(tt.id, tt.indent, tt.unit, newline), 1)
		if got := readFile(t, f.Path); err != nil || got != want {
			t.Errorf("%v\n%s\nbecame\n%s\nwant\n%s", err, tt.before, got, want)
		}
	}
}

// TestAnyOldEntry holds for any file with an entry of ours that a person may have written:
// installing replaces it, removing takes it away, and the other entries stay.
func TestAnyOldEntry(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f, text, before := drawFile(t, r, map[string]func(drawer, string) string{".json": drawer.oldJSON, ".toml": drawer.oldTOML, ".yaml": drawer.oldYAML})
		for _, change := range []func() (clients.Change, error){
			func() (clients.Change, error) { return f.Install("", serverFor(f, ourServer())) },
			func() (clients.Change, error) { return f.Remove("") },
		} {
			c, err := change()
			if err == nil {
				_, err = c.Write()
			}
			after, _ := f.Read()
			if err != nil || withoutOurs(after) != withoutOurs(before) {
				r.Fatalf("%v\n%s\nbecame\n%s", err, text, readFile(t, f.Path))
			}
			before = after
		}
		if slices.ContainsFunc(before, func(e clients.Entry) bool { return e.Name == "runs" }) {
			r.Fatalf("our entry is left:\n%s\nbecame\n%s", text, readFile(t, f.Path))
		}
	})
}

// oldJSON returns a file with our entry among others.
func (d drawer) oldJSON(list string) string {
	command := map[string]string{"mcp": `["runs-mcp-server"]`}[list]
	if command == "" {
		command = `"runs-mcp-server"`
	}
	members := []string{`"a":` + d.space() + d.object(1, ""), fmt.Sprintf(`"runs":%s{"command": %s}`, d.space(), command), `"z": {}`}
	return d.braces([]string{fmt.Sprintf(`"%s":%s`, list, d.braces(d.some(members))), `"last": 1`})
}

// oldTOML returns a file with our entry among others, with a table below it perhaps.
func (d drawer) oldTOML(list string) string {
	end := d.oneOf("\n", "\r\n")
	var b strings.Builder
	for _, table := range d.some([]string{"[%s.a]END" + "command = 'npx'END", "[%s.runs]ENDcommand = 'runs-mcp-server'END", "[%s.runs.env]ENDA = 'b'END", "[%s.z]END"}) {
		b.WriteString(d.oneOf("", "END", "# above END"))
		fmt.Fprintf(&b, table, list)
	}
	return d.lastLine(strings.ReplaceAll(b.String(), "END", end), end)
}

// oldYAML returns a file with our entry among others.
func (d drawer) oldYAML(list string) string {
	entries := d.some([]string{"  a:\n    cmd: npx\n", "  runs:\n    cmd: runs-mcp-server\n", "  z:\n    cmd: npx # z\n"})
	for i := range entries {
		entries[i] += d.oneOf("", "\n", "  # below\n")
	}
	return d.lastLine(list+":\n"+strings.Join(entries, "")+d.oneOf("", "last: 1\n"), "\n")
}

// some returns our entry and some of the others in any order.
func (d drawer) some(entries []string) (out []string) {
	for _, e := range rapid.Permutation(entries).Draw(d.T, "order") {
		if strings.Contains(e, "runs-mcp-server") || d.count(2) > 0 {
			out = append(out, e)
		}
	}
	return out
}

// TestRemoveKeepsComments holds that what a person wrote into the file after it was
// installed stays, even where no value differs from the backup.
func TestRemoveKeepsComments(t *testing.T) {
	for _, id := range clients.IDs() {
		f := fileOf(t, id)
		write(t, f.Path, prepare(f, id))
		install(t, f, ourServer())
		write(t, f.Path, strings.Replace(readFile(t, f.Path), "the other one", "changed later", 1))
		c, err := f.Remove("")
		if err == nil {
			_, err = c.Write()
		}
		if want := strings.Replace(prepare(f, id), "the other one", "changed later", 1); err != nil || strings.ReplaceAll(readFile(t, f.Path), ",", "") != strings.ReplaceAll(want, ",", "") {
			t.Errorf("%s: %v\n%s", id, err, readFile(t, f.Path))
		}
		if c.Entry().Name != "" || c.Entry().Command != "" {
			t.Errorf("%s: there will be the entry %+v", id, c.Entry())
		}
	}
}

// TestOtherName holds that an entry of ours under another name is the one that is changed
// and removed, unless a name is given.
func TestOtherName(t *testing.T) {
	f := fileOf(t, "cursor")
	write(t, f.Path, `{"mcpServers": {"a": {"command": "npx"}, "my-runs": {"command": "runs-mcp-server"}, "runs": {"command": "npx"}}}`)
	if c := install(t, f, ourServer()); c.Name != "my-runs" || c.Entry().Command != "/opt/runs-mcp-server" {
		t.Errorf("%q was changed: %+v", c.Name, c.Entry())
	}
	if _, err := f.Install("runs", ourServer()); err == nil || !strings.Contains(err.Error(), "of something else") {
		t.Errorf("another server's name: %v", err)
	}
	if c, err := f.Remove(""); err != nil || c.Name != "my-runs" || c.Empty() {
		t.Errorf("%q is removed: %v", c.Name, err)
	}
}

// TestDeeperList holds that the entry of OpenCode 2 is changed where it is.
func TestDeeperList(t *testing.T) {
	f := fileOf(t, "opencode")
	write(t, f.Path, `{"mcp": {"servers": {"runs": {"type": "local", "command": ["runs-mcp-server"]}}}}`)
	install(t, f, ourServer())
	if text := readFile(t, f.Path); strings.Count(text, `"runs":`) != 1 || !strings.Contains(text, `"/opt/runs-mcp-server"`) {
		t.Errorf("the file is\n%s", text)
	}
}

// TestSnippet holds the name in what a person may paste, and that a client which takes no
// URL gets none.
func TestSnippet(t *testing.T) {
	remote := clients.Server{URL: "https://mcp.example.com/mcp"}
	for _, tt := range []struct {
		id, name string
		s        clients.Server
		want     string // "" for an error
	}{
		{"cursor", "", ourServer(), `"runs": {`}, {"cursor", "mine", ourServer(), `"mine": {`}, {"cursor", "", remote, `"url": "https://mcp.example.com/mcp"`},
		{"claude-desktop", "", ourServer(), `"runs": {`}, {"claude-desktop", "", remote, ""}, {"zed", "", remote, ""},
	} {
		text, err := fileOf(t, tt.id).Snippet(tt.name, tt.s)
		if (err == nil) != (tt.want != "") || !strings.Contains(text, tt.want) {
			t.Errorf("%s, %q: %v:\n%s", tt.id, tt.name, err, text)
		}
	}
}

// TestSecretsAreHidden holds that what is shown of an old entry has neither the query and
// the password of its URL nor the values of its variables and arguments.
func TestSecretsAreHidden(t *testing.T) {
	for _, entry := range []string{
		`{"url": "https://me:canary@x.test/mcp?token=canary", "headers": {"x-api-key": "canary", "X-Team": "canary"}}`,
		`{"command": "runs-mcp-server", "args": ["--api-key", "canary", "--token=canary", "https://x.test/?key=canary"], "env": {"A": "canary"}}`,
	} {
		f := fileOf(t, "cursor")
		write(t, f.Path, `{"mcpServers": {"runs": `+strings.Replace(entry, "x.test/mcp", "x.test/runs-mcp-server/mcp", 1)+`}}`)
		c, err := f.Remove("runs")
		text := shown(c)
		if err != nil || strings.Contains(text, "canary") || !strings.Contains(text, "(hidden)") || !strings.Contains(text, "x.test") {
			t.Errorf("%v:\n%s", err, text)
		}
	}
}

// TestKeyForURL holds that the header of a URL names the key even where there is a file
// with the key, which is for programs.
func TestKeyForURL(t *testing.T) {
	c, err := fileOf(t, "cursor").Install("", clients.Server{URL: "https://mcp.example.com/mcp", KeyFile: "/k"})
	if err != nil || c.Entry().KeyAt().Variable != "TR_API_KEY" {
		t.Errorf("%+v, %v", c.Entry().KeyAt(), err)
	}
}

// TestKeyFile holds that the file of the key is this person's alone, and when a key need
// not be written again.
func TestKeyFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes")
	}
	m := newMachine(t, "linux", nil)
	find := func() clients.KeyFile {
		f, err := m.KeyFile()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := find(); f.Exists() || f.Holds("k-1") {
		t.Errorf("there is a key: %+v", f)
	}
	if err := find().Write("k-1"); err != nil {
		t.Fatal(err)
	}
	if f := find(); !f.Exists() || !f.Holds("k-1") || f.Holds("k-2") {
		t.Error("the key is not held")
	}
	path := find().Path
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || readFile(t, path) != "k-1\n" {
		t.Errorf("%v, mode %o", err, info.Mode().Perm())
	}
	_ = os.Chmod(path, 0o640)
	if find().Holds("k-1") {
		t.Error("others can read the key, and it counts as held")
	}
	if err := find().Write("k-2"); err != nil || !find().Holds("k-2") {
		t.Errorf("the key is not replaced: %v", err)
	}
}
