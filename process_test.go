package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// endTimeout is how long a process may take to end in a test before that
// counts as never.
const endTimeout = 20 * time.Second

// waitEnd returns the exit code of a process. It fails the test and kills the
// process if it does not end.
func waitEnd(t *testing.T, command *exec.Cmd) int {
	t.Helper()
	hung := time.AfterFunc(endTimeout, func() {
		t.Errorf("it has not ended after %s", endTimeout)
		command.Process.Kill()
	})
	defer hung.Stop()
	command.Wait()
	return command.ProcessState.ExitCode()
}

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
	const calls = 3_000
	command := exec.Command(binary(t), "--sandbox")
	command.Stderr = unreadPipe(t)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(endTimeout, func() { command.Process.Kill() })
	defer hung.Stop()
	go func() {
		fmt.Fprintln(in, hello)
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
	if code := waitEnd(t, command); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
