package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/tools"
)

// timedCallers is the number of good clients whose calls are timed. The API has no
// faults for their key, so each call must succeed.
const timedCallers = 4

// timedVisits is what a visit of theirs counts as.
const timedVisits = "timed visits"

// timedCalls is the number of times that one of them makes each call before it leaves.
const timedCalls = 3

// timedTimeout is how long a timed call may take.
const timedTimeout = 10 * time.Second

// visitTimed connects, makes each kind of call some times, and leaves. Every other
// caller speaks the stateless revision.
func (c *clients) visitTimed(ctx context.Context, n int) error {
	version := []string{"2025-11-25", "2026-07-28"}[n%2]
	t := &timedVisitor{}
	err := c.timeCall(ctx, "connect", func(ctx context.Context) (err error) {
		t.visitor, err = c.connect(ctx, timedKey, version)
		return err
	})
	if err != nil {
		return err
	}
	defer t.leave()
	for range timedCalls {
		if err := t.makeCalls(ctx); err != nil {
			return err
		}
	}
	return nil
}

// timeCall makes a call and adds how long it took. A call without an answer in
// timedTimeout fails.
func (c *clients) timeCall(ctx context.Context, kind string, call func(context.Context) error) error {
	limited, stop := context.WithTimeout(ctx, timedTimeout)
	defer stop()
	start := time.Now()
	err := call(limited)
	switch {
	case err != nil && ctx.Err() == nil && limited.Err() != nil:
		return fmt.Errorf("%s: no answer in %s", kind, timedTimeout)
	case err != nil:
		return fmt.Errorf("%s: %w", kind, err)
	}
	c.timed.add(kind, time.Since(start))
	return nil
}

// timedVisitor is a client whose calls are timed.
type timedVisitor struct {
	*visitor
	runID string // the newest run
}

// makeCalls makes one call of each kind.
func (t *timedVisitor) makeCalls(ctx context.Context) error {
	for _, call := range []struct {
		kind string
		do   func(context.Context) error
	}{
		{"list tools", t.listTools},
		{"create_run", t.createRun},
		{"get_run", t.getRun},
		{"list_runs", t.listRuns},
		{"read a run", t.readRun},
		{"subscribe", t.subscribe},
		{"unsubscribe", t.unsubscribe},
	} {
		if !pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
		if err := t.clients.timeCall(ctx, call.kind, call.do); err != nil {
			return err
		}
	}
	return nil
}

func (t *timedVisitor) listTools(ctx context.Context) error {
	_, err := t.ListTools(ctx, nil)
	return err
}

func (t *timedVisitor) createRun(ctx context.Context) error {
	var run tools.RunResult
	err := t.callTool(ctx, "create_run", map[string]any{"intent": "timed", "context": "sandbox: steps=1 step_ms=10", "waitSeconds": 0}, &run)
	t.runID = string(run.RunID)
	return err
}

func (t *timedVisitor) getRun(ctx context.Context) error {
	return t.callTool(ctx, "get_run", map[string]any{"runId": t.runID}, nil)
}

func (t *timedVisitor) listRuns(ctx context.Context) error {
	return t.callTool(ctx, "list_runs", map[string]any{"pageSize": 10}, nil)
}

func (t *timedVisitor) readRun(ctx context.Context) error {
	_, err := t.ReadResource(ctx, &sdk.ReadResourceParams{URI: "run://" + t.runID})
	return err
}

func (t *timedVisitor) subscribe(ctx context.Context) error {
	return t.Subscribe(ctx, &sdk.SubscribeParams{URI: "run://" + t.runID})
}

func (t *timedVisitor) unsubscribe(ctx context.Context) error {
	return t.Unsubscribe(ctx, &sdk.UnsubscribeParams{URI: "run://" + t.runID})
}

// callTool calls a tool, and decodes the result into "into" unless that is nil. An error
// result is an error.
func (t *timedVisitor) callTool(ctx context.Context, tool string, args map[string]any, into any) error {
	result, err := t.CallTool(ctx, &sdk.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return err
	}
	text := result.Content[0].(*sdk.TextContent).Text
	switch {
	case result.IsError:
		return errors.New(text)
	case into == nil:
		return nil
	}
	return json.Unmarshal([]byte(text), into)
}
