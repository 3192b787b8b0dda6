package transport

import (
	"context"
	"io"
	"net"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport/session"
	"runs-mcp-server/transport/stdio"
	"runs-mcp-server/transport/streamable"
)

// Options set how a transport runs.
type Options = session.Options

// HTTPOptions set how [ServeHTTP] runs.
type HTTPOptions = streamable.Options

// Counts are numbers of all clients together.
type Counts = session.Counts

// ObservedRequest is a request that is about to be handled.
type ObservedRequest = session.ObservedRequest

// ObservedResponse says what the response to a request is.
type ObservedResponse = session.ObservedResponse

// Watch starts to watch a resource for one subscriber.
type Watch = session.Watch

// Tasks serves tasks.
type Tasks = session.Tasks

// TaskOffer is what a server offers of tasks.
type TaskOffer = session.TaskOffer

// Skills are what clients with skills can read.
type Skills = session.Skills

// Skill is a text that a model reads when it fits what it is to do.
type Skill = session.Skill

// RefusedCallerError is the error of a Watch that refuses the caller, not the
// resource.
type RefusedCallerError = session.RefusedCallerError

// ErrForbidden says, from [HTTPOptions].Identify, that a caller may not make a
// request, whatever key they send.
var ErrForbidden = streamable.ErrForbidden

// Hooks are what the MCPServer must be made with (server.WithHooks).
func Hooks() *server.Hooks { return session.Hooks() }

// ServeStdio serves one client over a pair of pipes, see [stdio.Serve].
func ServeStdio(ctx context.Context, srv *server.MCPServer, in io.Reader, out io.Writer, options Options) error {
	return stdio.Serve(ctx, srv, in, out, options)
}

// ServeHTTP serves clients over streamable HTTP, see [streamable.Serve].
func ServeHTTP(ctx context.Context, l net.Listener, options HTTPOptions) error {
	return streamable.Serve(ctx, l, options)
}

// CheckAllowed returns what is wrong with lists of allowed hosts and origins, as
// [HTTPOptions] takes them; nil: nothing.
func CheckAllowed(hosts, origins []string) error {
	return streamable.CheckAllowed(hosts, origins)
}
