// Package follow yields what happens to one run, over as many connections as
// that takes.
//
// One rule places an event of the stream: if its id follows the last one and its
// content is no known event's, it is given at once. For anything else (a gap, a
// known content, an id that went back, no id) the run is read again, paced, and
// what is new in it by content is given; of equal contents their number decides.
// What the stored events lack as well is given then.
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
	// pollCap bounds the wait where the stream fails but the run can be read:
	// then every attempt is a poll, and its events should not come late.
	pollCap = 5 * time.Second
	// lasting is how long a connection must last to be no failure, even if its
	// stream brought nothing: as long as the wait for its headers may take.
	lasting = 25 * time.Second
)

// Events yields what happens to a run after the cursor, in order, each event
// once, until the run has ended; then it stops without an error. It works in
// the goroutine of its reader: breaking out of the loop closes the connection.
//
// Every connection begins with reading the run's stored events, for nothing
// is known of what the stream replays; so a stream that fails altogether is a
// poll. What cannot be told is marked in the event: see Missing and Restarted of
// [client.Event].
//
// The error, at most one and always last, is a [client.Error]: the run cannot be
// seen or the key is refused, again and again, or ctx has ended.
func Events(ctx context.Context, api *client.Client, caller client.Caller, runID client.RunID, after int64) iter.Seq2[client.Event, error] {
	return func(yield func(client.Event, error) bool) {
		r := &reader{
			api: api, caller: caller, runID: runID,
			log: newEventLog(after, func(e client.Event) bool { return yield(e, nil) }),
		}
		if after > 0 {
			r.lastEventID = strconv.FormatInt(after, 10)
		}
		if err := r.run(ctx); err != nil && !errors.Is(err, errStop) {
			yield(client.Event{}, err)
		}
	}
}

// errStop ends the reader without an error: its consumer broke out of the loop.
var errStop = errors.New("the consumer stopped")

// reader follows one run over many connections.
type reader struct {
	api    *client.Client
	caller client.Caller
	runID  client.RunID

	log         *eventLog
	lastEventID string        // the newest id seen on any stream
	retry       time.Duration // what the stream asked for, 0 when nothing
	polled      bool          // the last connection could read the run itself
	unreadable  bool          // the last answers were none that the contract allows
	seen        bool          // the run was read before
	refusals    int           // how often in a row it was refused since refusedAt
	refusedAt   time.Time
}

// run connects until the run has ended. It returns nil then.
func (r *reader) run(ctx context.Context) error {
	for failures := 0; ; failures++ {
		before, began := r.log.given, time.Now()
		ended, err := r.connect(ctx)
		if ended && err == nil {
			return nil
		}
		if errors.Is(err, errStop) {
			return err
		}
		if ctx.Err() != nil {
			return client.ContextError(ctx, "stream")
		}
		if err != nil && r.gaveUp(err) {
			return err
		}
		// What happens during a long pause would be seen late.
		if r.log.given > before || r.polled && time.Since(began) >= lasting {
			failures = 0
		}
		select {
		case <-time.After(r.asked(err) + r.backoff(failures)):
		case <-ctx.Done():
			return client.ContextError(ctx, "stream")
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
	var e *client.Error
	switch {
	case r.polled, !errors.As(err, &e):
		r.refusals = 0
		return false
	case e.Kind == client.InvalidArgument && e.Status == 0, !r.seen && (e.Kind == client.Unauthorized || e.Kind == client.Misconfigured):
		return true // we refuse it ourselves, or key or address are wrong from the start
	case e.Kind != client.NotFound && e.Kind != client.Unauthorized && e.Kind != client.Misconfigured:
		r.refusals = 0
		return false
	}
	if r.refusals++; r.refusals == 1 {
		r.refusedAt = time.Now()
	}
	return r.refusals >= maxRefusals && (!r.seen || time.Since(r.refusedAt) >= refusalTime)
}

// asked returns how long the API asks to wait before the next connection, by
// the stream's retry field or by Retry-After, within bounds.
func (r *reader) asked(err error) time.Duration {
	return max(min(r.retry, r.ceiling()), retryAfter(err))
}

// retryAfter returns how long an error says to wait, up to a minute.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return min(e.RetryAfter, time.Minute)
	}
	return 0
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
