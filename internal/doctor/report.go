package doctor

import "fmt"

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

// Count returns how many checks have a status.
func (r *Report) Count(status Status) int {
	n := 0
	for _, c := range r.Checks {
		if c.Status == status {
			n++
		}
	}
	return n
}
