package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// runAnswer is the contract's RunDto.
type runAnswer struct {
	RunID           string `json:"runId"`
	RepeatKey       string `json:"repeatKey"`
	RepeatRunID     string `json:"repeatRunId,omitempty"`
	Status          string `json:"status"`
	ExecutionPlanID string `json:"executionPlanId"`
	Events          []any  `json:"events"`
	Result          any    `json:"result,omitempty"`
	Intent          string `json:"intent"`
	Context         string `json:"context"`
	CreatedAt       string `json:"createdAt"`
	UpdatedAt       string `json:"updatedAt"`
	Unknown         string `json:"sandboxUnknown,omitempty"`
}

type pagination struct {
	Page       int `json:"page"`
	PageSize   int `json:"pageSize"`
	Total      int `json:"total"`
	TotalPages int `json:"totalPages"`
}

func (r *run) currentStatus() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *run) answer(includeEvents bool) runAnswer {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := runAnswer{RunID: r.id, RepeatKey: r.repeatKey, RepeatRunID: r.repeatRunID, Status: r.status,
		ExecutionPlanID: r.planID, Events: []any{}, Result: r.result, Intent: r.intent, Context: r.context,
		CreatedAt: stamp(r.created), UpdatedAt: stamp(r.updated)}
	if r.behaviour.unknown {
		a.Unknown = "a field you have not met"
	}
	if includeEvents {
		for _, e := range r.events {
			a.Events = append(a.Events, e.stored(&r.behaviour))
		}
	}
	return a
}

func (s *Sandbox) getRun(w http.ResponseWriter, req *http.Request, owner int) *problem {
	r, p := s.find(owner, req.PathValue("runId"))
	if p != nil {
		return p
	}
	writeJSON(w, http.StatusOK, r.answer(req.URL.Query().Get("includeEvents") == "true"))
	return nil
}

// abortRun cancels a run. What a finished run answers is unknown; the run may
// choose, and 409 is the preset.
func (s *Sandbox) abortRun(w http.ResponseWriter, req *http.Request, owner int) *problem {
	r, p := s.find(owner, req.PathValue("runId"))
	if p != nil {
		return p
	}
	if r.finish(statusCanceled, nil) {
		s.counts.aborts.Add(1)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	switch r.behaviour.abort {
	case "200":
		w.WriteHeader(http.StatusOK)
		return nil
	case "404":
		return refuse(http.StatusNotFound, "Run not found")
	}
	return refuse(http.StatusConflict, "the run has already finished")
}

func (s *Sandbox) listRuns(w http.ResponseWriter, req *http.Request, owner int) *problem {
	f, problems := readFilter(req.URL.Query())
	if len(problems) > 0 {
		return invalid(problems...)
	}
	runs := s.owned(owner)
	wrapped := slices.ContainsFunc(runs, func(r *run) bool { return r.behaviour.list == "wrapped" })
	runs = slices.DeleteFunc(runs, func(r *run) bool { return !f.matches(r) })
	page := []runAnswer{}
	from := min((f.page-1)*f.pageSize, len(runs))
	for _, r := range runs[from:min(from+f.pageSize, len(runs))] {
		page = append(page, r.answer(f.includeEvents))
	}
	if !wrapped {
		writeJSON(w, http.StatusOK, page)
		return nil
	}
	writeJSON(w, http.StatusOK, map[string]any{"runs": page,
		"pagination": pagination{f.page, f.pageSize, len(runs), (len(runs) + f.pageSize - 1) / f.pageSize}})
	return nil
}

// filter is the query of a list call.
type filter struct {
	includeEvents  bool
	userID, status string
	anyUser        bool
	integrationIDs []string
	page, pageSize int
}

func readFilter(q url.Values) (f filter, problems []string) {
	f = filter{userID: q.Get("userId"), anyUser: !q.Has("userId"), status: q.Get("status"), integrationIDs: q["customerIntegrationIds"]}
	switch q.Get("includeEvents") {
	case "", "false":
	case "true":
		f.includeEvents = true
	default:
		problems = append(problems, "includeEvents must be a boolean value")
	}
	if q.Has("status") && !slices.Contains(statuses(), f.status) {
		problems = append(problems, "status must be one of the following values: "+strings.Join(statuses(), ", "))
	}
	number := func(name string, preset, high int) int {
		if !q.Has(name) {
			return preset
		}
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 1 || n > high {
			problems = append(problems, fmt.Sprintf("%s must be an integer from 1 to %d", name, high))
		}
		return n
	}
	f.page, f.pageSize = number("page", 1, 1000), number("pageSize", 10, 100)
	return f, problems
}

func (f *filter) matches(r *run) bool {
	if f.status != "" && r.currentStatus() != f.status {
		return false
	}
	if !f.anyUser && r.userID != f.userID {
		return false
	}
	return len(f.integrationIDs) == 0 || slices.ContainsFunc(r.integrations, func(i integration) bool {
		return slices.Contains(f.integrationIDs, i.CustomerIntegrationID)
	})
}
