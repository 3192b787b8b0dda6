package client

import (
	"context"
	"errors"
	"time"

	"runs-mcp-server/internal/sse"
)

// connection opens a stream and reads it in a goroutine of its own, so that the
// reader can poll while the stream is mute.
type connection struct {
	cancel context.CancelFunc
	// records is unbuffered: the stream is read one record ahead. The first
	// record is empty and says that the stream is open; the channel is closed
	// when the stream is over or was refused.
	records  chan record
	stream   *stream // both are set before the first record or the close
	err      error   // why there is no stream
	panicked any     // set before the close
	polls    int     // in a row because the stream is mute; only the reader uses it
}

// record is an event of the stream, or one that was too large for it.
type record struct {
	event    Event
	id       string
	tooLarge *sse.TooLargeError
}

// open connects to the stream. The caller closes the connection.
func (r *reader) open(ctx context.Context) *connection {
	ctx, cancel := context.WithCancel(ctx)
	c := &connection{cancel: cancel, records: make(chan record)}
	go func() {
		defer close(c.records)
		defer func() { c.panicked = recover() }()
		if c.stream, c.err = r.client.openStream(ctx, r.caller, r.runID, r.lastEventID); c.err == nil {
			defer c.stream.close()
			c.read(ctx)
		}
	}()
	return c
}

// read hands over the records of the open stream until it is over.
func (c *connection) read(ctx context.Context) {
	for next := (record{}); ; {
		select {
		case c.records <- next:
		case <-ctx.Done():
			return
		}
		var err error
		next = record{}
		next.event, next.id, err = c.stream.next()
		if err != nil && !errors.As(err, &next.tooLarge) {
			return // cut off, silent or closed
		}
	}
}

// opened waits up to d and reports whether the stream was opened or refused.
func (c *connection) opened(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case _, open := <-c.records:
		if !open {
			c.rethrow()
		}
		return true
	case <-t.C:
		return false
	}
}

// rethrow raises a panic of the goroutine again, in the reader's goroutine, whose
// callers may recover. records must be closed.
func (c *connection) rethrow() {
	if c.panicked != nil {
		panic(c.panicked)
	}
}

// pollPause counts a poll and returns the time to the next: 2 s, 4 s, then pollCap.
func (c *connection) pollPause() time.Duration {
	c.polls++
	return grow(headerPatience, c.polls, pollCap)
}

// close ends the goroutine and with it the stream.
func (c *connection) close() {
	c.cancel()
	for range c.records {
	}
}

// retry returns the reconnection time that the stream asked for, if it did.
// The connection must be closed.
func (c *connection) retry() (time.Duration, bool) {
	if c.stream == nil {
		return 0, false
	}
	return c.stream.frames.Retry()
}
