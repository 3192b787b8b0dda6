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

// run is one run. The fields before mu are fixed once it is kept.
type run struct {
	id, repeatKey, repeatRunID, planID string

	owner                             int
	intent, context, userID, strategy string
	integrations                      []integration
	plan                              plan
	behaviour                         behaviour
	shaped                            any // the result in the shape of outputSchema; nil where none was given
	created                           time.Time
	tokens                            *tokenBook
	counts                            *counters
	cancel                            context.CancelFunc // ends the run's goroutine

	mu        sync.Mutex // guards the fields below
	status    string
	ended     bool
	updated   time.Time
	events    []*event
	nextID    int
	changed   chan struct{} // closed and replaced whenever the fields change
	waiting   int           // approvals nobody has decided yet
	decisions []Decision
	result    any
	said      map[*event]bool // events whose links a stream has said, under links=stream-only
	hint      string          // what leak=1 leaks: the latest link and token
}

// draft is an event on its way in: the run adds id, time and status.
type draft struct {
	name   string
	status string // the run's status from here on; empty leaves it
	body   payload
	links  []approvalLink
}

// emit appends events in one go, so that nobody sees the run between them. It
// reports false, and appends nothing, when the run has ended.
func (r *run) emit(drafts ...draft) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.append(drafts...)
	return true
}

// pause is emit for events that wait for n decisions.
func (r *run) pause(n int, drafts ...draft) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		r.tokens.void(r) // issued after the run had ended and voided the others
		return false
	}
	r.waiting = n
	r.append(drafts...)
	return true
}

// finish ends the run: the given events, then "end". Only the first call wins.
func (r *run) finish(status string, result any, before ...draft) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.end(status, result, before...)
	return true
}

// end needs r.mu held.
func (r *run) end(status string, result any, before ...draft) {
	r.result = result
	r.append(append(before, draft{name: "end", status: status})...)
	r.ended = true
	r.tokens.void(r)
	r.cancel()
}

// append needs r.mu held.
func (r *run) append(drafts ...draft) {
	r.updated = time.Now()
	for _, d := range drafts {
		if d.status != "" {
			r.status = d.status
		}
		e := &event{id: r.nextID, name: d.name, body: d.body, links: d.links}
		e.body.RunID, e.body.RunStatus, e.body.Timestamp = r.id, r.status, stamp(r.updated)
		if r.behaviour.unknown {
			e.body.Unknown = map[string]any{"since": "a version you have not met"}
		}
		if r.behaviour.leak {
			e.body.Debug = r.hint
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

func (r *run) finished() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// since returns the events from a position on, whether more may come, and a
// channel that is closed when there is something new.
func (r *run) since(position int) (events []*event, ended bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[position:], r.ended, r.changed
}

// linksFor returns the links a stream may say of an event: all of them, or
// under links=stream-only only the first time.
func (r *run) linksFor(e *event) []approvalLink {
	if r.behaviour.links != "stream-only" || len(e.links) == 0 {
		return e.links
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.said[e] {
		return nil
	}
	r.said[e] = true
	return e.links
}

// stamp is ISO 8601 with milliseconds, as JavaScript writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
