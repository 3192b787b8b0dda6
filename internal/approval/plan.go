package approval

import (
	"context"
	"slices"
	"strings"
	"time"
	"unsafe"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/bounded"
)

const (
	// maxPlans and maxPlansBytes bound the plans that are remembered, for a plan may be
	// megabytes.
	maxPlans      = 256
	maxPlansBytes = 4 << 20
	// maxPlanBytes bounds one of them, so that one caller's plan does not push out all
	// others.
	maxPlanBytes = 256 << 10
)

// planTimeout bounds the reading of a plan: a question or an answer waits for it, and
// can do without.
const planTimeout = 5 * time.Second

// callerRun names a run as one caller sees it.
type callerRun struct {
	key   client.Key
	runID client.RunID
}

// RememberPlan remembers the plan that the answer to create had, unless it is nil or
// too large.
func (d *Decider) RememberPlan(caller client.Caller, runID client.RunID, plan *client.Plan) {
	if plan == nil {
		return
	}
	size := bounded.EntryBytes + len(caller.Key) + len(runID) + planSize(plan)
	if size > maxPlanBytes {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plans.Add(callerRun{caller.Key, runID}, plan, size)
}

// planSize returns what a plan takes, in bytes.
func planSize(p *client.Plan) int {
	size := int(unsafe.Sizeof(*p)) + len(p.Text) + len(p.Title) + len(p.Description) + len(p.Raw)
	for _, step := range p.Steps {
		size += int(unsafe.Sizeof(step)) + len(step.ID) + len(step.Description)
		for _, id := range step.DependsOnSteps {
			size += int(unsafe.Sizeof(id)) + len(id)
		}
	}
	return size
}

// Plan returns what a run is going to do, nil where that is not known. The plan may
// stand at its own address, in the run, and in the answer to create: the first with
// steps counts, for others may be placeholders, else the first with any text. The
// error is that of the plan's own address, if no plan was found elsewhere.
func (d *Decider) Plan(ctx context.Context, caller client.Caller, run *client.Run) (*client.Plan, error) {
	current, err := d.currentPlan(ctx, caller, run)
	if plan := bestPlan(current, d.rememberedPlan(caller, run.RunID)); plan != nil {
		return plan, nil
	}
	return nil, err
}

// currentPlan returns the plan that the API has now, nil for none.
func (d *Decider) currentPlan(ctx context.Context, caller client.Caller, run *client.Run) (*client.Plan, error) {
	if run.ExecutionPlanID == "" {
		return bestPlan(run.Plan), nil
	}
	ctx, cancel := context.WithTimeout(ctx, planTimeout)
	defer cancel()
	stored, err := d.api.GetPlan(ctx, caller, run.ExecutionPlanID)
	if client.Lacking(err) {
		err = nil
	}
	return bestPlan(stored, run.Plan), err
}

// bestPlan returns the first plan with steps, else the first with any text, else nil.
func bestPlan(plans ...*client.Plan) *client.Plan {
	for _, good := range []func(*client.Plan) bool{hasSteps, hasText} {
		if i := slices.IndexFunc(plans, good); i >= 0 {
			return plans[i]
		}
	}
	return nil
}

func hasSteps(p *client.Plan) bool { return p != nil && len(p.Steps) > 0 }

func hasText(p *client.Plan) bool {
	return p != nil && strings.TrimSpace(p.Title+p.Description+p.Text) != ""
}

// rememberedPlan returns the plan that the answer to create had, nil for none.
func (d *Decider) rememberedPlan(caller client.Caller, runID client.RunID) *client.Plan {
	d.mu.Lock()
	defer d.mu.Unlock()
	plan, _ := d.plans.Get(callerRun{caller.Key, runID})
	return plan
}
