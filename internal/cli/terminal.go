package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"runs-mcp-server/internal/approval"
)

// errInterrupted is the error of a person who ends the command before they decide.
var errInterrupted = errors.New("interrupted; nothing was sent, the run waits on")

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readLines returns the lines that a person types, until ctx is done. Nothing
// interrupts a Read of a terminal, so its goroutine may live until the next line or
// the end of the process.
func readLines(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(in); in.Scan(); {
			select {
			case lines <- in.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// nextLine returns the next line, "" at the end of the input. After ctx is done it
// returns errInterrupted, even if a line was typed since.
func nextLine(ctx context.Context, lines <-chan string) (string, error) {
	select {
	case line := <-lines:
		if ctx.Err() == nil {
			return line, nil
		}
	case <-ctx.Done():
	}
	return "", errInterrupted
}

// parseDecision returns the decision that a typed line means, "" for none.
func parseDecision(line string) approval.Decision {
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes", "approve":
		return approval.Approve
	case "n", "no", "deny":
		return approval.Deny
	}
	return ""
}
