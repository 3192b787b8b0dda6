package transport

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Options set how a transport runs. The zero value of a field means its default.
type Options struct {
	// Logger gets what goes wrong, with ids and methods but no contents of
	// messages. Default: nothing is logged.
	Logger *slog.Logger
	// LineLimit is how many bytes one message may have, without its line end.
	// Default 4 MiB.
	LineLimit int
	// MaxCalls is how many calls may be in flight. Default 4,096.
	MaxCalls int
	// Grace is how long calls may go on after they were told to stop waiting
	// (Draining), at the end of the input and at a shutdown; then they are
	// cancelled. Default 10 s: what creates or decides something gets its
	// answer from the API.
	Grace time.Duration
	// ElicitationTimeout is how long a person may take to answer. Default
	// 5 min.
	ElicitationTimeout time.Duration
	// Watch begins to watch a resource for a subscriber. Default nil: nothing
	// can be watched, and subscriptions are answered as mcp-go does. With it,
	// the server needs server.WithResourceCapabilities(true, …).
	Watch Watch
}

const (
	// lastMoment is how long calls that were cancelled may take to end, and
	// their answers to be read. After that they are left behind.
	lastMoment = time.Second
	// unreadTimeout is how long the client of a pipe may leave a line unread
	// once it is to be the last: below the 4 s after which clients use force.
	unreadTimeout = 3 * time.Second
)

// Watch begins to watch a resource for one subscriber. An error refuses the
// subscription; one that wraps server.ErrResourceNotFound says that there is
// nothing of that name for this caller.
//
// ctx has the values of the subscribing call and is done when the subscription
// ends, or when the call does before Watch has returned. changed may be called
// from any goroutine, also before Watch returns; it never blocks, and what meta
// says last is what the client hears, as _meta of notifications/resources/updated.
// The map is not to be changed any more. stop is called once, and must not wait for a changed
// under way to return.
type Watch func(ctx context.Context, uri string, changed func(meta map[string]any)) (stop func(), err error)

// checked is a copy with the defaults filled in.
func (o Options) checked() (Options, error) {
	if o.LineLimit < 0 || o.MaxCalls < 0 || o.Grace < 0 || o.ElicitationTimeout < 0 {
		return o, errors.New("transport: a limit or time in the options is negative. Leave it 0 for its default")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.LineLimit = orDefault(o.LineLimit, 4<<20)
	o.MaxCalls = orDefault(o.MaxCalls, 4096)
	o.Grace = orDefault(o.Grace, 10*time.Second)
	o.ElicitationTimeout = orDefault(o.ElicitationTimeout, 5*time.Minute)
	return o, nil
}

// orDefault is v, or def when v is zero.
func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
