package jsonrpc

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/rawjson"
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

// maxBatch is how many messages one array may hold: an element of two bytes may
// cost an answer of a hundred and fifty.
const maxBatch = 256

// NoBatches is the text for a client that may not send an array.
const NoBatches = "an array of messages is accepted in protocol version " + mcp.ProtocolVersion20250326 + " only. Send one message at a time."

// IsBatch reports whether data is a JSON array.
func IsBatch(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("["))
}

// SplitBatch cuts an array of messages into its elements, for a client that
// negotiated version. Only 2025-03-26 has batches.
func SplitBatch(data []byte, version string) ([]json.RawMessage, *Error) {
	if version != mcp.ProtocolVersion20250326 {
		return nil, InvalidRequest(nil, NoBatches)
	}
	var elements []json.RawMessage
	if json.Unmarshal(data, &elements) != nil {
		return nil, &Error{Code: mcp.PARSE_ERROR, Text: "parse error: the message is not valid JSON"}
	}
	if len(elements) == 0 {
		return nil, InvalidRequest(nil, "the array of messages is empty")
	}
	if len(elements) > maxBatch {
		return nil, InvalidRequest(nil, "the array has more than "+strconv.Itoa(maxBatch)+" messages. Send smaller ones.")
	}
	return elements, nil
}

// ParseElement reads one element of an array of messages.
func ParseElement(data []byte) (*Message, *Error) {
	m, refused := Parse(data)
	switch {
	case refused != nil:
		return nil, refused
	case m.Method == string(mcp.MethodInitialize):
		return nil, InvalidRequest(m.ID, "initialize can't be part of an array of messages")
	case m.IsStateless():
		return nil, InvalidRequest(m.ID, "a message of protocol version "+mcp.ProtocolVersion20260728+" or later can't be part of an array of messages")
	}
	return m, nil
}

// JoinBatch returns the array of the answers to a batch.
func JoinBatch(answers [][]byte) []byte {
	all := append([]byte{'['}, bytes.Join(answers, []byte{','})...)
	return append(all, ']')
}

// TailSize is how many bytes of the end of a message [FindID] looks at.
const TailSize = 512

// lastMember matches an id that is the last member of its message, as some
// clients write it. Before a single brace at the end stand only members of the
// message itself.
var lastMember = regexp.MustCompile(`,\s*"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*)\s*\}\s*$`)

// FindID looks for the id of a request that can't be read as a whole, so that
// its client need not wait for an answer. It looks at the members before the
// fault, and at the end. head and tail are the beginning and the end of the
// message, maybe the same. The result is nil if there is no id, if it is not
// clear which one it is, and if the message is no request.
func FindID(head, tail []byte) json.RawMessage {
	s := scanner{data: head}
	s.scanDocument()
	if s.message.Method == "" || s.manyIDs {
		return nil
	}
	id := s.message.ID
	if m := lastMember.FindSubmatch(tail[max(0, len(tail)-TailSize):]); m != nil && json.Valid(m[1]) {
		if id != nil && string(id) != string(m[1]) {
			return nil
		}
		id = m[1]
	}
	if !isID(id) || !utf8.Valid(id) {
		return nil
	}
	return id
}

// maxDepth is how deep objects and arrays may nest. No MCP message comes near.
// It keeps the recursion here and in every later reader short.
const maxDepth = 64

// place is where in a message the scanner is.
type place int

const (
	placeOther place = iota
	placeTop
	placeParams
	placeMeta
	placeResponses // the answers in a request of 2026-07-28, by name
	placeAnswer    // one of them, or the result of a response: it may be a decision
)

// scanner passes once over a JSON text, checks it, and picks the members that a
// message is made of. A syntax error ends the scan. A broken rule is only noted,
// so that the id is found for the answer: some clients write it last.
type scanner struct {
	data     []byte
	from, to int  // the current token
	first    byte // its first byte; 0 at a syntax error and behind the last token

	message  Message // without its kind
	jsonrpc  []byte
	isObject bool   // the text is an object
	manyIDs  bool   // so none of them is the id
	broken   string // the first rule that is broken

	keys [][]byte // of the objects that are open; each keySet knows where its own begin
}

// scanDocument scans the whole text. false: there is a syntax error.
func (s *scanner) scanDocument() bool {
	s.nextToken()
	s.isObject = s.first == '{'
	_, ok := s.scanValue(1, placeTop)
	return ok && s.from == len(s.data)
}

// scanValue scans the value that begins at the current token and moves to the
// token behind it. depth is that of the object or array that the value may be.
func (s *scanner) scanValue(depth int, at place) (raw []byte, ok bool) {
	start := s.from
	switch s.first {
	case '{', '[':
		if depth > maxDepth {
			s.skipContainer()
		} else if !s.scanContainer(depth, at) {
			return nil, false
		}
	case '}', ']', ',', ':', 0:
		return nil, false
	}
	raw = s.data[start:s.to]
	s.nextToken()
	return raw, true
}

// skipContainer passes over an object or array that is nested too deep. The
// message is refused already, so its grammar does not matter.
func (s *scanner) skipContainer() {
	s.noteBroken("objects and arrays are nested deeper than 64")
	s.to = rawjson.End(s.data, s.from)
}

// scanContainer scans an object or array up to its closing bracket.
func (s *scanner) scanContainer(depth int, at place) bool {
	if s.first == '{' {
		return s.scanObject(depth, at)
	}
	return s.scanArray(depth)
}

func (s *scanner) scanObject(depth int, at place) bool {
	set := keySet{place: at, base: len(s.keys)}
	defer func() { s.keys = s.keys[:set.base] }()
	if s.nextToken(); s.first == '}' {
		return true
	}
	for {
		name, ok := s.scanName(&set)
		if !ok {
			return false
		}
		raw, ok := s.scanValue(depth+1, placeOf(at, name))
		if !ok || s.first != ',' && s.first != '}' {
			return false
		}
		s.pickMember(at, name, raw) // it is whole, whatever follows
		if s.first == '}' {
			return true
		}
		s.nextToken()
	}
}

// scanName scans the name of a member and the colon behind it.
func (s *scanner) scanName(set *keySet) (name []byte, ok bool) {
	if s.first != '"' {
		return nil, false
	}
	name = unquote(s.data[s.from:s.to])
	if text := set.addKey(s, name); text != "" {
		s.noteBroken(text)
	}
	if s.nextToken(); s.first != ':' {
		return nil, false
	}
	s.nextToken()
	return name, true
}

func (s *scanner) scanArray(depth int) bool {
	if s.nextToken(); s.first == ']' {
		return true
	}
	for {
		if _, ok := s.scanValue(depth+1, placeOther); !ok || s.first != ',' {
			return ok && s.first == ']'
		}
		s.nextToken()
	}
}

// placeOf returns the place of the value of a member.
func placeOf(at place, name []byte) place {
	switch {
	case at == placeTop && string(name) == "params":
		return placeParams
	case at == placeParams && string(name) == "_meta":
		return placeMeta
	case at == placeParams && string(name) == "inputResponses":
		return placeResponses
	case at == placeResponses, at == placeTop && string(name) == "result":
		return placeAnswer
	}
	return placeOther
}

// pickMember stores a member that a message is made of.
func (s *scanner) pickMember(at place, name, raw []byte) {
	switch at {
	case placeTop:
		s.pickTopMember(name, raw)
	case placeMeta:
		switch string(name) {
		case "progressToken":
			s.message.ProgressToken = raw
		case "io.modelcontextprotocol/protocolVersion":
			s.message.Version, _ = rawjson.String(raw)
		}
	}
}

func (s *scanner) pickTopMember(name, raw []byte) {
	switch string(name) {
	case "jsonrpc":
		s.jsonrpc = raw
	case "id":
		s.manyIDs = s.message.ID != nil
		s.message.ID = raw
	case "method":
		s.message.rawMethod = raw
		if text, ok := rawjson.String(raw); ok {
			s.message.Method = text
		}
	case "params":
		s.message.Params = raw
	case "result":
		s.message.Result = raw
	case "error":
		s.message.Failure = raw
	}
}

// noteBroken notes a broken rule. The first one is reported.
func (s *scanner) noteBroken(text string) {
	if s.broken == "" {
		s.broken = text
	}
}
