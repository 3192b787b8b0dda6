package tools

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/task"
	"runs-mcp-server/internal/view"
)

// taskOwner is a session whose client is told of changes of tasks that it has created.
type taskOwner interface {
	WatchTask(taskID string)
	WatchesTask(taskID string) bool
}

// answerWithTask makes the answer of a call that has created a run a task, and reports
// whether it did. A call that waits is answered plainly where the client leaves it to
// the server, and so is one whose run cannot be read yet: the handle of a task must work
// at once.
func (h *handlers) answerWithTask(ctx context.Context, c *call, run *client.Run, waitSeconds int) bool {
	if c.taskMode == taskAllowed && (waitSeconds > 0 || c.resume != nil) {
		return false
	}
	stored, err := h.awaitReadable(ctx, c, run.RunID)
	switch {
	case err != nil && c.taskMode == taskAllowed:
		h.Log.Info("a new run cannot be read yet: its create is answered without a task", "runId", run.RunID, "error", err)
		return false
	case err != nil:
		stored = run
	}
	message := "The run was created."
	if c.keepRefused {
		message += " Too many runs with approvals are watched already; the approval link of this one may be missed."
	}
	c.taskID = string(run.RunID)
	// A task begins as working, whatever the run does already (2025-11-25).
	common := task.Common{TaskID: c.taskID, Status: task.Working, StatusMessage: message}
	common.CreatedAt, common.LastUpdatedAt = task.Times(stored.CreatedAt, stored.UpdatedAt, "", time.Now())
	if c.taskMode == taskAllowed {
		c.createdTask = task.ExtensionTask{Common: common, PollIntervalMs: taskPollInterval.Milliseconds()}
		return true
	}
	c.createdTask = struct {
		Task task.StatefulTask `json:"task"`
	}{task.StatefulTask{Common: common, PollInterval: taskPollInterval.Milliseconds()}}
	if owner, ok := c.session.(taskOwner); ok {
		owner.WatchTask(c.taskID)
	}
	return true
}

// readablePauses are the pauses before a new run is read again: 2 s in all, because a
// caller waits for the answer.
var readablePauses = [...]time.Duration{200 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond}

// awaitReadable reads a new run as soon as the API shows it.
func (h *handlers) awaitReadable(ctx context.Context, c *call, runID client.RunID) (*client.Run, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for _, pause := range readablePauses {
		run, err := h.API.GetRun(ctx, c.caller, runID, false)
		if client.KindOf(err) != client.NotFound {
			return run, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return h.API.GetRun(ctx, c.caller, runID, false)
}

// immediateResponseMeta is where a client of 2025-11-25 finds what it may tell its model
// while the task goes on.
const immediateResponseMeta = "io.modelcontextprotocol/model-immediate-response"

// taskAnswer returns the task of a call in the form in which the transport takes it: the
// structured content is the whole answer.
func taskAnswer(c *call) *mcp.CallToolResult {
	result := &mcp.CallToolResult{StructuredContent: c.createdTask}
	result.ResultType = "task"
	if c.taskMode == taskDemanded {
		result.Meta = mcp.WithRelatedTask(c.taskID)
		result.Meta.SetMetaField(immediateResponseMeta, "The run "+c.taskID+" was created and goes on in the background. "+
			"Its result comes when it has ended; do not create it again.")
	}
	return result
}

// protocolError returns a failure as the error of a request.
func protocolError(v view.View, f Failure) error {
	f.Message = v.Line(f.Message, 400)
	f = f.truncated()
	if f.Code == string(client.InvalidArgument) {
		return fmt.Errorf("%w: %s", mcp.ErrInvalidParams, f.text())
	}
	return errors.New(f.text())
}
