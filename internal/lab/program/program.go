// Package program runs the whole program for tests: as a process, or inside the test
// process on pipes or on a listener.
package program

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"runs-mcp-server/internal/cli"
)

// folder holds the program that the tests start; [Main] makes and removes it.
var folder string

// Main is the TestMain of a package whose tests start the program. The tests fail if
// goroutines are left when they have ended.
func Main(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", cli.Name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.RemoveAll(folder)
	os.Exit(code)
}

// build builds the program once, as users do: without what the tests are built with, such
// as the race detector.
var build = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(folder, cli.Name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "runs-mcp-server").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// Executable returns the path of the program. [Main] must be the TestMain.
func Executable(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Path returns a PATH on which the program is.
func Path(t *testing.T) string {
	return filepath.Dir(Executable(t)) + string(os.PathListSeparator) + os.Getenv("PATH")
}

// ExitTimeout is how long a process may take to exit in a test.
const ExitTimeout = time.Minute

// WaitExit returns the exit code of a process. It kills the process and fails the
// test if the process does not exit within [ExitTimeout].
func WaitExit(t *testing.T, command *exec.Cmd) int {
	t.Helper()
	timer := time.AfterFunc(ExitTimeout, func() {
		t.Errorf("the program has not exited after %s", ExitTimeout)
		command.Process.Kill()
	})
	defer timer.Stop()
	command.Wait()
	return command.ProcessState.ExitCode()
}

// StartPiped starts a command with pipes for its input and output.
func StartPiped(t *testing.T, command *exec.Cmd) (in io.WriteCloser, out io.ReadCloser) {
	t.Helper()
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if out, err = command.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return in, out
}

// ServeStdio runs the program inside the test process, with pipes for its standard
// input and output. exit receives the exit code.
func ServeStdio(t *testing.T, args ...string) (in io.WriteCloser, out *bufio.Scanner, exit chan int) {
	t.Helper()
	serverIn, in := io.Pipe()
	clientIn, serverOut := io.Pipe()
	exit = make(chan int, 1)
	go func() {
		exit <- cli.Run(context.Background(), args, func(string) string { return "" }, serverIn, serverOut, io.Discard)
		serverOut.Close()
	}()
	out = bufio.NewScanner(clientIn)
	out.Buffer(nil, 4<<20)
	return in, out, exit
}

// ServeHTTP runs the program's http command inside the test process, on a free port,
// and returns its URL. The program's log goes to log. The program ends with the test.
func ServeHTTP(t *testing.T, log io.Writer, env map[string]string, args ...string) (url string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	logs, stderr := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		args := append([]string{"http", "--listen", "127.0.0.1:0"}, args...)
		exit <- cli.Run(ctx, args, func(name string) string { return env[name] }, strings.NewReader(""), io.Discard, stderr)
		stderr.Close()
	}()
	found := make(chan string, 1)
	go func() {
		defer close(found)
		serving := regexp.MustCompile(`msg=serving url=(\S+)`)
		for lines := bufio.NewScanner(io.TeeReader(logs, log)); lines.Scan(); {
			if m := serving.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
			}
		}
	}()
	url = <-found
	t.Cleanup(func() {
		stop()
		if code := <-exit; code != 0 {
			t.Errorf("exit code %d", code)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	if url == "" {
		t.Fatal("the program does not listen")
	}
	return url
}
