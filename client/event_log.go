package client

import (
	"hash/maphash"
	"slices"
	"strings"
	"time"
)

// maxMarks bounds what a reader remembers of the events it gave: 40 bytes
// each. Repetitions of older ones are known by their cursor alone.
const maxMarks = 1024

// eventLog is what a reader remembers of the events it gave, to know
// repetitions and new beginnings.
type eventLog struct {
	last      int64  // cursor of the newest
	yielded   int    // how many were given
	positions bool   // cursors are positions: the stored events have no ids
	ended     bool   // the end event was among them
	restarted bool   // ids began anew; the next event says so
	marks     []mark // the newest, in order
	seed      maphash.Seed
}

func newEventLog(after int64) eventLog {
	return eventLog{last: after, seed: maphash.MakeSeed()}
}

// mark is the part of an event by which it is known again, whether it comes
// by the stream or from the stored events, with or without tool calls.
type mark struct {
	cursor  int64
	at      int64     // milliseconds, 0 where the event does not say
	content [4]uint32 // hashes of name, status, text and state; 0 where the event does not say
	more    bool      // links or tool calls were among it
}

func (l *eventLog) mark(e Event) mark {
	text, state := "", ""
	if e.Step != nil {
		text, state = e.Step.Text, e.Step.Approval
	}
	if e.Auth != nil {
		state = e.Auth.Status
	}
	m := mark{cursor: e.ID, more: saysMore(e)}
	if t, err := time.Parse(time.RFC3339, e.Timestamp); err == nil {
		m.at = t.UnixMilli()
	}
	for i, s := range []string{strings.ToLower(e.Type), string(e.RunStatus), text, state} {
		if s != "" {
			m.content[i] = uint32(maphash.String(l.seed, s)) | 1
		}
	}
	return m
}

func saysMore(e Event) bool {
	return len(e.Links()) > 0 || e.Step != nil && len(e.Step.ToolCalls) > 0
}

// same reports whether nothing that both marks say differs. Times may differ
// by a second, for stored events may be told with less precision.
func (m mark) same(o mark) bool {
	if m.at != 0 && o.at != 0 && max(m.at-o.at, o.at-m.at) > 1000 {
		return false
	}
	for i, h := range m.content {
		if h != 0 && o.content[i] != 0 && h != o.content[i] {
			return false
		}
	}
	return true
}

// add records a new event.
func (l *eventLog) add(e Event) {
	l.last = e.ID
	l.yielded++
	l.restarted = false
	l.ended = l.ended || e.Type == EventEnd
	l.remember(e)
}

// remember records an event as given, unless it is remembered already or too old.
func (l *eventLog) remember(e Event) {
	if n := len(l.marks); n > 0 && l.marks[n-1].cursor >= e.ID {
		return
	}
	if len(l.marks) == maxMarks {
		l.marks = slices.Delete(l.marks, 0, maxMarks/4)
	}
	l.marks = append(l.marks, l.mark(e))
}

func (l *eventLog) at(cursor int64) (int, bool) {
	return slices.BinarySearchFunc(l.marks, cursor, func(m mark, c int64) int { return int(m.cursor - c) })
}

// repeats reports whether an event at or before the cursor is the one that
// was given; true as well where too little is remembered to tell.
func (l *eventLog) repeats(e Event) bool {
	i, ok := l.at(e.ID)
	return !ok || l.marks[i].same(l.mark(e))
}

// find returns the cursor of the oldest remembered event after the given
// cursor with this content and this very time.
func (l *eventLog) find(e Event, after int64) (int64, bool) {
	m := l.mark(e)
	for _, known := range l.marks {
		if known.cursor > after && known.at == m.at && known.same(m) && (m.at != 0 || known.content == m.content) {
			return known.cursor, true
		}
	}
	return 0, false
}

// enrich reports whether e says more than the remembered event of its cursor
// did, and remembers that it was said.
func (l *eventLog) enrich(e Event) bool {
	i, ok := l.at(e.ID)
	if !ok || l.marks[i].more || !saysMore(e) {
		return false
	}
	l.marks[i].more = true
	return true
}

// settle compares the stored events with what was given. Where they differ
// under a cursor, either the cursors were guessed wrong (a stream without ids
// of a run whose ids have holes), and take the stored ids; or ids began anew.
func (l *eventLog) settle(run *Run) {
	l.positions = run.positions
	for _, e := range run.Events {
		if e.ID > l.last || l.repeats(e) {
			continue
		}
		if _, given := l.find(e, 0); given {
			l.renumber(run.Events)
		} else {
			*l = eventLog{yielded: l.yielded, positions: l.positions, seed: l.seed, restarted: true}
		}
		return
	}
}

// renumber gives the remembered events the cursors of the stored ones.
func (l *eventLog) renumber(stored []Event) {
	marks := make([]mark, 0, len(l.marks))
	for _, e := range stored {
		if cursor, ok := l.find(e, 0); ok {
			i, _ := l.at(cursor)
			m := l.marks[i]
			m.cursor = e.ID
			marks = append(marks, m)
		}
	}
	l.marks = marks[max(0, len(marks)-maxMarks):]
	l.last = l.marks[len(l.marks)-1].cursor
}
