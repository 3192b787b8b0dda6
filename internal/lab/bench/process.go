package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a server under test, or the sandbox.
type process struct {
	command *exec.Cmd
	in      io.WriteCloser // its standard input and output, if it serves stdio
	out     io.Reader
	url     string        // where it serves, if it serves HTTP
	logged  chan struct{} // closed when the log has ended
}

// startHTTP starts a server that logs "url=" and its URL when it serves.
func startHTTP(ctx context.Context, env []string, name string, args ...string) (*process, error) {
	p := newProcess(ctx, env, name, args...)
	log, err := p.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(log)
	var last string
	for p.url == "" && lines.Scan() {
		last = lines.Text()
		_, url, _ := strings.Cut(last, "msg=serving url=")
		p.url, _, _ = strings.Cut(url, " ")
	}
	go func() {
		defer close(p.logged)
		_, _ = io.Copy(io.Discard, log)
	}()
	if p.url == "" {
		p.kill()
		return nil, fmt.Errorf("%s does not serve: %s", name, last)
	}
	return p, nil
}

// startStdio starts a server on pipes.
func startStdio(ctx context.Context, env []string, name string, args ...string) (*process, error) {
	p := newProcess(ctx, env, name, args...)
	in, err := p.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.in, p.out = in, out
	close(p.logged) // nobody reads it
	return p, p.command.Start()
}

func newProcess(ctx context.Context, env []string, name string, args ...string) *process {
	p := &process{command: exec.CommandContext(ctx, name, args...), logged: make(chan struct{})}
	p.command.Env = append(os.Environ(), env...)
	return p
}

// kill ends the process and waits for its end.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.logged
	_ = p.command.Wait()
}

// processorTime returns the user and system time that the process has used. It reads the
// clock of the process, which is finer than the 10 ms of /proc/PID/stat.
func (p *process) processorTime() (time.Duration, error) {
	const schedulerClock = 2 // CPUCLOCK_SCHED in the kernel's posix-timers.h
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^p.command.Process.Pid<<3|schedulerClock), &ts); err != nil {
		return 0, fmt.Errorf("processor time of %d: %w", p.command.Process.Pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// residentMemory returns VmRSS of proc(5), in KiB.
func (p *process) residentMemory() (kib int, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		}
	}
	return 0, errors.New("no VmRSS")
}

// buildProgram builds the program of the repository into a folder and returns its path.
func buildProgram(ctx context.Context, root, folder string) (string, error) {
	path := folder + "/runs-mcp-server"
	build := exec.CommandContext(ctx, "go", "build", "-o", path, ".")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(output)))
	}
	return path, nil
}
