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

// pace keeps the reads that events give cause for apart: a second, doubling to
// pollCap while they bring nothing new.
type pace struct {
	pause time.Duration
	next  time.Time // the earliest time of the next
}

func (p *pace) passed(news bool) {
	if p.pause *= 2; news || p.pause == 0 {
		p.pause = time.Second
	}
	p.pause = min(p.pause, pollCap)
	p.next = time.Now().Add(p.pause)
}

// connect follows one connection to its end. ended reports that the run has
// ended and all its events were given; err is why there was no connection.
func (r *reader) connect(ctx context.Context) (ended bool, err error) {
	// The stream is opened before the run is read, so that nothing can happen
	// between the two unseen.
	c := r.open(ctx)
	defer r.close(c)
	r.polled = false
	read := time.NewTimer(headerPatience)
	defer read.Stop()
	defer c.quiet.Stop()
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
			c.quiet.Reset(quietTime)
		case <-read.C:
			err = r.readIfDue(ctx, c)
		case <-c.quiet.C:
			r.heartbeats = c.opened && c.untilMute() > 0
			return c.over, nil
		case <-drained:
			return true, r.log.settle(nil)
		}
		read.Reset(time.Until(r.readAt(c)))
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
		c.opened, c.failed, c.pollAt = true, 0, time.Now()
		return nil
	}
	c.polls, c.pollAt = 0, time.Now().Add(muteTime)
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
	if c.err == nil && !r.due(c) {
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

// due reports whether the run is to be read for what the stream said.
func (r *reader) due(c *connection) bool { return r.log.unsettled && !time.Now().Before(c.pace.next) }

// readAt returns when the run is to be read next.
func (r *reader) readAt(c *connection) time.Time {
	if c.synced && r.log.unsettled && c.pace.next.Before(c.pollAt) {
		return c.pace.next
	}
	return c.pollAt
}

// readIfDue reads the run if a record of the stream gave cause for it, or if the
// stream is mute.
func (r *reader) readIfDue(ctx context.Context, c *connection) error {
	caused := !c.synced || r.due(c)
	switch {
	case !caused && c.over:
		c.pollAt = time.Now().Add(quietTime)
	case !caused && c.opened && c.untilMute() > 0:
		c.polls, c.pollAt = 0, time.Now().Add(c.untilMute())
	case c.synced && r.unreadable: // it may be too large; the next connection tries again
		return r.settle(c, nil)
	default:
		return r.read(ctx, c)
	}
	return nil
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
	if err != nil {
		return r.readFailed(ctx, c, err)
	}
	caused, before := c.synced && r.log.unsettled, r.log.read
	err = r.settle(c, run)
	if caused {
		c.pace.passed(r.log.read > before)
	}
	c.quiet.Reset(quietTime)
	return err
}

// settle gives what is new in a run that was read, nil where it is unreadable.
// After the first time the connection's records are received.
func (r *reader) settle(c *connection, run *client.Run) error {
	r.unreadable = run == nil
	if run != nil {
		r.polled, r.seen = true, true
		c.failed, c.over = 0, run.Status.Terminal()
	}
	err := r.log.settle(run)
	c.pollAt = time.Now().Add(c.pollPause())
	if c.opened && !c.synced {
		c.synced = true
		r.log.connected()
		c.polls, c.pollAt = 0, time.Now().Add(r.patience())
	}
	return err
}

// readFailed decides what a failed read means. One beside a stream that is
// followed costs nothing but time: the stream may bring links that are said only
// once. The first read of a connection is tried again, and the connection given
// up then; only where its answer is unreadable is the stream followed alone.
func (r *reader) readFailed(ctx context.Context, c *connection, err error) error {
	c.failed++
	kind := client.KindOf(err)
	passing := kind == client.Unavailable || kind == client.Timeout || kind == client.Invalid
	switch {
	case ctx.Err() != nil:
		return err
	case kind == client.Invalid && (r.unreadable || c.failed >= readTries):
		return r.settle(c, nil)
	case c.synced:
		c.pace.passed(false)
		c.pace.next = time.Now().Add(max(c.pace.pause, r.asked(err)))
		c.pollAt = time.Now().Add(max(c.pollPause(), r.asked(err)))
		return nil
	case passing && c.failed < readTries:
		c.pollAt = time.Now().Add(r.backoff(c.failed))
		return nil
	}
	return err
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
