package sandbox

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
)

type createResponse struct {
	RunID           string       `json:"runId"`
	RepeatKey       string       `json:"repeatKey"`
	Status          string       `json:"status"`
	Events          []any        `json:"events"`
	ExecutionPlanID string       `json:"executionPlanId"`
	Plan            planResponse `json:"plan"`
	RepeatRunID     string       `json:"repeatRunId,omitempty"`
}

func (s *Sandbox) createRun(w http.ResponseWriter, req *http.Request, owner int) *problem {
	request, p := readCreateRequest(w, req)
	if p != nil {
		return p
	}
	r := s.newRun(request, owner)
	if request.repeatOf != "" {
		if p := s.repeatPlan(r, request.repeatOf); p != nil {
			return p
		}
	}
	ctx, cancel := context.WithCancel(s.ctx)
	r.cancel = cancel
	r.appendLocked(draft{name: "status", status: statusQueued})
	response := r.createResponse()
	if p := s.addRun(r); p != nil {
		cancel()
		return p
	}
	go func() {
		defer s.active.Done()
		defer cancel()
		r.execute(ctx)
	}()
	s.counts.creates.Add(1)
	writeJSON(w, http.StatusCreated, response)
	return nil
}

func (s *Sandbox) newRun(request createRequest, owner int) *run {
	r := &run{
		createRequest: request,
		id:            uuid.NewString(),
		repeatKey:     uuid.NewString(),
		planID:        uuid.NewString(),
		owner:         owner,
		created:       time.Now(),
		tokens:        s.tokens,
		counts:        &s.counts,
		nextID:        1,
		changed:       make(chan struct{}),
		linksShown:    map[*event]bool{},
	}
	r.behaviour.setDefaults(s.step)
	steps := r.behaviour.steps
	if steps == 0 && r.behaviour.parallel > 1 {
		steps = r.behaviour.parallel
	}
	r.plan = newPlan(r.intent, r.integrations, steps)
	return r
}

// repeatPlan gives a run the plan of the earlier run with that repeat key.
func (s *Sandbox) repeatPlan(r *run, key string) *problem {
	runs := s.runsOf(r.owner)
	for i := len(runs) - 1; i >= 0; i-- { // oldest first: later runs with the key are repeats
		earlier := runs[i]
		if earlier.repeatKey != key {
			continue
		}
		if earlier.currentStatus() != statusSuccess {
			return invalid("repeatKey must be of a successful run")
		}
		if earlier.intent != r.intent {
			return invalid("repeatKey must be of a run of the same intent")
		}
		r.repeatKey, r.repeatRunID = key, earlier.id
		r.planID, r.plan = earlier.planID, earlier.plan
		return nil
	}
	return invalid("repeatKey is not known")
}

// createResponse needs r.mu held, or a run that nobody else has.
func (r *run) createResponse() createResponse {
	response := createResponse{
		RunID:           r.id,
		RepeatKey:       r.repeatKey,
		Status:          r.status,
		Events:          []any{r.events[0].storedItem(&r.behaviour)},
		ExecutionPlanID: r.planID,
		Plan:            r.plan.response(r.behaviour.plan),
		RepeatRunID:     r.repeatRunID,
	}
	if r.behaviour.plan == "placeholder" {
		response.Plan = planResponse{"text", "The execution plan will be available shortly."}
	}
	return response
}
