package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/task"
	"runs-mcp-server/internal/view"
)

// settleTime is how long after its end a run may lack its result before its task ends
// without one.
const settleTime = 30 * time.Second

// errNoTask is the answer for every id that names no run of the caller: one that is
// made up, forgotten, altered, or another caller's.
var errNoTask = fmt.Errorf("%w: there is no such task", mcp.ErrInvalidParams)

// newCall returns the call of a request about a task.
func (t *Tasks) newCall(ctx context.Context, taskID string) (*call, client.RunID, error) {
	runID, ok := client.ParseRunID(taskID)
	if !ok || string(runID) != taskID { // a task has one spelling
		return nil, "", errNoTask
	}
	c, err := t.handlers.newCall(ctx, "tasks", mcp.CallToolRequest{})
	c.taskID, c.progress.taskID = taskID, taskID
	return c, runID, err
}

// failure returns an error with a text fit to show.
func (t *Tasks) failure(c *call, runID client.RunID, err error) error {
	if client.KindOf(err) == client.NotFound {
		return errNoTask
	}
	t.Log.Info("a task could not be served", "runId", runID, "error", err)
	return protocolError(c.view(), t.describe(err))
}

// running returns the state that a run is taken to have had before it is read for its task:
// then one that has ended is read again, for 2 s, until it has its result.
func running() feed.State { return feed.State{Status: client.Running} }

// readTask reads a run for its task: with what its questions need, and with the result
// that its status promises. seen is its state before.
func (t *Tasks) readTask(ctx context.Context, c *call, runID client.RunID, seen feed.State) (reading, error) {
	got, err := t.readRun(ctx, c, runID, seen)
	if err != nil {
		return got, err
	}
	if got.Run.Status == client.Paused && t.person(c).Approvals && (len(got.Pending) == 0 || slices.ContainsFunc(got.Pending, approval.Pending.DetailsMissing)) {
		decidable, err := t.Feeds.Snapshot(ctx, c.caller, runID, feed.Wanted{Decidable: true})
		if err == nil { // else what was read is good enough
			c.addTokens(decidable.Tokens)
			got.Snapshot = decidable
		}
	}
	return got, nil
}

// attendTask returns a task as [attend.Attendant] knows it.
func (t *Tasks) attendTask(c *call, runID client.RunID) attend.Task {
	return attend.Task{
		Caller: c.caller, RunID: runID, Person: t.person(c),
		LinkOf: func(a *client.Auth) string { return c.view().AuthorizationLink(a) },
	}
}

// commonOf returns what a task says in both revisions.
func (t *Tasks) commonOf(c *call, got reading, asked []attend.TaskQuestion, notAsked *attend.Outcome) task.Common {
	run, statusOf := got.Run, task.Stateful
	// A question that is open at a stateful client is one that its task asks.
	asks := len(asked) > 0 || !c.modern && notAsked != nil && notAsked.Status == attend.Open
	if c.modern {
		statusOf = task.Extension
	}
	common := task.Common{TaskID: string(run.RunID), Status: statusOf(run.Status, asks)}
	common.CreatedAt, common.LastUpdatedAt = task.Times(run.CreatedAt, run.UpdatedAt, newestEventTime(run), time.Now())
	if isSettling(got) {
		common.Status = task.Working
	}
	common.StatusMessage = t.statusMessage(c, got, asks, notAsked)
	return common
}

// isSettling reports whether a run that has ended may still get its result. If the API
// tells no time, or its clock is far ahead of ours, it does not.
func isSettling(got reading) bool {
	at := task.Newest(got.Run.CreatedAt, got.Run.UpdatedAt, newestEventTime(got.Run))
	return got.Unsettled && time.Since(at).Abs() < settleTime
}

// newestEventTime returns the time of a run's newest event as the API tells it, "" for
// none.
func newestEventTime(run *client.Run) string {
	if n := len(run.Events); n > 0 {
		return run.Events[n-1].Timestamp
	}
	return ""
}

// statusMessage says how a task stands. Clients show it to their person or their model.
func (t *Tasks) statusMessage(c *call, got reading, asks bool, notAsked *attend.Outcome) string {
	run := got.Run
	parts := []string{t.summarize(c, got).text()}
	switch {
	case got.waits() && !asks:
		parts = append(parts, t.waitingNote(c, got, notAsked))
	case run.Status == client.Failed, run.Status == client.NoSuccess:
		parts = append(parts, newestEvent(c, run), "To see what happened, "+t.readStep(runURI(run.RunID, ""), "runId "+string(run.RunID))+".")
	case !got.waits() && !run.Status.Terminal():
		parts = append(parts, newestEvent(c, run))
	}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), " ")
}

// newestEvent says what happened last in a run beside its end, "" for nothing.
func newestEvent(c *call, run *client.Run) string {
	for _, e := range slices.Backward(run.Events) {
		if e.Type != client.EventEnd {
			return "Newest event: " + view.Quote(c.view().Describe(e)) + "."
		}
	}
	return ""
}

// waitingNote says why the client is not asked what a run waits for, and what can be
// done.
func (t *Tasks) waitingNote(c *call, got reading, notAsked *attend.Outcome) string {
	note := ""
	if notAsked != nil {
		note = t.outcomeNote(*notAsked, false)
		if notAsked.Status == attend.Opened {
			note = "The user was sent to the link; the run goes on by itself."
		}
		if note != "" {
			note += " "
		}
	}
	switch s := t.summarize(c, got); {
	case s.sent, notAsked != nil && (notAsked.Status == attend.Sending || notAsked.Status == attend.Opened):
		return strings.TrimSpace(note)
	case got.Run.Status == client.AuthRequired:
		return note + "The user can authorise it in the vendor's console; the run goes on by itself."
	case t.Approvals == ApprovalsAgent && t.hasTool("approve"):
		return note + "The model decides, with the approve tool."
	}
	return note + "The user can decide " + t.decideElsewhere(got.Run.RunID) + "."
}

// resultOf returns what get_run answers for a run that was read: the result of its task.
func (t *Tasks) resultOf(ctx context.Context, c *call, got reading) *mcp.CallToolResult {
	w := &watch{runID: got.Run.RunID, page: newestEvents()}
	(&observer{call: c, page: w.page}).addMissed(got.Run.Events)
	result := t.buildWatchResult(ctx, c, w, got)
	return successResult(result.truncate(t.Options))
}

// approvalIDs returns the ids of approvals.
func approvalIDs(pending []approval.Pending) (ids []string) {
	for _, p := range pending {
		ids = append(ids, p.ID)
	}
	return ids
}
