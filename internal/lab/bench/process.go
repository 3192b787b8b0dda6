package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
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

// startOnPort starts a server on a port, and waits until it accepts connections.
func startOnPort(ctx context.Context, port int, env []string, name string, args ...string) (*process, error) {
	p := newProcess(ctx, env, name, args...)
	close(p.logged) // nobody reads it
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for start := time.Now(); time.Since(start) < callTimeout; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			p.url = "http://" + address
			return p, nil
		}
	}
	p.kill()
	return nil, fmt.Errorf("%s does not serve on port %d", name, port)
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

// processorTime returns the user and system time that the process and its descendants
// have used.
func (p *process) processorTime() (sum time.Duration, err error) {
	tree, err := processTree(p.command.Process.Pid)
	if err != nil {
		return 0, err
	}
	for _, pid := range tree {
		used, err := processClock(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// processTree returns a process and its descendants.
func processTree(pid int) ([]int, error) {
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", tree[i]))
		if err != nil {
			return nil, err
		}
		for _, thread := range threads {
			text, err := os.ReadFile(thread)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
				continue // the thread has ended
			} else if err != nil {
				return nil, err
			}
			for child := range strings.FieldsSeq(string(text)) {
				id, err := strconv.Atoi(child)
				if err != nil {
					return nil, err
				}
				tree = append(tree, id)
			}
		}
	}
	return tree, nil
}

// processClock returns the user and system time of one process. It reads the clock of
// the process, which is finer than the 10 ms of /proc/PID/stat.
func processClock(pid int) (time.Duration, error) {
	const schedulerClock = 2 // CPUCLOCK_SCHED in the kernel's posix-timers.h
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedulerClock), &ts); err != nil {
		return 0, fmt.Errorf("processor time of %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// memory is what processes hold in memory, in KiB.
type memory struct {
	resident     int // RSS: pages that are in memory
	proportional int // PSS: the same, with a part only of pages that other processes share
}

// memory returns the memory of the process and its descendants.
func (p *process) memory() (sum memory, err error) {
	tree, err := processTree(p.command.Process.Pid)
	if err != nil {
		return memory{}, err
	}
	for _, pid := range tree {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return memory{}, err
		}
		one, err := parseMemory(string(text))
		if err != nil {
			return memory{}, err
		}
		sum.resident, sum.proportional = sum.resident+one.resident, sum.proportional+one.proportional
	}
	return sum, nil
}

// parseMemory reads smaps_rollup of proc(5).
func parseMemory(text string) (m memory, err error) {
	fields := map[string]*int{"Rss:": &m.resident, "Pss:": &m.proportional}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || fields[words[0]] == nil {
			continue
		}
		if *fields[words[0]], err = strconv.Atoi(words[1]); err != nil {
			return memory{}, err
		}
		delete(fields, words[0])
	}
	if len(fields) > 0 {
		return memory{}, errors.New("smaps_rollup lacks Rss or Pss")
	}
	return m, nil
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
