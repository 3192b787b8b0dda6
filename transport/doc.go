// Package transport is how MCP clients reach the server, over stdio and over
// HTTP. It wraps mcp-go's MCPServer.HandleMessage and knows nothing of runs.
//
// This package is the façade alone. The work is done in rooms, each of which
// imports only those below it:
//
//	transport             ServeStdio, ServeHTTP and their options
//	├─ stdio              one client over a pair of pipes
//	├─ streamable         streamable HTTP: stateful.go serves the revisions before
//	│                     2026-07-28, stateless.go serves 2026-07-28
//	├─ session            a connected client: its calls, questions, subscriptions
//	└─ jsonrpc            bytes ↔ messages, strictly
//
// stdio and streamable do not know each other; both import session and jsonrpc,
// and session imports jsonrpc.
//
// mcp-go's own loops are not used: they let answers overtake progress, lose
// notifications in bursts, block all calls behind five waiting ones and change
// ids above 2^53 (docs/decisions/0004). The guarantees are:
//
//   - A message is parsed strictly, once. A message that two JSON readers could
//     read differently is refused, and answered with its id if that can be found.
//   - What a handler sent before it returned is written before its answer, and
//     nothing after it.
//   - Ids and progress tokens come back byte for byte.
//   - All revisions take the same way. A stateful client's calls use what its
//     handshake said, a stateless request brings it along.
//   - A call that its client cancelled gets no answer. A panic's value reaches no client.
//   - When a client leaves or the server stops, every call gets an answer: calls
//     are told to stop waiting (Draining), listens end, and a call that creates
//     or decides something has Options.Grace before it is cancelled.
package transport
