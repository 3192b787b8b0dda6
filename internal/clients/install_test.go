package clients_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"runs-mcp-server/internal/clients"
)

var update = flag.Bool("update", false, "write the golden files of testdata")

// ourServer is what the tests install. The key stands nowhere in it.
func ourServer() clients.Server {
	return clients.Server{Command: "/opt/runs-mcp-server", Args: []string{"--user-id", "me@example.com", "--integrations", "*"}, KeyFile: ""}
}

// serverFor returns what is installed into a file: a client that cannot keep a key gets it
// from a file.
func serverFor(f clients.File, s clients.Server) clients.Server {
	if !f.KeepsKey() && s.URL == "" {
		s.KeyFile = "/home/me/.config/runs-mcp-server/api-key"
	}
	return s
}

// others are configurations of each format with comments and other entries, one secret
// among them. SERVERS stands for the name of the list of servers.
func others() map[string]string {
	return map[string]string{
		".json": "// mine\n{\n  \"theme\": \"dark\", // keep\n  \"SERVERS\": {\n    /* the other one */\n    \"other\": { \"command\": \"npx\", \"env\": { \"TOKEN\": \"canary-other\" } } // last\n  },\n  \"after\": [1, 2.5, null]\n}\n",
		".toml": "model = \"m\" # mine\n\n[SERVERS.other] # the other one\ncommand = 'npx'\nenv = { TOKEN = \"canary-other\" }\n\n# the last one\n[tui]\ntheme = '''\n[SERVERS.runs]\n'''\n",
		".yaml": "# mine\nGOOSE_MODEL: m\nSERVERS:\n  # the other one\n  other:\n    cmd: npx # a comment\n    envs: {TOKEN: canary-other}\n    description: |\n      more\n\n      lines\nafter: 1 # last\n",
	}
}

// broken are texts that are not of a format.
func broken() map[string]string {
	return map[string]string{".json": "{\n  \"a\": 1\n  canary-broken\n}\n", ".toml": "a = 1\nb = canary-broken\n", ".yaml": "a: 1\nb: [canary-broken\n"}
}

// listName returns the name of the list of servers of a client.
func listName(id string) string {
	names := map[string]string{"vscode": "servers", "codex": "mcp_servers", "opencode": "mcp", "goose": "extensions", "zed": "context_servers"}
	if name, ok := names[id]; ok {
		return name
	}
	return "mcpServers"
}

// prepare returns the text of a file with other entries.
func prepare(f clients.File, id string) string {
	return strings.ReplaceAll(others()[filepath.Ext(f.Path)], "SERVERS", listName(id))
}

// TestInstall holds what installing does to each client's file: see testdata.
func TestInstall(t *testing.T) {
	for _, id := range clients.IDs() {
		t.Run(id, func(t *testing.T) {
			golden := &txtar.Archive{}
			add := func(name, text string) {
				golden.Files = append(golden.Files, txtar.File{Name: name, Data: []byte(strings.TrimSuffix(text, "\n") + "\n")})
			}
			situation := func(name, before string, s clients.Server) {
				f := fileOf(t, id)
				if before != "" {
					write(t, f.Path, before)
				}
				c := install(t, f, s)
				add(name+": shown", shown(c))
				add(name+": file", readFile(t, f.Path))
				checkOthers(t, name, before, readFile(t, f.Path))
				if again := install(t, f, s); !again.Empty() {
					t.Errorf("%s: a second time changes the file:\n%s", name, shown(again))
				}
			}
			situation("no file", "", ourServer())
			situation("an empty file", "\n", ourServer())
			situation("comments and other entries", prepare(fileOf(t, id), id), ourServer())
			situation("other arguments", installedWith(t, id, clients.Server{Command: "/old/runs-mcp-server", Args: []string{"--read-only"}}), ourServer())
			situation("the sandbox", "", clients.Server{Command: "/opt/runs-mcp-server", Args: []string{"--sandbox"}, NoKey: true})
			remote := clients.Server{URL: "https://mcp.example.com/mcp"}
			if _, err := fileOf(t, id).Install("", remote); err != nil {
				add("a URL: refused", err.Error())
			} else {
				situation("a URL", prepare(fileOf(t, id), id), remote)
			}
			compareGolden(t, filepath.Join("testdata", "install", id+".txtar"), golden)
		})
	}
}

// fileOf returns the person's file of a client, on a machine of its own.
func fileOf(t *testing.T, id string) clients.File {
	t.Helper()
	f, err := newMachine(t, "linux", nil).Find(id, false)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// install installs a server and returns the change.
func install(t *testing.T, f clients.File, s clients.Server) clients.Change {
	t.Helper()
	c, err := f.Install("", serverFor(f, s))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(); err != nil {
		t.Fatal(err)
	}
	return c
}

// installedWith returns the text of a file with other entries, and ours.
func installedWith(t *testing.T, id string, s clients.Server) string {
	f := fileOf(t, id)
	write(t, f.Path, prepare(f, id))
	install(t, f, s)
	return readFile(t, f.Path)
}

// shown returns a change as a person reads it.
func shown(c clients.Change) string {
	var b strings.Builder
	for _, line := range c.Lines() {
		fmt.Fprintf(&b, "%c %s\n", line.Sign, line.Text)
	}
	return b.String()
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// checkOthers checks that each line with a comment or another entry is still there, but
// for commas.
func checkOthers(t *testing.T, name, before, after string) {
	t.Helper()
	after = strings.ReplaceAll(after, ",", "")
	for _, line := range strings.Split(strings.ReplaceAll(before, ",", ""), "\n") {
		if regexp.MustCompile(`canary|#|//|/\*`).MatchString(line) && !strings.Contains(after, line) {
			t.Errorf("%s: %q is gone:\n%s", name, line, after)
		}
	}
}

// compareGolden compares an archive with a golden file.
func compareGolden(t *testing.T, path string, got *txtar.Archive) {
	t.Helper()
	data := txtar.Format(got)
	if *update {
		write(t, path, string(data))
		return
	}
	if want := []byte(readFile(t, path)); !bytes.Equal(data, want) {
		t.Errorf("differs from %s; run: go test ./internal/clients -update, and read the diff\n%s", path, data)
	}
}

// TestInstallRefuses holds which files stay as they are, and what is said of them.
func TestInstallRefuses(t *testing.T) {
	for _, id := range clients.IDs() {
		for name, tt := range map[string]struct {
			prepare func(t *testing.T, path string)
			want    string
		}{
			"broken":          {func(t *testing.T, path string) { write(t, path, broken()[filepath.Ext(path)]) }, " in line "},
			"read-only":       {func(t *testing.T, path string) { write(t, path, "\n"); _ = os.Chmod(path, 0o400) }, "read-only"},
			"a folder":        {func(t *testing.T, path string) { write(t, path+"/x", "") }, "no regular file"},
			"a dangling link": {func(t *testing.T, path string) { link(t, path+".gone", path) }, "leads nowhere"},
		} {
			f := fileOf(t, id)
			tt.prepare(t, f.Path)
			before, _ := os.ReadFile(f.Path)
			_, err := f.Install("", serverFor(f, ourServer()))
			after, _ := os.ReadFile(f.Path)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") || !bytes.Equal(before, after) {
				t.Errorf("%s, %s: %v", id, name, err)
			}
		}
		f := fileOf(t, id)
		write(t, f.Path, strings.ReplaceAll(prepare(f, id), "other", "runs"))
		if _, err := f.Install("", serverFor(f, ourServer())); err == nil || !strings.Contains(err.Error(), "of something else") {
			t.Errorf("%s: an entry of something else: %v", id, err)
		}
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Skip(err)
	}
}

// TestRemove holds that removing after installing gives the text back that was there.
func TestRemove(t *testing.T) {
	for _, id := range clients.IDs() {
		f := fileOf(t, id)
		texts := []string{prepare(f, id), "\n", strings.TrimSuffix(prepare(f, id), "\n"), strings.ReplaceAll(prepare(f, id), "\n", "\r\n"), "\ufeff" + prepare(f, id)}
		switch filepath.Ext(f.Path) {
		case ".json":
			if id != "vscode" && id != "opencode" { // the others are edited alike
				break
			}
			texts = append(texts, "{}", "{}\n", "{ }", "{\n}\n", `{"a":1}`, `{"a": 1,}`, `{"LIST":{}}`, `{"LIST": {"x": {}}}`, "{\n\t\"LIST\": {}\n}\n", "{\n\t\"LIST\": {\n\t\t\"x\": {},\n\t},\n}\n",
				"{ // only a comment\n}\n", "{\n  \"a\": 1 /* more\n lines */\n}", `{"inputs": [], "LIST": {}}`, `{"inputs": [{"id": "x"}]}`, "{\n \"inputs\": [\n  {\"id\": \"x\"} // mine\n ]\n}")
		case ".toml":
			texts = append(texts, "a = 1", "a = 1\n\n\n", "# only a comment\n", "[LIST]\n", "[[x]]\n", "[LIST.other]\n\n# end\n")
		case ".yaml":
			texts = append(texts, "a: 1", "LIST:\n", "LIST: {}\n", "LIST:\n    x:\n        y: 1\n", "# only a comment\n", "LIST:\n  x: {}\n# end", "a: 1\n\n\n")
		}
		for _, text := range texts {
			text = strings.ReplaceAll(text, "LIST", listName(id))
			checkRoundTrip(t, id, text)
		}
	}
}

// checkRoundTrip installs into a file with a text, removes, and compares.
func checkRoundTrip(t *testing.T, id, text string) {
	t.Helper()
	f := fileOf(t, id)
	write(t, f.Path, text)
	c, err := f.Install("", serverFor(f, ourServer()))
	if err == nil {
		_, err = c.Write()
	}
	if err != nil {
		t.Errorf("%s: %q: %v", id, text, err)
		return
	}
	with := readFile(t, f.Path)
	c, err = f.Remove("")
	if err == nil && !c.Empty() {
		_, err = c.Write()
	}
	if got := readFile(t, f.Path); err != nil || got != text {
		t.Errorf("%s: %v\n%q\ninstalled\n%q\nremoved\n%q", id, err, text, with, got)
	}
	if c, err := f.Remove(""); err != nil || !c.Empty() {
		t.Errorf("%s: there is nothing to remove: %v", id, err)
	}
}

// TestFind holds which file of a client is chosen.
func TestFind(t *testing.T) {
	m := newMachine(t, "linux", nil)
	write(t, filepath.Join(m.Home, ".config/opencode/opencode.jsonc"), "{}")
	for _, tt := range []struct {
		id, want string
		project  bool
	}{
		{"opencode", ".config/opencode/opencode.jsonc", false}, {"opencode", "opencode.json", true}, {"claude-code", ".claude.json", false},
		{"claude-code", ".mcp.json", true}, {"vscode", ".vscode/mcp.json", true}, {"goose", "", true}, {"claude-desktop", "", true},
	} {
		f, err := m.Find(tt.id, tt.project)
		root := m.Home
		if tt.project {
			root = m.Dir
		}
		if tt.want == "" && err == nil || tt.want != "" && (err != nil || f.Path != filepath.Join(root, tt.want)) {
			t.Errorf("%s, project %t: %q, %v", tt.id, tt.project, f.Path, err)
		}
	}
	m.Dir = m.Home
	if _, err := m.Find("cursor", true); err == nil {
		t.Error("the person's own folder is a project")
	}
	m.Home, m.Dir = "", ""
	if _, err := m.Find("cursor", false); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a home: %v", err)
	}
}

// TestMerge holds what stays of an entry that is there: what a person set beside our
// fields, and no word of the old key.
func TestMerge(t *testing.T) {
	for id, old := range map[string]string{
		"cursor":   `{"mcpServers": {"runs": {"command": "runs-mcp-server", "args": ["--read-only"], "env": {"TR_API_KEY": "k-plain-1", "HTTPS_PROXY": "http://proxy"}, "disabled": true, "timeout": 60000, "tags": ["a"]}}}`,
		"codex":    "[mcp_servers.runs]\ncommand = 'runs-mcp-server'\nenv_vars = ['TR_API_KEY', 'HTTPS_PROXY']\nstartup_timeout_sec = 20\nenabled = false\n\n[mcp_servers.runs.env]\nTR_API_KEY = 'k-plain-1'\nA = 'b'\n\n[mcp_servers.runs.tools.get_run]\napproval_mode = 'approve'\n",
		"goose":    "extensions:\n  runs:\n    type: stdio\n    name: runs\n    enabled: false\n    cmd: runs-mcp-server\n    args: []\n    envs: {TR_API_KEY: k-plain-1, A: b}\n    timeout: 45\n    available_tools: [get_run]\n",
		"opencode": `{"mcp": {"servers": {"runs": {"type": "local", "command": ["runs-mcp-server"], "environment": {"A": "b"}, "timeout": 9000}}}}`,
	} {
		f := fileOf(t, id)
		write(t, f.Path, old)
		install(t, f, ourServer())
		text := readFile(t, f.Path)
		for _, kept := range map[string][]string{
			"cursor": {`"HTTPS_PROXY": "http://proxy"`, `"timeout": 60000`, `"tags": ["a"]`},
			"codex":  {`env_vars = ["TR_API_KEY", "HTTPS_PROXY"]`, "startup_timeout_sec = 20", `env = { A = "b" }`, `tools = { get_run = { approval_mode = "approve" } }`},
			"goose":  {"timeout: 45", `envs: {"A": "b"}`, `available_tools: ["get_run"]`}, "opencode": {`"A": "b"`, `"timeout": 9000`, `"servers": {`},
		}[id] {
			if !strings.Contains(text, kept) {
				t.Errorf("%s: %s is gone:\n%s", id, kept, text)
			}
		}
		if strings.Contains(text, "k-plain-1") || strings.Contains(text, "disabled") || strings.Contains(text, "false") {
			t.Errorf("%s: the old key, or that it is off, stayed:\n%s", id, text)
		}
	}
}
