// Package jsonrpc turns bytes into JSON-RPC messages and back, strictly. It
// knows nothing of sessions.
//
//   - [Parse] reads one message once. Text that two JSON readers could read
//     differently is refused: duplicate keys, keys that differ in letter case
//     only, invalid UTF-8, deep nesting.
//   - Ids and progress tokens are kept byte for byte, because numbers above
//     2^53 change in a float64.
//   - A message that cannot be read is answered with its id, if that can be
//     found (findID).
//   - [SplitBatch] cuts the arrays of revision 2025-03-26 into messages.
//   - [EncodeResult], [Error.Encode], [EncodeRequest] and [EncodeNotification]
//     write what goes out, as one line without its end.
//   - [LineReader] cuts a stream into messages.
//
// message.go has the message and its rules, in and out. scan.go runs from the text
// of a message down to its values, its tokens, and the keys of one object.
package jsonrpc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

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
	ID     json.RawMessage // a string or an integer; nil in a notification
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

// Parse reads one message, in one pass and in time linear in the size of data.
//
// It is stricter than encoding/json, which takes the last of duplicate keys and
// matches {"Method":…} to method. The reader that checks a message and the one
// that acts on it must see the same message.
func Parse(data []byte) (*Message, *Error) {
	if !utf8.Valid(data) {
		return nil, &Error{ID: findID(data, data), Code: mcp.PARSE_ERROR, Text: "parse error: the message is not valid UTF-8"}
	}
	s := scanner{data: data}
	if !s.scanDocument() {
		return nil, &Error{ID: findID(data, data), Code: mcp.PARSE_ERROR, Text: "parse error: the message is not valid JSON"}
	}
	id := s.message.ID
	if !isID(id) || s.manyIDs {
		id = nil
	}
	if s.message.rawMethod == nil && (s.message.Result != nil || s.message.Failure != nil) {
		return s.response(id), nil
	}
	text := s.broken
	if text == "" {
		text = s.brokenRule()
	}
	if text != "" {
		return nil, InvalidRequest(id, text)
	}
	return s.request(), nil
}

// response returns the scanned response. One that is malformed has no result
// and no error: it is not refused, because a response must never be answered.
func (s *scanner) response(id json.RawMessage) *Message {
	m := &Message{Kind: Response, ID: id}
	if s.broken == "" && string(s.jsonrpc) == version2 && (s.message.Result == nil || s.message.Failure == nil) {
		m.Result, m.Failure = s.message.Result, s.message.Failure
	}
	return m
}

// request returns the scanned request or notification.
func (s *scanner) request() *Message {
	m := &s.message
	m.Kind = Request
	if m.ID == nil {
		m.Kind = Notification
	}
	if isNull(m.Params) {
		m.Params = nil
	}
	return m
}

// ofAtMost ends what is said of an id or a progress token.
var ofAtMost = fmt.Sprintf(" of at most %d bytes", maxID)

// brokenRule returns which rule of JSON-RPC the scanned request or notification
// breaks, or "".
func (s *scanner) brokenRule() string {
	m := &s.message
	switch {
	case !s.isObject:
		return "a message is a JSON object"
	case string(s.jsonrpc) != version2:
		return `jsonrpc must be "2.0"`
	case m.ID != nil && !isID(m.ID):
		return "id must be a string or an integer" + ofAtMost
	case m.ProgressToken != nil && !isID(m.ProgressToken):
		return "params._meta.progressToken must be a string or an integer" + ofAtMost
	case m.rawMethod == nil:
		return "method is missing"
	case m.Method == "":
		return "method must be a string that is not empty"
	case m.Result != nil || m.Failure != nil:
		return "a message has a method, or a result or error, not both"
	case m.Params != nil && m.Params[0] != '{' && !isNull(m.Params): // some clients write null for what they leave empty
		return "params must be an object"
	}
	return ""
}

// version2 is the jsonrpc member of every message.
const version2 = `"2.0"`

// IsBatch reports whether data is a JSON array.
func IsBatch(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("["))
}

// ByteOrderMark may stand before the first message of a client. It means nothing.
const ByteOrderMark = "\xef\xbb\xbf"

// definedKeys are the keys that MCP defines at a place, in all revisions:
// JSON-RPC's members, the params of all requests and notifications of clients,
// the reserved names of _meta, and what an answer says of a person.
var definedKeys = map[place][]string{
	placeTop: {"jsonrpc", "id", "method", "params", "result", "error"},
	placeParams: {
		"_meta", "name", "arguments", "uri", "cursor", "level", "capabilities", "ref", "argument",
		"context", "reason", "progress", "total", "message", "task", "notifications",
		"protocolVersion", "clientInfo", "requestId", "progressToken", "taskId", "inputResponses", "requestState",
	},
	placeMeta: {
		"progressToken", "traceparent", "tracestate", "baggage",
		"io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientInfo",
		"io.modelcontextprotocol/clientCapabilities", "io.modelcontextprotocol/logLevel",
		"io.modelcontextprotocol/subscriptionId",
	},
	placeAnswer: {"action", "content", "_meta"},
}

// CodeOverloaded is the code of an error that says that a limit is reached or
// the server stops. It is the first code that JSON-RPC leaves to
// implementations; 2026-07-28 keeps -32000 to -32019 free for them.
const CodeOverloaded = -32000

// InternalError is all that a client learns of a fault of ours.
const InternalError = "internal error"

// Error is the error that a message is answered with.
type Error struct {
	ID   json.RawMessage // of the message; nil if it could not be found
	Code int
	Text string // what rule was broken; never a value of the client
	Data any    // may be nil
}

// Encode returns the answer that carries the error.
func (e *Error) Encode() []byte {
	body, err := rawjson.Marshal(mcp.NewJSONRPCErrorDetails(e.Code, e.Text, e.Data))
	if err != nil { // a handler's data that is no JSON
		internal := Error{ID: e.ID, Code: mcp.INTERNAL_ERROR, Text: InternalError}
		return internal.Encode()
	}
	return encodeAnswer(e.ID, "error", body)
}

// InvalidRequest returns the error for a message that is JSON but breaks a rule.
func InvalidRequest(id json.RawMessage, text string) *Error {
	return &Error{ID: id, Code: mcp.INVALID_REQUEST, Text: "invalid request: " + text}
}

// UnknownVersion reports whether a client names a revision of MCP that this
// server does not speak. "" names none.
func UnknownVersion(version string) bool {
	return version != "" && !mcp.IsValidProtocolVersion(version)
}

// UnsupportedVersion returns the error for a revision that this server does not
// speak. It lists those that it speaks.
func UnsupportedVersion(id json.RawMessage, version string) *Error {
	e := mcp.UnsupportedProtocolVersionError{Version: Shorten(version), Supported: mcp.ValidProtocolVersions}.JSONRPCError().Error
	text := "unsupported protocol version: this server speaks " + strings.Join(mcp.ValidProtocolVersions, ", ")
	return &Error{ID: id, Code: e.Code, Text: text, Data: e.Data}
}

// Shorten returns at most 64 bytes of what a client may make as long as it
// likes, for the log.
func Shorten[T ~string | ~[]byte](s T) string {
	if len(s) > 64 {
		return string(s[:64]) + "…"
	}
	return string(s)
}

// EncodeResult returns the answer that carries a result, given as JSON on one line.
func EncodeResult(id json.RawMessage, result []byte) []byte {
	return encodeAnswer(id, "result", result)
}

// EncodeRequest returns a request of ours.
func EncodeRequest(id, method string, params any) ([]byte, error) {
	return rawjson.Marshal(outgoing{JSONRPC: mcp.JSONRPC_VERSION, ID: id, Method: method, Params: params})
}

// EncodeNotification returns a notification of ours. Empty params are left out.
func EncodeNotification(method string, params map[string]any) ([]byte, error) {
	n := outgoing{JSONRPC: mcp.JSONRPC_VERSION, Method: method}
	if len(params) > 0 {
		n.Params = params
	}
	return rawjson.Marshal(n)
}

// outgoing is a request or a notification of ours.
type outgoing struct {
	JSONRPC string `json:"jsonrpc"`
	ID      string `json:"id,omitempty"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

// encodeAnswer returns an answer. The id goes out as it came in, or as null.
func encodeAnswer(id json.RawMessage, member string, body []byte) []byte {
	if id == nil {
		id = json.RawMessage("null")
	}
	b := make([]byte, 0, len(id)+len(body)+48)
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	b = append(b, `,"`+member+`":`...)
	b = append(b, body...)
	return append(b, '}')
}

// ErrTooLong is the error of a line above the limit.
var ErrTooLong = errors.New("line too long")

// LineReader cuts input into lines of at most limit bytes.
type LineReader struct {
	in      *bufio.Reader
	limit   int
	started bool // a line was read, so no byte order mark can follow
}

// NewLineReader returns a reader of lines of at most limit bytes.
func NewLineReader(in io.Reader, limit int) *LineReader {
	return &LineReader{in: bufio.NewReaderSize(in, 64<<10), limit: limit}
}

// NextLine returns the next line that isn't blank, without its end; the caller
// keeps it. The last line needs no line end.
//
// A line above the limit is read to its end in little more memory than the
// limit. Its error is ErrTooLong, and the bytes are the id of its message
// instead, if there is one. The next call goes on after it.
func (r *LineReader) NextLine() ([]byte, error) {
	for {
		line, err := r.readLine()
		if err != nil || len(bytes.TrimSpace(line)) > 0 {
			return line, err
		}
	}
}

// readLine returns the next line, blank or not.
func (r *LineReader) readLine() ([]byte, error) {
	line, tail, err := r.readToEnd()
	if err != nil {
		return nil, err
	}
	if !r.started {
		line = bytes.TrimPrefix(line, []byte(ByteOrderMark))
		r.started = true
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if len(line) > r.limit {
		return findID(line, tail), ErrTooLong
	}
	return line, nil
}

// readToEnd reads up to and with the next line end. Of a line that is too long
// it returns the beginning, longer than the limit, and the end.
func (r *LineReader) readToEnd() (line, tail []byte, err error) {
	// A line that fits may have a byte order mark before it and "\r\n" after it.
	mostBytes := len(ByteOrderMark) + r.limit + len("\r\n")
	for {
		part, err := r.in.ReadSlice('\n')
		if len(line) > mostBytes {
			tail = lastBytes(append(tail, lastBytes(part)...))
		} else {
			line = append(line, part...)
			tail = lastBytes(line)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, tail, nil
		}
		return line, tail, err
	}
}

// lastBytes returns what findID looks at of the end of a message.
func lastBytes(b []byte) []byte { return b[max(0, len(b)-tailSize):] }
