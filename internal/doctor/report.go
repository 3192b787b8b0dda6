package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Status is what came of a check.
type Status string

// The statuses of a check.
const (
	OK      Status = "ok"
	Warning Status = "warning" // it works, but not well or not safely
	Failed  Status = "failed"  // it does not work
	Skipped Status = "skipped" // it could not be checked
)

// Check is one thing that was checked.
type Check struct {
	Area   string `json:"area"`
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`        // what was found, or what is wrong
	Fix    string `json:"fix,omitempty"` // what to do
}

// Report is what was found. Its JSON is described in docs/doctor.md.
type Report struct {
	Version string  `json:"version"` // of this program
	Status  Status  `json:"status"`  // the worst of all: ok, warning or failed
	Checks  []Check `json:"checks"`
	// Hide takes secrets out of a text. It must be set.
	Hide func(string) string `json:"-"`
}

// Add adds a check.
func (r *Report) Add(area, name string, status Status, detail, fix string) {
	r.Checks = append(r.Checks, Check{area, name, status, r.Hide(detail), r.Hide(fix)})
	if r.Status == "" {
		r.Status = OK
	}
	if status == Failed || status == Warning && r.Status == OK {
		r.Status = status
	}
}

func (r *Report) ok(area, name, format string, args ...any) {
	r.Add(area, name, OK, fmt.Sprintf(format, args...), "")
}

func (r *Report) skip(area, name, detail string) { r.Add(area, name, Skipped, detail, "") }

// count returns how many checks have a status.
func (r *Report) count(status Status) int {
	n := 0
	for _, c := range r.Checks {
		if c.Status == status {
			n++
		}
	}
	return n
}

// statusWidth and indent are columns of the printed report.
const (
	statusWidth = 8
	indent      = 2 + statusWidth + 1
)

// Print prints the report for a person, in lines of so many columns. styled returns a
// status with its color.
func (r *Report) Print(out io.Writer, columns int, styled func(Status, string) string) {
	area := ""
	for _, c := range r.Checks {
		if c.Area != area {
			if area != "" {
				fmt.Fprintln(out)
			}
			area = c.Area
			fmt.Fprintln(out, area)
		}
		status := styled(c.Status, fmt.Sprintf("%-*s", statusWidth, c.Status))
		lines := wrap(c.Name+": "+c.Detail, columns-indent)
		if c.Fix != "" {
			lines = append(lines, wrap("Fix: "+c.Fix, columns-indent)...)
		}
		fmt.Fprintf(out, "  %s %s\n", status, lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintf(out, "%*s%s\n", indent, "", line)
		}
	}
	fmt.Fprintf(out, "\n%d ok, %d warning, %d failed, %d skipped\n", r.count(OK), r.count(Warning), r.count(Failed), r.count(Skipped))
}

// minColumns is the least width to wrap at: a narrower screen wraps by itself.
const minColumns = 20

// wrap breaks a text at its spaces into lines of so many columns. A longer word, such as
// a path, stays whole.
func wrap(text string, columns int) []string {
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
