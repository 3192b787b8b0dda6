package jsonrpc

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
