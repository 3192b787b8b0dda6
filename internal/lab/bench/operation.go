package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
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
	expected []byte // every right answer holds it
}

// createBody returns the body of a create. The run has no steps to wait for.
func createBody(behaviour string) string {
	return `{"intent":"Find overdue invoices","context":"sandbox: ` + behaviour + `","userId":"` + userID + `","selectedCustomerIntegrationIds":["*"]}`
}

// newOperations creates the runs that are read and returns the operations. create_run
// comes last, because a full sandbox forgets its oldest runs.
func newOperations(ctx context.Context, api string) ([]operation, error) {
	var operations []operation
	var newest string
	for range 10 {
		if _, err := createRun(ctx, api, "step_ms=0 steps=1"); err != nil {
			return nil, err
		}
	}
	for _, run := range []struct {
		name      string
		events    int
		behaviour string
	}{
		{"get_run, 1 event", 1, "queue_ms=3600000"}, // the fewest: queued for an hour
		{"get_run, 8 events", 8, "step_ms=0 steps=5"},
		{"get_run, 500 events", 500, "step_ms=0 steps=497"},
	} {
		id, err := createRun(ctx, api, run.behaviour)
		if err != nil {
			return nil, err
		}
		if err := awaitEvents(ctx, api, id, run.events); err != nil {
			return nil, err
		}
		newest = id
		operations = append(operations, operation{
			name: run.name, tool: "get_run", args: `{"runId":"` + id + `"}`,
			method: http.MethodGet, path: "/v1/runs/" + id + "?includeEvents=true", expected: []byte(id),
		})
	}
	return append(operations, operation{
		name: "list_runs, 10 runs", tool: "list_runs", args: `{"pageSize":10}`,
		method: http.MethodGet, path: "/v1/runs?pageSize=10", expected: []byte(newest),
	}, operation{
		name: "create_run", tool: "create_run", args: createBody("step_ms=0 steps=1"),
		method: http.MethodPost, path: "/v1/runs", body: createBody("step_ms=0 steps=1"), expected: []byte("runId"),
	}), nil
}

// createRun creates a run at the API and returns its id.
func createRun(ctx context.Context, api, behaviour string) (string, error) {
	var run struct{ RunID string }
	err := sendJSON(ctx, http.MethodPost, api+"/v1/runs", createBody(behaviour), &run)
	return run.RunID, err
}

// awaitEvents waits until a run has n events.
func awaitEvents(ctx context.Context, api, id string, n int) error {
	for ctx.Err() == nil {
		var run struct {
			Events []json.RawMessage
			Status string
		}
		if err := sendJSON(ctx, http.MethodGet, api+"/v1/runs/"+id+"?includeEvents=true", "", &run); err != nil {
			return err
		}
		if len(run.Events) == n {
			return nil
		}
		if len(run.Events) > n || run.Status == "SUCCESS" {
			return fmt.Errorf("the run has %d events, want %d", len(run.Events), n)
		}
	}
	return ctx.Err()
}

func sendJSON(ctx context.Context, method, url, body string, answer any) error {
	f := &forwarder{key: apiKey, client: http.DefaultClient}
	text, err := f.send(ctx, method, url, body)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), answer)
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

const (
	statelessVersion = "2026-07-28"
	statefulVersion  = "2025-11-25"

	// messageStart comes before the id of a message. Ids have idDigits digits, so the
	// next id takes the place of the last one.
	messageStart = `{"jsonrpc":"2.0","id":`
	firstID      = 100_000_000
	idDigits     = 9

	initialize = messageStart + `100000000,"method":"initialize","params":{"protocolVersion":"` + statefulVersion +
		`","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

// toolCall returns the message of a call with the id firstID.
func (o *operation) toolCall(version string) string {
	meta := ""
	if version == statelessVersion {
		meta = `,"_meta":{"io.modelcontextprotocol/protocolVersion":"` + version +
			`","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}`
	}
	return fmt.Sprintf(`%s%d,"method":"tools/call","params":{"name":"%s","arguments":%s%s}}`, messageStart, firstID, o.tool, o.args, meta)
}

// postHead returns the head of a POST with MCP headers.
func postHead(host, path, version, session string, o *operation, length int) string {
	var head strings.Builder
	fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: %s\r\nx-api-key: %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n", path, host, apiKey)
	fmt.Fprintf(&head, "MCP-Protocol-Version: %s\r\nContent-Length: %d\r\n", version, length)
	if session != "" {
		fmt.Fprintf(&head, "Mcp-Session-Id: %s\r\n", session)
	}
	if version == statelessVersion {
		fmt.Fprintf(&head, "Mcp-Method: tools/call\r\nMcp-Name: %s\r\n", o.tool)
	}
	return head.String() + "\r\n"
}

// restRequest returns the REST request of an operation.
func (o *operation) restRequest(host string) string {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nx-api-key: %s\r\n", o.method, o.path, host, apiKey)
	if o.body != "" {
		head += fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(o.body))
	}
	return head + "\r\n" + o.body
}

var errNoID = errors.New("the message has no id")

// idOf returns the id of a message: its first member of this name.
func idOf(message []byte) (int, error) {
	_, rest, found := bytes.Cut(message, []byte(`"id":`))
	if !found {
		return 0, errNoID
	}
	id := 0
	for _, c := range bytes.TrimLeft(rest, " ") {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + int(c-'0')
	}
	if id == 0 {
		return 0, errNoID
	}
	return id, nil
}
