//go:build diagnostic

package diagnostic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport"
)

const tasksExtension = "io.modelcontextprotocol/tasks"

// Tasks are the tasks of the suite's tools, in memory. They implement transport.Tasks
// for stateless clients; stateful ones have none.
type Tasks struct {
	mu    sync.Mutex // guards all below, and the fields of the tasks
	tasks map[string]*fixtureTask
}

// NewTasks returns no tasks yet.
func NewTasks() *Tasks { return &Tasks{tasks: map[string]*fixtureTask{}} }

// fixtureTask is one task: what a tool does in the background.
type fixtureTask struct {
	TaskID         string             `json:"taskId"`
	Status         string             `json:"status"`
	CreatedAt      time.Time          `json:"createdAt"`
	LastUpdatedAt  time.Time          `json:"lastUpdatedAt"`
	TTLMs          int                `json:"ttlMs"`
	PollIntervalMs int                `json:"pollIntervalMs"`
	InputRequests  mcp.InputRequests  `json:"inputRequests,omitempty"`
	Result         json.RawMessage    `json:"result,omitempty"`
	Error          *map[string]any    `json:"error,omitempty"`
	answers        mcp.InputResponses // so far
	work           func(mcp.InputResponses) (*mcp.CallToolResult, error)
	timer          *time.Timer
}

// start starts a task that works for a time or, if it has requests, until they are
// answered. It returns the answer of the tool.
func (t *Tasks) start(after time.Duration, requests mcp.InputRequests, work func(mcp.InputResponses) (*mcp.CallToolResult, error)) *mcp.CallToolResult {
	now := time.Now().UTC()
	task := &fixtureTask{
		TaskID: uuid.NewString(), Status: "working", CreatedAt: now, LastUpdatedAt: now, TTLMs: 3_600_000, PollIntervalMs: 100,
		answers: mcp.InputResponses{}, work: work,
	}
	created := *task // as it is before anything is asked
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tasks[task.TaskID] = task
	if len(requests) > 0 {
		task.Status, task.InputRequests = "input_required", requests
	} else {
		task.timer = time.AfterFunc(after, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			task.finish()
		})
	}
	result := &mcp.CallToolResult{StructuredContent: created}
	result.ResultType = "task"
	return result
}

// finish does the work of a task that goes on; Tasks.mu is held.
func (task *fixtureTask) finish() {
	if task.Status != "working" {
		return
	}
	task.LastUpdatedAt = time.Now().UTC()
	result, err := task.work(task.answers)
	if err != nil {
		task.Status, task.Error = "failed", &map[string]any{"code": mcp.INTERNAL_ERROR, "message": err.Error()}
		return
	}
	task.Status = "completed"
	task.Result, _ = json.Marshal(result) // texts alone
}

var errNoTask = fmt.Errorf("%w: there is no such task", mcp.ErrInvalidParams)

// Offer implements transport.Tasks.
func (t *Tasks) Offer(*server.MCPServer) transport.TaskOffer {
	return transport.TaskOffer{
		Tools:  []string{"slow_compute", "failing_job", "protocol_error_job", "confirm_delete", "multi_input", "test_tool_with_task"},
		Cancel: true, ServerInfo: mcp.Implementation{Name: serverName, Version: serverVersion},
	}
}

// GetTask implements transport.Tasks.
func (t *Tasks) GetTask(_ context.Context, id string, _ bool) (any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	task, ok := t.tasks[id]
	if !ok {
		return nil, errNoTask
	}
	shown := *task
	return shown, nil
}

// UpdateTask implements transport.Tasks.
func (t *Tasks) UpdateTask(_ context.Context, id string, answers mcp.InputResponses) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	task, ok := t.tasks[id]
	if !ok {
		return errNoTask
	}
	missing := mcp.InputRequests{}
	for key, request := range task.InputRequests {
		if answer, ok := answers[key]; ok {
			task.answers[key] = answer
		} else {
			missing[key] = request
		}
	}
	task.InputRequests = missing
	if task.Status == "input_required" && len(missing) == 0 {
		task.Status = "working"
		task.finish()
	}
	return nil
}

// CancelTask implements transport.Tasks.
func (t *Tasks) CancelTask(_ context.Context, id string) (any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	task, ok := t.tasks[id]
	if !ok {
		return nil, errNoTask
	}
	if task.Status == "working" || task.Status == "input_required" {
		task.Status, task.InputRequests, task.LastUpdatedAt = "cancelled", nil, time.Now().UTC()
	}
	return nil, nil
}

// ListTasks implements transport.Tasks.
func (t *Tasks) ListTasks(context.Context, string) (any, error) {
	return map[string]any{"tasks": []any{}}, nil
}

// TaskResult implements transport.Tasks.
func (t *Tasks) TaskResult(context.Context, string) (any, error) { return nil, errNoTask }

// WatchTask implements transport.Tasks: what is watched is told once.
func (t *Tasks) WatchTask(_ context.Context, id string, changed func(map[string]any)) (stop func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tasks[id] == nil {
		return nil, errNoTask
	}
	changed(nil)
	return func() {}, nil
}

// addTaskTools adds the tools that become tasks where the client has the extension.
func addTaskTools(s *server.MCPServer, tasks *Tasks) {
	add := func(name, schema string, handler server.ToolHandlerFunc) {
		s.AddTool(mcp.NewToolWithRawSchema(name, fixture, json.RawMessage(schema)), handler)
	}
	text := func(text string) (*mcp.CallToolResult, error) { return mcp.NewToolResultText(text), nil }
	add("greet", `{"type": "object", "properties": {"name": {"type": "string"}}}`, func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return text("Hello, " + r.GetString("name", "") + "!")
	})
	add("slow_compute", `{"type": "object", "properties": {"seconds": {"type": "number"}, "label": {"type": "string"}}}`,
		func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			after, done := time.Duration(r.GetFloat("seconds", 0)*float64(time.Second)), "computed "+r.GetString("label", "")
			if hasTasks(ctx) {
				return tasks.start(after, nil, func(mcp.InputResponses) (*mcp.CallToolResult, error) { return text(done) }), nil
			}
			select {
			case <-time.After(after):
				return text(done)
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		})
	job := func(name, schema string, after time.Duration, requests mcp.InputRequests, work func(mcp.InputResponses) (*mcp.CallToolResult, error)) {
		add(name, schema, func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if !hasTasks(ctx) {
				return nil, mcp.MissingRequiredClientCapabilityError{Capability: "extensions." + tasksExtension}
			}
			return tasks.start(after, requests, work), nil
		})
	}
	job("failing_job", noArguments, time.Second, nil, func(mcp.InputResponses) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("This job fails."), nil
	})
	job("protocol_error_job", noArguments, 0, nil, func(mcp.InputResponses) (*mcp.CallToolResult, error) {
		return nil, errors.New("this job breaks")
	})
	done := func(mcp.InputResponses) (*mcp.CallToolResult, error) { return text("done") }
	job("confirm_delete", `{"type": "object", "properties": {"filename": {"type": "string"}}}`, 0,
		mcp.InputRequests{"confirm": elicit("Delete it?", confirmForm)}, done)
	job("multi_input", noArguments, 0, mcp.InputRequests{"name": elicit("What is your name?", nameForm), "confirm": elicit("Please confirm.", confirmForm)}, done)

	q := inputRounds{rounds: []mcp.InputRequests{{"user_name": elicit("What is your name?", nameForm)}}}
	add("test_tool_with_task", noArguments, func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		more, err := q.next(ctx, r.Params.MultiRoundTripParams)
		switch {
		case err != nil:
			return nil, err
		case more != nil:
			return &mcp.CallToolResult{Result: mcp.Result{ResultType: mcp.ResultTypeInputRequired}, MultiRoundTripResult: *more}, nil
		case !hasTasks(ctx):
			return nil, mcp.MissingRequiredClientCapabilityError{Capability: "extensions." + tasksExtension}
		}
		answers := r.Params.InputResponses
		return tasks.start(0, nil, func(mcp.InputResponses) (*mcp.CallToolResult, error) { return answerText(answers) }), nil
	})
}

// hasTasks reports whether a request declares the extension.
func hasTasks(ctx context.Context) bool {
	if !server.IsModernRequest(ctx) {
		return false
	}
	_, declared := server.RequestProtocolInfoFromContext(ctx).ClientCapabilities.Extensions[tasksExtension]
	return declared
}
