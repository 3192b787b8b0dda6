package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"runs-mcp-server/internal/clients"
)

// newMachine returns a doctor of a machine with an empty home and project folder. The
// program, which tells a version, is at the returned path.
func newMachine(t *testing.T, version string) (d *doctor, program string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the program is a script")
	}
	dir := t.TempDir()
	program = filepath.Join(dir, "runs-mcp-server")
	writeFile(t, program, "#!/bin/sh\n"+version+"\n", 0o700)
	return newDoctor(Options{
		Self:    filepath.Join(dir, "other"),
		Machine: clients.Machine{OS: "linux", Home: t.TempDir(), Dir: t.TempDir(), Env: func(name string) string { return map[string]string{"PATH": os.Getenv("PATH")}[name] }},
		CheckArgs: func(args []string, env func(string) string) error {
			if len(args) > 0 && args[0] == "--bad" {
				return errors.New("unknown flag --bad")
			}
			if len(args) > 1 {
				_, value, _ := strings.Cut(args[1], "=")
				return fmt.Errorf("unexpected argument %s and %s", args[0], value)
			}
			return nil
		},
	}), program
}

func writeFile(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// TestEntries holds what is said of an entry of this server in a client's configuration.
// The key never appears.
func TestEntries(t *testing.T) {
	const key = `"env": {"TR_API_KEY": "k-secret-0123456789"}`
	const desktop, code, vscode = ".config/Claude/claude_desktop_config.json", ".claude.json", ".config/Code/User/mcp.json"
	for _, tt := range []struct {
		name, file, entry string
		mode              os.FileMode
		status            Status
		says              string
	}{
		{"well", desktop, `{"command": PROGRAM, ` + key + `}`, 0o600, OK, `"runs" starts `},
		{"readable by others", desktop, `{"command": PROGRAM, ` + key + `}`, 0o644, Warning, "that others can read"},
		{"plain key", code, `{"command": PROGRAM, ` + key + `}`, 0o600, Warning, "in plain text at env.TR_API_KEY"},
		{"a placeholder", desktop, `{"command": PROGRAM, "env": {"TR_API_KEY": "your-key"}}`, 0o600, Failed, "is a placeholder"},
		{"a variable that is not replaced", desktop, `{"command": PROGRAM, "env": {"TR_API_KEY": "${TR_API_KEY}"}}`, 0o600, Failed, "Claude Desktop does not replace"},
		{"a variable that is not set", code, `{"command": PROGRAM, "env": {"TR_API_KEY": "${TR_API_KEY}"}}`, 0o600, Warning, "TR_API_KEY, which is not set here"},
		{"an input", vscode, `{"command": PROGRAM, "env": {"TR_API_KEY": "${input:k}"}}`, 0o600, OK, "starts "},
		{"no key", desktop, `{"command": PROGRAM}`, 0o600, Warning, "sets no TR_API_KEY"},
		{"the sandbox", desktop, `{"command": PROGRAM, "args": ["--sandbox"]}`, 0o600, OK, "starts "},
		{"no such file", desktop, `{"command": "/nowhere/runs-mcp-server", ` + key + `}`, 0o600, Failed, "there is no such file"},
		{"not on the PATH", desktop, `{"command": "runs-mcp-server", ` + key + `}`, 0o600, Failed, "the PATH has no such program"},
		{"a wrong flag", desktop, `{"command": PROGRAM, "args": ["--bad"], ` + key + `}`, 0o600, Failed, "unknown flag --bad"},
		{"a key among the arguments", desktop, `{"command": PROGRAM, "args": ["k-secret-0123456789", "--x=k-secret-9876543210"], ` + key + `}`, 0o600, Failed, "unexpected argument (not shown)"},
		{"a short key among the arguments", desktop, `{"command": PROGRAM, "args": ["k-secret", "--x=y"], ` + key + `}`, 0o600, Failed, "unexpected argument (not shown) and y"},
		{"a key in the command", desktop, `{"command": "env TR_API_KEY=k-secret-0123456789 runs-mcp-server", ` + key + `}`, 0o600, Failed, `starts "env ..."`},
		{"a key in a command with a variable", vscode, `{"command": "TR_API_KEY=k-secret-0123456789 ${workspaceFolder}/runs-mcp-server", "env": {"TR_API_KEY": "${input:k}"}}`, 0o600, OK, "not checked"},
		{"something that starts it", desktop, `{"command": "sh", "args": ["-c", "/x/runs-mcp-server"], ` + key + `}`, 0o600, OK, "starts sh, which is there"},
		{"turned off", desktop, `{"command": PROGRAM, "disabled": true, ` + key + `}`, 0o600, Warning, "is turned off"},
		{"a variable in the command", vscode, `{"command": "${workspaceFolder}/runs-mcp-server", "env": {"TR_API_KEY": "${input:k}"}}`, 0o600, OK, "not checked"},
		{"no command", desktop, `{"command": "", ` + key + `}`, 0o600, Failed, "that is no command"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, program := newMachine(t, "echo 1.2.3")
			servers := "mcpServers"
			if tt.file == vscode {
				servers = "servers"
			}
			entry := strings.ReplaceAll(tt.entry, "PROGRAM", fmt.Sprintf("%q", program))
			writeFile(t, filepath.Join(d.Machine.Home, tt.file), fmt.Sprintf(`{%q: {"runs": %s}}`, servers, entry), tt.mode)
			d.checkClients(t.Context())
			checkOne(t, d.Report, tt.status, tt.says)
			if text := fmt.Sprint(d.Checks); strings.Contains(text, "k-secret") {
				t.Errorf("the report has the key: %s", text)
			}
		})
	}
}

// TestFixes holds that what a person is told to do suits their client: only some take the
// key from elsewhere.
func TestFixes(t *testing.T) {
	const desktop, code = ".config/Claude/claude_desktop_config.json", ".claude.json"
	const elsewhere = `write "${TR_API_KEY}" in its place and set the variable where Claude Code starts.`
	for _, tt := range []struct{ file, value, fix string }{
		{desktop, "your-key", "Put the key there."},
		{code, "your-key", "Put the key there. To keep it out of the file, " + elsewhere},
		{desktop, "${TR_API_KEY}", "Write the key itself."},
		{code, "$TR_API_KEY", "Write the key itself, or: " + elsewhere},
		{code, "k-0123456789", "In Claude Code, " + elsewhere},
	} {
		d, program := newMachine(t, "echo 1.2.3")
		writeFile(t, filepath.Join(d.Machine.Home, tt.file), fmt.Sprintf(`{"mcpServers": {"runs": {"command": %q, "env": {"TR_API_KEY": %q}}}}`, program, tt.value), 0o600)
		d.checkClients(t.Context())
		if got := d.Checks[0].Fix; got != tt.fix {
			t.Errorf("%s, %s: the fix is %q, want %q", tt.file, tt.value, got, tt.fix)
		}
	}
}

// TestStart holds that the command of a person's own file is run to see its version, and
// that of a project's file is not.
func TestStart(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		project      bool
		status       Status
		says         string
	}{
		{"the same version", "echo 1.2.3", false, OK, "version 1.2.3"},
		{"another version", "echo 0.9.0", false, Warning, "version 0.9.0; this program is version 1.2.3"},
		{"it fails", "exit 3", false, Failed, "that does not run: exit status 3"},
		{"another program", "yes hello | head -c 100000", false, Failed, "it is another program"},
		{"secrets are not passed on", `[ -z "$TR_API_KEY$HOME" ] && echo 1.2.3`, false, OK, "version 1.2.3"},
		{"a project's", "touch ran", true, OK, "was not run"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("TR_API_KEY", "k")
			d, program := newMachine(t, tt.script)
			path := filepath.Join(d.Machine.Home, ".gemini", "settings.json")
			if tt.project {
				path = filepath.Join(d.Machine.Dir, ".gemini", "settings.json")
			}
			writeFile(t, path, fmt.Sprintf(`{"mcpServers": {"runs": {"command": %q, "cwd": %q, "args": ["--sandbox"]}}}`, program, d.Machine.Dir), 0o600)
			d.checkClients(t.Context())
			checkOne(t, d.Report, tt.status, tt.says)
			if _, err := os.Stat(filepath.Join(d.Machine.Dir, "ran")); err == nil {
				t.Error("the command of a project's file was run")
			}
		})
	}
}

// TestStartsItself holds that an entry which starts this very program is told so.
func TestStartsItself(t *testing.T) {
	d, program := newMachine(t, "exit 3") // it is not run
	if err := os.Symlink(program, d.Self); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(d.Machine.Home, ".gemini", "settings.json"), fmt.Sprintf(`{"mcpServers": {"runs": {"command": %q, "args": ["--sandbox"]}}}`, program), 0o600)
	d.checkClients(t.Context())
	checkOne(t, d.Report, OK, `"runs" starts this program`)
}

// TestFindCommand holds where the command of an entry is looked for: on the PATH, and if it
// has a folder, from the folder of the entry.
func TestFindCommand(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program is a script")
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "bin", "here"), "#!/bin/sh\n", 0o700)
	writeFile(t, filepath.Join(dir, "bin", "text"), "", 0o600)
	for _, tt := range []struct{ command, dir, path, fails string }{
		{"bin/here", dir, filepath.Join(dir, "bin", "here"), ""},
		{"bin/here", "", "", "there is no such file"},
		{"here", filepath.Join(dir, "bin"), "", "the PATH has no such program"},
		{filepath.Join(dir, "bin", "here"), "/nowhere", filepath.Join(dir, "bin", "here"), ""},
		{"bin/text", dir, "", "that is no program which may be run"},
		{"", dir, "", "that is no command"},
	} {
		path, err := findCommand(tt.command, tt.dir)
		if path != tt.path || (err == nil) != (tt.fails == "") || err != nil && err.Error() != tt.fails {
			t.Errorf("%q in %q: got %q, %v", tt.command, tt.dir, path, err)
		}
	}
}

// TestLimitedWriter holds that a program which writes without end takes no memory.
func TestLimitedWriter(t *testing.T) {
	var out bytes.Buffer
	w := &limitedWriter{&out}
	for range 3 {
		if n, err := w.Write(make([]byte, maxVersion-1)); n != maxVersion-1 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	}
	if out.Len() != maxVersion {
		t.Errorf("%d bytes were kept", out.Len())
	}
}

// TestFiles holds what is said of files without an entry, and of those that cannot be
// read.
func TestFiles(t *testing.T) {
	d, _ := newMachine(t, "")
	d.checkClients(t.Context())
	checkOne(t, d.Report, Warning, "no client on this machine")
	d, _ = newMachine(t, "")
	writeFile(t, filepath.Join(d.Machine.Home, ".cursor", "mcp.json"), "{", 0o600)
	writeFile(t, filepath.Join(d.Machine.Home, ".claude.json"), "{}", 0o600)
	d.checkClients(t.Context())
	if text := fmt.Sprint(d.Checks); d.Count(Failed) != 1 || d.Count(Skipped) != 1 || !strings.Contains(text, "no valid JSON") || !strings.Contains(text, "has no entry of this server") {
		t.Error(text)
	}
}

// TestURLs holds what is said of the URL of an entry, and that no key is sent to it.
func TestURLs(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, tt := range []struct {
		name   string
		answer http.Handler
		url    string // "" for that of a server with the answer
		status Status
		says   string
	}{
		{"this server", page(401, "send your toolregistry.ai API key in the header x-api-key"), "", OK, "connects to http://127.0.0.1"},
		{"an open server", page(200, "{}"), "", OK, "connects to "},
		{"a host that is not allowed", page(403, "no"), "", Failed, "refuses this host (403)"},
		{"a wrong path", page(404, "no"), "", Failed, "no MCP (404)"},
		{"another server", page(401, "log in"), "", Warning, "not as this server does"},
		{"nothing", nil, closed.URL + "/mcp?token=t-secret", Failed, "cannot be reached"},
		{"no URL", nil, "mcp.example.com", Failed, "a URL that is none"},
		{"another scheme", nil, "ftp://mcp.example.com/mcp", Failed, "a URL that is none"},
		{"without TLS", nil, "http://192.0.2.1:1/mcp", Failed, "cannot be reached"},
		{"a variable", nil, "https://${HOST}/mcp", OK, "not checked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, _ := newMachine(t, "")
			if tt.answer != nil {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("x-api-key") != "" || r.Method != http.MethodPost {
						t.Errorf("got %s with %v", r.Method, r.Header)
					}
					tt.answer.ServeHTTP(w, r)
				}))
				defer server.Close()
				tt.url = server.URL + "/mcp"
			}
			if tt.name == "without TLS" && testing.Short() {
				t.Skip("waits for the network")
			}
			writeFile(t, filepath.Join(d.Machine.Home, ".config/Code/User/mcp.json"), fmt.Sprintf(`{"servers": {"runs": {"type": "http", "url": %q, "headers": {"x-api-key": "${input:k}"}}}}`, tt.url), 0o600)
			d.checkClients(t.Context())
			checkOne(t, d.Report, tt.status, tt.says)
			if tt.name == "without TLS" && d.Count(Warning) != 1 {
				t.Errorf("no warning about TLS: %+v", d.Checks)
			}
			if strings.Contains(fmt.Sprint(d.Checks), "t-secret") {
				t.Errorf("the report has the query: %+v", d.Checks)
			}
		})
	}
}

// TestRelativeCommand holds that a command which is found in the folder that the person
// is in is not run, even if their own file names it: the program may be anybody's.
func TestRelativeCommand(t *testing.T) {
	d, _ := newMachine(t, "echo 1.2.3")
	folder := t.TempDir()
	t.Chdir(folder)
	writeFile(t, filepath.Join(folder, "bin", "runs-mcp-server"), "#!/bin/sh\ntouch ran\necho 1.2.3\n", 0o700)
	writeFile(t, filepath.Join(d.Machine.Home, ".config/Claude/claude_desktop_config.json"), `{"mcpServers": {"runs": {"command": "bin/runs-mcp-server", "env": {"TR_API_KEY": "k-0123456789"}}}}`, 0o600)
	d.checkClients(t.Context())
	checkOne(t, d.Report, OK, "was not run")
	if _, err := os.Stat("ran"); err == nil {
		t.Error("the program was run")
	}
}
