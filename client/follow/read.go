package follow

import (
	"context"
	"errors"
	"time"

	"runs-mcp-server/client"
)

const (
	// firstByteTime is how long a new stream may bring nothing, not even its headers,
	// before the run is read without it: a server may send the headers with the first
	// event.
	firstByteTime = time.Second
	// muteTime is how long a stream may bring no further byte before the run is read
	// meanwhile. It is longer than the API's heartbeats take. A proxy that buffers the
	// stream holds back events as well.
	muteTime = 25 * time.Second
	// quietTime is how long a stream may bring nothing but heartbeats before the run is
	// read again. An event that the stream left out, even the end, would never show.
	quietTime = 5 * time.Minute
	// drainTime is how long the stream of a run that has ended may take to open and to
	// bring what the stored events lack.
	drainTime = 2 * time.Second
	// readTries is how often in a row the first read of a connection is tried. The
	// stream waits meanwhile, and may bring its events only once.
	readTries = 3
	// pollTimeout bounds one read beside an open stream, whose events wait meanwhile.
	pollTimeout = 10 * time.Second
)

// connect follows one connection to its end. It returns
//
//   - true, nil: the run has ended, and all its events were yielded;
//   - false, nil: the stream broke or was closed, and the run goes on;
//   - an error: the stream could not be opened or the run not be read, ctx has
//     ended, or the consumer stopped (errStop).
func (r *reader) connect(ctx context.Context) (ended bool, err error) {
	// The stream is opened before the run is read, so that nothing that happens
	// between the two is missed.
	c := r.open(ctx)
	defer r.close(c)
	r.readable = false
	var drained <-chan time.Time
	for err == nil && !r.log.finished() {
		if c.runEnded && drained == nil {
			drained = time.After(drainTime)
		}
		select {
		case next, open := <-r.nextRecords(c):
			if !open {
				return r.finish(ctx, c)
			}
			err = r.receive(c, next)
		case <-time.After(time.Until(r.nextRead(c))):
			err = r.readIfDue(ctx, c)
		case <-drained:
			return true, r.log.releaseHeld(false)
		}
	}
	return err == nil, err
}

// nextRecords returns the channel to receive records from. It is nil while the run
// must be read first: only the stored events show what was missed since the last
// connection.
func (r *reader) nextRecords(c *connection) <-chan record {
	if c.opened && !c.synced || r.log.full() {
		return nil
	}
	return c.records
}

// receive handles a record of the stream. The first says that the stream is open.
func (r *reader) receive(c *connection, next record) error {
	if !c.opened {
		c.opened, c.failedReads = true, 0
		c.polls.reset(0)
		return nil
	}
	c.lastNews = time.Now()
	c.polls.reset(muteTime)
	if next.tooLarge != nil {
		r.resumeAfter(next.tooLarge.ID)
		r.log.markGap()
		return nil
	}
	r.resumeAfter(next.ID)
	return r.log.placeEvent(next.Decode())
}

// finish ends a connection whose stream is over or was refused. It reads the run if
// the stream was refused, for then every connection is a poll, or if events are held.
func (r *reader) finish(ctx context.Context, c *connection) (ended bool, err error) {
	c.rethrow()
	if c.err == nil && len(r.log.held) == 0 {
		return c.runEnded, nil
	}
	run, err := r.api.ReadRun(ctx, r.caller, r.runID)
	if err == nil {
		err = r.applyRead(c, run)
	}
	switch {
	case err != nil:
		return false, err
	case r.log.finished(), c.runEnded:
		return true, nil
	}
	return false, c.err
}

// nextRead returns the time of the next read.
func (r *reader) nextRead(c *connection) time.Time {
	if c.synced && r.log.needsRead && c.rereads.next.Before(c.polls.next) {
		return c.rereads.next
	}
	return c.polls.next
}

// readIfDue reads the run at the beginning of a connection, when the stream gives
// cause for it, and while the stream is mute or quiet.
func (r *reader) readIfDue(ctx context.Context, c *connection) error {
	hasCause := r.log.needsRead && !time.Now().Before(c.rereads.next)
	if c.synced && !hasCause {
		mute, quiet := c.untilMute(), time.Since(c.lastNews) >= quietTime
		if mute > 0 && !quiet || c.runEnded {
			c.polls.reset(max(mute, time.Second))
			return nil
		}
	}
	if c.synced && r.invalid { // the run may be too large; the next connection tries again
		return r.applyRead(c, nil)
	}
	return r.read(ctx, c)
}

// read reads the run and yields what is new.
func (r *reader) read(ctx context.Context, c *connection) error {
	limited := ctx
	if c.synced {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, pollTimeout)
		defer cancel()
	}
	run, err := r.api.ReadRun(limited, r.caller, r.runID)
	if err == nil {
		return r.applyRead(c, run)
	}
	c.failedReads++
	kind := client.KindOf(err)
	invalid := kind == client.Invalid
	temporary := invalid || kind == client.Unavailable || kind == client.Timeout
	switch {
	case ctx.Err() != nil:
		return err
	case invalid && (r.invalid || c.failedReads >= readTries):
		return r.applyRead(c, nil)
	case !c.synced && (!temporary || c.failedReads >= readTries):
		return err
	}
	// The stream stays open: it may bring links that are sent only once.
	c.polls.delay(retryAfter(err))
	c.rereads.delay(retryAfter(err))
	return nil
}

// applyRead yields what is new in a run that was read, and what is still held. run
// is nil if its answers break the contract: then the stream is followed alone. From
// the first time on the connection's records are received.
func (r *reader) applyRead(c *connection, run *client.Run) (err error) {
	hadCause, yieldedStored := c.synced && r.log.needsRead, r.log.yieldedStored
	r.invalid = run == nil
	if run != nil {
		r.readable, r.wasRead = true, true
		c.failedReads, c.runEnded = 0, run.Status.Terminal()
		err = r.log.mergeRun(run)
	} else {
		err = r.log.releaseHeld(false)
	}
	if r.log.yieldedStored > yieldedStored {
		c.rereads.reset(0)
	}
	if hadCause {
		c.rereads.delay(0)
	}
	if c.opened && !c.synced {
		c.synced = true
		r.log.startStream()
	}
	c.lastNews = time.Now()
	c.polls.delay(0)
	return err
}

// retryAfter returns how long an error asks to wait, up to a minute.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return min(e.RetryAfter, time.Minute)
	}
	return 0
}
