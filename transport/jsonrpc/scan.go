package jsonrpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"runs-mcp-server/internal/rawjson"
)

// maxID is how long an id or a progress token may be as JSON, in bytes. Both are
// kept as long as their call, and sent back with each message about it.
const maxID = 1 << 10

// isID reports whether a raw JSON value may be an id or a progress token (MCP,
// RequestId and ProgressToken): a string or an integer that is not too long.
func isID(raw json.RawMessage) bool {
	if len(raw) == 0 || len(raw) > maxID {
		return false
	}
	digits := bytes.TrimPrefix(raw, []byte("-"))
	return raw[0] == '"' || len(bytes.TrimLeft(digits, "0123456789")) == 0
}

// isNull reports whether a raw JSON value is null.
func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

// maxDepth is how deep objects and arrays may nest. No MCP message comes near.
// It keeps the recursion here and in every later reader short.
const maxDepth = 64

// maxValues is how many values a message may have. Each takes up to a hundred times
// its size when it is decoded. A run with a thousand integrations has far fewer.
const maxValues = 20_000

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

	values int      // how many were scanned
	keys   [][]byte // of the objects that are open; each keySet knows where its own begin
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
	if s.values++; s.values == maxValues+1 {
		s.noteBroken(fmt.Sprintf("a message has more than %d values", maxValues))
	}
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
			if !isNull(raw) {
				s.message.ProgressToken = raw
			}
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

// nextToken moves to the next token (RFC 8259). Behind the last one, and where
// there is none that is valid, the current token becomes empty.
func (s *scanner) nextToken() {
	s.from = spaceEnd(s.data, s.to)
	s.to, s.first = s.from, 0
	if s.from == len(s.data) {
		return
	}
	first := s.data[s.from]
	switch first {
	case '{', '}', '[', ']', ',', ':':
		s.to = s.from + 1
	case '"':
		s.to = stringEnd(s.data, s.from)
	default:
		if end := rawjson.End(s.data, s.from); isLiteral(s.data[s.from:end]) {
			s.to = end
		}
	}
	if s.to > s.from {
		s.first = first
	}
}

// spaceEnd returns where the white space that begins at i ends.
func spaceEnd(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// stringEnd returns where the string that begins at start ends; start if it is
// not valid.
func stringEnd(data []byte, start int) int {
	for i := start + 1; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return start
		case c == '\\':
			n := escapeLength(data[i:])
			if n == 0 {
				return start
			}
			i += n - 1
		}
	}
	return start
}

// isLiteral reports whether a token that is no string is a number or a word.
// Most are quick to tell: json.Valid takes ten times as long.
func isLiteral(token []byte) bool {
	switch string(token) {
	case "true", "false", "null":
		return true
	}
	isWhole := len(token) > 0 && (token[0] != '0' || len(token) == 1) && len(bytes.TrimLeft(token, "0123456789")) == 0
	return isWhole || json.Valid(token)
}

// escapeLength returns how many bytes the escape at the beginning of a text has;
// 0 if it is not valid.
func escapeLength(text []byte) int {
	switch {
	case len(text) < 2 || strings.IndexByte(`"\/bfnrtu`, text[1]) < 0:
		return 0
	case text[1] != 'u':
		return 2
	case len(text) < 6:
		return 0
	}
	for _, c := range text[2:6] {
		if strings.IndexByte("0123456789abcdefABCDEF", c) < 0 {
			return 0
		}
	}
	return 6
}

// unquote returns what a string says, as encoding/json reads it, so that two
// spellings of one key are found to be one key.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := rawjson.String(quoted)
	return []byte(text)
}

// fewKeys is up to how many keys of an object are compared one by one. Beyond
// that, a map keeps the cost linear.
const fewKeys = 16

// keySet finds keys that appear twice in one object. At the places that mcp-go
// decodes into structs it ignores letter case, as encoding/json does.
type keySet struct {
	place place
	base  int // where this object's keys begin in scanner.keys
	many  map[string]struct{}
}

// addKey adds a key and returns what is wrong with it, or "".
func (k *keySet) addKey(s *scanner, name []byte) string {
	if k.place == placeOther {
		if k.addName(s, name) {
			return "a key appears twice in an object"
		}
		return ""
	}
	if defined := definedKey(k.place, string(name)); defined != "" && defined != string(name) {
		return "a key of " + placeNames[k.place] + " differs from " + defined + " only in letter case"
	}
	if k.addName(s, foldName(name)) {
		return "a key appears twice in " + placeNames[k.place] + " (letter case does not make it another key)"
	}
	return ""
}

// addName adds a name and reports whether it was there before.
func (k *keySet) addName(s *scanner, name []byte) (twice bool) {
	if k.many != nil {
		_, twice := k.many[string(name)]
		k.many[string(name)] = struct{}{}
		return twice
	}
	own := s.keys[k.base:]
	for _, other := range own {
		if bytes.Equal(other, name) {
			return true
		}
	}
	s.keys = append(s.keys, name)
	if len(own) >= fewKeys {
		k.many = make(map[string]struct{}, 4*fewKeys)
		for _, other := range s.keys[k.base:] {
			k.many[string(other)] = struct{}{}
		}
		s.keys = s.keys[:k.base]
	}
	return false
}

// foldName maps names that encoding/json takes for one another to the same
// bytes: ASCII in lower case, other runes to the smallest of their folding
// orbit. The long s of "paramſ" becomes an s.
func foldName(name []byte) []byte {
	folded := make([]byte, 0, len(name))
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRune(name[i:])
		i += n
		if r >= utf8.RuneSelf {
			r = smallestFold(r)
		}
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		folded = utf8.AppendRune(folded, r)
	}
	return folded
}

// smallestFold returns the smallest rune of r's folding orbit.
func smallestFold(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}

// definedKey returns the key that MCP defines at a place and that a name is in
// some letter case; "" if there is none.
func definedKey(at place, name string) string {
	for _, defined := range definedKeys[at] {
		if strings.EqualFold(name, defined) {
			return defined
		}
	}
	return ""
}

// placeNames name the places for the client.
var placeNames = map[place]string{
	placeTop:       "the message",
	placeParams:    "params",
	placeMeta:      "params._meta",
	placeResponses: "params.inputResponses",
	placeAnswer:    "an answer",
}
