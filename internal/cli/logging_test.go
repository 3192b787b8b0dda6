package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/program"
)

// callOnce serves the sandbox over stdio with flags, creates a run and fails to read
// another, and ends.
func callOnce(t *testing.T, flags ...string) {
	t.Helper()
	in, out, exit := program.ServeStdio(t, append([]string{"--sandbox"}, flags...)...)
	for _, message := range []string{
		program.Initialize,
		program.ToolCall("create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0"}),
		program.ToolCall("get_run", map[string]any{"runId": "00000000-0000-4000-8000-000000000000"}),
	} {
		if _, err := in.Write([]byte(message + "\n")); err != nil {
			t.Fatal(err)
		}
		out.Scan()
	}
	in.Close()
	for out.Scan() {
	}
	if code := <-exit; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestLogFile holds that a log file gets one line for each call, as JSON if that is
// wanted, and that a second process appends to it.
func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for range 2 {
		callOnce(t, "--log-file", path, "--log-format=json")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v (%v)", info.Mode(), err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		var fields struct {
			Level, Msg, Tool, Outcome, Request, Caller, Run string
			MS                                              *int
		}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if fields.Tool == "" {
			continue
		}
		got = append(got, strings.Join([]string{fields.Level, fields.Tool, fields.Outcome, fields.Request}, " "))
		if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(fields.Caller) || len(fields.Run) != 36 || fields.MS == nil {
			t.Errorf("a line lacks fields: %s", line)
		}
	}
	const once = "INFO create_run ok 1;WARN get_run not_found 1"
	if all := strings.Join(got, ";"); all != once+";"+once {
		t.Errorf("got %q", all)
	}
}

// TestLogFlags holds that a log that cannot be opened is a wrong usage.
func TestLogFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--log-file=" + t.TempDir(): "--log-file: open ", "--log-format=xml": "--log-format must be one of",
	} {
		if got := runProgram(t, nil, nil, "stdio", "--sandbox", args); got.code != 2 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: exit code %d: %s", args, got.code, got.stderr)
		}
	}
}
