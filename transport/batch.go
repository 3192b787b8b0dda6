package transport

import (
	"bytes"
	"encoding/json"
	"strconv"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
)

// maxBatch is how many messages one array may hold. An element of two bytes
// may cost an answer of a hundred and fifty.
const maxBatch = 256

// isBatch reports whether data is a JSON array.
func isBatch(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("["))
}

// splitBatch cuts an array of messages into its elements, for a client that
// negotiated version. Only 2025-03-26 has batches.
func splitBatch(data []byte, version string) ([]json.RawMessage, *refusal) {
	if version != mcp.ProtocolVersion20250326 {
		return nil, invalid(nil, "an array of messages is accepted in protocol version 2025-03-26 only. Send one message at a time.")
	}
	var elements []json.RawMessage
	if json.Unmarshal(data, &elements) != nil {
		return nil, &refusal{code: mcp.PARSE_ERROR, text: "parse error: the message is not valid JSON"}
	}
	if len(elements) == 0 {
		return nil, invalid(nil, "the array of messages is empty")
	}
	if len(elements) > maxBatch {
		return nil, invalid(nil, "the array has more than "+strconv.Itoa(maxBatch)+" messages. Send smaller ones.")
	}
	return elements, nil
}

// notInBatch is why a message may not be part of an array, or "".
func notInBatch(m *message) string {
	switch {
	case m.method == string(mcp.MethodInitialize):
		return "initialize can't be part of an array of messages"
	case m.modern():
		return "a message of protocol version " + mcp.ProtocolVersion20260728 + " or later can't be part of an array of messages"
	}
	return ""
}

// batch is the sink of all messages of one array: their answers go out as one
// array when the last has come; notifications don't wait for it.
type batch struct {
	out sink

	mu      sync.Mutex // guards all below
	left    int        // messages without their answer
	answers [][]byte
}

// send implements sink.
func (b *batch) send(line []byte) error { return b.out.send(line) }

// ask implements sink.
func (b *batch) ask(line []byte) error { return b.out.ask(line) }

// answer implements sink.
func (b *batch) answer(a answer) error {
	b.mu.Lock()
	if a.line != nil {
		b.answers = append(b.answers, a.line)
	}
	b.left--
	last := b.left == 0
	b.mu.Unlock()
	if !last {
		return nil
	}
	if len(b.answers) == 0 {
		return b.out.answer(answer{})
	}
	all := append([]byte{'['}, bytes.Join(b.answers, []byte{','})...)
	return b.out.answer(answer{line: append(all, ']')})
}
