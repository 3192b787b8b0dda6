// Package session is one connected client and what happens to its messages. It
// knows neither pipes nor HTTP, and nothing of runs.
//
// The upper level is the way of a message:
//
//   - [Dispatcher] takes messages in the order in which they came, and answers
//     or starts each;
//   - executor runs one call against mcp-go's MCPServer;
//   - callWriter writes what the call sends, then its answer, into a [Sink].
//
// The lower level is what is kept of a client:
//
//   - [Connection] has the calls in flight and the questions that are not
//     answered;
//   - call is one of those calls, and the session that mcp-go and the handlers
//     see (call.go, elicitation.go, hooks.go);
//   - subscriptions are the resources that a client watches;
//   - [Quota] counts what callers hold.
//
// A stateful client (revisions before 2026-07-28) has one Connection from
// initialize to its end. A stateless request (2026-07-28) brings everything
// along: over HTTP it has a Connection of its own, and everywhere a client state
// and a session id of its own.
package session
