// Package follow yields the events of one run, over as many connections as that
// takes.
//
// One rule places an event of the stream:
//
//   - If its id follows the last one and no known event has its content, it is
//     yielded at once.
//   - In all other cases (a gap, known content, an id that went back, no id) the run
//     is read again, paced. Events with new content are yielded; of events with equal
//     content, as many as the run holds. Then follow the events of the stream that
//     the run does not hold.
package follow

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"strconv"
	"time"

	"runs-mcp-server/client"
)

const (
	backoffFloor = 100 * time.Millisecond
	backoffBase  = 500 * time.Millisecond
	backoffCap   = 30 * time.Second
	// pollCap bounds the wait if the stream fails but the run can be read. Every
	// attempt is a poll then, and its events should not come late.
	pollCap = 5 * time.Second
	// stableTime is how long a connection must last to count as a success even if its
	// stream brought nothing: as long as the wait for its headers may take.
	stableTime = 25 * time.Second
)

// Events yields the events of a run after the cursor, in order and each once. It
// stops without an error when the run has ended. It works in the goroutine of its
// reader: breaking out of the loop closes the connection.
//
// A connection that breaks or falls silent is no error, and neither is one that
// fails for now (5xx, 429, no network). Events pauses (backoff) and connects again,
// with the newest id as Last-Event-ID.
//
// Every connection opens the stream, then reads the run with its stored events, and
// only then yields events of the stream: the API does not say what its stream
// replays. So nothing is lost between two connections, and a stream that always fails
// becomes a poll. Gaps that cannot be filled are marked: see Missing and Restarted of
// [client.Event].
//
// At most one error is yielded, and nothing after it. It is a [client.Error]: ctx
// has ended, or the API does not show the run or refuses the key (isFinal). A run
// or key that may be good must be refused several times in a row.
func Events(ctx context.Context, api *client.Client, caller client.Caller, runID client.RunID, after int64) iter.Seq2[client.Event, error] {
	return func(yield func(client.Event, error) bool) {
		r := newReader(api, caller, runID, after, func(e client.Event) bool { return yield(e, nil) })
		if err := r.run(ctx); err != nil && !errors.Is(err, errStop) {
			yieldError(yield, err)
		}
	}
}

// yieldError is not inlined, because its empty event would take stack as long as the
// run is followed. While less than 1.2 KiB of a stack of 8 KiB are in use, the garbage
// collector may halve it.
//
//go:noinline
func yieldError(yield func(client.Event, error) bool, err error) { yield(client.Event{}, err) }

// errStop ends the reader: its consumer broke out of the loop.
var errStop = errors.New("the consumer stopped")

// reader follows one run over many connections.
type reader struct {
	api    *client.Client
	caller client.Caller
	runID  client.RunID
	log    *eventLog

	lastEventID string        // the newest id of any stream
	retry       time.Duration // the reconnection time of the stream, 0 for none
	readable    bool          // the newest connection could read the run
	invalid     bool          // the newest answers to reads broke the contract
	wasRead     bool          // the run was read before
	refusals    int           // of the API, in a row since refusedAt
	refusedAt   time.Time
}

func newReader(api *client.Client, caller client.Caller, runID client.RunID, after int64, yield func(client.Event) bool) *reader {
	r := &reader{api: api, caller: caller, runID: runID, log: newEventLog(after, yield)}
	if after > 0 {
		r.lastEventID = strconv.FormatInt(after, 10)
	}
	return r
}

// run connects again and again. It returns nil when the run has ended.
func (r *reader) run(ctx context.Context) error {
	for failures := 0; ; failures++ {
		yielded, started := r.log.yielded, time.Now()
		ended, err := r.connect(ctx)
		switch {
		case ended && err == nil:
			return nil
		case errors.Is(err, errStop):
			return err
		case ctx.Err() != nil:
			return client.ContextError(ctx, "stream")
		case err != nil && r.isFinal(err):
			return err
		}
		// The connection broke (err is nil), or was not to be had for now (err says
		// why): pause, then connect again. After a success the pause is short, or the
		// next events would be late.
		if r.log.yielded > yielded || r.readable && time.Since(started) >= stableTime {
			failures = 0
		}
		select {
		case <-time.After(r.requestedWait(err) + r.backoff(failures)):
			r.api.NoteReconnect()
		case <-ctx.Done():
			return client.ContextError(ctx, "stream")
		}
	}
}

const (
	// maxRefusals is how often in a row the API must refuse a run before the reader
	// stops: a proxy's failure, or a store that lags behind a create, may pass.
	maxRefusals = 3
	// refusalTime is how long the refusals must last if the run was read before.
	refusalTime = 20 * time.Second
)

// isFinal counts the refusals of the API and reports whether the reader must stop.
func (r *reader) isFinal(err error) bool {
	var e *client.Error
	if r.readable || !errors.As(err, &e) {
		r.refusals = 0
		return false
	}
	badKey := e.Kind == client.Unauthorized || e.Kind == client.Misconfigured
	switch {
	case e.Kind == client.InvalidArgument && e.Status == 0:
		return true // the client itself refuses the request
	case badKey && !r.wasRead:
		return true // key or address were wrong from the start
	case !badKey && e.Kind != client.NotFound:
		r.refusals = 0
		return false
	}
	if r.refusals++; r.refusals == 1 {
		r.refusedAt = time.Now()
	}
	return r.refusals >= maxRefusals && (!r.wasRead || time.Since(r.refusedAt) >= refusalTime)
}

// requestedWait returns how long the API asks to wait before the next connection,
// by the stream's retry field or by Retry-After, within bounds.
func (r *reader) requestedWait(err error) time.Duration {
	return max(min(r.retry, r.maxPause()), retryAfter(err))
}

// backoff returns the wait before the next attempt: full jitter above a floor.
func (r *reader) backoff(failures int) time.Duration {
	return backoffFloor + rand.N(min(backoffBase<<min(failures, 10), r.maxPause()))
}

// maxPause bounds the pause between two connections that no error asks for.
func (r *reader) maxPause() time.Duration {
	if r.readable {
		return pollCap
	}
	return backoffCap
}
