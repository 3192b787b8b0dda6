// Package cli is the command line: it parses flags and environment, and runs the
// commands. commands.go lists them; each has a file of its own.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"runs-mcp-server/internal/logqueue"
)

const (
	// Name is the name of the program.
	Name = "runs-mcp-server"
	// Version is the version of the program.
	Version = "0.1.0"
)

// flushTimeout is how long the program waits at its end for standard error to
// take the last lines.
const flushTimeout = time.Second

// Run runs the program with the arguments after its name. ctx comes from
// [NotifyContext]. Run returns the exit code: 0 for success and for a server that
// was told to stop, 1 for a failure, 2 for wrong usage, and 128 plus the signal's
// number for a command that a signal interrupted.
func Run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	logs := logqueue.New(stderr)
	defer logs.Close(flushTimeout)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &process{ctx: ctx, env: env, stdin: stdin, stdout: stdout, out: output{stdout, cancel}, stderr: logs}
	return p.exitCode(p.execute(args))
}

// process is what commands use besides their flags.
type process struct {
	ctx    context.Context // also done after a failed write to out
	env    func(string) string
	stdin  io.Reader
	stdout io.Writer // for MCP messages
	out    io.Writer // the same stream, for text that a person or a script reads
	stderr io.Writer // never blocks
}

// output is the standard output of a command. A failed write ends the command.
type output struct {
	io.Writer
	cancel context.CancelCauseFunc
}

// Write writes p.
func (o output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil {
		o.cancel(writeError{err})
	}
	return n, err
}

// writeError is a failed write to standard output.
type writeError struct{ error }

// Unwrap returns the error of the operating system.
func (e writeError) Unwrap() error { return e.error }

// usageError says what is wrong with the command line or the environment.
type usageError struct{ error }

// usageErrorf returns a [usageError]. Its text names the flag or the variable.
func usageErrorf(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCode writes to standard error why a command failed, and returns its exit
// code.
func (p *process) exitCode(err error) int {
	if failed, ok := errors.AsType[writeError](context.Cause(p.ctx)); ok {
		if errors.Is(failed, syscall.EPIPE) { // the reader has seen enough, as head has
			return 128 + int(syscall.SIGPIPE)
		}
		fmt.Fprintf(p.stderr, "%s: standard output: %v\n", Name, failed)
		return 1
	}
	if err == nil {
		return 0
	}
	interrupt, interrupted := receivedSignal(p.ctx).(syscall.Signal)
	if interrupted && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(p.stderr, "%s: %v\n", Name, err)
	if interrupted {
		return 128 + int(interrupt)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

// serverError returns the error with which a server ended. A server that was told
// to stop has succeeded, even if it left something behind; that is logged.
func (p *process) serverError(err error, log *slog.Logger) error {
	if err != nil && p.ctx.Err() != nil {
		log.Warn("stopped and left something behind", "error", err)
		return nil
	}
	return err
}

// programCommand returns what a person types to run this program: its name if the
// PATH finds it, else its path, in quotes if a shell would split it.
func programCommand() string {
	self, err := os.Executable()
	switch {
	case err != nil:
		return Name
	case strings.Contains(self, "go-build"): // go run deletes it when it ends
		return "go run ."
	}
	if found, err := exec.LookPath(Name); err == nil && sameFile(found, self) {
		return Name
	}
	if strings.ContainsAny(self, " \t'&;()$`") {
		return `"` + self + `"`
	}
	return self
}

// sameFile reports whether two paths name one file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
