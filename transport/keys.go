package transport

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// keyName is an object key as it is compared.
type keyName []byte

// fewKeys is up to how many keys of an object are compared one by one; beyond,
// a map keeps the cost linear.
const fewKeys = 16

// keySet finds keys that appear twice in one object. At the places mcp-go
// decodes into structs it compares without letter case, as encoding/json does.
type keySet struct {
	at   place
	base int // where this object's keys begin in scanner.keys
	many map[string]struct{}
}

// add notes a key and returns what is wrong with it, or "".
func (k *keySet) add(s *scanner, name []byte) string {
	if k.at != elsewhere {
		folded := fold(name)
		if known := knownKey(k.at, string(folded)); known != "" && known != string(name) {
			return "a key of " + k.where() + " differs from " + known + " only in letter case"
		}
		name = folded
	}
	if k.seen(s, name) {
		text := "a key appears twice in " + k.where()
		if k.at != elsewhere {
			text += " (letter case does not make it another key)"
		}
		return text
	}
	return ""
}

// seen reports whether name was there before, and notes it.
func (k *keySet) seen(s *scanner, name []byte) bool {
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

// where names the object for the client.
func (k *keySet) where() string {
	switch k.at {
	case atTop:
		return "the message"
	case inParams:
		return "params"
	case inMeta:
		return "params._meta"
	case inResponses:
		return "params.inputResponses"
	case inAnswer:
		return "an answer"
	}
	return "an object"
}

// fold maps names that encoding/json takes for one another to the same bytes:
// ASCII in lower case, other runes to the smallest of their folding orbit, so
// that the long s of "paramſ" is an s.
func fold(name []byte) []byte {
	out := make([]byte, 0, len(name))
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRune(name[i:])
		i += n
		if r >= utf8.RuneSelf {
			r = smallest(r)
		}
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// smallest is the smallest rune of r's folding orbit.
func smallest(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}

// knownKey is the key that MCP defines at a place, given it in lower case, or
// "" when there is none: JSON-RPC's members, the params of all client requests
// and notifications in all revisions, the reserved names of _meta, and what an
// answer says of a person.
func knownKey(at place, folded string) string {
	switch at {
	case atTop:
		switch folded {
		case "jsonrpc", "id", "method", "params", "result", "error":
			return folded
		}
	case inParams:
		switch folded {
		case "_meta", "name", "arguments", "uri", "cursor", "level", "capabilities", "ref", "argument",
			"context", "reason", "progress", "total", "message", "task", "notifications":
			return folded
		case "protocolversion":
			return "protocolVersion"
		case "clientinfo":
			return "clientInfo"
		case "requestid":
			return "requestId"
		case "progresstoken":
			return "progressToken"
		case "taskid":
			return "taskId"
		case "inputresponses":
			return "inputResponses"
		case "requeststate":
			return "requestState"
		}
	case inMeta:
		switch folded {
		case "progresstoken":
			return "progressToken"
		case "io.modelcontextprotocol/protocolversion":
			return "io.modelcontextprotocol/protocolVersion"
		case "io.modelcontextprotocol/clientinfo":
			return "io.modelcontextprotocol/clientInfo"
		case "io.modelcontextprotocol/clientcapabilities":
			return "io.modelcontextprotocol/clientCapabilities"
		case "io.modelcontextprotocol/loglevel":
			return "io.modelcontextprotocol/logLevel"
		case "io.modelcontextprotocol/subscriptionid":
			return "io.modelcontextprotocol/subscriptionId"
		case "traceparent", "tracestate", "baggage":
			return folded
		}
	case inAnswer:
		switch folded {
		case "action", "content", "_meta":
			return folded
		}
	}
	return ""
}
