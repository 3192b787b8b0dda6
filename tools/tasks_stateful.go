package tools

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/task"
)

// TaskResult waits until the run of a task has ended, and returns what get_run answers
// then. Meanwhile it asks the person what the run waits for. It is bounded by nothing
// but ctx, as 2025-11-25 wants it, and sends a heartbeat where the client asked for
// progress.
func (t *Tasks) TaskResult(ctx context.Context, taskID string) (any, error) {
	c, runID, err := t.newCall(ctx, taskID)
	if err != nil {
		return nil, err
	}
	if session, ok := c.session.(interface{ ProgressToken() any }); ok {
		c.progress.token = session.ProgressToken()
	}
	for seen := running(); ; {
		got, err := t.readTask(ctx, c, runID, seen)
		if err != nil {
			return nil, t.failure(c, runID, err)
		}
		if got.Run.Status.Terminal() && !isSettling(got) {
			result := t.resultOf(ctx, c, got)
			result.Meta = mcp.WithRelatedTask(taskID)
			return result, nil
		}
		if seen, err = t.followTask(ctx, c, runID); err != nil {
			return nil, t.failure(c, runID, err)
		}
	}
}

// followTask follows a run until it has ended or something has changed that a person may
// be asked about. It returns the state in which it left the run.
func (t *Tasks) followTask(ctx context.Context, c *call, runID client.RunID) (feed.State, error) {
	ended, err := t.Attend.Follow(ctx, attend.Call{
		Caller: c.caller, RunID: runID, SkipHistory: true, Person: t.person(c), Draining: c.draining,
		LinkOf:   func(a *client.Auth) string { return c.view().AuthorizationLink(a) },
		Observer: taskObserver{c},
	})
	switch {
	case err != nil:
		return feed.State{}, err
	case ended.Drained:
		return feed.State{}, stopping()
	case ended.End == attend.Finished, ended.Outcome != nil && ended.Outcome.Status == attend.TooMany: // the next one asks for more
		return ended.State, nil
	}
	return ended.State, t.awaitChange(ctx, c, runID, ended.State)
}

// stopping is the failure of a wait that the server ends.
func stopping() *problem {
	return canceled("this server is stopping: ask for the result again on a new connection")
}

const (
	// taskHeartbeat is the longest silence of tasks/result.
	taskHeartbeat = 15 * time.Second
	// recheckTime is after what time a task whose person was not asked, or refused, is
	// looked at again: a refusal does not last.
	recheckTime = 5 * time.Minute
)

// awaitChange waits until a run no longer waits for what it waited for, or for a while.
func (t *Tasks) awaitChange(ctx context.Context, c *call, runID client.RunID, before feed.State) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var draining sync.WaitGroup
	defer draining.Wait()
	defer cancel(nil)
	draining.Go(func() {
		select {
		case <-c.draining:
			cancel(stopping())
		case <-ctx.Done():
		}
	})
	recheckAt := time.Now().Add(recheckTime)
	for time.Now().Before(recheckAt) {
		waiting, stop := context.WithTimeoutCause(ctx, taskHeartbeat, errHeartbeat)
		err := t.Feeds.Await(waiting, c.caller, runID, func(now feed.State) bool {
			return now.Ended || now.Since != before.Since || !slices.Equal(approvalIDs(now.Pending), approvalIDs(before.Pending))
		})
		isHeartbeat := errors.Is(context.Cause(waiting), errHeartbeat)
		stop()
		switch {
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), context.Cause(ctx))
		case err == nil || !isHeartbeat:
			return err
		}
		taskObserver{c}.ObserveSilence(ctx, before.Status, false)
	}
	return nil
}

// errHeartbeat is why a wait for a change ends.
var errHeartbeat = errors.New("a heartbeat is due")

// taskObserver tells a client that waits for the result of a task what happens.
type taskObserver struct{ *call }

// ObserveTokens implements [attend.Observer].
func (o taskObserver) ObserveTokens(tokens []string) { o.addTokens(tokens) }

// ObserveEvent implements [attend.Observer].
func (o taskObserver) ObserveEvent(ctx context.Context, e client.Event, news bool) {
	if news {
		o.progress.sendMessage(ctx, fmt.Sprintf("%d: %s", e.ID, o.view().Describe(e)))
	}
}

// ObserveSilence implements [attend.Observer].
func (o taskObserver) ObserveSilence(ctx context.Context, status client.Status, asking bool) {
	message := "still " + o.view().Status(status)
	if asking {
		message = "waiting for the user's answer"
	}
	o.progress.sendMessage(ctx, message)
}

// cancelWait is how long the answer to tasks/cancel waits for the run to show that it
// was aborted.
const cancelWait = 3 * time.Second

// cancelStateful aborts a run and returns its task. A task that has ended cannot be
// cancelled, by the specification.
func (t *Tasks) cancelStateful(ctx context.Context, c *call, runID client.RunID) (any, error) {
	got, err := t.readRun(ctx, c, runID, feed.State{})
	switch {
	case err != nil:
		return nil, t.failure(c, runID, err)
	case got.Run.Status.Terminal():
		return nil, alreadyEnded(got.Run.Status)
	}
	abortErr := t.sendAbort(ctx, c, runID, audit.Task)
	waiting, stop := context.WithTimeout(ctx, cancelWait)
	_ = t.Feeds.Await(waiting, c.caller, runID, func(st feed.State) bool { return st.Ended })
	stop()
	got, err = t.readRun(ctx, c, runID, feed.State{})
	if err := t.abortFailure(abortErr, got, err); err != nil {
		return nil, t.failure(c, runID, err)
	}
	if got.Run.Status.Terminal() && got.Run.Status != client.CanceledRun {
		return nil, alreadyEnded(got.Run.Status)
	}
	common := t.commonOf(c, got, nil, nil)
	common.Status = task.Cancelled // also if the run does not show it yet
	common.StatusMessage = "The run was told to stop. " + common.StatusMessage
	return task.StatefulTask{Common: common, PollInterval: taskPollInterval.Milliseconds()}, nil
}

// alreadyEnded is the error of a cancellation that comes too late.
func alreadyEnded(status client.Status) error {
	return fmt.Errorf("%w: the task cannot be cancelled: its run has ended with %s", mcp.ErrInvalidParams, status)
}

// taskListPage is how many tasks a page of tasks/list has.
const taskListPage = 50

// taskList is the answer to tasks/list.
type taskList struct {
	Tasks      []task.StatefulTask `json:"tasks"`
	NextCursor string              `json:"nextCursor,omitempty"`
}

// ListTasks returns a page of the caller's runs as tasks. Their approvals are not read,
// so a run that waits is input_required if the client can be asked at all.
func (t *Tasks) ListTasks(ctx context.Context, cursor string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, taskTimeout)
	defer cancel()
	page, ok := parseTaskCursor(cursor)
	if !ok {
		return nil, fmt.Errorf("%w: the cursor is none of this server's: begin without one", mcp.ErrInvalidParams)
	}
	c, err := t.handlers.newCall(ctx, "tasks", mcp.CallToolRequest{})
	if err != nil {
		return nil, err
	}
	runs, err := t.API.ListRuns(ctx, c.caller, client.ListRunsQuery{UserID: c.caller.UserID, Page: page, PageSize: taskListPage})
	if err != nil {
		return nil, t.failure(c, "", err)
	}
	list, person := taskList{Tasks: []task.StatefulTask{}}, t.person(c)
	for i := range runs.Runs {
		run := &runs.Runs[i]
		asks := run.Status == client.Paused && person.Approvals || run.Status == client.AuthRequired && person.Links
		common := task.Common{TaskID: string(run.RunID), Status: task.Stateful(run.Status, asks), StatusMessage: runSummary{status: run.Status, shown: c.viewOf(run).Status(run.Status)}.text()}
		common.CreatedAt, common.LastUpdatedAt = task.Times(run.CreatedAt, run.UpdatedAt, "", time.Now())
		list.Tasks = append(list.Tasks, task.StatefulTask{Common: common, PollInterval: taskPollInterval.Milliseconds()})
	}
	more := len(list.Tasks) == taskListPage
	if runs.Total >= 0 {
		more = page*taskListPage < runs.Total
	}
	if more && page < maxListPage {
		list.NextCursor = base64.StdEncoding.EncodeToString([]byte("tasks " + strconv.Itoa(page+1)))
	}
	return list, nil
}

// parseTaskCursor returns the page of a cursor of tasks/list; no cursor is page 1.
func parseTaskCursor(cursor string) (int, bool) {
	if cursor == "" {
		return 1, true
	}
	text, err := base64.StdEncoding.DecodeString(cursor)
	digits, ok := strings.CutPrefix(string(text), "tasks ")
	page, numberErr := strconv.Atoi(digits)
	return page, err == nil && ok && numberErr == nil && page >= 1 && page <= maxListPage
}
