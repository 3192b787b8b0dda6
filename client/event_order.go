package client

import "context"

// position relates the ids of a connection to cursors: cursor = id + offset.
type position struct {
	aligned bool  // offset was checked against this connection's first event
	learnt  bool  // offset was true of an earlier connection
	offset  int64 // 0 unless the ids are the connection's own, or positions are the cursors
	// passed is the cursor of the newest event that this connection itself
	// brought: what was given beyond it may still be repeated.
	passed int64
}

func (p *position) reconnect() {
	*p = position{learnt: p.aligned || p.learnt, offset: p.offset}
}

// accept yields an event that the stream brought, unless it is a repetition.
func (r *reader) accept(ctx context.Context, e Event, rawID string) error {
	if err := r.place(ctx, e, rawID); err != nil {
		return err
	}
	r.resumeAt(rawID)
	return nil
}

// place yields the event where it belongs.
func (r *reader) place(ctx context.Context, e Event, rawID string) error {
	id, numbered := eventID(rawID)
	if !numbered {
		_, err := r.next(e) // one that is not placed comes with the next read
		return err
	}
	if !r.at.aligned && !r.at.align(&r.log, e, id) {
		// Nothing connects the id to a position, and the stream may have left
		// out what came before.
		e.ID = r.log.last + 1
		return r.realign(ctx, e, id)
	}
	e.ID = id + r.at.offset
	switch {
	case e.ID == r.log.last+1 && !r.log.positions && r.at.offset == 0:
		return r.pass(e)
	case e.ID == r.log.last+1:
		// The ids are not the cursors, so a hole in them may hide a repetition.
		placed, err := r.next(e)
		if !placed {
			return r.realign(ctx, e, id)
		}
		r.at.set(r.at.passed - id)
		return err
	case e.ID <= r.log.last && r.log.repeats(e):
		return r.repeat(e)
	}
	return r.realign(ctx, e, id)
}

// next places an event whose id proves nothing: it is the next, unless it has
// the content of one that this connection has not passed yet. It is not placed
// where it may repeat what is no longer remembered: the stored events tell.
func (r *reader) next(e Event) (placed bool, err error) {
	if cursor, ok := r.log.find(e, r.at.passed); ok {
		e.ID = cursor
		return true, r.repeat(e)
	}
	if r.log.forgot && r.at.passed == 0 {
		return false, nil
	}
	e.ID = r.log.last + 1
	return true, r.pass(e)
}

// pass yields a new event that the stream brought.
func (r *reader) pass(e Event) error {
	r.at.passed = e.ID
	return r.emit(e)
}

// repeat yields a repeated event again if it now says more than when it was given.
func (r *reader) repeat(e Event) error {
	r.at.passed = e.ID
	r.log.ended = r.log.ended || e.Type == EventEnd // the stored one may have no name
	if !r.log.enrich(e) {
		return nil
	}
	e.Amended = true
	if !r.yield(e) {
		return errStop
	}
	return nil
}

// align sets the offset by the first event of a connection: where it repeats
// a known one, that one's cursor tells; else the API's ids are cursors, or,
// where positions are, go on from an earlier connection or with the next
// position. It reports false where none of that can be.
func (p *position) align(log *eventLog, e Event, id int64) bool {
	for _, offset := range []int64{0, p.offset} {
		if e.ID = id + offset; e.ID <= log.last && log.repeats(e) {
			return p.set(offset)
		}
	}
	if cursor, ok := log.find(e, 0); ok {
		return p.set(cursor - id)
	}
	switch {
	case !log.positions:
		return p.set(0)
	case p.learnt && id+p.offset > log.last:
		return p.set(p.offset)
	case id == log.last+1:
		return p.set(0)
	}
	return false
}

// set takes an offset for this connection's.
func (p *position) set(offset int64) bool {
	p.aligned, p.offset = true, offset
	return true
}

// realign settles an event whose id leaves a hole or goes back with other
// content: the stored events fill the hole and tell where the event stands.
func (r *reader) realign(ctx context.Context, e Event, id int64) error {
	after := int64(0) // where ids go back, anything may be repeated
	if e.ID > r.log.last {
		after = r.at.passed
	}
	if cursor, ok := r.log.find(e, after); ok {
		return r.moved(e, id, cursor)
	}
	run, err := r.reread(ctx)
	if err != nil && KindOf(err) != Invalid {
		// Nothing is passed over: the next connection begins with what this
		// one could not read.
		return err
	}
	if err == nil {
		if err := r.catchUp(run); err != nil {
			return err
		}
	}
	if cursor, ok := r.log.find(e, after); ok {
		return r.moved(e, id, cursor)
	}
	// The stored events do not have it (yet): it is the newest.
	next := r.log.last + 1
	if e.ID > next {
		e.Missing = e.ID - next
	} else {
		e.ID = next
	}
	r.at.set(e.ID - id)
	return r.pass(e)
}

// moved takes a repeated event's cursor for what its id means from here on.
func (r *reader) moved(e Event, id, cursor int64) error {
	r.at.set(cursor - id)
	e.ID = cursor
	return r.repeat(e)
}
