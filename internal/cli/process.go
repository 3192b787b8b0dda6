package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"

	"runs-mcp-server/internal/logqueue"
)

// process is what commands use besides their flags.
type process struct {
	ctx    context.Context // also done after a failed write to out
	env    func(string) string
	stdin  io.Reader
	stdout io.Writer // for MCP messages
	out    io.Writer // the same stream, for text that a person or a script reads
	stderr io.Writer // never blocks

	log      *logqueue.Writer // where the log goes: stderr, or --log-file
	closeLog func()           // writes what is left of the log, for at most flushTimeout
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

// serverError returns the error with which a server ended. A server that was told
// to stop has succeeded, even if it left something behind; that is logged.
func (p *process) serverError(err error, log *slog.Logger) error {
	if err != nil && p.ctx.Err() != nil {
		log.Warn("stopped and left something behind", "error", err)
		return nil
	}
	return err
}

// usageError says what is wrong with the command line or the environment.
type usageError struct{ error }

// usageErrorf returns a [usageError]. Its text names the flag or the variable.
func usageErrorf(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

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
