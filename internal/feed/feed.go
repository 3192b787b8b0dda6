package feed

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/redact"
)

// feed follows one run for all its watchers.
type feed struct {
	hub    *Hub
	caller client.Caller
	runID  client.RunID
	ctx    context.Context
	cancel context.CancelFunc

	watchers int         // guarded by hub.mu
	idle     *time.Timer // guarded by hub.mu; ends the feed

	mu      sync.Mutex // guards all below
	log     []client.Event
	bytes   int
	first   int64 // cursor of the first event there was
	dropped int64 // events up to this cursor are no longer in the log
	epoch   int   // how often the ids began anew
	version int   // how often there was news
	behind  bool  // the log's end is history: later events follow at once
	changed chan struct{}
	tracker *approval.Tracker
	tokens  redact.Collector // of all events there were
	state   State            // without Pending and Tokens
	err     error
}

func newFeed(h *Hub, caller client.Caller, runID client.RunID) *feed {
	ctx, cancel := context.WithCancel(h.ctx)
	return &feed{
		hub: h, caller: caller, runID: runID, ctx: ctx, cancel: cancel,
		changed: make(chan struct{}), tracker: approval.NewTracker(caller, runID),
	}
}

// run reads the run's events to the end of the run or of the feed.
func (f *feed) run() {
	// From the beginning, whatever the first watcher asked for: approvals may
	// have been asked long before its cursor.
	for e, err := range follow.Events(f.ctx, f.hub.api, f.caller, f.runID, 0) {
		if err != nil {
			f.finish(err)
			return
		}
		f.add(e)
	}
	f.finish(nil)
}

// add takes an event into the log and wakes the watchers.
func (f *feed) add(e client.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.Raw = slices.Clone(e.Raw) // the log must not hold on to a whole answer
	f.tokens.Add(e.ApprovalTokens()...)
	if asked, ok := f.tracker.AddEvent(e); ok {
		f.hub.decider.RememberTokens(f.runID, asked)
	}
	if e.Amended {
		if i, ok := f.find(e.ID); ok {
			f.bytes += len(e.Raw) - len(f.log[i].Raw)
			f.log[i] = e
		}
	} else {
		f.extend(e)
	}
	f.behind = e.Behind && !e.Amended
	if !f.behind {
		f.wake()
	}
}

func (f *feed) extend(e client.Event) {
	if e.Restarted {
		f.log, f.bytes, f.dropped = nil, 0, 0
		f.epoch++
	}
	if len(f.log) == 0 {
		f.first = e.ID // once in an epoch: the log keeps its newest
	}
	f.state.follow(e)
	f.log = append(f.log, e)
	f.bytes += len(e.Raw)
	for len(f.log) > 1 && (len(f.log) > f.hub.opts.LogEvents || f.bytes > f.hub.opts.LogBytes) {
		f.dropped = f.log[0].ID
		f.bytes -= len(f.log[0].Raw)
		f.log[0] = client.Event{} // let go of its payload
		f.log = f.log[1:]
	}
}

// snapshot returns the state with what is pending and its tokens; f.mu is held.
func (f *feed) snapshot() State {
	s := f.state
	s.Pending, s.Tokens = f.tracker.Pending(), f.tokens.Secrets()
	return s
}

// after returns the logged events after a cursor; f.mu is held.
func (f *feed) after(cursor int64) []client.Event {
	i, found := f.find(cursor)
	if found {
		i++
	}
	return slices.Clone(f.log[i:])
}

func (f *feed) find(cursor int64) (int, bool) {
	return slices.BinarySearchFunc(f.log, cursor, func(e client.Event, c int64) int { return cmp.Compare(e.ID, c) })
}

func (f *feed) finish(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.state.Ended, f.behind = err, err == nil, false
	f.wake()
}

// wake tells every waiting watcher to look again; f.mu is held.
func (f *feed) wake() {
	f.version++
	close(f.changed)
	f.changed = make(chan struct{})
}

// failure returns why the run can no longer be watched, nil where it can, has
// ended, or the hub was closed.
func (f *feed) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if client.KindOf(f.err) == client.Canceled {
		return nil
	}
	return f.err
}
