package clients_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/clients"
)

// newMachine returns a machine with an empty home and project folder.
func newMachine(t *testing.T, system string, env map[string]string) clients.Machine {
	t.Helper()
	return clients.Machine{OS: system, Home: t.TempDir(), Dir: t.TempDir(), Env: func(name string) string { return env[name] }}
}

// write writes a file, and the folders that it is in.
func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ours returns this server's entries in all files that exist, by client.
func ours(t *testing.T, m clients.Machine) map[string][]clients.Entry {
	t.Helper()
	found := map[string][]clients.Entry{}
	for _, f := range m.Files() {
		entries, err := f.Read()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", f.Path, err)
		}
		for _, e := range entries {
			if e.IsOurs() {
				found[f.Client] = append(found[f.Client], e)
			}
		}
	}
	return found
}

// configurations are a configuration of each client with an entry of this server, in
// the person's file on Linux: $HOME and $DIR stand for the folders.
func configurations() map[string][2]string {
	const common = `"command": "/opt/runs-mcp-server", "args": ["--user-id", "me"], "env": {"TR_API_KEY": "k-plain-1"}`
	return map[string][2]string{
		"Claude Code":    {".claude.json", `{"numStartups": 3, "mcpServers": {"runs": {"type": "stdio", ` + common + `}, "other": {"command": "npx"}}}`},
		"Claude Desktop": {".config/Claude/claude_desktop_config.json", `{"mcpServers": {"runs": {` + common + `}}}`},
		"Cursor":         {".cursor/mcp.json", `{"mcpServers": {"runs": {` + common + `}}}`},
		"VS Code":        {".config/Code/User/mcp.json", "{\n// mine\n\"servers\": {\"runs\": {" + common + ",}, /* c */ }, \"inputs\": []\n}"},
		"Codex":          {".codex/config.toml", "model = \"m\"\n[mcp_servers.runs] # ours\ncommand = '/opt/runs-mcp-server'\nargs = [\"--user-id\", \"me\"]\nenv = { TR_API_KEY = \"k-plain-1\" }\n"},
		"Gemini CLI":     {".gemini/settings.json", `{"theme": "x", "mcpServers": {"runs": {` + common + `}}}`},
		"OpenCode":       {".config/opencode/opencode.json", `{"mcp": {"runs": {"type": "local", "command": ["/opt/runs-mcp-server", "--user-id", "me"], "environment": {"TR_API_KEY": "k-plain-1"}}}}`},
		"Goose":          {".config/goose/config.yaml", "GOOSE_MODEL: m\nextensions:\n  runs: # ours\n    type: stdio\n    cmd: /opt/runs-mcp-server\n    args: [--user-id, me]\n    envs: {TR_API_KEY: k-plain-1}\n    enabled: true\n"},
		"Zed":            {".config/zed/settings.json", "{ // z\n\"context_servers\": {\"runs\": {" + common + "}}}"},
	}
}

// TestEveryClient holds that this server's entry is found and read in the configuration
// of each client.
func TestEveryClient(t *testing.T) {
	m := newMachine(t, "linux", nil)
	names := slices.Sorted(maps.Keys(configurations()))
	for _, name := range names {
		c := configurations()[name]
		write(t, filepath.Join(m.Home, c[0]), c[1])
	}
	found := ours(t, m)
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, names) {
		t.Fatalf("found %q, want %q", got, names)
	}
	for name, entries := range found {
		e := entries[0]
		if len(entries) != 1 || e.Name != "runs" || e.Command != "/opt/runs-mcp-server" || !slices.Equal(e.Args, []string{"--user-id", "me"}) || !e.Starts() || e.Disabled {
			t.Errorf("%s: got %+v", name, entries)
		}
		if key := e.KeyAt(); !key.Plain || !strings.HasSuffix(key.Place, "TR_API_KEY") {
			t.Errorf("%s: the key is at %+v", name, key)
		}
	}
}

// TestPlaces holds where files are looked for: on each system, in the folders that
// variables name, and in a project.
func TestPlaces(t *testing.T) {
	for system, want := range map[string][]string{
		"linux":   {".config/Claude/claude_desktop_config.json", ".config/Code/User/mcp.json", ".config/goose/config.yaml", ".config/zed/settings.json"},
		"darwin":  {"Library/Application Support/Claude/claude_desktop_config.json", "Library/Application Support/Code/User/mcp.json", ".config/goose/config.yaml", ".config/zed/settings.json"},
		"windows": {"AppData/Roaming/Claude/claude_desktop_config.json", "AppData/Roaming/Code/User/mcp.json", "AppData/Roaming/Block/goose/config/config.yaml", "AppData/Roaming/Zed/settings.json"},
	} {
		m := newMachine(t, system, nil)
		checkPlaces(t, m, m.Home, append(want, ".claude.json", ".cursor/mcp.json", ".codex/config.toml", ".gemini/settings.json", ".config/opencode/opencode.json", ".config/opencode/opencode.jsonc"))
		checkPlaces(t, m, m.Dir, []string{".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json", ".codex/config.toml", ".gemini/settings.json", "opencode.json", ".zed/settings.json"})
	}
	moved := t.TempDir()
	m := newMachine(t, "linux", map[string]string{"CLAUDE_CONFIG_DIR": moved + "/claude", "CODEX_HOME": moved + "/codex", "XDG_CONFIG_HOME": moved})
	checkPlaces(t, m, moved, []string{"claude/.claude.json", "codex/config.toml", "goose/config.yaml", "opencode/opencode.json", "Claude/claude_desktop_config.json"})
	m = newMachine(t, "windows", map[string]string{"APPDATA": moved})
	checkPlaces(t, m, moved, []string{"Claude/claude_desktop_config.json", "Zed/settings.json"})
	m.Dir = m.Home
	for _, f := range m.Files() {
		if f.Project || f.IsPart {
			t.Errorf("the person's own folder is a project: %s", f.Path)
		}
	}
	m.Home, m.Dir = "", ""
	if files := m.Files(); len(files) != 0 {
		t.Errorf("without a home: %v", files)
	}
}

func checkPlaces(t *testing.T, m clients.Machine, root string, want []string) {
	t.Helper()
	var paths []string
	for _, f := range m.Files() {
		if rel, err := filepath.Rel(root, f.Path); err == nil && filepath.IsLocal(rel) {
			paths = append(paths, filepath.ToSlash(rel))
			if f.Project != (root == m.Dir) {
				t.Errorf("%s: belongs to a project: %t", f.Path, f.Project)
			}
		}
	}
	for _, path := range want {
		if !slices.Contains(paths, path) {
			t.Errorf("%s: %s is missing in %q", m.OS, path, paths)
		}
	}
}

// TestKeyAt holds where an entry has its key, and whether the key is in plain text.
func TestKeyAt(t *testing.T) {
	const stdio, remote = `{"mcpServers": {"runs": {"command": "runs-mcp-server", "env": {"TR_API_KEY": %q}}}}`, `{"mcpServers": {"runs": {"url": "https://m.example.com/mcp", "headers": {"X-Api-Key": %q}}}}`
	type secret = clients.Secret
	for _, tt := range []struct {
		file, content, value string
		want                 secret
	}{
		{".claude.json", stdio, "${TR_API_KEY}", secret{Place: "env.TR_API_KEY", Variable: "TR_API_KEY"}},
		{".claude.json", stdio, "${K:-none}", secret{Place: "env.TR_API_KEY", Variable: "K"}},
		{".claude.json", stdio, "$TR_API_KEY", secret{Place: "env.TR_API_KEY", Unexpanded: true}},
		{".claude.json", remote, "${TR_API_KEY}", secret{Place: "headers.x-api-key", Variable: "TR_API_KEY"}},
		{".claude.json", remote, "k-1", secret{Place: "headers.x-api-key", Plain: true}},
		{".config/Claude/claude_desktop_config.json", stdio, "${TR_API_KEY}", secret{Place: "env.TR_API_KEY", Unexpanded: true}},
		{".cursor/mcp.json", stdio, "${env:TR_API_KEY}", secret{Place: "env.TR_API_KEY", Variable: "TR_API_KEY"}},
		{".gemini/settings.json", stdio, "$TR_API_KEY", secret{Place: "env.TR_API_KEY", Variable: "TR_API_KEY"}},
		{".config/Code/User/mcp.json", strings.Replace(stdio, "mcpServers", "servers", 1), "${input:tr-api-key}", secret{Place: "env.TR_API_KEY"}},
		{".config/opencode/opencode.jsonc", `{"mcp": {"runs": {"command": ["runs-mcp-server"], "environment": {"TR_API_KEY": %q}}}}`, "{env:TR_API_KEY}", secret{Place: "env.TR_API_KEY", Variable: "TR_API_KEY"}},
		{".config/opencode/opencode.json", `{"mcp": {"runs": {"url": "https://x/mcp", "headers": {"Authorization": %q}}}}`, "Bearer {file:~/key}", secret{Place: "headers.Authorization"}},
		{".codex/config.toml", "[mcp_servers.runs]\ncommand = 'runs-mcp-server'\nenv_vars = [%q]", "TR_API_KEY", secret{Place: "TR_API_KEY", Variable: "TR_API_KEY"}},
		{".codex/config.toml", "[mcp_servers.x]\nurl = 'https://x/mcp'\nenv_http_headers = { \"x-api-key\" = %q }", "MY_KEY", secret{Place: "x-api-key", Variable: "MY_KEY"}},
		{".codex/config.toml", "[mcp_servers.runs]\nurl = 'https://x/mcp'\nbearer_token_env_var = %q", "MY_KEY", secret{Place: "Authorization", Variable: "MY_KEY"}},
		{".config/goose/config.yaml", "extensions: {runs: {cmd: runs-mcp-server, env_keys: [%q]}}", "TR_API_KEY", secret{Place: "keyring"}},
		{".cursor/mcp.json", `{"mcpServers": {"runs": {"command": "runs-mcp-server", "envFile": %q}}}`, ".env", secret{Place: "envFile"}},
		{".cursor/mcp.json", `{"mcpServers": {"runs": {"command": "runs-mcp-server", "args": ["--api-key-file=%s"]}}}`, "key", secret{Place: "--api-key-file"}},
		{".cursor/mcp.json", `{"mcpServers": {"runs": {"command": "runs-mcp-server", "args": ["%s"]}}}`, "--read-only", secret{}},
	} {
		m := newMachine(t, "linux", nil)
		content := strings.Replace(strings.Replace(tt.content, "%q", `"`+tt.value+`"`, 1), "%s", tt.value, 1)
		write(t, filepath.Join(m.Home, tt.file), content)
		var got []clients.Entry
		for _, entries := range ours(t, m) {
			got = append(got, entries...)
		}
		if len(got) != 1 || got[0].KeyAt() != tt.want {
			t.Errorf("%s: %s: got %+v, want %+v", tt.file, content, got, tt.want)
		}
	}
}

// TestIsOurs holds which entries are about this server.
func TestIsOurs(t *testing.T) {
	for content, want := range map[string]bool{
		`{"command": "C:\\Tools\\runs-mcp-server.exe"}`:                                 true,
		`{"command": "npx", "args": ["-y", "@acme/runs-mcp-server@1.2.3"]}`:             true,
		`{"command": "docker", "args": ["run", "ghcr.io/acme/runs-mcp-server:latest"]}`: true,
		`{"command": "/usr/bin/wrapper", "env": {"TR_API_KEY": "x"}}`:                   true,
		`{"url": "https://runs-mcp-server.example.com/mcp"}`:                            true,
		`{"url": "https://x/mcp", "headers": {"x-api-key": "${TR_API_KEY}"}}`:           true,
		`{"url": "https://x/mcp", "headers": {"x-api-key": "${OTHER_KEY}"}}`:            false,
		`{"command": "npx", "args": ["-y", "runs-mcp-server-tools"]}`:                   false,
		`{"command": "other"}`: false,
		`"text"`:               false,
	} {
		m := newMachine(t, "linux", nil)
		write(t, filepath.Join(m.Dir, ".mcp.json"), `{"mcpServers": {"some": `+content+`}}`)
		if got := len(ours(t, m)) == 1; got != want {
			t.Errorf("%s: ours: %t", content, got)
		}
	}
}

// TestAdvice holds that Codex, which keeps a key in one way for programs and in another for
// URLs, is advised the one that suits the entry.
func TestAdvice(t *testing.T) {
	for entry, want := range map[string]string{`command = "runs-mcp-server"`: "env_vars", `url = "https://x.test/runs-mcp-server"`: "env_http_headers"} {
		m := newMachine(t, "linux", nil)
		write(t, filepath.Join(m.Home, ".codex", "config.toml"), "[mcp_servers.runs]\n"+entry+"\n")
		f, err := m.Find("codex", false)
		if err != nil {
			t.Fatal(err)
		}
		if entries, err := f.Read(); err != nil || len(entries) != 1 || !strings.Contains(entries[0].Advice(), want) {
			t.Errorf("%s: %+v, %v", entry, entries, err)
		}
	}
}

// TestClaudeCodeProjects holds that the person's own entries for the project are read.
func TestClaudeCodeProjects(t *testing.T) {
	m := newMachine(t, "linux", nil)
	m.Dir = "/projects/that"
	write(t, filepath.Join(m.Home, ".claude.json"), `{"projects": {"/projects/that": {"mcpServers": {"runs": {"command": "runs-mcp-server"}}}, "/else": {"mcpServers": {"runs": {"command": "runs-mcp-server"}}}}}`)
	if found := ours(t, m)["Claude Code"]; len(found) != 1 {
		t.Errorf("found %+v", found)
	}
}

// TestUnreadableFiles holds what is said of files that cannot be read, and that nothing
// of them is quoted.
func TestUnreadableFiles(t *testing.T) {
	for path, content := range map[string]string{
		".mcp.json":             "{\n\"mcpServers\": {\"runs\": {\"env\": {\"TR_API_KEY\": secret-1}}}}",
		".cursor/mcp.json":      "{\"mcpServers\": ",
		".gemini/settings.json": "{\"mcpServers",
		".codex/config.toml":    "[mcp_servers.runs]\nenv = { TR_API_KEY = secret-1 }\n",
	} {
		m := newMachine(t, "linux", nil)
		write(t, filepath.Join(m.Dir, path), content)
		failed := 0
		for _, f := range m.Files() {
			_, err := f.Read()
			if err == nil || errors.Is(err, os.ErrNotExist) {
				continue
			}
			failed++
			if !strings.Contains(err.Error(), "it is no valid ") || !strings.Contains(err.Error(), " in line ") || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", f.Path, err)
			}
		}
		if failed != 1 {
			t.Errorf("%s: %d files failed", path, failed)
		}
	}
	m := newMachine(t, "linux", nil)
	write(t, filepath.Join(m.Dir, ".cursor", "mcp.json", "x"), "")
	write(t, filepath.Join(m.Dir, ".mcp.json"), "")
	for _, f := range m.Files() {
		if _, err := f.Read(); f.Path == filepath.Join(m.Dir, ".cursor", "mcp.json") && (err == nil || !strings.Contains(err.Error(), "no regular file")) {
			t.Errorf("a folder: %v", err)
		} else if f.Path == filepath.Join(m.Dir, ".mcp.json") && err != nil {
			t.Errorf("an empty file: %v", err)
		}
	}
}

// TestDeepFiles holds that a file which is nested too deep is an error, and no overflow of
// the stack. Brackets in strings and comments do not count.
func TestDeepFiles(t *testing.T) {
	entry := `{"mcpServers": {"runs": {"command": "runs-mcp-server"}}`
	many := strings.Repeat("[", 3_000_000)
	for content, deep := range map[string]bool{
		many:                                true,
		entry + `, "x": "\"` + many + `"}`:  false,
		entry + "// \"" + many + "\n}":      false,
		entry + "/* \"" + many + "*/}":      false,
		strings.Repeat(`[{"x":[]},`, 2_000): true,
		entry + `, "x": [` + strings.Repeat("[],", 2_000) + "]}":                        false,
		entry + `, "x": ` + strings.Repeat("[", 999) + strings.Repeat("]", 999) + "}":   false,
		entry + `, "x": ` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}": true,
		entry + strings.Repeat("/**/", 2_000) + `, "x": ` + strings.Repeat("[", 1000):   true,
	} {
		m := newMachine(t, "linux", nil)
		write(t, filepath.Join(m.Dir, ".mcp.json"), content)
		for _, f := range m.Files() {
			if f.Path != filepath.Join(m.Dir, ".mcp.json") {
				continue
			}
			entries, err := f.Read()
			if got := err != nil && strings.Contains(err.Error(), "nested more than"); got != deep || !deep && len(entries) != 1 {
				t.Errorf("%.30s: %d entries, %v", content, len(entries), err)
			}
		}
	}
}
