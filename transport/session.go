package transport

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// maxFinished and maxFinishedBytes bound the answered streams a session
	// keeps for a client whose connection broke.
	maxFinished      = 64
	maxFinishedBytes = 1 << 20
)

// session is a client of the old era: what initialize made and DELETE, another
// initialize, idleness or the shutdown end.
type session struct {
	id     string // the client's secret: in no log
	caller string
	peer   *peer
	get    *stream // what GET carries

	mu       sync.Mutex      // guards all below
	streams  map[int]*stream // of POSTs, by number: those that can be resumed
	finished []*stream       // the answered ones among them, oldest first
	number   int             // of the last stream
	busy     int             // requests being served and POSTs not yet answered
	idle     time.Time       // since when busy is 0
	release  func()          // gives back its place in the limits; nil: ended
}

// newSession makes a session that is known to nobody yet, and busy once.
func newSession(caller string, opts Options, release func()) *session {
	s := &session{
		id:      rand.Text(), // 128 bits, letters and digits
		caller:  caller,
		get:     newStream(0),
		streams: make(map[int]*stream),
		busy:    1,
		release: release,
	}
	s.get.resumable, s.get.waits = true, true
	// One at a time: what changes meanwhile is told once.
	s.get.window = 1
	s.peer = newPeer(opts, s.get.put, func(_ context.Context, line []byte) error { return s.get.offer(line) })
	return s
}

// hold keeps the session from being idle until unhold.
func (s *session) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
}

// unhold is the reverse of hold.
func (s *session) unhold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	s.idle = time.Now()
}

// idleFor is how long the session has been idle.
func (s *session) idleFor(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy > 0 {
		return 0
	}
	return now.Sub(s.idle)
}

// newStream is the stream for one POST; the session is busy until its answer.
func (s *session) newStream() *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	s.busy++
	st := newStream(s.number)
	st.resumable, st.serving = true, true
	st.onEnd = func() { s.finish(st) }
	s.streams[st.number] = st
	return st
}

// finish notes that a stream is answered.
func (s *session) finish(st *stream) {
	s.mu.Lock()
	s.file(st)
	s.mu.Unlock()
	s.unhold()
}

// served notes that the response to a POST is over. A stream the client knows
// no id of can't be asked for again.
func (s *session) served(st *stream) {
	begun, _, _ := st.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.serving = false
	if !begun {
		delete(s.streams, st.number)
		return
	}
	s.file(st)
}

// file puts a stream that is answered and served among those kept for a client
// that comes back, and forgets the oldest beyond the bounds. mu is held.
func (s *session) file(st *stream) {
	if _, ended, _ := st.state(); !ended || st.serving || st.filed || s.streams[st.number] == nil {
		return
	}
	st.filed = true
	s.finished = append(s.finished, st)
	bytes, keep := 0, 0
	for _, f := range slices.Backward(s.finished) {
		_, _, size := f.state()
		bytes += size
		if keep > 0 && (keep == maxFinished || bytes > maxFinishedBytes) {
			break
		}
		keep++
	}
	old := s.finished[:len(s.finished)-keep]
	for _, f := range old {
		delete(s.streams, f.number)
	}
	s.finished = slices.Delete(s.finished, 0, len(old))
}

// stream is the stream that an event id belongs to, and the event's number; nil
// if the session doesn't have it (any more).
func (s *session) stream(eventID string) (*stream, int) {
	number, event, ok := splitEventID(eventID)
	if !ok {
		return nil, 0
	}
	st := s.get
	if number != 0 {
		s.mu.Lock()
		st = s.streams[number]
		s.mu.Unlock()
	}
	if st == nil || !st.has(event) {
		return nil, 0
	}
	return st, event
}

// drain tells the calls of the session to stop waiting, and ends what belongs to
// no call: questions, the stream of GET and the subscriptions.
func (s *session) drain(cause error) {
	s.peer.drain(cause)
	s.peer.awaitWithdrawn()
	s.fallSilent()
}

// fallSilent ends the stream of GET and the subscriptions.
func (s *session) fallSilent() {
	_ = s.get.answer(answer{})
	s.peer.subs.close()
}

// end cancels the calls of the session, ends all else and gives back its place.
func (s *session) end(cause error) {
	s.peer.end(cause)
	s.fallSilent()
	s.mu.Lock()
	release := s.release
	s.release = nil
	s.mu.Unlock()
	if release != nil {
		release()
	}
}

// sessions are all sessions.
type sessions struct {
	mu     sync.Mutex // guards all below
	byID   map[string]*session
	closed bool
}

// add makes a session known; false: the server is shutting down.
func (t *sessions) add(s *session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.byID[s.id] = s
	return true
}

// hold is the session of an id, if it is the caller's, held until unhold.
func (t *sessions) hold(id, caller string) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.byID[id]
	if s == nil || s.caller != caller {
		return nil
	}
	s.hold()
	return s
}

// remove makes a session unknown; false: it was already.
func (t *sessions) remove(s *session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.byID[s.id]
	delete(t.byID, s.id)
	return known
}

// sweep ends the sessions that have been idle for long.
func (t *sessions) sweep(long time.Duration) {
	now := time.Now()
	var old []*session
	t.mu.Lock()
	for id, s := range t.byID {
		if s.idleFor(now) >= long {
			old = append(old, s)
			delete(t.byID, id)
		}
	}
	t.mu.Unlock()
	for _, s := range old {
		s.end(ErrClientGone)
	}
}

// drain drains all sessions and takes no more. They stay known, for requests that
// came in just before.
func (t *sessions) drain(cause error) {
	t.mu.Lock()
	t.closed = true
	all := slices.Collect(maps.Values(t.byID))
	t.mu.Unlock()
	var draining sync.WaitGroup
	for _, s := range all {
		draining.Go(func() { s.drain(cause) })
	}
	draining.Wait()
}

// end ends all sessions.
func (t *sessions) end(cause error) {
	t.mu.Lock()
	all := t.byID
	t.byID = make(map[string]*session)
	t.mu.Unlock()
	for _, s := range all {
		s.end(cause)
	}
}
