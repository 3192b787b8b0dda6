package tools

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/task"
)

// Tasks serves the runs of a caller as tasks. The id of a task is that of its run, and
// all that it says is read from the API with the caller's key: nothing is kept here.
type Tasks struct{ *handlers }

// NewTasks returns what serves tasks within the operator's options.
func NewTasks(o Options) *Tasks { return &Tasks{newHandlers(o)} }

const (
	// taskPollInterval is how long a client is to wait between two polls of a task;
	// watchedPollInterval is the same for one that is told of changes, and
	// askPollInterval for one whose next poll has the person asked.
	taskPollInterval    = 3 * time.Second
	watchedPollInterval = 30 * time.Second
	askPollInterval     = 500 * time.Millisecond
	// taskTimeout bounds what a request about a task does, but tasks/result.
	taskTimeout = 20 * time.Second
)

// GetTask returns a task: a [task.ExtensionTask] for stateless clients, else a
// [task.StatefulTask]. watched says that it is read for a client that is told of changes.
// A stateful client that has created the task is asked what the run waits for when it reads
// the task by itself: then it knows the task that the question names. Others of that
// revision ask by tasks/result.
func (t *Tasks) GetTask(ctx context.Context, taskID string, watched bool) (shown any, err error) {
	defer t.recoverPanic(&err)
	ctx, cancel := context.WithTimeout(ctx, taskTimeout)
	defer cancel()
	c, runID, err := t.newCall(ctx, taskID)
	if err != nil {
		return nil, err
	}
	got, err := t.readTask(ctx, c, runID, running())
	if err != nil {
		return nil, t.failure(c, runID, err)
	}
	if watched && isSettling(got) {
		return nil, errSettling
	}
	asked, notAsked := t.Attend.TaskQuestions(ctx, t.attendTask(c, runID), got.Snapshot)
	common := t.commonOf(c, got, asked, notAsked)
	poll := taskPollInterval
	if watched {
		poll = watchedPollInterval
	}
	if !c.modern {
		owner, ok := c.session.(taskOwner)
		switch {
		case len(asked) > 0 && watched:
			poll = askPollInterval
		case len(asked) > 0 && ok && owner.WatchesTask(taskID):
			t.Attend.AskTask(ctx, t.attendTask(c, runID), got.Snapshot)
		}
		return task.StatefulTask{Common: common, PollInterval: poll.Milliseconds()}, nil
	}
	extension := task.ExtensionTask{Common: common, PollIntervalMs: poll.Milliseconds()}
	switch common.Status {
	case task.InputRequired:
		extension.InputRequests = inputRequests(asked)
	case task.Completed:
		result := t.resultOf(ctx, c, got)
		result.ResultType = mcp.ResultTypeComplete
		extension.Result = result
	}
	return extension, nil
}

// errSettling keeps a client from being told of a task too early: it would be told of no
// change any more.
var errSettling = errors.New("the run has ended, but its result is not known yet")

// recoverPanic, deferred, logs a panic and makes an error of it: a notification is made
// in a goroutine in which nobody else recovers.
func (t *Tasks) recoverPanic(err *error) {
	if r := recover(); r != nil {
		t.Log.Error("a task panicked", "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
		*err = errors.New("internal: the server failed; its log says more")
	}
}

// inputRequests returns questions in the protocol's form.
func inputRequests(asked []attend.TaskQuestion) mcp.InputRequests {
	requests := mcp.InputRequests{}
	for _, q := range asked {
		requests[q.Key] = mcp.NewElicitationInputRequest(elicitationParams(q.Question))
	}
	return requests
}

// UpdateTask has the answers of a person to the questions of a task count, as if they
// had come to calls. Keys of no question that is open now are ignored.
func (t *Tasks) UpdateTask(ctx context.Context, taskID string, responses mcp.InputResponses) error {
	ctx, cancel := context.WithTimeout(ctx, taskTimeout)
	defer cancel()
	c, runID, err := t.newCall(ctx, taskID)
	if err != nil {
		return err
	}
	got, err := t.readTask(ctx, c, runID, running())
	if err != nil {
		return t.failure(c, runID, err)
	}
	answers := map[string]attend.Answer{}
	for key := range responses {
		answers[key] = answerOf(server.ElicitationResponse(responses, key))
	}
	if err := t.Attend.AnswerTask(ctx, t.attendTask(c, runID), got.Snapshot, answers); err != nil {
		return t.failure(c, runID, canceled("this server is stopping; nothing was sent"))
	}
	return nil
}

// CancelTask aborts a run. To a stateful client it returns the task.
func (t *Tasks) CancelTask(ctx context.Context, taskID string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, taskTimeout)
	defer cancel()
	c, runID, err := t.newCall(ctx, taskID)
	switch {
	case err != nil:
		return nil, err
	case !c.modern:
		return t.cancelStateful(ctx, c, runID)
	}
	if err := t.sendAbort(ctx, c, runID, audit.Task); err != nil {
		got, readErr := t.readRun(ctx, c, runID, feed.State{})
		if client.KindOf(readErr) == client.NotFound {
			return nil, errNoTask
		}
		if err := t.abortFailure(err, got, readErr); err != nil { // nil: it had ended
			return nil, t.failure(c, runID, err)
		}
	}
	return nil, nil
}

// WatchTask calls changed when a task may have changed, once at the start, until stop is
// called or the run has ended. An error says that the caller has no such task.
func (t *Tasks) WatchTask(ctx context.Context, taskID string, changed func(meta map[string]any)) (stop func(), err error) {
	c, runID, err := t.newCall(ctx, taskID)
	if err != nil {
		return nil, err
	}
	if _, err := t.API.GetRun(ctx, c.caller, runID, false); err != nil {
		if client.KindOf(err) == client.Unauthorized { // the caller is told so, see server.Watch
			return nil, err
		}
		return nil, t.failure(c, runID, err)
	}
	w := &taskWatcher{changed: changed}
	return t.Feeds.Subscribe(c.caller, runID, w.observe, func() { changed(nil) }), nil
}

// changeFunc notifies a client of a change.
type changeFunc func(meta map[string]any)

// taskWatcher notifies one client of the changes of a task: its status, and what it
// waits for.
type taskWatcher struct {
	changed changeFunc
	seen    bool
	status  client.Status
	waiting []string
}

// observe notifies the client if the news are a change.
func (w *taskWatcher) observe(news feed.News) {
	waiting := approvalIDs(news.Pending)
	if w.seen && !news.Ended && news.Status == w.status && slices.Equal(waiting, w.waiting) {
		return
	}
	w.seen, w.status, w.waiting = true, news.Status, waiting
	w.changed(nil)
}
