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
	heartbeats  bool      // the last connection ended for want of events while heartbeats came
}

// run connects until the run has ended. It returns nil then.
func (r *reader) run(ctx context.Context) error {
	for failures := 0; ; failures++ {
		before, began := r.log.yielded, time.Now()
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
		// A connection that lasted is no failure, even if it was mute: what happens
		// during a long pause would be seen late.
		if r.log.yielded > before || r.polled && time.Since(began) >= headerTimeout {
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

// headerPatience is how long a new stream may bring nothing, not even its
// headers, before the run is read without it: a server may send the headers
// with the first event.
const headerPatience = time.Second

// connect follows one connection to its end. ended reports that the run has
// ended and all its events were yielded; err is why there was no connection.
func (r *reader) connect(ctx context.Context) (ended bool, err error) {
	// The stream is opened before the run is read, so that nothing can happen
	// between the two unseen.
	c := r.open(ctx)
	defer func() {
		c.close()
		if retry, ok := c.retry(); ok {
			r.retry = retry
		}
	}()
	if ended, err := r.await(ctx, c); ended || err != nil {
		return ended, err
	}
	// Without the stored events nothing tells what was missed since the last
	// connection, so a stream is not followed without them, unless they can
	// never be read: too many for one answer, say.
	over, err := r.poll(ctx)
	switch {
	case err != nil && (c.err != nil || KindOf(err) != Invalid):
		return false, err
	case r.log.ended, over && c.err != nil:
		return true, nil
	case c.err != nil:
		return false, c.err
	}
	return r.follow(ctx, c, over)
}

// await waits until the stream is opened or refused, and polls meanwhile. ended
// reports that the run has ended and its stream did not open in drainTime.
func (r *reader) await(ctx context.Context, c *connection) (ended bool, err error) {
	over, wait := false, headerPatience
	for !c.opened(wait) {
		if over {
			return true, nil // drainTime has passed
		}
		if c.polls == 0 {
			over, err = r.poll(ctx)
			wait = c.pollPause()
		} else {
			over, wait, err = r.pollOnce(ctx, c)
		}
		if err != nil && KindOf(err) != Invalid {
			return false, err
		}
		if r.log.ended {
			return true, nil
		}
		if over {
			wait = drainTime
		}
	}
	c.polls = 0
	return false, nil
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

// pollTimeout bounds one poll behind a mute stream, whose events wait meanwhile.
const pollTimeout = 10 * time.Second

// pollOnce is poll with a single try, for a stream that is mute. It has no error
// of its own: the stream is kept, for it may bring links that are said only
// once, and the next poll tries again. wait is the time until then.
func (r *reader) pollOnce(ctx context.Context, c *connection) (over bool, wait time.Duration, err error) {
	wait = c.pollPause()
	if r.unreadable {
		return false, wait, nil // it may be too large; the next connection tries again
	}
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	run, err := r.client.readRun(ctx, r.caller, r.runID)
	if err != nil {
		return false, max(wait, r.asked(err)), nil
	}
	return run.Status.Terminal(), wait, r.catchUp(run)
}

// pollIfMute is pollOnce if the open stream is mute. Else wait is the time until
// it may be.
func (r *reader) pollIfMute(ctx context.Context, c *connection) (over bool, wait time.Duration, err error) {
	if wait := c.stream.untilMute(); wait > 0 {
		c.polls = 0
		return false, wait, nil
	}
	return r.pollOnce(ctx, c)
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

// follow yields the events of an open stream until it breaks or the run has
// ended, and polls while the stream is mute. over says that the run has ended
// already: then the stream is given drainTime to replay what the stored events
// lacked.
func (r *reader) follow(ctx context.Context, c *connection, over bool) (ended bool, err error) {
	r.at.reconnect()
	mute, quiet := time.NewTimer(r.patience()), time.NewTimer(quietTime)
	defer mute.Stop()
	defer quiet.Stop()
	var drained <-chan time.Time
	for !r.log.ended {
		if over && drained == nil {
			drained = time.After(drainTime)
		}
		select {
		case next, open := <-c.records:
			if !open {
				c.rethrow()
				return over, nil // connect again
			}
			err = r.take(ctx, next)
			c.polls = 0
			mute.Reset(muteTime)
			quiet.Reset(quietTime)
		case <-mute.C:
			if over {
				continue
			}
			var wait time.Duration
			over, wait, err = r.pollIfMute(ctx, c)
			mute.Reset(wait)
		case <-quiet.C:
			r.heartbeats = c.stream.untilMute() > 0
			return over, nil
		case <-drained:
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// patience is how long the open stream may bring nothing before the first poll:
// until after the first heartbeat, if those are known to come through.
func (r *reader) patience() time.Duration {
	if r.heartbeats {
		r.heartbeats = false
		return muteTime
	}
	return headerPatience
}

// take deals with a record of the stream.
func (r *reader) take(ctx context.Context, next record) error {
	if next.tooLarge != nil {
		return r.refill(ctx, next.tooLarge.ID)
	}
	return r.accept(ctx, next.event, next.id)
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
