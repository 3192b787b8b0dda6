package sandbox

import "net/http"

// approval is one thing that waits for a decision: a whole run, or one tool call.
type approval struct {
	run      *run
	step     *planStep        // nil for the whole run
	approved chan<- *approval // has room for every approval of its batch
}

func (s *Sandbox) approveRun(w http.ResponseWriter, r *http.Request, owner int) *problem {
	s.counts.approvalCalls.Add(1)
	token := r.URL.Query().Get("token")
	if token == "" {
		return invalid("token should not be empty", "token must be a string")
	}
	e, ok := s.tokens.spendToken(owner, token)
	if !ok || !e.approval.applyDecision(e.decision) {
		return newProblem(http.StatusBadRequest, "token already used or unknown")
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// applyDecision changes the run before the request is answered, so a client that
// reads the run after the answer sees the decision. It reports false if the run
// has ended meanwhile.
func (a *approval) applyDecision(d Decision) bool {
	r := a.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.decisions = append(r.decisions, d)
	r.waiting--
	action := draft{name: "run_action", body: payload{Action: d}}
	if a.step != nil {
		action.body.ToolCallID = a.step.callID()
	}
	if d == Deny {
		r.counts.denials.Add(1)
		before := []draft{action}
		if a.step != nil {
			before = append(before, draft{name: "step", body: payload{Step: r.stepLocked(*a.step, "DENIED")}})
		}
		r.finishLocked(statusCanceled, nil, before...)
		return true
	}
	r.counts.approvals.Add(1)
	if r.waiting == 0 {
		action.status = statusRunning
	}
	r.appendLocked(action)
	a.approved <- a
	return true
}
