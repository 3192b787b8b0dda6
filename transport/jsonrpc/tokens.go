package jsonrpc

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"runs-mcp-server/internal/rawjson"
)

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
	isWhole := len(token) > 0 && token[0] != '0' && len(bytes.TrimLeft(token, "0123456789")) == 0
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
