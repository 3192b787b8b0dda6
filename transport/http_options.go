package transport

import (
	"context"
	"errors"
	"net/http"
	"path"
	"regexp"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// ErrForbidden says of a request that its caller may not make it, whoever they
// are: another key would not help.
var ErrForbidden = errors.New("forbidden")

// HTTPOptions set how ServeHTTP runs. The zero value of a field means its
// default. Options.MaxCalls is the limit of all callers together; LineLimit
// means nothing here.
type HTTPOptions struct {
	Options

	// Server picks the MCPServer that answers a request. A header may pick
	// one that can do less, never one that can do more than the operator
	// allowed. It must be set.
	Server func(*http.Request) *server.MCPServer
	// Identify knows the caller of a request: an id of any form, which keeps
	// callers apart and is neither logged nor sent, and the context whose
	// values its calls get. An error is the text of a 401, or of a 403 if it
	// wraps [ErrForbidden]. A 401 has no WWW-Authenticate: that would send clients
	// to look for an authorization server. Default: all are the same caller.
	Identify func(*http.Request) (callerID string, ctx context.Context, err error)
	// Ready is asked by /readyz; the text of an error is its answer. Default:
	// ready until ctx is done.
	Ready func() error
	// PathPrefix stands before all paths, for proxies that do not take theirs
	// away: "/runs" serves /runs/mcp, /runs/healthz and /runs/readyz. The
	// latter two stay at /healthz and /readyz as well. Default none.
	PathPrefix string

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
	// SessionsPerCaller is how many sessions of the old era a caller may
	// have. Default 256.
	SessionsPerCaller int
	// Sessions is the same for all callers together. Default 4,096.
	Sessions int
	// WatchesPerCaller is how many resources a caller may watch, with all its
	// sessions and listens together. Default 1,024.
	WatchesPerCaller int
	// Watches is the same for all callers together. Default 4,096.
	Watches int
	// SessionIdle is after what time without a request, an open response or
	// a call in flight a session ends. Default 30 min.
	SessionIdle time.Duration

	// Drain is how long requests are still accepted after ctx is done, while
	// /readyz says that the server is not ready: the time that a proxy needs to
	// notice. Default none.
	Drain time.Duration

	// Connections is how many connections may be open; beyond, the one ends
	// that has been idle for longest. An idle one takes 20 KiB. Default 8,192: one
	// for each stream and each call.
	Connections int

	// BodyLimit is how many bytes the body of a request may have. Default
	// 1 MiB.
	BodyLimit int64
	// HeaderTimeout is how long a client may take to send the header of a
	// request. Default 5 s.
	HeaderTimeout time.Duration
	// BodyTimeout is how long it may take for header and body. Default 15 s.
	BodyTimeout time.Duration
	// WriteTimeout is how long a client may leave a written piece (64 KiB at
	// most) unread before it is dropped. Default 20 s.
	WriteTimeout time.Duration
	// KeepAlive is after what time without a message an open response gets a
	// comment, so that nobody in between takes it for dead. Default 15 s.
	KeepAlive time.Duration
}

// prefixes are the values that PathPrefix may have: segments of letters that no
// proxy or client writes in another way.
var prefixes = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)

// streamAfter is after what time a request of a revision with resumable
// answers (2025-11-25) gets an event stream if it isn't answered: from then on
// the answer survives the connection.
const streamAfter = 200 * time.Millisecond

// checked is a copy with the defaults filled in.
func (o HTTPOptions) checked() (HTTPOptions, error) {
	var err error
	if o.Options, err = o.Options.checked(); err != nil {
		return o, err
	}
	if o.Server == nil {
		return o, errors.New("transport: HTTPOptions.Server is not set")
	}
	numbers := min(o.CallsPerCaller, o.StreamsPerCaller, o.Streams, o.SessionsPerCaller, o.Sessions, o.WatchesPerCaller, o.Watches, o.Connections)
	times := min(o.Drain, o.SessionIdle, o.HeaderTimeout, o.BodyTimeout, o.WriteTimeout, o.KeepAlive)
	if numbers < 0 || times < 0 || o.BodyLimit < 0 {
		return o, errors.New("transport: a limit or time in the options is negative. Leave it 0 for its default")
	}
	if !prefixes.MatchString(o.PathPrefix) || o.PathPrefix != "" && path.Clean(o.PathPrefix) != o.PathPrefix {
		return o, errors.New("transport: a path prefix is like /runs: it begins with a slash, ends without one, and has no " +
			"other characters than letters, digits, and . _ ~ -, not " + quoted(o.PathPrefix))
	}
	if o.Identify == nil {
		o.Identify = func(r *http.Request) (string, context.Context, error) { return "", r.Context(), nil }
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	o.CallsPerCaller = orDefault(o.CallsPerCaller, 256)
	o.StreamsPerCaller = orDefault(o.StreamsPerCaller, 128)
	o.Streams = orDefault(o.Streams, 4096)
	o.SessionsPerCaller = orDefault(o.SessionsPerCaller, 256)
	o.Sessions = orDefault(o.Sessions, 4096)
	o.WatchesPerCaller = orDefault(o.WatchesPerCaller, 1024)
	o.Watches = orDefault(o.Watches, 4096)
	o.Connections = orDefault(o.Connections, 8192)
	o.SessionIdle = orDefault(o.SessionIdle, 30*time.Minute)
	o.BodyLimit = orDefault(o.BodyLimit, 1<<20)
	o.HeaderTimeout = orDefault(o.HeaderTimeout, 5*time.Second)
	o.BodyTimeout = orDefault(o.BodyTimeout, 15*time.Second)
	o.WriteTimeout = orDefault(o.WriteTimeout, 20*time.Second)
	o.KeepAlive = orDefault(o.KeepAlive, 15*time.Second)
	return o, nil
}

// limits are those of the options. A caller may send twice as many requests as
// calls: an answer to a question of ours, or a cancellation, must get through
// when all its calls wait.
func (o *HTTPOptions) limits() *limits {
	return newLimits(
		[holdings]int{callsHeld: o.CallsPerCaller, postsHeld: 2 * o.CallsPerCaller, streamsHeld: o.StreamsPerCaller, sessionsHeld: o.SessionsPerCaller, watchesHeld: o.WatchesPerCaller},
		[holdings]int{callsHeld: o.MaxCalls, postsHeld: 2 * o.MaxCalls, streamsHeld: o.Streams, sessionsHeld: o.Sessions, watchesHeld: o.Watches})
}
