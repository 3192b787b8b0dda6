// Package jsonrpc turns bytes into JSON-RPC messages and back, strictly. It
// knows nothing of sessions.
//
//   - [Parse] reads one message once. Text that two JSON readers could read
//     differently is refused: duplicate keys, keys that differ in letter case
//     only, invalid UTF-8, deep nesting.
//   - Ids and progress tokens are kept byte for byte, because numbers above
//     2^53 change in a float64.
//   - A message that cannot be read is answered with its id, if that can be
//     found ([FindID]).
//   - [SplitBatch] cuts the arrays of revision 2025-03-26 into messages.
//   - [EncodeResult], [Error.Encode], [EncodeRequest] and [EncodeNotification]
//     write what goes out, as one line without its end.
//
// Parsing runs from [Parse] (parse.go) over the scanner (scanner.go) to the
// keys of one object (keys.go).
package jsonrpc

import (
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/rawjson"
)

// Kind says what a message is.
type Kind int

const (
	Request Kind = iota + 1
	Notification
	Response
)

// Message is one message that was accepted by [Parse]. Raw fields are the
// client's bytes and alias the buffer that was parsed.
type Message struct {
	Kind   Kind
	ID     json.RawMessage // a string or a number; nil in a notification
	Method string
	Params json.RawMessage // an object, or nil

	// Of a response. A malformed response has neither.
	Result  json.RawMessage
	Failure json.RawMessage // the member "error"

	ProgressToken json.RawMessage // params._meta.progressToken
	Version       string          // params._meta["io.modelcontextprotocol/protocolVersion"]

	rawMethod json.RawMessage
}

// IsStateless reports whether the message is of the stateless revision
// (2026-07-28 or later), which has no handshake.
func (m *Message) IsStateless() bool { return mcp.IsModernProtocol(m.Version) }

// IsInitialize reports whether the message is the handshake of a stateful
// revision.
func (m *Message) IsInitialize() bool {
	return m.Kind == Request && m.Method == string(mcp.MethodInitialize) && !m.IsStateless() && !UnknownVersion(m.Version)
}

// IsListen reports whether the message opens a stream of notifications.
func (m *Message) IsListen() bool { return m.Method == string(mcp.MethodSubscriptionsListen) }

// RequestID returns the id that an error is answered with: nil unless the
// message is a request.
func (m *Message) RequestID() json.RawMessage {
	if m.Kind == Request {
		return m.ID
	}
	return nil
}

// StringID returns the id of a message if it is a string, else "".
func (m *Message) StringID() string {
	id, _ := rawjson.String(m.ID)
	return id
}

// WithID returns the message with another id. mcp-go gets ids of ours, because
// it turns numbers into float64 and keys its calls in flight with the result.
func (m *Message) WithID(id string) json.RawMessage {
	b := make([]byte, 0, len(m.Params)+len(m.rawMethod)+len(id)+64)
	b = append(b, `{"jsonrpc":"2.0"`...)
	if m.Kind == Request {
		b = append(b, `,"id":"`...)
		b = append(b, id...)
		b = append(b, '"')
	}
	b = append(b, `,"method":`...)
	b = append(b, m.rawMethod...)
	if m.Params != nil {
		b = append(b, `,"params":`...)
		b = append(b, m.Params...)
	}
	return append(b, '}')
}
