package cli_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// unreadPipe returns the writing end of a pipe that nobody reads.
func unreadPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Close()
		r.Close()
	})
	return w
}

// TestUnreadLog holds that every call is answered and SIGTERM ends the process, even if
// standard error is a full pipe.
func TestUnreadLog(t *testing.T) {
	const calls = 2_000
	command := exec.Command(program.Executable(t), "--sandbox")
	command.Stderr = unreadPipe(t)
	in, out := program.StartPiped(t, command)
	timeout := time.AfterFunc(program.ExitTimeout, func() { command.Process.Kill() })
	defer timeout.Stop()
	go func() {
		fmt.Fprintln(in, program.Initialize)
		for i := range calls {
			if _, err := fmt.Fprintf(in, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_run","arguments":{"runId":"123e4567-e89b-12d3-a456-426614174000"}}}`+"\n", i+1); err != nil {
				return
			}
		}
	}()
	answered := 0
	for lines := bufio.NewScanner(out); answered < calls+1 && lines.Scan(); {
		if strings.Contains(lines.Text(), `"id":`) {
			answered++
		}
	}
	if answered != calls+1 {
		t.Errorf("%d of %d calls were answered", answered-1, calls)
	}
	command.Process.Signal(syscall.SIGTERM)
	if code := program.WaitExit(t, command); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestSIGTERMWithBlockedOutput holds that SIGTERM ends the program within 5 s, even if
// nobody reads its standard output.
func TestSIGTERMWithBlockedOutput(t *testing.T) {
	command := exec.Command(program.Executable(t), "--sandbox")
	var log bytes.Buffer
	command.Stderr = &log
	in, out := program.StartPiped(t, command)
	fmt.Fprintln(in, program.Initialize)
	if _, err := out.Read(make([]byte, 1)); err != nil { // it serves now
		t.Fatal(err)
	}
	go func() { // fill the pipe until it blocks
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(in, `{"jsonrpc":"2.0","id":%d,"method":"tools/list"}`+"\n", i+2); err != nil {
				return
			}
		}
	}()
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	signalled := time.Now()
	if code := program.WaitExit(t, command); code != 0 || time.Since(signalled) > 5*time.Second {
		t.Errorf("exit code %d after %s; log: %s", code, time.Since(signalled), log.String())
	}
	in.Close()
}

// TestExitCodeAfterSignal holds that SIGTERM, SIGHUP and SIGINT end each server with
// exit code 0, and that SIGINT does not wait for --drain.
func TestExitCodeAfterSignal(t *testing.T) {
	// The tests may run with SIGHUP ignored, and a child process inherits that. A
	// signal that is caught here is not ignored in the child.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
	for _, tt := range []struct {
		signal syscall.Signal
		drain  string
	}{{syscall.SIGTERM, "0s"}, {syscall.SIGHUP, "0s"}, {syscall.SIGINT, "10m"}} {
		t.Run(tt.signal.String(), func(t *testing.T) {
			t.Parallel()
			command, url := program.StartHTTP(t, "", "--sandbox", "--drain="+tt.drain)
			program.NewTenant(t, url, sandbox.DefaultKey)
			command.Process.Signal(tt.signal)
			if code := program.WaitExit(t, command); code != 0 {
				t.Errorf("http: exit code %d", code)
			}
			for _, args := range [][]string{{"--sandbox"}, {"sandbox", "--listen=127.0.0.1:0"}} {
				command = exec.Command(program.Executable(t), args...)
				in, out := program.StartPiped(t, command)
				fmt.Fprintln(in, program.Initialize)
				if _, err := out.Read(make([]byte, 1)); err != nil { // it serves now
					t.Fatal(err)
				}
				command.Process.Signal(tt.signal)
				if code := program.WaitExit(t, command); code != 0 {
					t.Errorf("%s: exit code %d", args, code)
				}
				in.Close()
			}
		})
	}
}

// TestDrain holds that after SIGTERM /readyz fails at once, that requests are still
// answered for the time of --drain, and that a waiting call ends with time_up.
func TestDrain(t *testing.T) {
	command, url := program.StartHTTP(t, "", "--sandbox", "--path-prefix=/runs", "--drain=2s")
	me := program.NewTenant(t, url, sandbox.DefaultKey)
	me.CreateRun(t, "queue_ms=60000")
	run := me.Runs[len(me.Runs)-1]
	ready := func() int {
		resp, err := http.Get(strings.Replace(url, "/mcp", "/readyz", 1))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if code := ready(); code != http.StatusOK {
		t.Fatalf("/runs/readyz answered %d", code)
	}
	waiter, waited := program.NewTenant(t, url, sandbox.DefaultKey), make(chan string, 1)
	go func() {
		_, answer, _ := waiter.Send(t, waiter.Session, program.ToolCall("get_run", map[string]any{"runId": run, "waitSeconds": 40}), nil)
		waited <- answer
	}()
	command.Process.Signal(syscall.SIGTERM)
	for ready() != http.StatusServiceUnavailable { // until the signal has arrived
	}
	if status, answer, _ := me.Send(t, me.Session, program.ToolCall("list_runs", nil), nil); status != http.StatusOK || !strings.Contains(answer, "Filters: ") {
		t.Errorf("a request while draining: %d, %s", status, answer)
	}
	if answer := <-waited; !strings.Contains(answer, "time_up") || !strings.Contains(answer, "this server is stopping") {
		t.Errorf("the waiting call was answered %s", answer)
	}
	if code := program.WaitExit(t, command); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestIgnoredSignals holds that a signal that was ignored when the program started, as
// SIGHUP is under nohup, does not end it.
func TestIgnoredSignals(t *testing.T) {
	for _, ignored := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT} {
		t.Run(ignored.String(), func(t *testing.T) {
			t.Parallel()
			command, url := program.StartHTTP(t, map[syscall.Signal]string{syscall.SIGHUP: "HUP", syscall.SIGINT: "INT"}[ignored], "--sandbox", "--drain=0s")
			for range 10 {
				command.Process.Signal(ignored)
				program.NewTenant(t, url, sandbox.DefaultKey)
			}
			command.Process.Signal(syscall.SIGTERM)
			if code := program.WaitExit(t, command); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestInterruptedCommand holds that a signal ends a command that is no server with 128
// plus the signal, as shells expect it: 130 after Ctrl-C.
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
		for lines.Scan() { // read on, so that a full pipe cannot end it
		}
		if code := program.WaitExit(t, command); code != 128+int(signal) || errs.String() != "runs-mcp-server: interrupted\n" {
			t.Errorf("%s: exit code %d: %s", signal, code, errs.String())
		}
	}
}

// TestFailedWrite holds that a command fails if it cannot write its output, and prints
// no message if the reader of the pipe has gone.
func TestFailedWrite(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"http", "--help"}, {"help"}, {"--version"}, {"version"}, {"tools"}, {"demo"}, {"sandbox", "--listen=127.0.0.1:0"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			reader, closed, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			reader.Close()
			defer closed.Close()
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skip(err)
			}
			defer full.Close()
			for _, tt := range []struct {
				out    *os.File
				code   int
				stderr string
			}{{full, 1, "runs-mcp-server: standard output: write /dev/stdout: no space left on device\n"}, {closed, 128 + int(syscall.SIGPIPE), ""}} {
				command := exec.Command(program.Executable(t), args...)
				var errs bytes.Buffer
				command.Stdout, command.Stderr = tt.out, &errs
				if err := command.Start(); err != nil {
					t.Fatal(err)
				}
				if code := program.WaitExit(t, command); code != tt.code || errs.String() != tt.stderr {
					t.Errorf("exit code %d, want %d: %q", code, tt.code, errs.String())
				}
			}
		})
	}
}
