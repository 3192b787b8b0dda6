package main

import (
	"context"
	"math/rand/v2"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// waitForRun starts a run and waits for its end in several calls.
func waitForRun(ctx context.Context, v *visitor) error {
	behaviours := []string{"steps=3 step_ms=50", "steps=20 step_ms=10 cut=7", "steps=5 step_ms=20 replay=none", "steps=4 step_ms=20 auth=required", "steps=2 step_ms=100 end=hold", "steps=2 step_ms=10 unknown=1 leak=1 result_kb=64"}
	run, err := v.create(ctx, behaviours[rand.IntN(len(behaviours))], "", 1)
	for tries := 0; err == nil && run.RunID != "" && !run.Finished && tries < 3; tries++ {
		run, err = v.call(ctx, "get_run", map[string]any{"runId": run.RunID, "afterEventId": run.LastEventID, "waitSeconds": 1})
	}
	return err
}

// decideRun starts a run that needs approval, and decides. One of eight it leaves
// undecided.
func decideRun(ctx context.Context, v *visitor) error {
	behaviour, strategy := "steps=2 step_ms=10", "ON_START"
	if rand.IntN(2) == 0 {
		behaviour, strategy = "steps=2 step_ms=10 approvals=parallel:2", "ON_TOOL_CALL"
	}
	run, err := v.create(ctx, behaviour, strategy, 2)
	if err != nil || rand.IntN(8) == 0 {
		return err
	}
	for _, p := range run.PendingApprovals {
		decision := []string{"approve", "deny"}[rand.IntN(2)]
		if _, err := v.call(ctx, "approve", map[string]any{"runId": run.RunID, "approvalId": p.ApprovalID, "decision": decision}); err != nil {
			return err
		}
	}
	return nil
}

// watchRun subscribes to a run and its events, and reads after some updates.
func watchRun(ctx context.Context, v *visitor) error {
	run, err := v.create(ctx, "steps=10 step_ms=50", "", 0)
	if err != nil || run.RunID == "" {
		return err
	}
	for _, uri := range []string{"run://" + string(run.RunID), "run://" + string(run.RunID) + "/events"} {
		v.clients.addResult(v.Subscribe(ctx, &sdk.SubscribeParams{URI: uri}), "subscriptions")
	}
	for range 3 {
		select {
		case <-v.changed:
			v.clients.addResult(nil, "updates received")
			_, err := v.ReadResource(ctx, &sdk.ReadResourceParams{URI: "run://" + string(run.RunID) + "/events?limit=5"})
			v.clients.addResult(err, "resources read")
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if rand.IntN(2) == 0 {
		v.clients.addResult(v.Unsubscribe(ctx, &sdk.UnsubscribeParams{URI: "run://" + string(run.RunID)}), "subscriptions ended")
	}
	return nil
}

// abortRun stops a run that would go on.
func abortRun(ctx context.Context, v *visitor) error {
	run, err := v.create(ctx, "step_ms=60000", "", 0)
	for tries := 0; err == nil && run.RunID != "" && !run.Finished && tries < 3; tries++ {
		run, err = v.call(ctx, "abort_run", map[string]any{"runId": run.RunID})
	}
	return err
}

// cancelWait cancels a call that waits.
func cancelWait(ctx context.Context, v *visitor) error {
	run, err := v.create(ctx, "step_ms=200 steps=20", "", 0)
	if err != nil || run.RunID == "" {
		return err
	}
	short, stop := context.WithTimeout(ctx, time.Duration(rand.IntN(500))*time.Millisecond)
	defer stop()
	if _, err := v.call(short, "get_run", map[string]any{"runId": run.RunID, "waitSeconds": 30}); short.Err() == nil {
		return err
	}
	return ctx.Err()
}

// listAll lists tools, runs and resources.
func listAll(ctx context.Context, v *visitor) error {
	if _, err := v.ListTools(ctx, nil); err != nil {
		return err
	}
	_, err := v.call(ctx, "list_runs", map[string]any{"pageSize": 10})
	_, listing := v.ListResources(ctx, nil)
	v.clients.addResult(listing, "resource lists")
	return err
}
