package session

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Options set how a transport runs. The zero value of a field means its default.
type Options struct {
	// Logger gets what goes wrong, with ids and methods but no contents of
	// messages. Default: nothing is logged.
	Logger *slog.Logger
	// LineLimit is how many bytes one message over stdio may have, without its
	// line end. Default 4 MiB.
	LineLimit int
	// MaxCalls is how many calls may be in flight. Default 4,096.
	MaxCalls int
	// Grace is how long calls may go on after they were told to stop waiting
	// (Draining), at the end of the input and at a shutdown. Then they are
	// cancelled. Default 10 s: a call that creates or decides something gets
	// its answer from the API.
	Grace time.Duration
	// ElicitationTimeout is how long a person may take to answer. Default
	// 5 min.
	ElicitationTimeout time.Duration
	// Watch starts to watch a resource for a subscriber. Default nil: nothing
	// can be watched, and subscriptions are answered as mcp-go does. With it,
	// the server needs server.WithResourceCapabilities(true, …).
	Watch Watch
	// Tasks serves tasks. Default nil: there are none. With it, the server needs
	// server.WithResourceCapabilities(true, …): mcp-go ends listens of a server that
	// has nothing to watch.
	Tasks Tasks
	// Skills are what clients with skills can read. Default nil: there are none.
	Skills *Skills
	// Counts, if set, are counted up.
	Counts *Counts
	// Observe, if set, is told of each request.
	Observe Observe
}

// Counts are numbers of all clients together. They are safe for concurrent use.
type Counts struct {
	Sessions  atomic.Int64 // stateful sessions over HTTP that there are now
	Coalesced atomic.Int64 // changes, since the start, that were sent together with a later one
}

// WatchTask returns the watching of Tasks, nil if there are none.
func (o Options) WatchTask() Watch {
	if o.Tasks == nil {
		return nil
	}
	return o.Tasks.WatchTask
}

// CancelTimeout is how long calls that were cancelled may take to end, and their
// answers to be read. After that they are left behind.
const CancelTimeout = time.Second

// Watch starts to watch a resource for one subscriber. An error refuses the
// subscription. An error that wraps server.ErrResourceNotFound says that this
// caller has no resource of that name; a [*RefusedCallerError] says that this
// caller can watch nothing, and ends a listen.
//
// ctx has the values of the subscribing call. It is done when the subscription
// ends, or when the call ends before Watch has returned.
//
// changed may be called from any goroutine, also before Watch returns, and never
// blocks. The client gets the last meta as _meta of
// notifications/resources/updated; the map must not be changed afterwards.
//
// stop is called once. It must not wait for a running call of changed.
type Watch func(ctx context.Context, uri string, changed func(meta map[string]any)) (stop func(), err error)

// RefusedCallerError is the error of a Watch that refuses the caller, not the
// resource. Its text is that of Err.
type RefusedCallerError struct{ Err error }

func (e *RefusedCallerError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *RefusedCallerError) Unwrap() error { return e.Err }

// Tasks serves tasks: work that goes on when the call that started it has been
// answered. Stateless clients (2026-07-28) have them by the extension
// io.modelcontextprotocol/tasks, stateful ones of 2025-11-25 by the protocol itself.
// mcp-go's own tasks live in its memory, and it does not know the extension
// (docs/decisions/0013).
//
// A context has what a handler's has: the session, the values of the caller, and what
// the client can do. An error that wraps mcp.ErrInvalidParams is answered with -32602,
// any other with -32603; both have the error's text. The error for a task that does
// not exist is the same as for another caller's.
type Tasks interface {
	// Offer says what of tasks a server offers its clients.
	Offer(*server.MCPServer) TaskOffer
	// GetTask returns a task in the shape of the client's revision, as a value that
	// is a JSON object. watched says that the client is told of a change: after an
	// error, the task is read again later.
	GetTask(ctx context.Context, taskID string, watched bool) (any, error)
	// UpdateTask takes the client's answers to the input requests of a task, by their
	// keys. Keys that mean nothing are ignored. Stateless clients only.
	UpdateTask(ctx context.Context, taskID string, answers mcp.InputResponses) error
	// CancelTask has a task stopped. Stateful clients are sent the task that it
	// returns.
	CancelTask(ctx context.Context, taskID string) (any, error)
	// ListTasks returns a page of the caller's tasks. Stateful clients only.
	ListTasks(ctx context.Context, cursor string) (any, error)
	// TaskResult waits until a task has ended, and returns what its call would have
	// returned. Stateful clients only.
	TaskResult(ctx context.Context, taskID string) (any, error)
	// WatchTask is a [Watch] of a task.
	WatchTask(ctx context.Context, taskID string, changed func(meta map[string]any)) (stop func(), err error)
}

// TaskOffer is what a server offers of tasks.
type TaskOffer struct {
	Tools  []string // whose calls can become tasks; empty: there are no tasks
	Cancel bool     // tasks can be stopped

	// ServerInfo is how the server identifies itself in results (2026-07-28).
	ServerInfo mcp.Implementation
}

// WithDefaults returns a copy with the defaults filled in.
func (o Options) WithDefaults() (Options, error) {
	if o.LineLimit < 0 || o.MaxCalls < 0 || o.Grace < 0 || o.ElicitationTimeout < 0 {
		return o, ErrNegativeOption
	}
	if o.Counts == nil {
		o.Counts = new(Counts)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.LineLimit = cmp.Or(o.LineLimit, 4<<20)
	o.MaxCalls = cmp.Or(o.MaxCalls, 4096)
	o.Grace = cmp.Or(o.Grace, 10*time.Second)
	o.ElicitationTimeout = cmp.Or(o.ElicitationTimeout, 5*time.Minute)
	return o, nil
}

// ErrNegativeOption refuses options with a number or time below zero.
var ErrNegativeOption = errors.New("transport: a limit or time in the options is negative. Leave it 0 for its default")
