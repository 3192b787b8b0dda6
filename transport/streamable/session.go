package streamable

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/transport/session"
)

const (
	// maxFinished and maxFinishedBytes bound the answered streams that a session
	// keeps for a client whose connection broke.
	maxFinished      = 64
	maxFinishedBytes = 1 << 20
)

// httpSession is a stateful client: initialize makes it; DELETE, another
// initialize, idleness or the shutdown ends it.
type httpSession struct {
	id         string // the client's secret: in no log
	caller     string
	connection *session.Connection
	getStream  *stream // what GET carries

	mu           sync.Mutex      // guards all below
	postStreams  map[int]*stream // by number: those that can be resumed
	finished     []*stream       // those of them that are answered and written, oldest first
	lastNumber   int             // of the newest stream
	busy         int             // requests being served and POSTs not yet answered
	idleSince    time.Time       // when busy became 0
	releaseQuota func()          // nil: the session has ended
}

// newHTTPSession returns a session that is not in the table yet. It is acquired
// once.
func newHTTPSession(caller string, config session.Config, releaseQuota func()) *httpSession {
	s := &httpSession{
		id:           rand.Text(), // 128 bits, letters and digits
		caller:       caller,
		getStream:    newStream(0),
		postStreams:  make(map[int]*stream),
		busy:         1,
		releaseQuota: releaseQuota,
	}
	s.getStream.resumable, s.getStream.waits = true, true
	s.getStream.window = 1 // what changes while one update is written is sent once
	config.SendUpdate = s.getStream.appendEvent
	config.Send = func(_ context.Context, line []byte) error { return s.getStream.appendIfAttached(line) }
	s.connection = session.NewConnection(config)
	return s
}

// hasPrimingEvents reports whether event streams of the session's revision begin
// with an id and no message. Clients of earlier ones take that for broken JSON.
func (s *httpSession) hasPrimingEvents() bool {
	return s.connection.ProtocolVersion() >= mcp.ProtocolVersion20251125
}

// acquire keeps the session from being idle until release.
func (s *httpSession) acquire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
}

// release is the reverse of acquire.
func (s *httpSession) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	s.idleSince = time.Now()
}

// idleFor returns how long the session has been idle.
func (s *httpSession) idleFor(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy > 0 {
		return 0
	}
	return now.Sub(s.idleSince)
}

// newPostStream returns the stream for one POST. The session is busy until its
// answer.
func (s *httpSession) newPostStream() *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastNumber++
	s.busy++
	st := newStream(s.lastNumber)
	st.resumable = true
	st.endsToCome = 2
	st.onAnswer = func() {
		s.mu.Lock()
		s.noteStreamEnd(st)
		s.mu.Unlock()
		s.release()
	}
	s.postStreams[st.number] = st
	return st
}

// endResponse notes the end of the response to a POST. A client that has got no
// event id can't ask for the rest of the stream: then it is forgotten.
func (s *httpSession) endResponse(st *stream, idsSent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !idsSent {
		delete(s.postStreams, st.number)
	}
	s.noteStreamEnd(st)
}

// noteStreamEnd notes one of two ends, in any order: the stream of a POST has its
// answer (onAnswer), or the POST's response has ended (endResponse). After both
// the stream is finished. Finished streams stay for a client that comes back with
// an event id; the oldest beyond the limits are forgotten. s.mu is held.
func (s *httpSession) noteStreamEnd(st *stream) {
	st.endsToCome--
	if st.endsToCome > 0 || s.postStreams[st.number] == nil {
		return
	}
	s.finished = append(s.finished, st)
	bytes, kept := 0, 0
	for _, f := range slices.Backward(s.finished) {
		bytes += f.size()
		if kept > 0 && (kept == maxFinished || bytes > maxFinishedBytes) {
			break
		}
		kept++
	}
	forgotten := s.finished[:len(s.finished)-kept]
	for _, f := range forgotten {
		delete(s.postStreams, f.number)
	}
	s.finished = slices.Delete(s.finished, 0, len(forgotten))
}

// findEvent returns the stream that an event id belongs to, and the event's
// number; nil: the session does not have it (any more).
func (s *httpSession) findEvent(eventID string) (*stream, int) {
	left, right, ok := strings.Cut(eventID, "-")
	number, err := strconv.Atoi(left)
	event, eventErr := strconv.Atoi(right)
	if !ok || err != nil || eventErr != nil {
		return nil, 0
	}
	st := s.getStream
	if number != 0 {
		s.mu.Lock()
		st = s.postStreams[number]
		s.mu.Unlock()
	}
	if st == nil || !st.hasEvent(event) {
		return nil, 0
	}
	return st, event
}

// stopWaiting tells the calls of the session to stop waiting, and ends what
// belongs to no call: questions, the stream of GET and the subscriptions.
func (s *httpSession) stopWaiting(cause error) {
	s.connection.Drain(cause)
	s.connection.AwaitQuestions()
	s.endGetStream()
}

// end cancels the calls of the session, ends all else and releases its quota.
func (s *httpSession) end(cause error) {
	s.connection.End(cause)
	s.endGetStream()
	s.mu.Lock()
	releaseQuota := s.releaseQuota
	s.releaseQuota = nil
	s.mu.Unlock()
	if releaseQuota != nil {
		releaseQuota()
	}
}

// endGetStream ends the stream of GET and the subscriptions.
func (s *httpSession) endGetStream() {
	_ = s.getStream.WriteAnswer(session.Answer{}) // it may have ended before
	s.connection.CloseSubscriptions()
}
