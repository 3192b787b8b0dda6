package approval

import (
	"context"
	"time"

	"runs-mcp-server/client"
)

// maxPlans bounds the plans that are remembered: the API tells a plan whole in
// the answer to create, up to megabytes of it.
const maxPlans = 256

// planPatience is how long a plan is waited for: a person is about to be
// asked, or an answer to go out, and both can do without.
const planPatience = 5 * time.Second

// planOf names a plan: what one API key may see says nothing of another's.
type planOf struct {
	key   client.Key
	runID string
}

// KeepPlan remembers the plan that the answer to create told.
func (d *Desk) KeepPlan(caller client.Caller, runID string, plan *client.Plan) {
	if plan == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plans.add(planOf{caller.Key, runID}, plan)
}

// Plan returns what a run is going to do: what the API tells under the plan's
// own address, for the answer to create may have held a placeholder, else what
// that answer told; nil where neither is known.
func (d *Desk) Plan(ctx context.Context, caller client.Caller, run *client.Run) *client.Plan {
	if run.ExecutionPlanID != "" {
		ctx, cancel := context.WithTimeout(ctx, planPatience)
		defer cancel()
		if plan, err := d.api.GetPlan(ctx, caller, run.ExecutionPlanID); err == nil {
			return plan
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.plans.of[planOf{caller.Key, run.RunID}]
}
