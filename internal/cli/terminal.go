package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"

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

// What follows a question: the decision on an approval, and the opening of a link.
const (
	promptDecision = "y approves, n denies and usually ends the run, anything else leaves it waiting: "
	promptLink     = "Open the link in a browser. Type y when you have, anything else leaves it waiting: "
)

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

// keyboard hands each line that a person types to the question that is asked then. A line
// that no question waits for is dropped: it was typed before the question was read.
type keyboard struct {
	mu      sync.Mutex // guards all below
	waiting chan string
	ended   bool // no more lines come
}

// newKeyboard returns the keyboard of lines. Its goroutine ends with them.
func newKeyboard(lines <-chan string) *keyboard {
	k := &keyboard{}
	go func() {
		for line := range lines {
			k.mu.Lock()
			if k.waiting != nil {
				k.waiting <- line
				k.waiting = nil
			}
			k.mu.Unlock()
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.ended = true
		if k.waiting != nil {
			close(k.waiting)
		}
	}()
	return k
}

// next returns a channel for the next line that is typed. It is closed at the end of the
// input.
func (k *keyboard) next() <-chan string {
	k.mu.Lock()
	defer k.mu.Unlock()
	answer := make(chan string, 1)
	if k.ended {
		close(answer)
		return answer
	}
	k.waiting = answer
	return answer
}
