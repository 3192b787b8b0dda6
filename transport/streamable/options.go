package streamable

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport/session"
)

// ErrForbidden says of a request that its caller may not make it, whatever key
// they send.
var ErrForbidden = errors.New("forbidden")

// Options set how [Serve] runs. The zero value of a field means its default.
// session.Options.MaxCalls is the limit of all callers together; LineLimit has no
// meaning here.
type Options struct {
	session.Options

	// Server picks the MCPServer that answers a request. A header may pick one
	// that can do less, never one that can do more than the operator allowed.
	// It must be set.
	Server func(*http.Request) *server.MCPServer
	// Identify returns the caller of a request: an id of any form, which keeps
	// callers apart and is neither logged nor sent, and the context whose
	// values its calls get. An error is the text of a 401, or of a 403 if it
	// wraps [ErrForbidden]. A 401 has no WWW-Authenticate, because that would
	// send clients to look for an authorization server. Default: all requests
	// have the same caller.
	Identify func(*http.Request) (callerID string, ctx context.Context, err error)
	// IsKnown reports whether the caller of a context that Identify returned is
	// known to the API behind this server. All others are strangers: they share
	// little, and give way to each other. It is called often, and must not
	// block. Default: all callers are known.
	IsKnown func(ctx context.Context) bool
	// Introduce asks the API about the caller of a context that Identify returned;
	// IsKnown tells what came of it. It is called before the body of a stranger's
	// large message is read. Default: nobody is asked.
	Introduce func(ctx context.Context)
	// Ready is called by /readyz; the text of an error is the response. Default:
	// ready until ctx is done.
	Ready func() error
	// Wrap, if set, wraps the handler of all requests.
	Wrap func(http.Handler) http.Handler
	// PathPrefix stands before all paths, for proxies that do not remove their
	// own: "/runs" serves /runs/mcp, /runs/healthz and /runs/readyz. The latter
	// two stay at /healthz and /readyz as well. Default none.
	PathPrefix string
	// Card is the server card, which anybody may read at PathPrefix/mcp/server-card,
	// whatever Host and Origin they send. Default: there is none.
	Card []byte

	// AllowedHosts are the Host headers accepted beside loopback names and
	// addresses: "name" with any port, or "name:port".
	AllowedHosts []string
	// AllowedOrigins are the origins of web pages accepted beside those on
	// loopback: "https://name" or "https://name:port". There are no patterns.
	AllowedOrigins []string

	// CallsPerCaller is how many calls a caller may have in flight, waiting
	// ones and listens included. Default 256.
	CallsPerCaller int
	// StreamsPerCaller is how many responses to GET and to
	// subscriptions/listen a caller may hold open. Default 128.
	StreamsPerCaller int
	// Streams is the same for all callers together. Default 4,096.
	Streams int
	// SessionsPerCaller is how many stateful sessions a caller may have.
	// Default 256.
	SessionsPerCaller int
	// Sessions is the same for all callers together. Default 4,096.
	Sessions int
	// WatchesPerCaller is how many resources a caller may watch, with all its
	// sessions and listens together. Default 1,024.
	WatchesPerCaller int
	// Watches is the same for all callers together. Default 4,096.
	Watches int
	// BytesPerCaller is how many bytes a caller may take: its requests with what it
	// takes to answer them, its sessions, and messages that its clients have not
	// read or may ask for again. Default 32 MiB.
	BytesPerCaller int
	// Bytes is the same for all callers together. Default 256 MiB.
	Bytes int
	// StrangerBytes is the same for all strangers together, which are not part of
	// Bytes. Default 12 MiB.
	StrangerBytes int
	// SessionIdle is after what time without a request, an open response or
	// a call in flight a session ends. Default 30 min.
	SessionIdle time.Duration

	// WatchGrace is how long what a session has subscribed to is watched while no GET
	// is open, which carries the updates. Default 10 s.
	WatchGrace time.Duration

	// Drain is how long requests are still accepted after ctx is done, while
	// /readyz says that the server is not ready: the time that a proxy needs to
	// notice. Default none.
	Drain time.Duration

	// Connections is how many connections may be open: half of the file
	// descriptors that the process may have, if that is less. Beyond that, the
	// one that has been idle for longest is closed, a stranger's first. An idle
	// one takes 20 KiB. Default 8,192: one for each stream and each call.
	Connections int
	// StrangerConnections is how many of them may be strangers'. A connection is
	// a stranger's until a request of a known caller has come on it. Beyond
	// that, the one that has been idle for longest is closed; the one that has
	// been served for longest if all are served. Default 512.
	StrangerConnections int

	// BodyLimit is how many bytes the body of a request may have. Default
	// 1 MiB.
	BodyLimit int64
	// HeaderTimeout is how long a client may take to send the header of a
	// request. Default 5 s.
	HeaderTimeout time.Duration
	// BodyTimeout is how long it may take for header and body. Default 15 s.
	BodyTimeout time.Duration
	// WriteTimeout is how long a client may leave a written piece (64 KiB at
	// most) unread before the response ends. Default 20 s.
	WriteTimeout time.Duration
	// StrangerTimeout is the same for a stranger, and how long its body may take
	// after the header. Default 5 s.
	StrangerTimeout time.Duration
	// KeepAlive is after what time without a message an open response gets a
	// comment, so that no proxy takes it for dead. Default 15 s.
	KeepAlive time.Duration
}

// pathPrefix matches the values that PathPrefix may have: segments of characters
// that no proxy or client encodes.
var pathPrefix = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)

// withDefaults returns a copy with the defaults filled in.
func (o Options) withDefaults() (Options, error) {
	var err error
	if o.Options, err = o.Options.WithDefaults(); err != nil {
		return o, err
	}
	if err := o.check(); err != nil {
		return o, err
	}
	if o.Identify == nil {
		o.Identify = func(r *http.Request) (string, context.Context, error) { return "", r.Context(), nil }
	}
	if o.IsKnown == nil {
		o.IsKnown = func(context.Context) bool { return true }
	}
	if o.Introduce == nil {
		o.Introduce = func(context.Context) {}
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	o.CallsPerCaller = cmp.Or(o.CallsPerCaller, 256)
	o.StreamsPerCaller = cmp.Or(o.StreamsPerCaller, 128)
	o.Streams = cmp.Or(o.Streams, 4096)
	o.SessionsPerCaller = cmp.Or(o.SessionsPerCaller, 256)
	o.Sessions = cmp.Or(o.Sessions, 4096)
	o.WatchesPerCaller = cmp.Or(o.WatchesPerCaller, 1024)
	o.Watches = cmp.Or(o.Watches, 4096)
	o.BytesPerCaller = cmp.Or(o.BytesPerCaller, 32<<20)
	o.Bytes = cmp.Or(o.Bytes, 256<<20)
	o.StrangerBytes = cmp.Or(o.StrangerBytes, 12<<20)
	o.Connections = cmp.Or(o.Connections, 8192)
	o.StrangerConnections = cmp.Or(o.StrangerConnections, 512)
	o.SessionIdle = cmp.Or(o.SessionIdle, 30*time.Minute)
	o.WatchGrace = cmp.Or(o.WatchGrace, 10*time.Second)
	o.BodyLimit = cmp.Or(o.BodyLimit, 1<<20)
	o.HeaderTimeout = cmp.Or(o.HeaderTimeout, 5*time.Second)
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 15*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 20*time.Second)
	o.StrangerTimeout = cmp.Or(o.StrangerTimeout, 5*time.Second)
	o.KeepAlive = cmp.Or(o.KeepAlive, 15*time.Second)
	return o, nil
}

// check returns what is wrong with options; nil: nothing.
func (o *Options) check() error {
	if o.Server == nil {
		return errors.New("transport: HTTPOptions.Server is not set")
	}
	numbers := min(o.CallsPerCaller, o.StreamsPerCaller, o.Streams, o.SessionsPerCaller, o.Sessions, o.WatchesPerCaller, o.Watches, o.BytesPerCaller, o.Bytes, o.StrangerBytes, o.Connections, o.StrangerConnections)
	times := min(o.Drain, o.SessionIdle, o.WatchGrace, o.HeaderTimeout, o.BodyTimeout, o.WriteTimeout, o.StrangerTimeout, o.KeepAlive)
	if numbers < 0 || times < 0 || o.BodyLimit < 0 {
		return session.ErrNegativeOption
	}
	if !pathPrefix.MatchString(o.PathPrefix) || o.PathPrefix != "" && path.Clean(o.PathPrefix) != o.PathPrefix {
		return errors.New("transport: a path prefix is like /runs: it begins with a slash, ends without one, and has no " +
			"other characters than letters, digits, and . _ ~ -, not " + strconv.Quote(o.PathPrefix))
	}
	return nil
}

// newQuota returns the quota that the options set. A caller may send twice as
// many requests as calls: the answer to a question, or a cancellation, must get
// through when all its calls wait.
func (o *Options) newQuota() *session.Quota {
	return session.NewQuota(session.Limits{
		PerCaller: session.Amounts{
			session.Calls: o.CallsPerCaller, session.Requests: 2 * o.CallsPerCaller, session.Streams: o.StreamsPerCaller,
			session.Sessions: o.SessionsPerCaller, session.Watches: o.WatchesPerCaller, session.Bytes: o.BytesPerCaller,
		},
		InAll: session.Amounts{
			session.Calls: o.MaxCalls, session.Requests: 2 * o.MaxCalls, session.Streams: o.Streams,
			session.Sessions: o.Sessions, session.Watches: o.Watches, session.Bytes: o.Bytes,
		},
		Strangers: o.strangerLimits(),
	})
}
