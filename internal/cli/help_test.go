package cli_test

import (
	"bytes"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"runs-mcp-server/internal/cli"
)

// TestHelp holds that the help of each command fits a screen of 24 lines of 80 columns
// and names every flag of the command.
func TestHelp(t *testing.T) {
	flags := map[string]string{
		"":           "runs-mcp-server stdio --help",
		"stdio":      "--api-url --api-key-file --log-level --sandbox --user-id --integrations --approval-strategy --pass-through --allow-pass-through --allow-any-user --allow-any-integration --approvals --[no-]ask-while-waiting --decide-hint --auth-links --read-only --tools --exclude-tools --max-result-bytes",
		"http":       "--listen --path-prefix --allowed-hosts --allowed-origins --drain --memory --api-url --user-id --approvals --ask-while-waiting --decide-hint --max-result-bytes",
		"tools":      "--read-only --exclude-tools",
		"approve":    "<run-id> --api-url --api-key-file --log-level",
		"runs":       "list show watch abort",
		"call":       "<tool> --arg --args --json --api-url",
		"completion": "<shell>",
		"doctor":     "--json --stream-wait --create-run --for-http --api-url --api-key-file --user-id",
		"demo":       "", "sandbox": "--listen", "help": "", "version": "",
	}
	run := func(args ...string) exited {
		var stdout, stderr bytes.Buffer
		code := cli.Run(t.Context(), args, func(string) string { return "" }, strings.NewReader(""), &stdout, &stderr)
		// The path of the test's executable can be long.
		return exited{code, strings.ReplaceAll(stdout.String(), os.Args[0], cli.Name), stderr.String()}
	}
	overview := run("--help")
	for command, names := range flags {
		calls := [][]string{{command, "--help"}}
		switch command {
		case "":
			calls = [][]string{{"--help"}, {"-h"}, {"help"}}
		case "http", "runs": // the ways are the same for all commands
			calls = append(calls, []string{command, "-h"}, []string{"help", command})
		}
		for _, args := range calls {
			got := run(args...)
			lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
			if got.code != 0 || got.stderr != "" || len(lines) > 24 || len(lines) < 3 {
				t.Errorf("%q: exit code %d, %d lines: %s", args, got.code, len(lines), got.stderr)
			}
			if strings.HasSuffix(lines[0], " <command>") != (command == "runs") {
				t.Errorf("%q: %s", args, lines[0])
			}
			for _, line := range lines {
				if utf8.RuneCountInString(line) > 80 {
					t.Errorf("%q: a line is too long: %s", args, line)
				}
			}
			for _, flag := range strings.Fields(names) {
				if !strings.Contains(got.stdout, flag) {
					t.Errorf("%q lacks %s", args, flag)
				}
			}
		}
		if command != "" && !strings.Contains(overview.stdout, "\n  "+command+" ") {
			t.Errorf("--help lacks %s", command)
		}
	}
}

// TestVersion holds that the version names the commit, Go and the revisions of MCP.
func TestVersion(t *testing.T) {
	got := runProgram(t, nil, nil, "version")
	want := regexp.MustCompile(`^runs-mcp-server 0\.1\.0\ncommit \S.*\n` + regexp.QuoteMeta(runtime.Version()) + ` \w+/\w+\nMCP 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25, 2026-07-28\n$`)
	if got.code != 0 || got.stderr != "" || !want.MatchString(got.stdout) {
		t.Errorf("exit code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	if got = runProgram(t, nil, nil, "--version"); got.stdout != cli.Version+"\n" {
		t.Errorf("got %q", got.stdout)
	}
}
