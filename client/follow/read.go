package follow

import (
	"context"
	"time"

	"runs-mcp-server/client"
)

const (
	// headerPatience is how long a new stream may bring nothing, not even its
	// headers, before the run is read without it: a server may send the headers
	// with the first event.
	headerPatience = time.Second
	// muteTime is how long a stream that spoke may bring no byte before the run
	// is read meanwhile: longer than the API's heartbeats take. A proxy that
	// buffers holds back events as well.
	muteTime = 25 * time.Second
	// quietTime is how long a stream may tell nothing but that it lives before the
	// run is read again: what it left out, the end even, would else never show.
	quietTime = 5 * time.Minute
	// drainTime is how long the stream of a run that has ended may take to open
	// and to say what its stored events did not.
	drainTime = 2 * time.Second
	// readTries is how often in a row a connection's first read is tried: a stream
	// waits meanwhile, and what it says may be said once only.
	readTries = 3
	// pollTimeout bounds one read beside an open stream, whose events wait meanwhile.
	pollTimeout = 10 * time.Second
)

// pace keeps reads of the run apart: a second, doubling to pollCap.
type pace struct {
	pause time.Duration
	next  time.Time // the earliest time of the next read
}

// slow puts the next read off, by no less than the API asks for.
func (p *pace) slow(asked time.Duration) {
	p.pause = min(max(2*p.pause, time.Second), pollCap)
	p.next = time.Now().Add(max(p.pause, asked))
}

// restart begins anew with a read in so long.
func (p *pace) restart(in time.Duration) { *p = pace{next: time.Now().Add(in)} }

// connect follows one connection to its end. ended reports that the run has
// ended and all its events were given; err is why there was no connection.
func (r *reader) connect(ctx context.Context) (ended bool, err error) {
	// The stream is opened before the run is read, so that nothing can happen
	// between the two unseen.
	c := r.open(ctx)
	defer r.close(c)
	r.polled = false
	var drained <-chan time.Time
	for err == nil && !r.log.finished() {
		if c.over && drained == nil {
			drained = time.After(drainTime)
		}
		select {
		case next, open := <-r.records(c):
			if !open {
				return r.closed(ctx, c)
			}
			err = r.receive(c, next)
		case <-time.After(time.Until(r.readAt(c))):
			err = r.readIfDue(ctx, c)
		case <-drained:
			return true, r.log.settle(nil)
		}
	}
	return err == nil, err
}

// records returns the channel to receive from: none while the run must be read
// first, for without the stored events nothing tells what was missed since the
// last connection.
func (r *reader) records(c *connection) <-chan record {
	if c.opened && !c.synced || r.log.full() {
		return nil
	}
	return c.records
}

// receive deals with a record of the stream. The first says that it is open.
func (r *reader) receive(c *connection, next record) error {
	if !c.opened {
		c.opened, c.failed = true, 0
		c.polls.restart(0)
		return nil
	}
	c.told = time.Now()
	c.polls.restart(muteTime)
	if next.tooLarge != nil {
		r.resumeAt(next.tooLarge.ID)
		r.log.incomplete()
		return nil
	}
	r.resumeAt(next.id)
	return r.log.place(next.event)
}

// closed ends a connection whose stream is over or was refused. The run is read
// where it was refused, for then every connection is a poll, and for what is held.
func (r *reader) closed(ctx context.Context, c *connection) (ended bool, err error) {
	c.rethrow()
	if c.err == nil && len(r.log.held) == 0 {
		return c.over, nil
	}
	run, err := r.api.ReadRun(ctx, r.caller, r.runID)
	if err == nil {
		err = r.settle(c, run)
	}
	switch {
	case err != nil:
		return false, err
	case r.log.finished(), c.over:
		return true, nil
	}
	return false, c.err
}

// readAt returns when the run is to be read next.
func (r *reader) readAt(c *connection) time.Time {
	if c.synced && r.log.unsettled && c.reads.next.Before(c.polls.next) {
		return c.reads.next
	}
	return c.polls.next
}

// readIfDue reads the run at the beginning of a connection, for what the stream
// said, and while it says nothing.
func (r *reader) readIfDue(ctx context.Context, c *connection) error {
	due := r.log.unsettled && !time.Now().Before(c.reads.next)
	if c.synced && !due {
		quiet := time.Since(c.told) >= quietTime
		if mute := c.untilMute(); mute > 0 && !quiet || c.over {
			c.polls.restart(max(mute, time.Second))
			return nil
		}
	}
	if c.synced && r.unreadable { // it may be too large; the next connection tries again
		return r.settle(c, nil)
	}
	return r.read(ctx, c)
}

// read reads the run and gives what is new.
func (r *reader) read(ctx context.Context, c *connection) error {
	limited := ctx
	if c.synced {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, pollTimeout)
		defer cancel()
	}
	run, err := r.api.ReadRun(limited, r.caller, r.runID)
	if err == nil {
		return r.settle(c, run)
	}
	c.failed++
	invalid := client.KindOf(err) == client.Invalid
	passing := invalid || client.KindOf(err) == client.Unavailable || client.KindOf(err) == client.Timeout
	switch {
	case ctx.Err() != nil:
		return err
	case invalid && (r.unreadable || c.failed >= readTries):
		return r.settle(c, nil) // the stream is followed alone
	case !c.synced && (!passing || c.failed >= readTries):
		return err
	}
	// Beside an open stream it costs nothing but time: the stream may bring links
	// that are said only once.
	c.polls.slow(retryAfter(err))
	c.reads.slow(retryAfter(err))
	return nil
}

// settle gives what is new in a run that was read, nil where it is unreadable.
// After the first time the connection's records are received.
func (r *reader) settle(c *connection, run *client.Run) error {
	if r.unreadable = run == nil; run != nil {
		r.polled, r.seen = true, true
		c.failed, c.over = 0, run.Status.Terminal()
	}
	caused, before := c.synced && r.log.unsettled, r.log.read
	err := r.log.settle(run)
	if r.log.read > before {
		c.reads.restart(0)
	}
	if caused {
		c.reads.slow(0)
	}
	if c.opened && !c.synced {
		c.synced = true
		r.log.connected()
	}
	c.told = time.Now()
	c.polls.slow(0)
	return err
}
