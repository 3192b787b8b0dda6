package sandbox

import "net/http"

func (s *Sandbox) getPlan(w http.ResponseWriter, r *http.Request, owner int) *problem {
	id := r.PathValue("executionPlanId")
	for _, run := range s.runsOf(owner) {
		if run.planID == id {
			writeJSON(w, http.StatusOK, run.plan.response(run.behaviour.plan))
			return nil
		}
	}
	return newProblem(http.StatusNotFound, "Execution plan not found")
}
