package cli_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/clients"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
)

// TestInstallShowsNoKey holds for each client that a key that is known when it is added
// comes into no output, and into no file but the program's own, which nobody else can read.
func TestInstallShowsNoKey(t *testing.T) {
	t.Parallel()
	const key = "sk-live-canary-1"
	for _, id := range clients.IDs() {
		home := t.TempDir()
		own := filepath.Join(home, "config", "runs-mcp-server", "api-key")
		env := map[string]string{"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, "config"), "TR_API_KEY": key}
		for _, args := range [][]string{{"--yes"}, {"--yes", "--", "--user-id=me"}, {"--print"}, {"--dry-run"}, {"--remove", "--yes"}, {"--yes", "--url=https://mcp.example.com/mcp"}, {"--yes", "--name=" + key}} {
			var out testbed.Buffer
			if !slices.Contains(args, "--remove") && !strings.Contains(args[len(args)-1], "--url") {
				args = append([]string{"--command=/opt/runs-mcp-server"}, args...)
			}
			cli.Run(t.Context(), append([]string{"install", id}, args...), func(name string) string { return env[name] }, strings.NewReader(""), &out, &out)
			if text := out.String(); strings.Contains(text, key) || !strings.Contains(text, "TR_API_KEY") && args[0] == "--command=/opt/runs-mcp-server" {
				t.Errorf("%s %q shows the key, or nothing:\n%s", id, args, text)
			}
		}
		filepath.WalkDir(home, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, _ := os.ReadFile(path)
			info, _ := entry.Info()
			if strings.Contains(string(data), key) && (path != own || info.Mode().Perm() != 0o600) {
				t.Errorf("%s: the key is in %s, mode %o", id, path, info.Mode().Perm())
			}
			return nil
		})
	}
}

// TestInstallAsks holds that a person is asked, and that only a yes changes the file.
func TestInstallAsks(t *testing.T) {
	t.Parallel()
	for answer, writes := range map[string]bool{"y\n": true, "n\n": false, "\n": false, "\x03": false} {
		home := t.TempDir()
		command := exec.Command(program.Executable(t), "install", "cursor")
		command.Dir = home
		command.Env = []string{"TERM=xterm", "HOME=" + home, "TR_API_KEY=k-0123456789"}
		term := program.StartInTerminal(t, 80, 24, command)
		term.Await(0, "anything else changes nothing: ")
		term.Type(answer)
		code := term.WaitExit()
		_, err := os.Stat(filepath.Join(home, ".cursor", "mcp.json"))
		if (err == nil) != writes || (code == 0) != (answer != "\x03") {
			t.Errorf("%q: exit code %d, %v:\n%s", answer, code, err, term.Printed())
		}
	}
}
