package cli_test

import (
	"bufio"
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

// TestNobodyReadsTheLog: with standard error a pipe that is full, every call is
// answered, and the process ends when it is told to.
func TestNobodyReadsTheLog(t *testing.T) {
	const calls = 2_000
	command := exec.Command(program.Executable(t), "--sandbox")
	command.Stderr = unreadPipe(t)
	in, out := program.StartPiped(t, command)
	hung := time.AfterFunc(program.EndTimeout, func() { command.Process.Kill() })
	defer hung.Stop()
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
	if code := program.WaitEnd(t, command); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestEndedBySignal: a server that is told to end exits 0, whichever signal
// tells it. Who types Ctrl-C does not wait for a proxy.
func TestEndedBySignal(t *testing.T) {
	// What the tests run under may have had them ignore SIGHUP, and what is ignored
	// is inherited; what is caught is not.
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
			if code := program.WaitEnd(t, command); code != 0 {
				t.Errorf("http: exit code %d", code)
			}
			for _, args := range [][]string{{"--sandbox"}, {"sandbox", "--listen=127.0.0.1:0"}} {
				command = exec.Command(program.Executable(t), args...)
				in, out := program.StartPiped(t, command)
				fmt.Fprintln(in, program.Initialize)
				if _, err := out.Read(make([]byte, 1)); err != nil { // it serves
					t.Fatal(err)
				}
				command.Process.Signal(tt.signal)
				if code := program.WaitEnd(t, command); code != 0 {
					t.Errorf("%s: exit code %d", args, code)
				}
				in.Close()
			}
		})
	}
}

// TestDrain: after SIGTERM the server is not ready at once, serves on for the
// time that --drain says, and ends a waiting call as if its time were up.
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
	for ready() != http.StatusServiceUnavailable { // the signal is on its way
	}
	if status, answer, _ := me.Send(t, me.Session, program.ToolCall("list_runs", nil), nil); status != http.StatusOK || !strings.Contains(answer, "Filters: ") {
		t.Errorf("a request in the drain: %d, %s", status, answer)
	}
	if answer := <-waited; !strings.Contains(answer, "time_up") || !strings.Contains(answer, "this server is stopping") {
		t.Errorf("the waiting call was answered %s", answer)
	}
	if code := program.WaitEnd(t, command); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestIgnoredSignals: what was ignored when the program started, as SIGHUP
// under nohup, does not end it.
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
			if code := program.WaitEnd(t, command); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
