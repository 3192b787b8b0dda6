package streamable

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"runs-mcp-server/transport/session"
)

const (
	// streamWindow and streamWindowBytes are how much of a call may wait for a
	// client that reads slowly before the call waits too.
	streamWindow      = 64
	streamWindowBytes = 32 << 10
	// maxEvents and maxEventBytes bound what is kept of one stream for a client
	// that comes back: an hour of progress every 15 s.
	maxEvents     = 256
	maxEventBytes = 256 << 10
)

var (
	errStreamEnded = errors.New("the stream has ended")
	errNobodyReads = errors.New("nobody reads the stream")
)

// stream is what one POST or a session's GET sends: the session.Sink of a
// message. It keeps messages until a response has written them and, in a
// session, beyond that, for a client whose connection broke. At most one response
// is attached to it at a time and writes it.
type stream struct {
	number        int     // in its session; 0 is the stream of GET
	waits         bool    // while no response is attached, writers wait; else the oldest events are dropped
	window        int     // how many events may wait for the response
	requestStream *stream // where requests from the server to a client go that accepts JSON only here; nil: into this stream
	onAnswer      func()  // called once, after the answer; may be nil

	abandonTimeout time.Duration // see abandonAfter
	abandon        func()        // nil: the calls go on

	held       *session.Hold // counts the bytes of events; nil: they are not counted
	request    *session.Hold // what the POST's request takes until the stream is finished; may be nil
	endsToCome int           // of the two in httpSession.noteStreamEnd; guarded by httpSession.mu

	mu        sync.Mutex  // guards all below
	resumable bool        // events are kept when they are written
	events    []event     // those kept, oldest first
	bytes     int         // of their lines
	last      int         // the number of the newest
	written   int         // the number of the last one that a response has written
	attached  *attachment // the response that writes the stream; nil: none
	leftAt    time.Time   // since when none is
	leaving   *time.Timer // calls abandon; nil if it is not set
	ended     bool
	isGone    bool           // nobody can ask for it any more: nothing is kept
	answer    session.Answer // what it ended with; its line is the last event
	changed   chan struct{}  // closed and replaced at every change
}

// event is one message on a stream. The first has the number 1.
type event struct {
	number int
	line   []byte
}

// attachment is the hold of one response on the stream that it writes.
type attachment struct {
	replaced        chan struct{} // closed when another response takes over
	gone            chan struct{} // closed when the response writes no more
	shortenDeadline func()        // ends its write under way soon
}

// newStream returns a stream that no response is attached to.
func newStream(number int) *stream {
	return &stream{number: number, window: streamWindow, leftAt: time.Now(), changed: make(chan struct{})}
}

// abandonAfter returns a context for the calls of the stream. It is canceled when no
// response has been attached for so long.
func (s *stream) abandonAfter(ctx context.Context, timeout time.Duration) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	s.abandonTimeout, s.abandon = timeout, func() { cancel(session.ErrClientGone) }
	return ctx
}

// WriteNotification implements session.Sink.
func (s *stream) WriteNotification(line []byte) error {
	return s.appendEvent(context.Background(), line)
}

// WriteRequest implements session.Sink.
func (s *stream) WriteRequest(line []byte) error {
	if s.requestStream != nil {
		return s.requestStream.appendIfAttached(line)
	}
	return s.appendEvent(context.Background(), line)
}

// WriteAnswer implements session.Sink: it ends the stream.
func (s *stream) WriteAnswer(a session.Answer) error {
	if !s.endWith(a) {
		return errStreamEnded
	}
	if s.onAnswer != nil {
		s.onAnswer()
	}
	return nil
}

// appendEvent adds a message, as soon as the stream has room for it.
func (s *stream) appendEvent(ctx context.Context, line []byte) error {
	for {
		changed, err := s.tryAppendEvent(line)
		if changed == nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryAppendEvent adds a message if there is room. Else changed is closed when it can
// be tried again.
func (s *stream) tryAppendEvent(line []byte) (changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hasRoom := s.last-s.written < s.window && s.unreadBytes() < streamWindowBytes
	if s.attached == nil {
		hasRoom = !s.waits
	}
	switch {
	case s.ended:
		return nil, errStreamEnded
	case !hasRoom:
		return s.changed, nil
	}
	s.addEvent(line)
	return nil, nil
}

// appendIfAttached adds a message if a response is attached.
func (s *stream) appendIfAttached(line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.attached == nil {
		return errNobodyReads
	}
	s.addEvent(line)
	return nil
}

// endWith ends the stream with an answer. false: it had ended before.
func (s *stream) endWith(a session.Answer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.ended, s.answer = true, a
	if a.Line != nil {
		s.addEvent(a.Line)
	} else {
		s.signalChange()
	}
	return true
}

// addEvent adds an event and drops old ones. s.mu is held.
func (s *stream) addEvent(line []byte) {
	s.last++
	s.events = append(s.events, event{s.last, line})
	s.bytes += len(line)
	s.dropEvents()
	s.signalChange()
}

// dropEvents drops events that are written and can't be asked for again, and the
// oldest beyond the limits; without resort to limits, if the caller's bytes are
// scarce. It keeps those that a response is about to write, and the newest, which
// may be the answer. s.mu is held.
func (s *stream) dropEvents() {
	mostBytes := maxEventBytes
	if s.held.IsCrowded() {
		mostBytes = 0
	}
	for len(s.events) > 0 {
		oldest := s.events[0]
		isUnwritten := oldest.number > s.written
		isNeeded := isUnwritten || s.resumable
		isOverLimit := len(s.events) > 1 && (len(s.events) > maxEvents || s.bytes > mostBytes)
		if isUnwritten && s.attached != nil || isNeeded && !isOverLimit && !s.isGone {
			break
		}
		s.bytes -= len(oldest.line)
		s.events[0] = event{}
		s.events = s.events[1:]
	}
	s.held.Set(s.bytes)
}

// unreadBytes returns the size of the events that no response has written. s.mu is
// held.
func (s *stream) unreadBytes() (n int) {
	for _, e := range slices.Backward(s.events) {
		if e.number <= s.written {
			break
		}
		n += len(e.line)
	}
	return n
}

// forget drops all events, also those to come, because nobody can ask for them any
// more. A response that is attached still writes what there is.
func (s *stream) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isGone = true
	s.dropEvents()
}

// welcome counts the stream on the account of its caller, whom the API knows now.
// From now on it keeps what is written.
func (s *stream) welcome(a session.Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resumable = true
	s.held.MoveTo(a)
}

// signalChange wakes those that wait for a change. s.mu is held.
func (s *stream) signalChange() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// asWritten is the position of a response whose client has named no event of the
// stream: it begins after what was written.
const asWritten = -1

// attachResponse attaches a response that is to write the events after a
// position, and returns that position. It takes over from the response there is,
// and waits until that one writes no more: each event goes to one of them.
func (s *stream) attachResponse(a *attachment, position int) (from int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	previous := s.attached
	s.attached = a
	if s.leaving != nil {
		s.leaving.Stop()
	}
	if previous != nil {
		close(previous.replaced)
		previous.shortenDeadline()
		s.mu.Unlock()
		<-previous.gone
		s.mu.Lock()
	}
	if position != asWritten {
		s.written = position
	}
	s.signalChange()
	return s.written
}

// detachResponse is the reverse of attachResponse.
func (s *stream) detachResponse(a *attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(a.gone)
	if s.attached == a {
		s.attached, s.leftAt = nil, time.Now()
		if s.abandon != nil && !s.ended {
			s.leaving = time.AfterFunc(s.abandonTimeout, s.abandon)
		}
		s.dropEvents()
		s.signalChange()
	}
}

// unreadFor returns for how long no response has been attached.
func (s *stream) unreadFor(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attached != nil {
		return 0
	}
	return now.Sub(s.leftAt)
}

// snapshot is what a response finds on its stream.
type snapshot struct {
	events  []event // after those that it has written
	ended   bool
	answer  session.Answer  // if ended
	changed <-chan struct{} // closed at the next change
}

// snapshotAfter returns what comes after an event.
func (s *stream) snapshotAfter(number int) snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := snapshot{ended: s.ended, answer: s.answer, changed: s.changed}
	for i, e := range s.events {
		if e.number > number {
			found.events = append(found.events, s.events[i:]...)
			break
		}
	}
	return found
}

// markWritten notes up to where the response has written.
func (s *stream) markWritten(number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = number
	s.dropEvents()
	s.signalChange()
}

// size returns how many bytes the stream keeps.
func (s *stream) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// hasEvent reports whether an event of that number has been on the stream.
func (s *stream) hasEvent(number int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return number >= 0 && number <= s.last
}

// eventID returns the id of an event. It means nothing outside its session.
func (s *stream) eventID(number int) string {
	return strconv.Itoa(s.number) + "-" + strconv.Itoa(number)
}
