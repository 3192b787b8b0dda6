package cli_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/lab/program"
)

// TestMain lets the tests start the program as a process; see [program.Main].
func TestMain(m *testing.M) { program.Main(m) }

// exited is the exit code and the output of a process.
type exited struct {
	code           int
	stdout, stderr string
}

// runProgram runs the program until it exits. Its standard input is empty, its whole
// environment is env, and its working directory is new and holds files, by name.
func runProgram(t *testing.T, files map[string]string, env []string, args ...string) exited {
	t.Helper()
	command := exec.Command(program.Executable(t), args...)
	command.Dir = t.TempDir()
	for path, content := range files {
		if err := os.WriteFile(filepath.Join(command.Dir, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command.Env = append([]string{"HOME=" + command.Dir}, env...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	code := program.WaitExit(t, command)
	// The program is not on the PATH here, so it names itself by its path.
	return exited{code, stdout.String(), strings.ReplaceAll(stderr.String(), "Try "+command.Path, "Try "+cli.Name)}
}
