package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// wrappedList is what list=wrapped answers instead of an array.
type wrappedList struct {
	Runs       []runResponse `json:"runs"`
	Pagination pagination    `json:"pagination"`
}

type pagination struct {
	Page       int `json:"page"`
	PageSize   int `json:"pageSize"`
	Total      int `json:"total"`
	TotalPages int `json:"totalPages"`
}

func (s *Sandbox) listRuns(w http.ResponseWriter, req *http.Request, owner int) *problem {
	query, problems := readListQuery(req.URL.Query())
	if len(problems) > 0 {
		return invalid(problems...)
	}
	runs := s.runsOf(owner)
	wrapped := slices.ContainsFunc(runs, func(r *run) bool { return r.behaviour.list == "wrapped" })
	runs = slices.DeleteFunc(runs, func(r *run) bool { return !query.matches(r) })
	total := len(runs)
	from := min((query.page-1)*query.pageSize, total)
	page := []runResponse{}
	for _, r := range runs[from:min(from+query.pageSize, total)] {
		page = append(page, r.response(query.includeEvents))
	}
	if !wrapped {
		writeJSON(w, http.StatusOK, page)
		return nil
	}
	totalPages := (total + query.pageSize - 1) / query.pageSize
	writeJSON(w, http.StatusOK, wrappedList{page, pagination{query.page, query.pageSize, total, totalPages}})
	return nil
}

// listQuery is the query of a list request.
type listQuery struct {
	includeEvents  bool
	status         string // empty for any
	userID         string
	anyUser        bool
	integrationIDs []string // empty for any
	page, pageSize int
}

func readListQuery(values url.Values) (q listQuery, problems []string) {
	q = listQuery{
		includeEvents:  values.Get("includeEvents") == "true",
		status:         values.Get("status"),
		userID:         values.Get("userId"),
		anyUser:        !values.Has("userId"),
		integrationIDs: values["customerIntegrationIds"],
	}
	if !slices.Contains([]string{"", "true", "false"}, values.Get("includeEvents")) {
		problems = append(problems, "includeEvents must be a boolean value")
	}
	if values.Has("status") && !slices.Contains(statuses(), q.status) {
		problems = append(problems, "status must be one of the following values: "+strings.Join(statuses(), ", "))
	}
	readNumber := func(name string, preset, high int) int {
		if !values.Has(name) {
			return preset
		}
		n, err := strconv.Atoi(values.Get(name))
		if err != nil || n < 1 || n > high {
			problems = append(problems, fmt.Sprintf("%s must be an integer from 1 to %d", name, high))
		}
		return n
	}
	q.page = readNumber("page", 1, 1000)
	q.pageSize = readNumber("pageSize", 10, 100)
	return q, problems
}

func (q *listQuery) matches(r *run) bool {
	if q.status != "" && r.currentStatus() != q.status {
		return false
	}
	if !q.anyUser && r.userID != q.userID {
		return false
	}
	return len(q.integrationIDs) == 0 || slices.ContainsFunc(r.integrations, func(i integration) bool {
		return slices.Contains(q.integrationIDs, i.CustomerIntegrationID)
	})
}
