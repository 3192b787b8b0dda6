package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

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

// minColumns is the least width to break lines at: a narrower screen breaks them itself.
const minColumns = 16

// wrapText breaks a text at its spaces into lines of so many columns. A longer word, such
// as a path, stays whole.
func wrapText(text string, columns int) []string {
	columns = max(columns, minColumns)
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len([]rune(*last))+1+len([]rune(word)) > columns:
			lines = append(lines, word)
		default:
			*last += " " + word
		}
	}
	return lines
}

// elapsed returns a time as 0.4s, 12s, 3m05s or 2h05m.
func elapsed(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
