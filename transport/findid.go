package transport

import (
	"encoding/json"
	"regexp"
	"unicode/utf8"
)

// tailSize is how much of the end of a message is looked at for its id.
const tailSize = 512

// lastMember is the id of a message that is written as its last member, as some
// clients do. Nothing but the message's own members can stand before a single
// brace at the end.
var lastMember = regexp.MustCompile(`,\s*"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*)\s*\}\s*$`)

// findID looks for the id of a request that can't be read as a whole, so that its
// client need not wait for an answer: among the members before the fault, or at
// the end. head and tail are the beginning and the end of the message, maybe the
// same. nil: there is no id, or it can't be told, or this is no request.
func findID(head, tail []byte) json.RawMessage {
	s := scanner{data: head}
	s.document()
	if s.msg.method == "" || s.manyIDs {
		return nil
	}
	id := s.msg.id
	if m := lastMember.FindSubmatch(lastBytes(tail, tailSize)); m != nil && json.Valid(m[1]) {
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

// lastBytes are the last n bytes of b, or all of it.
func lastBytes(b []byte, n int) []byte { return b[max(0, len(b)-n):] }
