// Package cli is the command line: it parses flags and environment, and runs the
// commands. commands.go lists them; the larger ones have a file of their own.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &process{
		ctx: ctx, env: env, stdin: stdin, stdout: stdout, out: output{stdout, cancel}, stderr: logs,
		log: logs, closeLog: func() { logs.Close(flushTimeout) },
	}
	defer func() { p.closeLog() }()
	return p.exitCode(p.execute(args))
}

// errReported is the error of a command that has printed what failed.
var errReported = errors.New("reported")

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
	if errors.Is(err, errReported) {
		return 1
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
