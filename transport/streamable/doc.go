// Package streamable serves MCP's streamable HTTP transport, in all revisions,
// and probes of the server's health.
//
// A request goes down these files:
//
//   - endpoint.go: the way of a request, from the Host and Origin headers
//     (origin_guard.go) over the caller and the body (body.go) to a revision;
//   - exchange.go: one request and its response, and how its messages are dispatched;
//   - stateful.go: POST, GET and DELETE of the revisions before 2026-07-28. A
//     client has a session (session.go, sessions.go) from initialize to DELETE;
//   - stateless.go: POST of 2026-07-28, where a request stands for itself;
//   - stream.go: what a call sends, kept until a response has written it. In a
//     session the stream outlives a broken connection, for a client that comes
//     back; a newer response takes the stream over from an older one;
//   - stream_response.go: a response that writes a stream, as JSON or as
//     server-sent events; deadline_writer.go bounds each write in time.
//
// card.go serves what a client may read before it connects, to everybody.
//
// strangers.go says what callers get whom the API does not know. What everybody holds
// is counted by session.Quota.
//
// serve.go and shutdown.go are the life of the server. connections.go bounds its
// connections, and descriptors.go closes some when file descriptors run out.
//
// Requests that are not quite what the specification says are read as what they
// clearly mean: a byte order mark before the message, a slash after the path,
// white space around a header. An unknown revision is answered with the list of
// the known ones.
package streamable
