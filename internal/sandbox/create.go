package sandbox

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
)

type createAnswer struct {
	RunID           string     `json:"runId"`
	RepeatKey       string     `json:"repeatKey"`
	Status          string     `json:"status"`
	Events          []any      `json:"events"`
	ExecutionPlanID string     `json:"executionPlanId"`
	Plan            planAnswer `json:"plan"`
	RepeatRunID     string     `json:"repeatRunId,omitempty"`
}

func (s *Sandbox) createRun(w http.ResponseWriter, req *http.Request, owner int) *problem {
	asked, p := readCreateRequest(w, req)
	if p != nil {
		return p
	}
	r := s.newRun(asked, owner)
	if asked.repeatKey != "" {
		if p := s.repeat(r, asked.repeatKey); p != nil {
			return p
		}
	}
	ctx, cancel := context.WithCancel(s.ctx)
	r.cancel = cancel
	r.append(draft{name: "status", status: statusQueued})
	answer := createAnswer{RunID: r.id, RepeatKey: r.repeatKey, Status: r.status, Events: []any{r.events[0].stored(&r.behaviour)},
		ExecutionPlanID: r.planID, Plan: r.plan.answer(r.behaviour.plan), RepeatRunID: r.repeatRunID}
	if r.behaviour.plan == "placeholder" {
		answer.Plan = placeholder()
	}
	if p := s.keep(r); p != nil {
		cancel()
		return p
	}
	go func() {
		defer s.active.Done()
		defer cancel()
		r.execute(ctx)
	}()
	s.counts.creates.Add(1)
	writeJSON(w, http.StatusCreated, answer)
	return nil
}

func (s *Sandbox) newRun(asked createRequest, owner int) *run {
	r := &run{
		id: uuid.NewString(), repeatKey: uuid.NewString(), planID: uuid.NewString(),
		owner: owner, intent: asked.intent, context: asked.context, userID: asked.userID, strategy: asked.strategy,
		integrations: asked.integrations, behaviour: asked.behaviour, shaped: asked.shaped,
		created: time.Now(), tokens: s.tokens, counts: &s.counts,
		nextID: 1, changed: make(chan struct{}), said: map[*event]bool{},
	}
	r.behaviour.settle(s.step)
	steps := r.behaviour.steps
	if steps == 0 && r.behaviour.parallel > 1 {
		steps = max(r.behaviour.parallel, 2) // asking for N at once means wanting to see N
	}
	r.plan = newPlan(r.intent, r.integrations, steps)
	return r
}

// repeat gives a run the plan of the earlier run that its key names.
func (s *Sandbox) repeat(r *run, key string) *problem {
	runs := s.owned(r.owner)
	for i := len(runs) - 1; i >= 0; i-- { // the oldest: it is the one that made the key
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
