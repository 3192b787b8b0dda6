package sandbox

import "net/http"

// runResponse is the contract's RunDto.
type runResponse struct {
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
	Unknown         string `json:"sandboxUnknown,omitempty"` // for unknown=1
}

func (s *Sandbox) getRun(w http.ResponseWriter, req *http.Request, owner int) *problem {
	r, p := s.findRun(owner, req.PathValue("runId"))
	if p != nil {
		return p
	}
	writeJSON(w, http.StatusOK, r.response(req.URL.Query().Get("includeEvents") == "true"))
	return nil
}

func (r *run) response(includeEvents bool) runResponse {
	r.mu.Lock()
	defer r.mu.Unlock()
	response := runResponse{
		RunID:           r.id,
		RepeatKey:       r.repeatKey,
		RepeatRunID:     r.repeatRunID,
		Status:          r.status,
		ExecutionPlanID: r.planID,
		Events:          []any{},
		Result:          r.result,
		Intent:          r.intent,
		Context:         r.context,
		CreatedAt:       formatTime(r.created),
		UpdatedAt:       formatTime(r.updated),
	}
	if r.behaviour.unknown {
		response.Unknown = "a field you have not met"
	}
	if includeEvents {
		for _, e := range r.events {
			response.Events = append(response.Events, e.storedItem(&r.behaviour))
		}
	}
	return response
}
