package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// style is a style of text on a terminal: an SGR parameter.
type style string

const (
	plain style = "0"
	bold  style = "1"
	dim   style = "2"
	red   style = "31"
	green style = "32"
	gold  style = "33"
	blue  style = "36"
)

// screen is where a command prints for a person: a terminal, or what stands for it.
type screen struct {
	out      io.Writer
	terminal *os.File // nil if the output is none
	colors   bool
}

// newScreen returns the screen of a command.
func newScreen(p *process) *screen {
	s := &screen{out: p.out}
	if isTerminal(p.stdout) {
		s.terminal = p.stdout.(*os.File)
		s.colors = p.env("NO_COLOR") == "" && p.env("TERM") != "dumb"
	}
	return s
}

// defaultColumns is how wide text is where no terminal tells.
const defaultColumns = 80

// columns returns how many columns a line has now.
func (s *screen) columns() int {
	if s.terminal != nil {
		if width, _, err := term.GetSize(int(s.terminal.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return defaultColumns
}

// styled returns text in a style, unchanged if there are no colors.
func (s *screen) styled(how style, text string) string {
	if !s.colors || how == "" {
		return text
	}
	return "\x1b[" + string(how) + "m" + text + "\x1b[0m"
}
