package cli_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/lab/program"
)

// TestHelp of each command fits a screen of 24 lines of 80 columns, and names
// every flag that the command has.
func TestHelp(t *testing.T) {
	flags := map[string]string{
		"":        "runs-mcp-server stdio --help",
		"stdio":   "--api-url --api-key-file --log-level --sandbox --user-id --integrations --approval-strategy --pass-through --allow-pass-through --allow-any-user --allow-any-integration --approvals --[no-]ask-while-waiting --decide-hint --auth-links --read-only --tools --exclude-tools --max-result-bytes",
		"http":    "--listen --path-prefix --allowed-hosts --allowed-origins --drain --api-url --user-id --approvals --ask-while-waiting --decide-hint --max-result-bytes",
		"tools":   "--read-only --exclude-tools",
		"approve": "<run-id> --api-url --api-key-file --log-level",
		"demo":    "", "sandbox": "--listen", "help": "", "version": "",
	}
	said := func(args ...string) started {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), args, func(string) string { return "" }, strings.NewReader(""), &out, &errs)
		return started{code, out.String(), errs.String()}
	}
	program := said("--help")
	for command, names := range flags {
		ways := [][]string{{command, "--help"}, {command, "-h"}, {"help", command}}
		if command == "" {
			ways = [][]string{{"--help"}, {"-h"}, {"help"}}
		}
		for _, args := range ways {
			got := said(args...)
			lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
			if got.code != 0 || got.errors != "" || len(lines) > 24 || len(lines) < 3 {
				t.Errorf("%q: exit code %d, %d lines: %s", args, got.code, len(lines), got.errors)
			}
			for _, line := range lines {
				if utf8.RuneCountInString(line) > 80 {
					t.Errorf("%q: a line is too long: %s", args, line)
				}
			}
			for _, flag := range strings.Fields(names) {
				if !strings.Contains(got.out, flag) {
					t.Errorf("%q lacks %s", args, flag)
				}
			}
		}
		if command != "" && !strings.Contains(program.out, "\n  "+command+" ") {
			t.Errorf("--help lacks %s", command)
		}
	}
}

// TestVersion tells which build this is.
func TestVersion(t *testing.T) {
	got := start(t, nil, nil, "version")
	want := regexp.MustCompile(`^runs-mcp-server 0\.1\.0\ncommit \S.*\n` + regexp.QuoteMeta(runtime.Version()) + ` \w+/\w+\nMCP 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25, 2026-07-28\n$`)
	if got.code != 0 || got.errors != "" || !want.MatchString(got.out) {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.errors)
	}
	if got = start(t, nil, nil, "--version"); got.out != cli.Version+"\n" {
		t.Errorf("got %q", got.out)
	}
}

// TestFailedWrite of what a command prints is a failure, and where the reader
// has left, a silent one.
func TestFailedWrite(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"http", "--help"}, {"help"}, {"--version"}, {"version"}, {"tools"}, {"demo"}, {"sandbox", "--listen=127.0.0.1:0"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			left, gone, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			left.Close()
			defer gone.Close()
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skip(err)
			}
			defer full.Close()
			for _, tt := range []struct {
				out  *os.File
				code int
				says string
			}{{full, 1, "runs-mcp-server: standard output: write /dev/stdout: no space left on device\n"}, {gone, 128 + int(syscall.SIGPIPE), ""}} {
				command := exec.Command(program.Executable(t), args...)
				var errs bytes.Buffer
				command.Stdout, command.Stderr = tt.out, &errs
				if err := command.Start(); err != nil {
					t.Fatal(err)
				}
				if code := program.WaitEnd(t, command); code != tt.code || errs.String() != tt.says {
					t.Errorf("exit code %d, want %d: %q", code, tt.code, errs.String())
				}
			}
		})
	}
}

// TestInterruptedCommand ends as shells expect it: 130 after Ctrl-C.
func TestInterruptedCommand(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		command := exec.Command(program.Executable(t), "demo")
		var errs bytes.Buffer
		command.Stderr = &errs
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.Contains(lines.Text(), "create_run") {
		}
		command.Process.Signal(signal)
		for lines.Scan() { // to the end, so that nothing else ends it
		}
		if code := program.WaitEnd(t, command); code != 128+int(signal) || errs.String() != "runs-mcp-server: interrupted\n" {
			t.Errorf("%s: exit code %d: %s", signal, code, errs.String())
		}
	}
}
