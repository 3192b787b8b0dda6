package jsonrpc

import (
	"encoding/json"
	"regexp"
	"unicode/utf8"
)

// tailSize is how many bytes of the end of a message [findID] looks at.
const tailSize = 512

// lastMember matches an id that is the last member of its message, as some
// clients write it. Before a single brace at the end stand only members of the
// message itself.
var lastMember = regexp.MustCompile(`,\s*"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*)\s*\}\s*$`)

// findID looks for the id of a request that can't be read as a whole, so that
// its client need not wait for an answer. It looks at the members before the
// fault, and at the end. head and tail are the beginning and the end of the
// message, maybe the same. The result is nil if there is no id, if it is not
// clear which one it is, and if the message is no request.
func findID(head, tail []byte) json.RawMessage {
	s := scanner{data: head}
	s.scanDocument()
	if s.message.Method == "" || s.manyIDs {
		return nil
	}
	id := s.message.ID
	if m := lastMember.FindSubmatch(tail[max(0, len(tail)-tailSize):]); m != nil && json.Valid(m[1]) {
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
