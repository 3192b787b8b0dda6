package transport

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
)

// version2 is the jsonrpc member of every message.
const version2 = `"2.0"`

// kind says what a JSON-RPC message is.
type kind int

const (
	request kind = iota + 1
	notification
	response
)

// message is one JSON-RPC message after the strict first parse. Raw fields are
// the client's bytes and alias the buffer that was parsed.
type message struct {
	kind   kind
	id     json.RawMessage // a string or number token; nil in a notification
	method string
	params json.RawMessage // an object, or nil

	result  json.RawMessage // of a response; a malformed one has neither this
	failure json.RawMessage // nor this, the error member

	rawMethod     json.RawMessage
	progressToken json.RawMessage // params._meta.progressToken
	version       string          // params._meta["io.modelcontextprotocol/protocolVersion"]
}

// refusal is a message that was not accepted, as the JSON-RPC error to answer
// with. The text names the rule that was broken and never a value of the client.
type refusal struct {
	id   json.RawMessage // nil when it could not be told
	code int
	text string
	data any // may be nil
}

// answer is the refusal for the client.
func (r *refusal) answer() answer {
	return answer{line: errorAnswer(r.id, r.code, r.text, r.data), code: r.code, refused: true}
}

// invalid makes the refusal of a message that is JSON but breaks a rule.
func invalid(id json.RawMessage, text string) *refusal {
	return &refusal{id: id, code: mcp.INVALID_REQUEST, text: "invalid request: " + text}
}

// unknownVersion reports whether a client names a revision that this server does
// not speak; "" is none.
func unknownVersion(version string) bool {
	return version != "" && !mcp.IsValidProtocolVersion(version)
}

// unsupported is the refusal of a revision that this server does not speak.
func unsupported(id json.RawMessage, version string) *refusal {
	e := mcp.UnsupportedProtocolVersionError{Version: short(version), Supported: mcp.ValidProtocolVersions}.JSONRPCError().Error
	return &refusal{id: id, code: e.Code, text: "unsupported protocol version: this server speaks " + strings.Join(mcp.ValidProtocolVersions, ", "), data: e.Data}
}

// parse reads one message, in one pass over data and in time linear in it.
//
// It is stricter than encoding/json, which takes the last of duplicate keys and
// matches {"Method":…} to method: whoever checks a message and whoever acts on
// it must read the same one.
func parse(data []byte) (*message, *refusal) {
	if !utf8.Valid(data) {
		return nil, &refusal{id: findID(data, data), code: mcp.PARSE_ERROR, text: "parse error: the message is not valid UTF-8"}
	}
	s := scanner{data: data}
	if !s.document() {
		return nil, &refusal{id: findID(data, data), code: mcp.PARSE_ERROR, text: "parse error: the message is not valid JSON"}
	}
	id := s.msg.id
	if !isID(id) || s.manyIDs {
		id = nil
	}
	if s.msg.rawMethod == nil && (s.msg.result != nil || s.msg.failure != nil) {
		return s.response(id), nil
	}
	text := s.broken
	if text == "" {
		text = s.check()
	}
	if text != "" {
		return nil, invalid(id, text)
	}
	return &s.msg, nil
}

// response is the scanned response, without a result or error if it is
// malformed. It is not refused, because a response must never be answered.
func (s *scanner) response(id json.RawMessage) *message {
	m := &message{kind: response, id: id}
	if s.broken == "" && string(s.jsonrpc) == version2 && (s.msg.result == nil || s.msg.failure == nil) {
		m.result, m.failure = s.msg.result, s.msg.failure
	}
	return m
}

// check finds out whether a request or a notification was scanned; it returns
// what is wrong with it, or "".
func (s *scanner) check() string {
	m := &s.msg
	if string(m.params) == "null" { // some clients write out what they leave empty
		m.params = nil
	}
	switch {
	case !s.object:
		return "a message is a JSON object"
	case string(s.jsonrpc) != version2:
		return `jsonrpc must be "2.0"`
	case m.id != nil && !isID(m.id):
		return "id must be a string or a number"
	case m.rawMethod == nil:
		return "method is missing"
	case m.method == "":
		return "method must be a string that is not empty"
	case m.result != nil || m.failure != nil:
		return "a message has a method, or a result or error, not both"
	case m.params != nil && m.params[0] != '{':
		return "params must be an object"
	}
	m.kind = request
	if m.id == nil {
		m.kind = notification
	}
	return ""
}

// modern reports whether the message is of the era without a handshake.
func (m *message) modern() bool { return mcp.IsModernProtocol(m.version) }

// initializes reports whether the message is the handshake of the old era.
func (m *message) initializes() bool {
	return m.kind == request && m.method == string(mcp.MethodInitialize) && !m.modern() && !unknownVersion(m.version)
}

// requestID is the id that an error is answered with: nil, unless it is a request.
func (m *message) requestID() json.RawMessage {
	if m.kind == request {
		return m.id
	}
	return nil
}

// listens reports whether the message opens a stream of notifications.
func (m *message) listens() bool { return m.method == string(mcp.MethodSubscriptionsListen) }

// inner is the message as mcp-go gets it: with an id of ours, for mcp-go turns
// numbers into float64 and keys its map of calls in flight with what is left.
func (m *message) inner(id string) json.RawMessage {
	b := make([]byte, 0, len(m.params)+len(m.rawMethod)+len(id)+64)
	b = append(b, `{"jsonrpc":"2.0"`...)
	if m.kind == request {
		b = append(b, `,"id":"`...)
		b = append(b, id...)
		b = append(b, '"')
	}
	b = append(b, `,"method":`...)
	b = append(b, m.rawMethod...)
	if m.params != nil {
		b = append(b, `,"params":`...)
		b = append(b, m.params...)
	}
	return append(b, '}')
}

// isID reports whether a raw JSON value is a string or a number.
func isID(raw json.RawMessage) bool {
	return len(raw) > 0 && (raw[0] == '"' || raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9')
}
