package follow

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"runs-mcp-server/client"
)

// connection is a stream that a goroutine of its own opens and reads, so that the
// reader can poll while the stream is mute.
type connection struct {
	cancel context.CancelFunc
	// records is unbuffered: the goroutine is one record ahead. The first record is
	// empty and says that the stream is open. The channel is closed when the stream is
	// over or was refused.
	records  chan record
	stream   *client.Stream // set, like err, before the first record or the close
	err      error          // why there is no stream
	panicked any            // set before the close

	// Only the reader uses the rest.
	opened      bool      // the stream is open
	synced      bool      // the run was read since, or its answers break the contract
	runEnded    bool      // the run has a terminal status
	failedReads int       // in a row
	polls       pace      // of reads while the stream brings nothing
	rereads     pace      // of reads for which the stream gave cause
	lastNews    time.Time // of the last record or read
}

// record is an event of the stream, or one that was too large for it.
type record struct {
	client.Record
	tooLarge *client.TooLargeError
}

// open connects to the stream. The caller closes the connection.
func (r *reader) open(ctx context.Context) *connection {
	ctx, cancel := context.WithCancel(ctx)
	c := &connection{cancel: cancel, records: make(chan record)}
	c.polls.delay(firstByteTime)
	go func() {
		defer c.start(ctx)
		c.stream, c.err = r.api.OpenStream(ctx, r.caller, r.runID, r.lastEventID)
	}()
	return c
}

// start, deferred by the goroutine that opened the stream, starts the one that reads
// it. Opening takes a stack of 8 KiB, reading one of 4, as long as the stream lasts.
func (c *connection) start(ctx context.Context) {
	c.panicked = recover()
	if c.stream == nil { // refused, or a panic
		close(c.records)
		return
	}
	go c.readStream(ctx)
}

// readStream sends the records of the open stream until it is over.
func (c *connection) readStream(ctx context.Context) {
	defer close(c.records)
	defer func() { c.panicked = recover() }()
	defer c.stream.Close()
	for next := (record{}); ; {
		select {
		case c.records <- next:
		case <-ctx.Done():
			return
		}
		var err error
		next = record{}
		next.Record, err = c.stream.Next()
		if err != nil && !errors.As(err, &next.tooLarge) {
			return // cut off, silent or closed
		}
	}
}

// rethrow raises a panic of the goroutine again in that of the reader, whose callers
// may recover it. records must be closed.
func (c *connection) rethrow() {
	if c.panicked != nil {
		panic(c.panicked)
	}
}

// untilMute returns how long until the open stream is mute: muteTime after its last
// byte, and not positive before its first.
func (c *connection) untilMute() time.Duration { return muteTime - time.Since(c.stream.LastByte()) }

// close ends the goroutine and its stream, and keeps the reconnection time that the
// stream asked for.
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

// resumeAfter sets the id that the next connection sends as Last-Event-ID. An id
// that fits into no header is ignored: it would make every later connection fail.
// Without it the API may repeat more, and repetitions are dropped.
func (r *reader) resumeAfter(id string) {
	if id != "" && len(id) <= maxLastEventID && !strings.ContainsFunc(id, unicode.IsControl) {
		r.lastEventID = id
	}
}

// pace spaces the reads of the run: a second apart, doubled up to pollCap.
type pace struct {
	pause time.Duration
	next  time.Time // the earliest time of the next read
}

// delay puts the next read off, by no less than the API asks for.
func (p *pace) delay(requested time.Duration) {
	p.pause = min(max(2*p.pause, time.Second), pollCap)
	p.next = time.Now().Add(max(p.pause, requested))
}

// reset starts anew, with the next read after a wait.
func (p *pace) reset(wait time.Duration) { *p = pace{next: time.Now().Add(wait)} }
