package follow

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"runs-mcp-server/client"
)

// connection opens a stream and reads it in a goroutine of its own, so that the
// reader can poll while the stream is mute.
type connection struct {
	cancel context.CancelFunc
	// records is unbuffered: the stream is read one record ahead. The first
	// record is empty and says that the stream is open; the channel is closed
	// when the stream is over or was refused.
	records  chan record
	stream   *client.Stream // both are set before the first record or the close
	err      error          // why there is no stream
	panicked any            // set before the close

	// Only the reader uses the rest.
	opened bool
	synced bool      // the run was read since, or can never be
	over   bool      // it said that it has ended
	failed int       // reads in a row
	polls  pace      // reads while the stream brings nothing
	reads  pace      // those that it gives cause for
	told   time.Time // when it said something last, or the run was read
}

// record is an event of the stream, or one that was too large for it.
type record struct {
	event    client.Event
	id       string
	tooLarge *client.TooLargeError
}

// open connects to the stream. The caller closes the connection.
func (r *reader) open(ctx context.Context) *connection {
	ctx, cancel := context.WithCancel(ctx)
	c := &connection{cancel: cancel, records: make(chan record)}
	c.polls.slow(headerPatience)
	go func() {
		defer close(c.records)
		defer func() { c.panicked = recover() }()
		if c.stream, c.err = r.api.OpenStream(ctx, r.caller, r.runID, r.lastEventID); c.err == nil {
			defer c.stream.Close()
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
		next.event, next.id, err = c.stream.Next()
		if err != nil && !errors.As(err, &next.tooLarge) {
			return // cut off, silent or closed
		}
	}
}

// rethrow raises a panic of the goroutine again, in the reader's goroutine, whose
// callers may recover. records must be closed.
func (c *connection) rethrow() {
	if c.panicked != nil {
		panic(c.panicked)
	}
}

// untilMute returns how long until the open stream is mute: at once if it has
// brought no byte yet, else muteTime after the last.
func (c *connection) untilMute() time.Duration { return muteTime - time.Since(c.stream.LastByte()) }

// close ends the goroutine and with it the stream. A wait that the stream asked
// for is for the next connection.
func (r *reader) close(c *connection) {
	c.cancel()
	for range c.records {
	}
	if c.stream == nil {
		return
	}
	if retry, ok := c.stream.Retry(); ok {
		r.retry = retry
	}
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
