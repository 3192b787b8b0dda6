package transport

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
)

const (
	// streamWindow is how many messages of a call may wait for a client that
	// reads slowly before the call waits too.
	streamWindow = 64
	// maxEvents and maxEventBytes bound what is kept of one stream for a
	// client that comes back: an hour of progress every 15 s.
	maxEvents     = 256
	maxEventBytes = 256 << 10
)

var (
	// errStreamEnded is a message that came after the answer, or for nobody.
	errStreamEnded = errors.New("the stream has ended")
	errNobodyReads = errors.New("nobody reads the stream")
)

// event is one message on a stream. The first has the number 1.
type event struct {
	number int
	line   []byte
}

// stream is the sink of one POST, or what a session's GET carries: it keeps
// messages until an HTTP response has taken them, and in the old era beyond, for
// a client whose connection broke.
type stream struct {
	number    int    // in its session; 0 is the one of GET
	resumable bool   // what was written is kept for a while
	waits     bool   // without a reader, senders wait; else the oldest messages go
	window    int    // how many messages may wait for the reader
	onEnd     func() // called once, after the end; may be nil

	asks *stream // where requests of ours go if not here, to a client that takes JSON only

	filed   bool // with the session's answered streams; guarded by session.mu
	serving bool // the response to the POST is not over; guarded by session.mu

	mu      sync.Mutex // guards all below
	events  []event    // those kept, oldest first
	bytes   int        // of their lines
	last    int        // the number of the newest
	written int        // up to where the reader has written
	reader  *reader    // nil: nobody reads
	begun   bool       // the client knows ids of this stream
	ended   bool
	end     answer        // what it ended with; its line is the last event
	changed chan struct{} // closed and replaced at every change
}

// reader is a response that takes the messages of a stream.
type reader struct {
	taken chan struct{} // closed when another takes over
	gone  chan struct{} // closed when it writes no more
	hurry func()        // has it finish what it is writing, soon; may be nil
}

// newStream is a stream that nobody reads yet.
func newStream(number int) *stream {
	return &stream{number: number, window: streamWindow, changed: make(chan struct{})}
}

// tell wakes whoever waits for a change; mu is held.
func (s *stream) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// send implements sink.
func (s *stream) send(line []byte) error { return s.put(context.Background(), line) }

// ask implements sink.
func (s *stream) ask(line []byte) error {
	if s.asks != nil {
		return s.asks.offer(line)
	}
	return s.put(context.Background(), line)
}

// offer adds a message if somebody reads.
func (s *stream) offer(line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.reader == nil {
		return errNobodyReads
	}
	s.add(line)
	return nil
}

// put adds a message when the reader has room for it.
func (s *stream) put(ctx context.Context, line []byte) error {
	for {
		s.mu.Lock()
		if s.ended {
			s.mu.Unlock()
			return errStreamEnded
		}
		if s.reader != nil && s.last-s.written < s.window || s.reader == nil && !s.waits {
			s.add(line)
			s.mu.Unlock()
			return nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// add adds an event and forgets old ones; mu is held.
func (s *stream) add(line []byte) {
	s.last++
	s.events = append(s.events, event{s.last, line})
	s.bytes += len(line)
	s.trim()
	s.tell()
}

// trim forgets what need not be kept: what was written and can't be asked for
// again, else the oldest beyond the bounds. Nothing goes that a reader is about
// to write, and never the newest, which may be the answer. mu is held.
func (s *stream) trim() {
	for len(s.events) > 0 {
		oldest := s.events[0]
		bounded := len(s.events) > maxEvents || s.bytes > maxEventBytes && len(s.events) > 1
		unwritten := oldest.number > s.written
		wanted := s.resumable || unwritten
		if unwritten && s.reader != nil || wanted && !bounded {
			return
		}
		s.bytes -= len(oldest.line)
		s.events[0] = event{}
		s.events = s.events[1:]
	}
}

// answer implements sink: it ends the stream.
func (s *stream) answer(a answer) error {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return errStreamEnded
	}
	s.ended, s.end = true, a
	if a.line != nil {
		s.add(a.line)
	} else {
		s.tell()
	}
	s.mu.Unlock()
	if s.onEnd != nil {
		s.onEnd()
	}
	return nil
}

// anew is the place of a reader that has no event of the stream.
const anew = -1

// attach makes a reader, from the event on that it has; one that begins anew goes
// on after what was written. It takes over from the one there is, and waits until
// that writes no more: what is between the two goes to one of them.
func (s *stream) attach(from int, hurry func()) (me *reader, have int) {
	me = &reader{taken: make(chan struct{}), gone: make(chan struct{}), hurry: hurry}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.reader
	s.reader = me
	if before != nil {
		close(before.taken)
		if before.hurry != nil {
			before.hurry()
		}
		s.mu.Unlock()
		<-before.gone
		s.mu.Lock()
	}
	if from != anew {
		s.written = from
	}
	s.tell()
	return me, s.written
}

// detach ends a reader.
func (s *stream) detach(me *reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(me.gone)
	if s.reader == me {
		s.reader = nil
		s.tell()
	}
}

// glance is what a reader finds on a stream.
type glance struct {
	events  []event // after the one it has
	ended   bool
	end     answer
	changed <-chan struct{} // closed at the next change
}

// after looks at a stream.
func (s *stream) after(have int) glance {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := glance{ended: s.ended, end: s.end, changed: s.changed}
	for i, e := range s.events {
		if e.number > have {
			g.events = append(g.events, s.events[i:]...)
			break
		}
	}
	return g
}

// wrote notes up to where the reader that is not gone has written.
func (s *stream) wrote(number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = number
	s.trim()
	s.tell()
}

// begin notes that the client gets to know ids of this stream.
func (s *stream) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = true
}

// state reports whether the client knows ids of the stream, whether it has
// ended, and how many bytes it holds.
func (s *stream) state() (begun, ended bool, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun, s.ended, s.bytes
}

// has reports whether an event of that number has been on the stream.
func (s *stream) has(number int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return number >= 0 && number <= s.last
}

// eventID is the id of an event within a session, to which it means nothing
// without the session's id.
func (s *stream) eventID(number int) string {
	return strconv.Itoa(s.number) + "-" + strconv.Itoa(number)
}

// splitEventID is the reverse of eventID.
func splitEventID(id string) (stream, number int, ok bool) {
	left, right, ok := strings.Cut(id, "-")
	stream, err := strconv.Atoi(left)
	if err != nil || !ok {
		return 0, 0, false
	}
	number, err = strconv.Atoi(right)
	return stream, number, err == nil
}
