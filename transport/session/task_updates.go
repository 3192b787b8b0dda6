package session

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/rawjson"
	"runs-mcp-server/transport/jsonrpc"
)

const (
	methodTaskUpdated       = "notifications/tasks"        // of a listen of 2026-07-28
	methodTaskStatusUpdated = "notifications/tasks/status" // of 2025-11-25
)

// noResource keeps mcp-go from ending a listen that watches tasks alone, and lets it
// refuse one. It is no address of a resource, and reaches no client.
const noResource = "tasks:"

// addSubscriptions gives a listen subscriptions of its own.
func (c *call) addSubscriptions() {
	c.acknowledged = make(chan struct{})
	if watch := c.connection.config.Watch; watch != nil {
		c.subscriptions = newSubscriptions(watch, c.sendUpdate)
		c.subscriptions.counts = c.connection.config.Counts
	}
	if watch := c.connection.config.WatchTask; watch != nil && c.tasks != nil {
		c.taskSubscriptions = newSubscriptions(watch, c.sendTask)
		c.taskSubscriptions.counts = c.connection.config.Counts
	}
}

// watchTasks watches the tasks of a listen, and leaves in taskIDs those that are
// watched. ctx is that of the hook.
func (c *call) watchTasks(ctx context.Context) {
	if c.taskSubscriptions == nil || len(c.taskIDs) == 0 {
		c.taskIDs = nil
		return
	}
	watched, err := c.taskSubscriptions.watchAll(ctx, c.taskIDs)
	if err != nil {
		c.listenRefused = err
	}
	c.taskIDs = watched
}

// acknowledgedFilter is what a listen watches, with the extension's member.
type acknowledgedFilter struct {
	mcp.SubscriptionFilter
	TaskIDs []string `json:"taskIds"`
}

// addTaskIDs adds the watched tasks to the acknowledgement of a listen.
func (c *call) addTaskIDs(n *mcp.JSONRPCNotification) {
	filter, ok := n.Params.AdditionalFields["notifications"].(mcp.SubscriptionFilter)
	if !ok || n.Method != mcp.MethodNotificationSubscriptionsAcknowledged {
		return
	}
	filter.ResourceSubscriptions = slices.DeleteFunc(slices.Clone(filter.ResourceSubscriptions), func(uri string) bool { return uri == noResource })
	n.Params.AdditionalFields = map[string]any{"notifications": acknowledgedFilter{filter, c.taskIDs}}
}

// sendTask tells a listen what a task is now, after the listen was acknowledged.
func (c *call) sendTask(ctx context.Context, taskID string, _ map[string]any) error {
	select {
	case <-c.acknowledged:
	case <-ctx.Done():
		return ctx.Err()
	}
	fields, ended, err := readTask(ctx, c.tasks, taskID)
	if err != nil {
		return c.taskSubscriptions.unsentUpdate(taskID, err)
	}
	n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION}
	n.Method = methodTaskUpdated
	n.Params.AdditionalFields = fields
	select {
	case c.notifications <- n:
	case <-ctx.Done():
		return ctx.Err()
	}
	if ended {
		c.taskSubscriptions.unwatchResource(taskID, nil)
	}
	return nil
}

// sendTaskStatus tells a stateful client what a task is now that it has created.
func (c *Connection) sendTaskStatus(ctx context.Context, taskID string, _ map[string]any) error {
	fields, ended, err := readTask(ctx, c.config.Tasks, taskID)
	if err != nil {
		return c.taskSubscriptions.unsentUpdate(taskID, err)
	}
	line, err := jsonrpc.EncodeNotification(methodTaskStatusUpdated, fields)
	if err == nil {
		err = c.config.SendUpdate(ctx, line)
	}
	if err == nil && ended {
		c.taskSubscriptions.unwatchResource(taskID, nil)
	}
	return err
}

// unsentUpdate returns what a send returns if its task could not be read. A task that
// is gone is not watched any longer.
func (s *subscriptions) unsentUpdate(taskID string, err error) error {
	if errors.Is(err, mcp.ErrInvalidParams) {
		s.unwatchResource(taskID, nil)
		return nil
	}
	return errSendLater
}

// readTask returns the members of a task, and whether it has ended.
func readTask(ctx context.Context, tasks Tasks, taskID string) (fields map[string]any, ended bool, err error) {
	task, err := tasks.GetTask(ctx, taskID, true)
	if err != nil {
		return nil, false, err
	}
	encoded, err := rawjson.Marshal(task)
	if err != nil {
		return nil, false, err
	}
	var members map[string]json.RawMessage
	var known struct{ Status string }
	if err := errors.Join(json.Unmarshal(encoded, &members), json.Unmarshal(encoded, &known)); err != nil {
		return nil, false, err
	}
	fields = make(map[string]any, len(members))
	for name, value := range members {
		fields[name] = value
	}
	return fields, known.Status == "completed" || known.Status == "failed" || known.Status == "cancelled", nil
}

// WatchTask has the client told of changes of a task that its call has created, as long
// as the client is connected (2025-11-25: only the owner of a task is told). Handlers
// that create tasks find this method on the session in their context.
func (c *call) WatchTask(taskID string) { c.createdTask = taskID }

// WatchesTask reports whether the client is told of changes of a task that it has created.
// Handlers find it as they find WatchTask.
func (c *call) WatchesTask(taskID string) bool {
	return c.connection.taskSubscriptions != nil && c.connection.taskSubscriptions.watches(taskID)
}

// watchCreatedTask watches the task that the call has created. The call is answered: the
// client knows the task.
func (c *call) watchCreatedTask() {
	if c.taskSubscriptions == nil || !c.hasStatefulTasks() {
		return
	}
	ctx := c.server.WithContext(context.WithoutCancel(c.ctx), c.outsideCalls())
	_ = c.taskSubscriptions.watchResource(ctx, c.createdTask) // without it the client polls
}

// mergedContext is done when one context is, and has the values of another.
type mergedContext struct {
	context.Context
	values context.Context
}

func (m mergedContext) Value(key any) any { return m.values.Value(key) }
