// Package transport is how MCP peers reach the server: it turns bytes into
// messages, messages into calls of mcp-go's MCPServer.HandleMessage, and what
// comes of them back into bytes. It knows nothing of runs.
//
// mcp-go's own loops are not used, because they let answers overtake progress,
// lose notifications in bursts, block all calls behind five waiting ones and
// alter ids above 2^53. What is promised here instead:
//
//   - A message is parsed strictly once (message.go); what two JSON readers
//     could read differently is refused.
//   - The goroutine that drains a call's notifications also writes its answer
//     (call.go): what a handler sent before it returned is written before the
//     answer; nothing is written after it.
//   - Ids and progress tokens come back byte for byte as the client sent them.
//   - Both eras of MCP share one way: a call of 2026-07-28 brings the client's
//     identity along, a call of an older revision borrows its peer's.
//   - A cancelled call gets no answer; a panic's value reaches no client. A
//     message that is refused before it can be read is answered all the same,
//     with its id if that can be found (findid.go).
//   - Where a client leaves or the server stops, every call gets an answer: calls
//     are told to stop waiting (call.Draining), listens end, and what creates or
//     decides something has Options.Grace before it is cancelled.
//
// A transport supplies lines or bodies, a [sink] per message, and a peer per
// connected client. ServeStdio is the one over a pair of pipes, ServeHTTP the
// one over streamable HTTP:
//
//   - door.go lets a request in by Host and Origin, endpoint.go knows its caller
//     and its body, limits.go what the caller holds;
//   - post_new.go serves the new era, where a request stands for itself;
//     post_old.go and session.go the older revisions: initialize always makes a
//     session, in place of the one that it names if that is the caller's;
//   - every response, of both eras, is a stream (stream.go: what a call says)
//     that a reply writes (reply.go: JSON or server-sent events). In the old era
//     the stream outlives a broken connection, for a client that comes back; a
//     newer response takes it over from an older one;
//   - http_shutdown.go ends it all. For HTTPOptions.Drain before that, requests are
//     served and /readyz says that others are to take them.
//
// What clients send that is not quite what the specification says is taken for
// what it plainly means: a byte order mark before the first message, a slash after
// the path, white space around a header. An unknown revision is answered with
// those there are.
//
// Watched resources (subscriptions.go) are the same over both.
package transport
