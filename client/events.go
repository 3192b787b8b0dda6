package client

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode"

	"runs-mcp-server/internal/sse"
)

const (
	backoffFloor = 100 * time.Millisecond
	backoffBase  = 500 * time.Millisecond
	backoffCap   = 30 * time.Second
	// pollCap bounds the wait where the stream fails but the run can be read:
	// then every attempt is a poll, and its events should not come late.
	pollCap = 5 * time.Second
)

// Events yields what happens to a run after the cursor, in order, each event
// once, until the run has ended; then it stops without an error. It works in
// the goroutine of its reader: breaking out of the loop closes the connection.
//
// Every connection begins with reading the run's stored events, for nothing
// is known of what the stream replays; so a stream that fails altogether is a
// poll. What the stream repeats is dropped, a hole in its ids is filled from
// the stored events once, and what cannot be filled is counted in the next
// event's Missing. Ids that start anew on a connection are mapped to the
// stored events by content.
//
// The error, at most one and always last, is an [Error]: the run cannot be
// seen or the key is refused, again and again, or ctx has ended.
func (c *Client) Events(ctx context.Context, caller Caller, runID string, after int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r := &reader{
			client: c, caller: caller, runID: runID,
			log: newEventLog(after), yield: func(e Event) bool { return yield(e, nil) },
		}
		if after > 0 {
			r.lastEventID = strconv.FormatInt(after, 10)
		}
		if err := r.run(ctx); err != nil && !errors.Is(err, errStop) {
			yield(Event{}, err)
		}
	}
}

// errStop ends the reader without an error: its consumer broke out of the loop.
var errStop = errors.New("the consumer stopped")

// reader follows one run over many connections.
type reader struct {
	client *Client
	caller Caller
	runID  string
	yield  func(Event) bool

	log         eventLog
	at          position
	lastEventID string        // the newest id seen on any stream
	retry       time.Duration // what the stream asked for, 0 when nothing
	polled      bool          // the last connection could read the run itself
	unreadable  bool          // the last answer was nothing that the contract allows, however often it was asked for
	known       bool          // the run was read before
	refusals    int           // how often in a row it was refused since refusedAt
	refusedAt   time.Time
	rereadAt    time.Time // of the last read in the middle of a connection
}

// run connects until the run has ended. It returns nil then.
func (r *reader) run(ctx context.Context) error {
	for failures := 0; ; failures++ {
		before := r.log.yielded
		ended, err := r.connect(ctx)
		if ended {
			return nil
		}
		if errors.Is(err, errStop) {
			return err
		}
		if ctx.Err() != nil {
			return sendError(ctx, request{op: "stream"}, true, ctx.Err())
		}
		if err != nil && r.gaveUp(err) {
			return err
		}
		if r.log.yielded > before {
			failures = 0
		}
		if !sleep(ctx, r.asked(err)+r.backoff(failures)) {
			return sendError(ctx, request{op: "stream"}, true, ctx.Err())
		}
	}
}

const (
	// maxRefusals is how often in a row the API may refuse a run before the
	// reader believes it: a proxy's hiccup or a store that lags behind a
	// create must not end a watch.
	maxRefusals = 3
	// refusalTime is how long a run that was read before must be refused.
	refusalTime = 20 * time.Second
)

// gaveUp counts what the API refuses and reports whether to believe it.
func (r *reader) gaveUp(err error) bool {
	var e *Error
	switch {
	case r.polled, !errors.As(err, &e):
		r.refusals = 0
		return false
	case e.Kind == InvalidArgument && e.Status == 0, !r.known && (e.Kind == Unauthorized || e.Kind == Misconfigured):
		return true // we refuse it ourselves, or key or address are wrong from the start
	case e.Kind != NotFound && e.Kind != Unauthorized && e.Kind != Misconfigured:
		r.refusals = 0
		return false
	}
	if r.refusals++; r.refusals == 1 {
		r.refusedAt = time.Now()
	}
	return r.refusals >= maxRefusals && (!r.known || time.Since(r.refusedAt) >= refusalTime)
}

// asked returns how long the API asks to wait before the next connection, by
// the stream's retry field or by Retry-After, within bounds.
func (r *reader) asked(err error) time.Duration {
	asked := min(r.retry, r.ceiling())
	if e, ok := errors.AsType[*Error](err); ok {
		asked = max(asked, min(e.RetryAfter, time.Minute))
	}
	return asked
}

// backoff returns the wait before the next attempt: full jitter above a floor.
func (r *reader) backoff(failures int) time.Duration {
	return backoffFloor + rand.N(min(backoffBase<<min(failures, 10), r.ceiling()))
}

// ceiling bounds the wait for which nothing but experience or the stream speaks.
func (r *reader) ceiling() time.Duration {
	if r.polled {
		return pollCap
	}
	return backoffCap
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// headerPatience is how long the stream may take to answer before the run is
// read without it: a server may send the headers with the first event.
const headerPatience = time.Second

// connect follows one connection to its end. ended reports that the run has
// ended and all its events were yielded; err is why there was no connection.
func (r *reader) connect(ctx context.Context) (ended bool, err error) {
	// The stream is opened before the run is read, so that nothing can happen
	// between the two unseen.
	opening := r.open(ctx)
	defer opening.cancel()
	if !opening.wait(headerPatience) {
		over, err := r.poll(ctx)
		switch {
		case err != nil && KindOf(err) != Invalid:
			return false, err
		case r.log.ended, over && !opening.wait(drainTime):
			return true, nil
		}
	}
	s, streamErr := opening.result()
	// Without the stored events nothing tells what was missed since the last
	// connection, so a stream is not followed without them, unless they can
	// never be read: too many for one answer, say.
	over, err := r.poll(ctx)
	switch {
	case err != nil && (streamErr != nil || KindOf(err) != Invalid):
		return false, err
	case r.log.ended, over && streamErr != nil:
		return true, nil
	case streamErr != nil:
		return false, streamErr
	}
	return r.follow(ctx, s, over)
}

// poll reads the run and yields what is new. over reports that it has ended.
func (r *reader) poll(ctx context.Context) (over bool, err error) {
	run, err := r.read(ctx)
	r.polled = err == nil
	if err != nil {
		return false, err
	}
	r.known = true
	return run.Status.Terminal(), r.catchUp(run)
}

// readTries is how often a read is tried before its connection is given up.
const readTries = 3

// read reads the run with its events. A stream waits meanwhile, and what it
// says may be said once only, so a passing fault does not cost it. What is
// wrong with an answer passes as well, until it did not.
func (r *reader) read(ctx context.Context) (*Run, error) {
	for try := 1; ; try++ {
		run, err := r.client.readRun(ctx, r.caller, r.runID)
		kind := KindOf(err)
		passing := kind == Unavailable || kind == Timeout || kind == Invalid && !r.unreadable
		if try == readTries || !passing {
			r.unreadable = kind == Invalid
			return run, err
		}
		if !sleep(ctx, r.backoff(try)) {
			return nil, err
		}
	}
}

// rereadPace is the least time from one read of a connection to the next: where
// every event gives cause for one, each read tells of many.
const rereadPace = 100 * time.Millisecond

// reread reads the run in the middle of a connection.
func (r *reader) reread(ctx context.Context) (*Run, error) {
	if wait := rereadPace - time.Since(r.rereadAt); wait > 0 && !sleep(ctx, wait) {
		return nil, sendError(ctx, request{op: "get_run"}, false, ctx.Err())
	}
	run, err := r.read(ctx)
	r.rereadAt = time.Now()
	return run, err
}

// opening is a stream that is being opened.
type opening struct {
	cancel func() // gives it up; the stream must be closed by whoever took it
	done   chan struct{}
	stream *stream
	err    error

	panicked any
}

func (r *reader) open(ctx context.Context) *opening {
	ctx, cancel := context.WithCancel(ctx)
	o := &opening{done: make(chan struct{})}
	o.cancel = func() {
		cancel()
		<-o.done
		if o.stream != nil {
			o.stream.close()
		}
	}
	go func() {
		defer close(o.done)
		defer func() { o.panicked = recover() }()
		o.stream, o.err = r.client.openStream(ctx, r.caller, r.runID, r.lastEventID)
	}()
	return o
}

// wait reports whether the stream has answered, or been refused, in time.
func (o *opening) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-o.done:
		return true
	case <-t.C:
		return false
	}
}

// result waits for the stream. A panic goes on here, in the goroutine of
// whoever reads, who may survive it.
func (o *opening) result() (*stream, error) {
	<-o.done
	if o.panicked != nil {
		panic(o.panicked)
	}
	return o.stream, o.err
}

// follow yields the events of an open stream until it breaks or the run has
// ended. over says that the run has ended already: then the stream is given
// drainTime to replay what the stored events lacked.
func (r *reader) follow(ctx context.Context, s *stream, over bool) (ended bool, err error) {
	if over {
		stop := time.AfterFunc(drainTime, s.close)
		defer stop.Stop()
	}
	r.at.reconnect()
	for {
		quiet := time.AfterFunc(quietTime, s.close)
		event, id, err := s.next()
		quiet.Stop()
		if retry, ok := s.frames.Retry(); ok {
			r.retry = retry
		}
		var tooLarge *sse.TooLargeError
		switch {
		case errors.As(err, &tooLarge):
			err = r.refill(ctx, tooLarge.ID)
		case err != nil:
			return over, nil // cut off, silent or closed: connect again
		default:
			err = r.accept(ctx, event, id)
		}
		if err != nil {
			return false, err
		}
		if r.log.ended {
			return true, nil
		}
	}
}

// quietTime is how long a stream may tell nothing but that it lives before the
// run is read again: what it left out, the end even, would else never show.
const quietTime = 5 * time.Minute

// drainTime is how long the stream of a run that has ended may take to open,
// and then to say what its stored events did not.
const drainTime = 2 * time.Second

// refill takes from the stored events what was too large for the stream.
// Where they lack it too, the next event's ids show the hole; where they can
// never be read, the next event says that some may be missing.
func (r *reader) refill(ctx context.Context, id string) error {
	r.resumeAt(id)
	run, err := r.reread(ctx)
	switch {
	case KindOf(err) == Invalid:
		r.log.doubtful = true
		return nil
	case err != nil:
		return err // the next connection begins with what this one could not read
	}
	return r.catchUp(run)
}

// maxLastEventID bounds, in bytes, an id that is sent back. The API documents
// integers.
const maxLastEventID = 1 << 10

// resumeAt takes an id for the next connection to go on after. One that no
// header can hold would keep every later connection from being made; without
// it the API may repeat more, which is dropped.
func (r *reader) resumeAt(id string) {
	if id != "" && len(id) <= maxLastEventID && !strings.ContainsFunc(id, unicode.IsControl) {
		r.lastEventID = id
	}
}

// catchUp yields the stored events after the cursor.
func (r *reader) catchUp(run *Run) error {
	r.log.settle(run)
	r.log.doubtful = false
	for i, e := range run.Events {
		e.Behind = i < len(run.Events)-1
		if e.ID <= r.log.last {
			r.log.remember(e)
		} else if err := r.emit(e); err != nil {
			return err
		}
	}
	return nil
}

// emit yields a new event.
func (r *reader) emit(e Event) error {
	e.Restarted = r.log.restarted
	if r.log.doubtful && e.Missing == 0 {
		e.Missing = -1
	}
	r.log.add(e)
	if !r.yield(e) {
		return errStop
	}
	return nil
}
