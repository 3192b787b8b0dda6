package client

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"
)

// maxMarks bounds what a reader remembers of the events it gave: 64 bytes
// each. Repetitions of older ones are known by their cursor alone.
const maxMarks = 20_000

// eventLog is what a reader remembers of the events it gave, to know
// repetitions and new beginnings.
type eventLog struct {
	last      int64  // cursor of the newest
	yielded   int    // how many were given
	positions bool   // cursors are positions: the stored events have no ids
	ended     bool   // the end event was among them
	coarse    bool   // the stored events tell their times in whole seconds
	restarted bool   // ids began anew; the next event says so
	doubtful  bool   // events may be lost; the next one says so
	marks     []mark // the newest, in order
	forgot    bool   // older ones are no longer among the marks
	seed      maphash.Seed
}

func newEventLog(after int64) eventLog {
	return eventLog{last: after, seed: maphash.MakeSeed()}
}

// mark is the part of an event by which it is known again, whether it comes
// by the stream or from the stored events, with or without tool calls, before
// or after its approval was decided.
type mark struct {
	cursor  int64
	at      int64     // milliseconds, 0 where the event does not say
	content [6]uint32 // hashes of the facets; 0 where the event does not say
	said    detail
}

// facets returns the texts that tell events apart. Stored events may lack their
// type, so what they are about is said as well, always. The last one, the
// status, may change while the event stays the same.
func facets(e Event) [6]string {
	f := [6]string{0: strings.ToLower(e.Type), 4: "the run", 5: string(e.RunStatus)}
	if e.Step != nil {
		f[1], f[2], f[4] = e.Step.Text, e.Step.Reason, "a step"
		if len(e.Step.ToolCalls) > 0 {
			f[3] = e.Step.ToolCalls[0].ToolCallID
		}
	}
	if e.Auth != nil {
		f[4] = "authorisation " + e.Auth.Status
	}
	return f
}

// detail is what an event says that it may say later than it comes.
type detail struct {
	links            bool
	pending, decided bool   // what is said of its approval
	toolCalls        uint32 // a hash of them, 0 where there are none
}

func (l *eventLog) detail(e Event) detail {
	d := detail{links: len(e.Links()) > 0}
	if e.Step == nil {
		return d
	}
	d.pending, d.decided = e.Step.Approval == "PENDING", e.Step.Approval != "" && e.Step.Approval != "PENDING"
	if len(e.Step.ToolCalls) > 0 {
		var h maphash.Hash
		h.SetSeed(l.seed)
		for _, c := range e.Step.ToolCalls {
			h.WriteString(c.ToolCallID + "\x00" + c.ToolName + "\x00")
			h.Write(c.ToolParameters)
		}
		d.toolCalls = uint32(h.Sum64()) | 1
	}
	return d
}

// millis returns an event's time in milliseconds, 0 where it does not say.
func millis(e Event) int64 {
	t, err := time.Parse(time.RFC3339, e.Timestamp)
	if err != nil {
		return 0
	}
	return t.UnixMilli()
}

func (l *eventLog) mark(e Event) mark {
	m := mark{cursor: e.ID, at: millis(e), said: l.detail(e)}
	for i, s := range facets(e) {
		if s != "" {
			m.content[i] = uint32(maphash.String(l.seed, s)) | 1
		}
	}
	return m
}

// agree reports whether the first n facets do not differ where both are said.
func (m mark) agree(o mark, n int) bool { return m.differences(o, n) == 0 }

// differences counts the first n facets that differ where both are said.
func (m mark) differences(o mark, n int) (count int) {
	for i, h := range m.content[:n] {
		if h != 0 && o.content[i] != 0 && h != o.content[i] {
			count++
		}
	}
	return count
}

// together reports whether two marks are of one moment, as exactly as it is
// told: stored events may be told in whole seconds, rounded.
func (l *eventLog) together(m, o mark) bool {
	whole := l.coarse && (m.at%1000 == 0 || o.at%1000 == 0)
	return m.at == o.at || whole && max(m.at-o.at, o.at-m.at) <= 1000
}

// slack is how far the times of one event may be apart, in milliseconds, where
// the API stamps what it stores and what it streams for itself.
const slack = 1000

// same reports whether two events under one id are the same. At the very same
// time the status may have changed since. Where ids and milliseconds are told,
// one thing more may be told otherwise (a name, a text that is shortened), or
// the time alone be a little off.
func (l *eventLog) same(m, o mark) bool {
	exact := !l.positions && m.at%1000 != 0 && o.at%1000 != 0
	switch {
	case m.at == 0 || o.at == 0:
		return m.agree(o, len(m.content))
	case m.at == o.at && exact:
		return m.differences(o, len(m.content)-1) <= 1
	case m.at == o.at:
		return m.agree(o, len(m.content)-1)
	case exact && max(m.at-o.at, o.at-m.at) <= slack && m.content[1] != 0:
		return m.agree(o, len(m.content))
	}
	return l.together(m, o) && m.agree(o, len(m.content))
}

// twins reports whether two events under different ids are the same: at the
// same time, with nothing that differs.
func (l *eventLog) twins(m, o mark) bool {
	if m.at == 0 || o.at == 0 {
		return m.at == o.at && m.content == o.content
	}
	return l.together(m, o) && m.agree(o, len(m.content))
}

// add records a new event.
func (l *eventLog) add(e Event) {
	l.last = e.ID
	l.yielded++
	l.restarted, l.doubtful = false, false
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
		l.forgot = true
	}
	l.marks = append(l.marks, l.mark(e))
}

func (l *eventLog) at(cursor int64) (int, bool) {
	return slices.BinarySearchFunc(l.marks, cursor, func(m mark, c int64) int { return cmp.Compare(m.cursor, c) })
}

// repeats reports whether an event at or before the cursor is the one that
// was given; true as well where too little is remembered to tell.
func (l *eventLog) repeats(e Event) bool {
	if i, ok := l.at(e.ID); ok {
		return l.same(l.marks[i], l.mark(e))
	}
	return len(l.marks) == 0 || e.ID < l.marks[0].cursor // a hole among what is remembered is none
}

// find returns the cursor of the oldest remembered event after the given
// cursor that is the same as e.
func (l *eventLog) find(e Event, after int64) (int64, bool) {
	m := l.mark(e)
	from, _ := l.at(after + 1)
	for _, known := range l.marks[from:] {
		if l.twins(known, m) {
			return known.cursor, true
		}
	}
	return 0, false
}

// enrich reports whether e says something that the remembered event of its
// cursor did not, and remembers that it was said.
func (l *eventLog) enrich(e Event) bool {
	i, ok := l.at(e.ID)
	if !ok {
		return false
	}
	said, now := &l.marks[i].said, l.detail(e)
	decided := said.pending && now.decided
	linked := now.links && !said.links
	// A person decides by the tool calls that were said last.
	calls := now.toolCalls != 0 && (said.toolCalls == 0 || now.pending && !said.decided && now.toolCalls != said.toolCalls)
	if !decided && !linked && !calls {
		return false
	}
	said.links = said.links || linked
	if calls {
		said.toolCalls = now.toolCalls
	}
	if decided {
		said.pending, said.decided = false, true
	}
	return true
}

// settle compares the stored events with what was given. Where they differ
// under a cursor, either the cursors were guessed wrong (a stream without ids
// of a run whose ids have holes), and take the stored ids; or ids began anew.
func (l *eventLog) settle(run *Run) {
	l.positions = run.positions
	if run.positions {
		l.align(run.Events)
	}
	l.coarse = !slices.ContainsFunc(run.Events, func(e Event) bool { return millis(e)%1000 != 0 })
	// ahead is by how much the cursors are, where the stream's ids jumped; before
	// the cursor of the stored event before.
	ahead, before := int64(0), int64(0)
	for i := range run.Events {
		e := &run.Events[i]
		if ahead == 0 && e.ID > l.last {
			// New, and so is what follows; unless it is what was given last,
			// under a cursor that no stored event has.
			if _, given := l.find(*e, before); given {
				l.renumber(run.Events)
			}
			return
		}
		own, known := l.at(e.ID)
		if known && l.same(l.marks[own], l.mark(*e)) || ahead == 0 && (len(l.marks) == 0 || e.ID < l.marks[0].cursor) {
			before = e.ID // as it was given, or no longer remembered
			continue
		}
		switch cursor, given := l.given(*e, before); {
		case given && cursor < e.ID && l.renumber(run.Events):
			return
		case given:
			ahead = max(cursor-e.ID, 0)
			e.ID = cursor
		case ahead > 0:
			e.ID = max(e.ID+ahead, l.last+1, before+1) // new: what was before it is known by now
		case known: // and another event
			*l = eventLog{yielded: l.yielded, positions: l.positions, coarse: l.coarse, seed: l.seed, restarted: true}
			return
		}
		// Else it fills a hole that was told as one.
		before = e.ID
	}
}

// given returns the cursor after another one under which an event was given: of
// the same content, or of nothing that differs where it was told without all
// that would make sure of it.
func (l *eventLog) given(e Event, after int64) (cursor int64, ok bool) {
	if cursor, ok = l.find(e, after); ok {
		return cursor, true
	}
	m := l.mark(e)
	from, _ := l.at(max(e.ID, after) + 1)
	for _, known := range l.marks[from:] {
		said := 0
		for i, h := range m.content[:4] {
			if h != 0 && h == known.content[i] {
				said++
			}
		}
		if said > 0 && known.agree(m, len(m.content)) && (m.at == 0 || known.at == 0) {
			return known.cursor, true
		}
	}
	return 0, false
}

// align gives stored events without ids the cursors under which the remembered
// ones were given, where the positions are others: the API stores the newest
// events alone, or the stream told ids. One that is known at its own position
// shows that they are right.
func (l *eventLog) align(stored []Event) {
	for _, e := range slices.Backward(stored) {
		m := l.mark(e)
		if i, ok := l.at(e.ID); ok && l.same(l.marks[i], m) {
			return
		}
		cursor, ok := l.find(e, 0)
		if !ok {
			continue
		}
		for i := range stored {
			stored[i].ID += max(cursor-e.ID, 0)
		}
		return
	}
}

// renumber gives the remembered events the cursors of the stored ones; false
// where the newest would go back, for cursors that watchers have must grow.
func (l *eventLog) renumber(stored []Event) bool {
	marks := make([]mark, 0, len(l.marks))
	for _, e := range stored {
		if cursor, ok := l.find(e, 0); ok {
			i, _ := l.at(cursor)
			m := l.marks[i]
			m.cursor = e.ID
			marks = append(marks, m)
		}
	}
	if len(marks) == 0 || marks[len(marks)-1].cursor < l.last {
		return false
	}
	l.marks, l.last = marks, marks[len(marks)-1].cursor
	return true
}
