// Command runs-mcp-server is an MCP server that lets an AI agent start, watch,
// steer and stop runs of the toolregistry.ai Run API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/logqueue"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

const (
	name    = "runs-mcp-server"
	version = "0.1.0"
)

func main() {
	ctx, stop := untilSignal()
	signal.Ignore(syscall.SIGPIPE) // a client that went away is an error of a write, not our death
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// program returns this program as a person can type it: its name where that finds
// it, else its path, in quotes where a shell would split it.
func program() string {
	self, err := os.Executable()
	switch {
	case err != nil:
		return name
	case strings.Contains(self, "go-build"): // it is gone when go run has ended
		return "go run ."
	}
	if found, err := exec.LookPath(name); err == nil && sameFile(found, self) {
		return name
	}
	if strings.ContainsAny(self, " \t'&;()$`") {
		return `"` + self + `"`
	}
	return self
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// process is what a command works with besides its flags.
type process struct {
	ctx    context.Context // done, too, after a failed write to out
	env    func(string) string
	stdin  io.Reader
	stdout io.Writer // for MCP messages
	out    io.Writer // for what a person or a script reads, the same stream
	stderr io.Writer // never blocks
}

// flushTimeout is how long the end of the program waits for standard error to
// take the last lines.
const flushTimeout = time.Second

// run is the whole program. It returns the exit code: 0 for success and for a
// server that was told to end, 1 for a failure, 2 for wrong usage, 128 and a
// signal's number for a command that the signal ended.
func run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	logs := logqueue.New(stderr)
	defer logs.Close(flushTimeout)
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	p := &process{ctx: ctx, env: env, stdin: stdin, stdout: stdout, out: output{stdout, end}, stderr: logs}
	return p.exitCode(p.execute(args))
}

// output is a command's standard output. A failed write ends the command.
type output struct {
	io.Writer
	end context.CancelCauseFunc
}

// Write writes p.
func (o output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil {
		o.end(writeError{err})
	}
	return n, err
}

// writeError is a failed write to standard output.
type writeError struct{ error }

// Unwrap returns what the operating system says.
func (e writeError) Unwrap() error { return e.error }

// usageError says what is wrong with the command line or the environment.
type usageError struct{ error }

// misuse returns a [usageError]. Its text names the flag or the variable.
func misuse(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCode says on standard error why a command failed, and returns its code.
func (p *process) exitCode(err error) int {
	if failed, ok := errors.AsType[writeError](context.Cause(p.ctx)); ok {
		if errors.Is(failed, syscall.EPIPE) { // who read has seen enough, as head has
			return 128 + int(syscall.SIGPIPE)
		}
		fmt.Fprintf(p.stderr, "%s: standard output: %v\n", name, failed)
		return 1
	}
	if err == nil {
		return 0
	}
	if s, ok := endSignal(p.ctx).(syscall.Signal); ok {
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted")
		}
		fmt.Fprintf(p.stderr, "%s: %v\n", name, err)
		return 128 + int(s)
	}
	fmt.Fprintf(p.stderr, "%s: %v\n", name, err)
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

// served returns the error with which a server ended. One that was told to end
// has done so, whatever it left behind: that is for the log.
func (p *process) served(err error, log *slog.Logger) error {
	if err != nil && p.ctx.Err() != nil {
		log.Warn("ended with something left behind", "error", err)
		return nil
	}
	return err
}

// Run serves MCP over stdio.
func (c *stdioCommand) Run(p *process) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	caller := client.Caller{Key: sandbox.DefaultKey, UserID: c.UserID}
	if !c.Sandbox {
		if caller.Key, err = c.key(p); err != nil {
			return err
		}
	}
	o.Local, o.Secrets = true, o.Secrets.With(string(caller.Key))
	log := c.logger(o.Secrets, p.stderr)
	c.warnOfKeyFile(log)
	return p.served(c.serve(p, o, caller, log), log)
}

func (c *stdioCommand) serve(p *process, o tools.Options, caller client.Caller, log *slog.Logger) error {
	if c.Sandbox {
		box, err := c.startSandbox(p, log)
		if err != nil {
			return err
		}
		defer box.Close()
	}
	b, err := c.newBridge(o, log)
	if err != nil {
		return err
	}
	defer b.Close()
	if isTerminal(p.stdin) {
		fmt.Fprintf(p.stderr, "%s speaks MCP on standard input: an MCP client starts it. To see it work, try: %s demo\n", name, program())
	}
	return transport.ServeStdio(client.WithCaller(p.ctx, caller), b.MCP(name, version), p.stdin, p.stdout, transport.Options{Logger: log, Watch: b.Watch()})
}

// Run serves the sandbox until the process is told to stop.
func (c *sandboxCommand) Run(p *process) error {
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	box, err := sandbox.Listen(p.ctx, c.Listen, sandbox.Options{Logger: log})
	if err != nil {
		return p.served(listenError(err), log)
	}
	fmt.Fprintf(p.out, "The sandbox of the Run API is at %s (x-api-key: %s). Nothing real happens here.\n", box.URL(), sandbox.DefaultKey)
	<-p.ctx.Done()
	return p.served(box.Close(), log)
}

// Run asks the person at the terminal to decide what a run waits for.
func (c *approveCommand) Run(p *process) error {
	if !isTerminal(p.stdin) {
		return misuse("approve asks a person: type it in a terminal, with nothing piped in")
	}
	runID, valid := client.ParseRunID(strings.TrimPrefix(strings.ToLower(c.RunID), "run://"))
	if !valid {
		return misuse("a run's id is a UUID such as 123e4567-e89b-12d3-a456-426614174000")
	}
	key, err := c.key(p)
	if err != nil {
		return err
	}
	log := c.logger(redact.New(string(key)), p.stderr)
	c.warnOfKeyFile(log)
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	decider := approval.NewDecider(api)
	feeds := feed.NewHub(api, decider, feed.Options{Logger: log})
	defer feeds.Close()
	return cli.Approve(p.ctx, cli.Approval{
		API: api, Feeds: feeds, Decider: decider, Caller: client.Caller{Key: key}, RunID: runID, In: p.stdin, Out: p.out,
	})
}

// Run shows the whole job.
func (demoCommand) Run(p *process) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o := cli.DemoOptions{Self: self, Out: p.out, Colors: isTerminal(p.stdout) && p.env("NO_COLOR") == ""}
	if isTerminal(p.stdin) && isTerminal(p.stdout) {
		o.In = p.stdin
	}
	return cli.Demo(p.ctx, o)
}
