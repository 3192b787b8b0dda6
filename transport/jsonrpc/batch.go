package jsonrpc

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/mark3labs/mcp-go/mcp"
)

// maxBatch is how many messages one array may hold. A tools/list takes 0.3 ms of a
// processor, and all of the array are answered one after the other.
const maxBatch = 32

// NoBatches is the text for a client that may not send an array.
const NoBatches = "an array of messages is accepted in protocol version " + mcp.ProtocolVersion20250326 + " only. Send one message at a time."

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
