package approval

import (
	"context"
	"slices"
	"strings"
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
	runID client.RunID
}

// KeepPlan remembers the plan that the answer to create told.
func (d *Decider) KeepPlan(caller client.Caller, runID client.RunID, plan *client.Plan) {
	if plan == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plans.Add(planOf{caller.Key, runID}, plan)
}

// Plan returns what a run is going to do, nil where nobody tells. It may stand
// under the plan's own address, with the run as it was read and in the answer
// to create: of these the first with steps, for others may be placeholders, else
// the first that says anything. The error is that of the plan's own address,
// where nothing else tells one and the API does not lack it.
func (d *Decider) Plan(ctx context.Context, caller client.Caller, run *client.Run) (*client.Plan, error) {
	told, err := d.toldPlan(ctx, caller, run)
	if plan := bestPlan(told, d.kept(caller, run.RunID)); plan != nil {
		return plan, nil
	}
	return nil, err
}

// toldPlan returns the plan that the API tells now, nil where it tells none.
func (d *Decider) toldPlan(ctx context.Context, caller client.Caller, run *client.Run) (*client.Plan, error) {
	if run.ExecutionPlanID == "" {
		return bestPlan(run.Plan), nil
	}
	ctx, cancel := context.WithTimeout(ctx, planPatience)
	defer cancel()
	stored, err := d.api.GetPlan(ctx, caller, run.ExecutionPlanID)
	if client.Lacking(err) {
		err = nil
	}
	return bestPlan(stored, run.Plan), err
}

// bestPlan returns the first plan with steps, else the first that says anything,
// else nil.
func bestPlan(plans ...*client.Plan) *client.Plan {
	for _, good := range []func(*client.Plan) bool{hasSteps, saysAnything} {
		if i := slices.IndexFunc(plans, good); i >= 0 {
			return plans[i]
		}
	}
	return nil
}

func hasSteps(p *client.Plan) bool { return p != nil && len(p.Steps) > 0 }

func saysAnything(p *client.Plan) bool {
	return p != nil && strings.TrimSpace(p.Title+p.Description+p.Text) != ""
}

func (d *Decider) kept(caller client.Caller, runID client.RunID) *client.Plan {
	d.mu.Lock()
	defer d.mu.Unlock()
	plan, _ := d.plans.Get(planOf{caller.Key, runID})
	return plan
}
