package clients_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"runs-mcp-server/internal/clients"
)

// TestWrite holds how a file is written: through links, with its mode, with at most three
// backups, and without leaving anything else behind.
func TestWrite(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes and links")
	}
	for _, id := range clients.IDs() {
		f := fileOf(t, id)
		target := filepath.Join(t.TempDir(), "dotfiles", filepath.Base(f.Path))
		write(t, target, prepare(f, id))
		_ = os.Chmod(target, 0o640)
		link(t, target, f.Path)
		for i := range 5 {
			install(t, f, clients.Server{Command: fmt.Sprintf("/opt/%d/runs-mcp-server", i)})
		}
		info, err := os.Lstat(f.Path)
		if err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s: the link is gone: %v", id, err)
		}
		if info, err = os.Stat(f.Path); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, mode %o", id, err, info.Mode().Perm())
		}
		var left []string
		entries, _ := os.ReadDir(filepath.Dir(target))
		for _, e := range entries {
			info, _ := e.Info()
			left = append(left, fmt.Sprintf("%s %o", strings.TrimPrefix(e.Name(), filepath.Base(target)), info.Mode().Perm()))
		}
		if want := " 640,.runs-backup-3 640,.runs-backup-4 640,.runs-backup-5 640"; strings.Join(left, ",") != want {
			t.Errorf("%s: left %q, want %q", id, left, want)
		}
		created := fileOf(t, id)
		install(t, created, ourServer())
		if info, _ := os.Stat(created.Path); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: a new file has mode %o", id, info.Mode().Perm())
		}
	}
}

// TestKeyInOldEntry holds that a key in plain text is hidden, goes away, and that the
// backup, which has it, is read by nobody else.
func TestKeyInOldEntry(t *testing.T) {
	for name, configuration := range configurations() {
		m := newMachine(t, "linux", nil)
		path := filepath.Join(m.Home, configuration[0])
		write(t, path, configuration[1])
		_ = os.Chmod(path, 0o644)
		for _, id := range clients.IDs() {
			f, err := m.Find(id, false)
			if err != nil || f.Client != name {
				continue
			}
			c := install(t, f, ourServer())
			if text := shown(c); strings.Contains(text, "k-plain-1") {
				t.Errorf("%s: shows the key:\n%s", name, text)
			}
			if text := readFile(t, path); strings.Contains(text, "k-plain-1") {
				t.Errorf("%s: the file has the key:\n%s", name, text)
			}
			if c.Entry().KeyAt().Plain {
				t.Errorf("%s: %+v", name, c.Entry().KeyAt())
			}
			info, err := os.Stat(path + ".runs-backup-1")
			if err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
				t.Errorf("%s: the backup: %v", name, err)
			}
		}
	}
}

// TestChangedMeanwhile holds that a file that its client has changed since it was read is
// not overwritten.
func TestChangedMeanwhile(t *testing.T) {
	f := fileOf(t, "claude-code")
	for _, before := range []string{"", "{}"} {
		if before != "" {
			write(t, f.Path, before)
		} else {
			_ = os.Remove(f.Path)
		}
		c, err := f.Install("", ourServer())
		if err != nil {
			t.Fatal(err)
		}
		write(t, f.Path, `{"a": 1}`)
		if _, err := c.Write(); err == nil || !strings.Contains(err.Error(), "meanwhile") || readFile(t, f.Path) != `{"a": 1}` {
			t.Errorf("%q: %v: %s", before, err, readFile(t, f.Path))
		}
	}
}

// TestForeignFile holds that a file, or a link, of somebody else is left alone. Only root
// can make one.
func TestForeignFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	const somebody = 12_345
	f := fileOf(t, "cursor")
	write(t, f.Path, "{}")
	if err := os.Chown(f.Path, somebody, somebody); err != nil {
		t.Skip(err)
	}
	foreignLink := fileOf(t, "cursor")
	own := filepath.Join(t.TempDir(), "mcp.json")
	write(t, own, "{}")
	link(t, own, foreignLink.Path)
	if err := os.Lchown(foreignLink.Path, somebody, somebody); err != nil {
		t.Skip(err)
	}
	for _, f := range []clients.File{f, foreignLink} {
		if _, err := f.Install("", ourServer()); err == nil || !strings.Contains(err.Error(), "belongs to somebody else") {
			t.Errorf("%v", err)
		}
	}
}

// TestRemoveByHand holds what removing leaves of files that a person wrote by hand, for
// which there is no backup.
func TestRemoveByHand(t *testing.T) {
	const entry = `"runs": {"command": "runs-mcp-server"}`
	for _, tt := range []struct{ id, before, after string }{
		{"cursor", "{\n  \"mcpServers\": {\n    \"a\": {}, // a\n    " + entry + "\n  }\n}\n", "{\n  \"mcpServers\": {\n    \"a\": {} // a\n  }\n}\n"},
		{"cursor", "{\n  \"mcpServers\": {\n    " + entry + ",\n    \"b\": {}\n  }\n}\n", "{\n  \"mcpServers\": {\n    \"b\": {}\n  }\n}\n"},
		{"cursor", "{\n  \"mcpServers\": {\n    \"a\": {},\n    " + entry + ",\n  },\n}\n", "{\n  \"mcpServers\": {\n    \"a\": {},\n  },\n}\n"},
		{"cursor", "{\r\n  \"mcpServers\": {\r\n    " + entry + ",\r\n    \"b\": {}\r\n  }\r\n}\r\n", "{\r\n  \"mcpServers\": {\r\n    \"b\": {}\r\n  }\r\n}\r\n"},
		{"cursor", `{"mcpServers": {` + entry + `, "b": {}}}`, `{"mcpServers": {"b": {}}}`},
		{"cursor", `{"mcpServers": {"a": {}, ` + entry + `}}`, `{"mcpServers": {"a": {}}}`},
		{"cursor", `{"mcpServers": {` + entry + `}}`, `{}`},
		{"cursor", "{\n  \"mcpServers\": {\n    // mine\n    " + entry + "\n  }\n}\n", "{\n  \"mcpServers\": {\n    // mine\n  }\n}\n"},
		{"cursor", "{\"a\": 1, // x\n\"mcpServers\": {" + entry + "}}", "{\"a\": 1 // x\n}"},
		{"cursor", "{\n\t\"mcpServers\": {\n\t\t\"a\": {},\n\t\t" + entry + "\n\t}\n}\n", "{\n\t\"mcpServers\": {\n\t\t\"a\": {}\n\t}\n}\n"},
		{"cursor", "{\n  \"mcpServers\": {" + entry + "}\n}\n", "{}\n"},
		{"codex", "a = 1\n[mcp_servers.runs]\ncommand = 'runs-mcp-server'\n[b]\nc = 1", "a = 1\n[b]\nc = 1"},
		{"codex", "a = 1\n\n[mcp_servers.runs]\ncommand = 'runs-mcp-server'\n\n# the next\n[b]\nc = 1\n", "a = 1\n\n# the next\n[b]\nc = 1\n"},
		{"codex", "[mcp_servers.runs]\ncommand = 'runs-mcp-server'\n[b]\nc = 1\n[mcp_servers.runs.env]\nX = 'y'\n", "[b]\nc = 1\n"},
		{"goose", "extensions:\n  a:\n    cmd: x\n  runs:\n    cmd: runs-mcp-server\n    # ours\n\n# the next\nb: 1\n", "extensions:\n  a:\n    cmd: x\n\n# the next\nb: 1\n"},
		{"goose", "extensions:\n  runs:\n    cmd: runs-mcp-server\nb: 1\n", "b: 1\n"},
		{"goose", "extensions:\n  a:\n   cmd: x\n  runs:\n   cmd: runs-mcp-server\n  b:\n   cmd: x\n", "extensions:\n  a:\n   cmd: x\n  b:\n   cmd: x\n"},
	} {
		f := fileOf(t, tt.id)
		write(t, f.Path, tt.before)
		c, err := f.Remove("")
		if err == nil {
			_, err = c.Write()
		}
		if got := readFile(t, f.Path); err != nil || got != tt.after {
			t.Errorf("%v\n%s\nbecame\n%s\nwant\n%s", err, tt.before, got, tt.after)
		}
	}
}

// TestShapesThatStay holds that a file in which the entry cannot be changed as text is left
// alone.
func TestShapesThatStay(t *testing.T) {
	for _, tt := range []struct{ id, text string }{
		{"codex", "mcp_servers = { other = { command = 'x' } }\n"},
		{"codex", "[mcp_servers]\nruns = { command = 'runs-mcp-server' }\n"},
		{"codex", "mcp_servers.runs.command = 'runs-mcp-server'\n"},
		{"goose", "extensions: {other: {cmd: x}}\n"},
		{"goose", "{extensions: {}}\n"},
		{"cursor", `{"mcpServers": {"runs": {"command": "runs-mcp-server"}, "runs": {"command": "runs-mcp-server"}}}`},
		{"cursor", `{"mcpServers": []}`},
		{"cursor", `{"mcpServers": "x"}`},
	} {
		f := fileOf(t, tt.id)
		write(t, f.Path, tt.text)
		if c, err := f.Install("", ourServer()); err == nil || !strings.Contains(err.Error(), "cannot be changed safely") || !c.Empty() || readFile(t, f.Path) != tt.text {
			t.Errorf("%s: %v:\n%s", tt.text, err, shown(c))
		}
	}
}
