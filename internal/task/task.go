// Package task says which task of the protocol a run is. Two revisions have tasks of
// different shapes: the extension io.modelcontextprotocol/tasks of 2026-07-28, and
// 2025-11-25. The package reads nothing and keeps nothing.
package task

import (
	"time"

	"runs-mcp-server/client"
)

// Status is the status of a task. Both revisions have these five.
type Status string

// The statuses of a task.
const (
	Working       Status = "working"
	InputRequired Status = "input_required"
	Completed     Status = "completed"
	Failed        Status = "failed"
	Cancelled     Status = "cancelled"
)

// Extension returns the status of a run's task in 2026-07-28. asks says that the run
// waits for a person whom the client can ask. A run that ended badly is completed: the
// result says how it ended, and failed is for errors of the protocol.
func Extension(run client.Status, asks bool) Status {
	switch run {
	case client.Success, client.PartialSuccess, client.NoSuccess, client.Failed:
		return Completed
	case client.CanceledRun:
		return Cancelled
	case client.Paused, client.AuthRequired:
		return waiting(asks)
	}
	return Working // also for a status that the contract does not have
}

// Stateful returns the same for 2025-11-25, in which a task also fails if its request
// "did not complete successfully".
func Stateful(run client.Status, asks bool) Status {
	switch run {
	case client.Success, client.PartialSuccess:
		return Completed
	case client.NoSuccess, client.Failed:
		return Failed
	case client.CanceledRun:
		return Cancelled
	case client.Paused, client.AuthRequired:
		return waiting(asks)
	}
	return Working
}

// waiting returns the status of a run that waits for a person. Without a question for
// the client the task works: input_required promises one.
func waiting(asks bool) Status {
	if asks {
		return InputRequired
	}
	return Working
}

// Common is what both shapes of a task have.
type Common struct {
	TaskID        string `json:"taskId"` // the run's id
	Status        Status `json:"status"`
	StatusMessage string `json:"statusMessage,omitempty"`
	CreatedAt     string `json:"createdAt"`     // RFC 3339
	LastUpdatedAt string `json:"lastUpdatedAt"` // RFC 3339
}

// ExtensionTask is a task of 2026-07-28.
type ExtensionTask struct {
	Common
	// TTLMs is always null: the API decides how long it keeps a run, and does not tell.
	TTLMs          *int64 `json:"ttlMs"`
	PollIntervalMs int64  `json:"pollIntervalMs"`
	InputRequests  any    `json:"inputRequests,omitempty"` // of a task that is input_required
	Result         any    `json:"result,omitempty"`        // of a task that is completed
}

// StatefulTask is a task of 2025-11-25.
type StatefulTask struct {
	Common
	TTL          *int64 `json:"ttl"` // always null, see TTLMs
	PollInterval int64  `json:"pollInterval"`
}

// Times returns when a task was created and last updated. createdAt and updatedAt are
// the run's, eventAt its newest event's, each "" where the API does not tell it. Both
// results are RFC 3339 at any rate, because clients check them: now stands for what
// is missing or malformed.
func Times(createdAt, updatedAt, eventAt string, now time.Time) (created, updated string) {
	c := Newest(createdAt)
	if c.IsZero() {
		c = now
	}
	u := Newest(updatedAt, eventAt)
	if u.Before(c) {
		u = c
	}
	return c.UTC().Format(time.RFC3339Nano), u.UTC().Format(time.RFC3339Nano)
}

// Newest returns the newest of times, zero if none of the texts is one (RFC 3339).
func Newest(texts ...string) (newest time.Time) {
	for _, text := range texts {
		if t, err := time.Parse(time.RFC3339, text); err == nil && t.After(newest) {
			newest = t
		}
	}
	return newest
}
