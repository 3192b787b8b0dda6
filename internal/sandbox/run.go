package sandbox

import (
	"context"
	"sync"
	"time"
)

// The nine statuses; the first four are not terminal.
const (
	statusQueued       = "QUEUED"
	statusRunning      = "RUNNING"
	statusAuthRequired = "AUTH_REQUIRED"
	statusPaused       = "PAUSED"
	statusCanceled     = "CANCELED"
	statusNoSuccess    = "NO_SUCCESS"
	statusPartial      = "PARTIAL_SUCCESS"
	statusSuccess      = "SUCCESS"
	statusFailed       = "FAILED"

	// statusUnknown is outside the contract, for unknown=1.
	statusUnknown = "REVIEWING"
)

func statuses() []string {
	return []string{statusQueued, statusRunning, statusAuthRequired, statusPaused,
		statusCanceled, statusNoSuccess, statusPartial, statusSuccess, statusFailed}
}

// run is one run. The fields before mu do not change once it is added.
type run struct {
	createRequest
	id, repeatKey, repeatRunID, planID string

	owner   int // see Sandbox.ownerOf
	plan    plan
	created time.Time
	tokens  *tokenBook
	counts  *counters
	cancel  context.CancelFunc // ends the run's goroutine

	mu         sync.Mutex // guards the fields below
	status     string
	ended      bool
	updated    time.Time
	events     []*event
	nextID     int
	changed    chan struct{} // closed and replaced when events are appended
	waiting    int           // approvals that are not decided
	decisions  []Decision
	result     any
	linksShown map[*event]bool // events whose links a stream has sent, under links=stream-only
	leak       string          // what leak=1 leaks: the latest link and token
}

// draft is an event before it is appended. The run adds id, time and status.
type draft struct {
	name   string
	status string // the run's new status; empty keeps it
	body   payload
	links  []approvalLink
}

// appendEvents appends events at once: no reader sees the run between them. If the
// run has ended, it appends nothing and reports false.
func (r *run) appendEvents(drafts ...draft) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.appendLocked(drafts...)
	return true
}

// pauseFor appends events that wait for n decisions.
func (r *run) pauseFor(n int, drafts ...draft) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		r.tokens.voidTokens(r) // they were issued after the run had ended
		return false
	}
	r.waiting = n
	r.appendLocked(drafts...)
	return true
}

// finish appends the given events and "end". It reports false if the run had ended
// before.
func (r *run) finish(status string, result any, before ...draft) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.finishLocked(status, result, before...)
	return true
}

// finishLocked is finish for a caller that holds r.mu.
func (r *run) finishLocked(status string, result any, before ...draft) {
	r.result = result
	r.appendLocked(append(before, draft{name: "end", status: status})...)
	r.ended = true
	r.tokens.voidTokens(r)
	r.cancel()
}

// appendLocked is appendEvents for a caller that holds r.mu.
func (r *run) appendLocked(drafts ...draft) {
	r.updated = time.Now()
	for _, d := range drafts {
		if d.status != "" {
			r.status = d.status
		}
		e := &event{id: r.nextID, name: d.name, body: d.body, links: d.links}
		e.body.RunID = r.id
		e.body.RunStatus = r.status
		e.body.Timestamp = formatTime(r.updated)
		if r.behaviour.unknown {
			e.body.Unknown = map[string]any{"since": "a version you have not met"}
		}
		if r.behaviour.leak {
			e.body.Debug = r.leak
		}
		r.events = append(r.events, e)
		r.nextID++
		if gap := r.behaviour.idGap; gap > 0 && len(r.events)%gap == 0 {
			r.nextID++
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *run) currentStatus() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *run) hasEnded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// eventsFrom returns the events from an index on, whether the run has ended, and a
// channel that is closed when there are more events.
func (r *run) eventsFrom(position int) (events []*event, ended bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[position:], r.ended, r.changed
}

// linksForStream returns the approval links that a stream shows of an event. Under
// links=stream-only only the first stream gets them.
func (r *run) linksForStream(e *event) []approvalLink {
	if r.behaviour.links != "stream-only" || len(e.links) == 0 {
		return e.links
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.linksShown[e] {
		return nil
	}
	r.linksShown[e] = true
	return e.links
}

// formatTime returns ISO 8601 with milliseconds, as JavaScript writes it.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
