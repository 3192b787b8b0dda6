package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// TestAuditLogAtItsLimit holds that the server goes on when the operating system lets no
// file grow (RLIMIT_FSIZE, which also sends a signal): creates are refused until there is
// room, and a line that was torn spoils no other.
func TestAuditLogAtItsLimit(t *testing.T) {
	box := startSandbox(t)
	path := filepath.Join(t.TempDir(), "audit.log")
	full := bytes.Repeat([]byte("\n"), 1<<20-100) // the limit below is 2,048 blocks of 512 bytes
	if err := os.WriteFile(path, full, 0o600); err != nil {
		t.Fatal(err)
	}
	command, endpoint, awaitLog := program.StartHTTPAfter(t, "ulimit -f 2048", "--api-url", box.URL(), "--integrations=*", "--drain=0s", "--audit-log", path)
	me := program.NewTenant(t, endpoint, sandbox.DefaultKey)
	create := program.ToolCall("create_run", map[string]any{"intent": "x", "userId": "u", "context": "sandbox: step_ms=0"})
	if _, answer, _ := me.Send(t, me.Session, create, nil); !strings.Contains(answer, "the audit log cannot be written, so nothing was sent") {
		t.Errorf("got %s", answer)
	}
	if n := box.Sandbox().Stats().Creates; n != 0 {
		t.Errorf("%d runs were created", n)
	}
	torn, err := os.ReadFile(path)
	if err != nil || len(torn) <= len(full) {
		t.Fatalf("no line was torn: %d bytes (%v)", len(torn), err)
	}
	if err := os.Truncate(path, int64(len(torn)-len(full))); err != nil { // as a rotation does
		t.Fatal(err)
	}
	me.CreateRun(t, "steps=1")
	command.Process.Signal(syscall.SIGTERM)
	log := awaitLog()
	if code := program.WaitExit(t, command); code != 0 || !strings.Contains(log, "file too large") || !strings.Contains(log, "written again") {
		t.Errorf("exit code %d: %s", code, log)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n{\"time\":") != 2 || !strings.HasSuffix(string(text), "\"outcome\":\"ok\"}\n") {
		t.Errorf("the log holds %q (%v)", text, err)
	}
}
