package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

const (
	apiKey = "sandbox-key"
	userID = "bench"
)

// operation is what a caller asks for: a tool call, or the REST request that does the
// same.
type operation struct {
	name     string
	tool     string
	args     string // JSON
	method   string // of the REST request
	path     string
	body     string
	expected []byte   // every right answer holds it
	runs     []string // ids; if there are any, each caller reads one of its own
}

// forCaller returns the operation of a caller: a read of its own run, if callers have any.
func (o *operation) forCaller(number int) *operation {
	if len(o.runs) == 0 {
		return o
	}
	own := readOperation(o.name, o.runs[number%len(o.runs)])
	return &own
}

// readOperation returns the operation that reads a run.
func readOperation(name, id string) operation {
	return operation{
		name: name, tool: "get_run", args: `{"runId":"` + id + `"}`,
		method: http.MethodGet, path: "/v1/runs/" + id + "?includeEvents=true", expected: []byte(id),
	}
}

// createBody returns the body of a create. The run has no steps to wait for.
func createBody(behaviour string) string {
	return `{"intent":"Find overdue invoices","context":"sandbox: ` + behaviour + `","userId":"` + userID + `","selectedCustomerIntegrationIds":["*"]}`
}

// newOperations creates the runs that are read and returns the operations. create_run
// comes last, because a full sandbox forgets its oldest runs.
func newOperations(ctx context.Context, apiURL string) ([]operation, error) {
	api := &forwarder{apiURL, apiKey, http.DefaultClient}
	for range 10 {
		if _, err := api.createRun(ctx, createBody("step_ms=0 steps=1")); err != nil {
			return nil, err
		}
	}
	var operations []operation
	var newest string
	for _, run := range []struct {
		name, behaviour string
		events          int
	}{
		{"get_run, 1 event", "queue_ms=3600000", 1}, // the fewest: queued for an hour
		{"get_run, 8 events", "step_ms=0 steps=5", 8},
		{"get_run, 500 events", "step_ms=0 steps=497", 500},
	} {
		id, err := newRun(ctx, api, run.behaviour, run.events)
		if err != nil {
			return nil, err
		}
		newest = id
		operations = append(operations, readOperation(run.name, id))
	}
	return append(operations, operation{
		name: "list_runs, 10 runs", tool: "list_runs", args: `{"pageSize":10}`,
		method: http.MethodGet, path: "/v1/runs?pageSize=10", expected: []byte(newest),
	}, operation{
		name: "create_run", tool: "create_run", args: createBody("step_ms=0 steps=1"),
		method: http.MethodPost, path: "/v1/runs", body: createBody("step_ms=0 steps=1"), expected: []byte("runId"),
	}), nil
}

// newOwnRuns returns the operation that reads a run of 8 events, of which each of n
// callers has one of its own.
func newOwnRuns(ctx context.Context, apiURL string, n int) (operation, error) {
	api := &forwarder{apiURL, apiKey, http.DefaultClient}
	own := operation{name: "get_run, 8 events, own runs"}
	for range n {
		id, err := newRun(ctx, api, "step_ms=0 steps=5", 8)
		if err != nil {
			return operation{}, err
		}
		own.runs = append(own.runs, id)
	}
	return own, nil
}

// newRun creates a run, waits until it has n events, and returns its id.
func newRun(ctx context.Context, api *forwarder, behaviour string, n int) (string, error) {
	text, err := api.createRun(ctx, createBody(behaviour))
	for err == nil && ctx.Err() == nil {
		var run struct {
			RunID  string
			Status string
			Events []json.RawMessage
		}
		if err := json.Unmarshal([]byte(text), &run); err != nil {
			return "", err
		}
		if len(run.Events) == n {
			return run.RunID, nil
		}
		if run.Status == "SUCCESS" {
			return "", fmt.Errorf("a run of %s has %d events, want %d", behaviour, len(run.Events), n)
		}
		text, err = api.getRun(ctx, run.RunID)
	}
	return "", cmp.Or(err, ctx.Err())
}

// wrongAnswer is the error of an answer that is not what the caller asked for.
type wrongAnswer string

func (w wrongAnswer) Error() string { return string(w) }

// checkAnswer returns a wrongAnswer unless an answer holds what is expected and no error.
func (o *operation) checkAnswer(answer []byte) error {
	switch {
	case !bytes.Contains(answer, o.expected):
		return wrongAnswer(fmt.Sprintf("the answer does not hold %q: %.500q", o.expected, answer))
	case bytes.Contains(answer, []byte(`"isError":true`)), bytes.Contains(answer, []byte(`"error":{`)):
		return wrongAnswer(fmt.Sprintf("the answer is an error: %.500q", answer))
	}
	return nil
}
