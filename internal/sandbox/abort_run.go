package sandbox

import "net/http"

// abortRun cancels a run. The contract does not say what a finished run answers;
// the run's "abort" option does.
func (s *Sandbox) abortRun(w http.ResponseWriter, req *http.Request, owner int) *problem {
	r, p := s.findRun(owner, req.PathValue("runId"))
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
		return newProblem(http.StatusNotFound, "Run not found")
	}
	return newProblem(http.StatusConflict, "the run has already finished")
}
