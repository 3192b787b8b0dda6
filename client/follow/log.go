package follow

import (
	"runs-mcp-server/client"
)

// maxHeld bounds the bytes of the held events. With more the stream waits.
const maxHeld = 1 << 20

// eventLog yields the events of a run in order, each once, by the rule of the package.
type eventLog struct {
	yield   func(client.Event) bool
	history history

	after         int64 // the cursor to begin after; 0 once the run was read
	last          int64 // the cursor of the newest yielded event
	yielded       int   // events yielded so far
	yieldedStored int   // events yielded from a read of the run, not from the stream
	ended         bool  // the end event was yielded

	needsRead bool           // the run must be read again
	held      []client.Event // events of the stream that wait for that
	heldBytes int
	streamID  int64 // the id of the stream's newest event, 0 for none
	positions bool  // the stored events have no ids: cursors are positions
	restarted bool  // the next event is the first of ids that began anew
	gap       bool  // events may be missing before the next one
}

func newEventLog(after int64, yield func(client.Event) bool) *eventLog {
	return &eventLog{yield: yield, after: after, last: after, history: newHistory()}
}

// startStream begins a stream, which may repeat what earlier streams brought.
func (l *eventLog) startStream() {
	l.streamID = 0
	l.history.startPass(fromStream)
}

// finished reports whether the end and all other events were yielded.
func (l *eventLog) finished() bool { return l.ended && len(l.held) == 0 }

// full reports whether no more events can be held.
func (l *eventLog) full() bool { return l.heldBytes >= maxHeld }

// markGap records that the stream left an event out.
func (l *eventLog) markGap() { l.needsRead, l.gap = true, true }

// placeEvent places an event of the stream. It yields the event at once if its
// content is new and its id follows the last one, and the one before on this stream.
// It drops repetitions, and holds other events until the run was read.
func (l *eventLog) placeEvent(e client.Event) error {
	follows := e.ID == l.last+1 && (l.streamID == 0 || e.ID == l.streamID+1)
	l.streamID = e.ID
	if e.ID > 0 && e.ID <= l.after {
		return nil
	}
	if known := l.history.find(e, fromStream); known != nil {
		// With another id it may be a new event of the same content.
		l.needsRead = l.needsRead || known.cursor != e.ID
		return l.amend(e, known)
	}
	if follows && len(l.held) == 0 {
		return l.yieldNew(e, fromStream)
	}
	l.needsRead = true
	l.held = append(l.held, e)
	l.heldBytes += len(e.Raw) + 512 // of the Event itself
	return nil
}

// mergeRun yields the stored events that are new, and then the held events that are
// not among them.
func (l *eventLog) mergeRun(run *client.Run) error {
	l.positions, l.gap = run.Positions, false
	l.history.truncated = l.history.truncated || run.Earlier > 0 // those are as good as forgotten
	fresh, overlap := l.newStored(run.Events)
	if !overlap && len(fresh) > 0 && l.yielded > 0 {
		// Nothing connects them to the yielded events.
		l.restarted = !run.Positions && fresh[0].ID <= l.last
		l.gap = !l.restarted
	}
	if l.restarted {
		l.last, l.history = 0, newHistory()
	}
	for i, e := range fresh {
		e.Behind = i < len(fresh)-1
		if err := l.yieldNew(e, fromRead); err != nil {
			return err
		}
	}
	return l.releaseHeld(true)
}

// newStored returns the stored events that were not yielded, and whether any was.
func (l *eventLog) newStored(stored []client.Event) (fresh []client.Event, overlap bool) {
	l.history.startPass(fromRead)
	for _, e := range stored {
		switch {
		case e.ID <= l.after:
			l.history.addEvent(e, fromRead)
			overlap = true
		case l.history.find(e, fromRead) != nil:
			if l.history.truncated && !overlap {
				fresh = nil // they are older than the history
			}
			overlap = true
		default:
			fresh = append(fresh, e)
		}
	}
	l.after = 0
	return fresh, overlap
}

// releaseHeld yields the held events that are not known by now. wasRead says that
// the run was read: without that all of them are new.
func (l *eventLog) releaseHeld(wasRead bool) error {
	held := l.held
	l.needsRead, l.held, l.heldBytes = false, nil, 0
	for _, e := range held {
		if err := l.yieldHeld(e, wasRead); err != nil {
			return err
		}
	}
	return nil
}

// yieldHeld yields a held event unless it is known. An id that jumps ahead counts
// the missing events, except where cursors are positions.
func (l *eventLog) yieldHeld(e client.Event, wasRead bool) error {
	if known := l.history.find(e, fromStream); known != nil {
		return l.amend(e, known)
	}
	ahead := e.ID - l.last - 1
	switch {
	case ahead < 0 && wasRead && l.history.truncated:
		return nil // it may be older than the history; if it is new, the next read shows it
	case ahead > 0 && l.positions:
		e.ID, e.Missing = 0, -1
	case ahead > 0:
		e.Missing = ahead
	}
	return l.yieldNew(e, fromStream)
}

// yieldNew yields a new event. Its cursor is its id, or the next cursor if the id is
// not greater than the last one.
func (l *eventLog) yieldNew(e client.Event, from source) error {
	e.ID = max(e.ID, l.last+1)
	if l.gap && e.Missing == 0 {
		e.Missing = -1
	}
	e.Restarted = l.restarted
	l.restarted, l.gap = false, false
	l.last = e.ID
	l.yielded++
	if from == fromRead {
		l.yieldedStored++
	}
	l.ended = l.ended || e.Type == client.EventEnd
	l.history.addEvent(e, from)
	if !l.yield(e) {
		return errStop
	}
	return nil
}

// amend yields a known event again if it now has more details.
func (l *eventLog) amend(e client.Event, known *entry) error {
	l.ended = l.ended || e.Type == client.EventEnd // the stored end may have no type
	if !known.details.merge(l.history.detailsOf(e)) {
		return nil
	}
	e.ID, e.Amended = known.cursor, true
	if !l.yield(e) {
		return errStop
	}
	return nil
}
