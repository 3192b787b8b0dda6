package jsonrpc

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
)

// Parse reads one message, in one pass and in time linear in the size of data.
//
// It is stricter than encoding/json, which takes the last of duplicate keys and
// matches {"Method":…} to method. The reader that checks a message and the one
// that acts on it must see the same message.
func Parse(data []byte) (*Message, *Error) {
	if !utf8.Valid(data) {
		return nil, &Error{ID: FindID(data, data), Code: mcp.PARSE_ERROR, Text: "parse error: the message is not valid UTF-8"}
	}
	s := scanner{data: data}
	if !s.scanDocument() {
		return nil, &Error{ID: FindID(data, data), Code: mcp.PARSE_ERROR, Text: "parse error: the message is not valid JSON"}
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
		return "id must be a string or a number"
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

// ByteOrderMark may stand before the first message of a client. It means nothing.
const ByteOrderMark = "\xef\xbb\xbf"

// version2 is the jsonrpc member of every message.
const version2 = `"2.0"`

// isNull reports whether a raw JSON value is null.
func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

// isID reports whether a raw JSON value is a string or a number.
func isID(raw json.RawMessage) bool {
	return len(raw) > 0 && (raw[0] == '"' || raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9')
}
