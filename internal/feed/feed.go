package feed

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/redact"
)

// State is the state of a run after an event.
type State struct {
	Status  client.Status      // "" while no event has one
	Since   int64              // the cursor of the event with which the status began
	Last    int64              // the cursor of the newest event, 0 while there is none
	Ended   bool               // the run has ended and no more events come
	Pending []approval.Pending // approvals that wait for a person
	Auth    *client.Auth       // the authorisation that waits for a person, nil for none
	// Tokens are the tokens of the approval links of all events, to be hidden in
	// whatever is shown of the run. A [redact.Collector] bounds them.
	Tokens []string
}

// Waits reports whether an approval waits.
func (s State) Waits(approvalID string) bool {
	return slices.ContainsFunc(s.Pending, func(p approval.Pending) bool { return p.ID == approvalID })
}

// NeedsPerson reports whether the run began to wait for a person after the cursor.
func (s State) NeedsPerson(afterEventID int64) bool {
	for _, p := range s.Pending {
		if p.EventID > afterEventID {
			return true
		}
	}
	waits := s.Status == client.Paused || s.Status == client.AuthRequired
	return waits && s.Since > afterEventID
}

// StateOf returns the state of a run that was read with its events.
func (h *Hub) StateOf(caller client.Caller, run *client.Run) State {
	var s State
	var tokens redact.Collector
	tokens.Add(run.ApprovalTokens()...)
	tracker := approval.NewTracker(caller, run.RunID)
	for _, e := range run.Events {
		tracker.AddEvent(e)
		s.apply(e)
	}
	s.Status, s.Ended, s.Pending, s.Tokens = run.Status, run.Status.Terminal(), tracker.Pending(), tokens.Secrets()
	if s.Ended {
		s.Auth, s.Pending = nil, nil
	}
	for _, p := range s.Pending {
		h.decider.RememberTokens(run.RunID, p)
	}
	return s
}

// apply updates the state by one event.
func (s *State) apply(e client.Event) {
	s.Last = e.ID
	if e.RunStatus != "" && e.RunStatus != s.Status {
		s.Status, s.Since = e.RunStatus, e.ID
	}
	switch {
	case e.Auth != nil && e.Auth.Status == "required":
		s.Auth, s.Since = e.Auth, e.ID
	case s.Status != client.AuthRequired:
		s.Auth = nil
	}
}

// feed follows one run for all its watchers.
type feed struct {
	hub    *Hub
	caller client.Caller
	runID  client.RunID
	ctx    context.Context
	cancel context.CancelFunc

	watchers int         // guarded by hub.mu
	idle     *time.Timer // guarded by hub.mu; ends the feed

	mu        sync.Mutex // guards the rest
	log       []client.Event
	logBytes  int
	first     int64         // the cursor of the first event of the epoch
	droppedTo int64         // events up to this cursor are no longer in the log
	epoch     int           // how often the ids began anew
	version   int           // how often the watchers were woken
	behind    bool          // later events follow at once: the state is not the newest
	changed   chan struct{} // closed with the next version
	tracker   *approval.Tracker
	tokens    redact.Collector // of all events
	state     State            // without Pending and Tokens
	err       error

	subscriptions []*subscription
}

func newFeed(h *Hub, caller client.Caller, runID client.RunID) *feed {
	ctx, cancel := context.WithCancel(h.ctx)
	return &feed{
		hub: h, caller: caller, runID: runID, ctx: ctx, cancel: cancel,
		changed: make(chan struct{}), tracker: approval.NewTracker(caller, runID),
	}
}

// addEvent adds an event to the log and wakes the watchers.
func (f *feed) addEvent(e client.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Missing > 0 || e.Restarted {
		f.hub.gaps.Add(1)
	}
	e.Raw = slices.Clone(e.Raw) // or the log would keep the whole answer in memory
	f.tokens.Add(e.ApprovalTokens()...)
	if asked, ok := f.tracker.AddEvent(e); ok {
		f.hub.decider.RememberTokens(f.runID, asked)
	}
	if e.Amended {
		f.replaceEvent(e)
	} else {
		f.appendEvent(e)
	}
	f.behind = e.Behind && !e.Amended
	if !f.behind {
		f.wakeWatchers()
	}
}

// replaceEvent replaces the logged event with the same cursor; f.mu is held.
func (f *feed) replaceEvent(e client.Event) {
	if i, ok := f.indexOf(e.ID); ok {
		f.logBytes += eventSize(e) - eventSize(f.log[i])
		f.log[i] = e
		f.dropOldest()
	}
}

// appendEvent appends a new event, and drops the oldest beyond the bounds of the
// log; f.mu is held.
func (f *feed) appendEvent(e client.Event) {
	if e.Restarted {
		f.log, f.logBytes, f.droppedTo = nil, 0, 0
		f.epoch++
	}
	if len(f.log) == 0 {
		f.first = e.ID // the log is never empty again in this epoch
	}
	f.state.apply(e)
	f.log = append(f.log, e)
	f.logBytes += eventSize(e)
	f.dropOldest()
}

// end records the end of the run, or why it can no longer be watched.
func (f *feed) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.state.Ended, f.behind = err, err == nil, false
	f.wakeWatchers()
}

// wakeWatchers wakes the waiting watchers; f.mu is held.
func (f *feed) wakeWatchers() {
	f.version++
	close(f.changed)
	f.changed = make(chan struct{})
}

// stateNow returns the state with what is pending and its tokens; f.mu is held.
func (f *feed) stateNow() State {
	s := f.state
	s.Pending, s.Tokens = f.tracker.Pending(), f.tokens.Secrets()
	return s
}

// eventsAfter returns the logged events after a cursor; f.mu is held.
func (f *feed) eventsAfter(cursor int64) []client.Event {
	i, found := f.indexOf(cursor)
	if found {
		i++
	}
	return slices.Clone(f.log[i:])
}

// indexOf returns the index of the event with the cursor, or of the next one;
// f.mu is held.
func (f *feed) indexOf(cursor int64) (int, bool) {
	return slices.BinarySearchFunc(f.log, cursor, func(e client.Event, c int64) int { return cmp.Compare(e.ID, c) })
}

// failure returns why the run can no longer be watched. It returns nil if it can,
// has ended, or the hub was closed.
func (f *feed) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if client.KindOf(f.err) == client.Canceled {
		return nil
	}
	return f.err
}

// release takes one watcher off the feed. The feed ends after the grace, unless
// another watcher comes.
func (f *feed) release() {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	f.watchers--
	if f.watchers > 0 || f.ctx.Err() != nil {
		return
	}
	f.idle = time.AfterFunc(f.hub.opts.Grace, func() {
		f.hub.mu.Lock()
		defer f.hub.mu.Unlock()
		if f.watchers == 0 {
			f.cancel()
		}
	})
}

// recoverPanic, deferred, logs a panic over the run and calls failed. The process
// goes on.
func (f *feed) recoverPanic(failed func()) {
	if r := recover(); r != nil {
		f.hub.opts.Logger.Error("the watching of a run panicked", "runId", f.runID, "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
		failed()
	}
}
