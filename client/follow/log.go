package follow

import (
	"runs-mcp-server/client"
)

// maxHeld bounds the bytes of the events that wait for the run to be read. With
// more the stream waits.
const maxHeld = 1 << 20

// eventLog gives the events of a run in order, each once, by the rule of the package.
type eventLog struct {
	yield func(client.Event) bool
	known known
	after int64 // the cursor to begin after, until the run was read
	last  int64 // the cursor of the newest event that was given
	given int
	read  int  // of them, those that were read first
	ended bool // the end event was among them

	unsettled bool           // the run must be read again
	held      []client.Event // wait for that
	heldBytes int
	previous  int64 // the id before on this connection, 0 where there was none
	positions bool  // the stored events carry no ids
	restarted bool  // the next event is the first of ids that began anew
	doubtful  bool  // events may be missing before the next one
}

func newEventLog(after int64, yield func(client.Event) bool) *eventLog {
	return &eventLog{yield: yield, after: after, last: after, known: newKnown()}
}

// connected begins a stream, which may repeat what earlier ones said.
func (l *eventLog) connected() {
	l.previous = 0
	l.known.begin(fromStream)
}

// finished reports whether the end and all else was given.
func (l *eventLog) finished() bool { return l.ended && len(l.held) == 0 }

// full reports whether no more events can be held.
func (l *eventLog) full() bool { return l.heldBytes >= maxHeld }

// incomplete says that the stream left something out.
func (l *eventLog) incomplete() { l.unsettled, l.doubtful = true, true }

// place gives an event of the stream at once if its id follows the last one, and
// on this connection the one before, and its content is new. Others are held
// until the run was read; repetitions are dropped.
func (l *eventLog) place(e client.Event) error {
	follows := e.ID == l.last+1 && (l.previous == 0 || e.ID == l.previous+1)
	l.previous = e.ID
	if e.ID > 0 && e.ID <= l.after {
		return nil
	}
	if repeated := l.known.match(e, fromStream); repeated != nil {
		// Under its own id it is a repetition, else perhaps another of its kind.
		l.unsettled = l.unsettled || repeated.cursor != e.ID
		return l.amend(e, repeated)
	}
	if follows && len(l.held) == 0 {
		return l.give(e, fromStream)
	}
	l.unsettled = true
	l.held = append(l.held, e)
	l.heldBytes += len(e.Raw) + 512 // of the Event itself
	return nil
}

// settle gives what is new in the run, and then what was held and is not in it.
// Without a run, for it is unreadable, all that was held is new.
func (l *eventLog) settle(run *client.Run) error {
	if run != nil {
		if err := l.catchUp(run); err != nil {
			return err
		}
	}
	held := l.held
	l.unsettled, l.held, l.heldBytes = false, nil, 0
	for _, e := range held {
		if err := l.insert(e, run != nil); err != nil {
			return err
		}
	}
	return nil
}

// insert gives a held event unless it is known by now. Ids that jump ahead count
// what is missing, except where they are not the cursors.
func (l *eventLog) insert(e client.Event, read bool) error {
	if repeated := l.known.match(e, fromStream); repeated != nil {
		return l.amend(e, repeated)
	}
	ahead := e.ID - l.last - 1
	switch {
	case ahead < 0 && read && l.known.forgot:
		return nil // it may be as old as that; if it is new, the next read tells
	case ahead > 0 && l.positions:
		e.ID, e.Missing = 0, -1
	case ahead > 0:
		e.Missing = ahead
	}
	return l.give(e, fromStream)
}

// catchUp gives the stored events that are new.
func (l *eventLog) catchUp(run *client.Run) error {
	l.positions, l.doubtful = run.Positions, false
	l.known.forgot = l.known.forgot || run.Earlier > 0 // those are known no more than forgotten ones
	fresh, overlap := l.unknown(run.Events)
	if !overlap && len(fresh) > 0 && l.given > 0 {
		// Nothing connects them to what was given.
		l.restarted = !run.Positions && fresh[0].ID <= l.last
		l.doubtful = !l.restarted
	}
	if l.restarted {
		l.last, l.known = 0, newKnown()
	}
	for i, e := range fresh {
		e.Behind = i < len(fresh)-1
		if err := l.give(e, fromRead); err != nil {
			return err
		}
	}
	return nil
}

// unknown returns the stored events that were not given, and whether any was.
func (l *eventLog) unknown(stored []client.Event) (fresh []client.Event, overlap bool) {
	l.known.begin(fromRead)
	for _, e := range stored {
		switch {
		case e.ID <= l.after:
			l.known.add(e, fromRead)
			overlap = true
		case l.known.match(e, fromRead) != nil:
			if l.known.forgot && !overlap {
				fresh = nil // what stands before is older than what is remembered
			}
			overlap = true
		default:
			fresh = append(fresh, e)
		}
	}
	l.after = 0
	return fresh, overlap
}

// give yields a new event. Its cursor is its id, or the next where that was given.
func (l *eventLog) give(e client.Event, s source) error {
	e.ID = max(e.ID, l.last+1)
	if l.doubtful && e.Missing == 0 {
		e.Missing = -1
	}
	e.Restarted = l.restarted
	l.restarted, l.doubtful = false, false
	l.last = e.ID
	l.given++
	if s == fromRead {
		l.read++
	}
	l.ended = l.ended || e.Type == client.EventEnd
	l.known.add(e, s)
	if !l.yield(e) {
		return errStop
	}
	return nil
}

// amend yields a known event again if it now says more than when it was given.
func (l *eventLog) amend(e client.Event, given *entry) error {
	l.ended = l.ended || e.Type == client.EventEnd // the stored one may have no name
	if !given.said.add(l.known.details(e)) {
		return nil
	}
	e.ID, e.Amended = given.cursor, true
	if !l.yield(e) {
		return errStop
	}
	return nil
}
