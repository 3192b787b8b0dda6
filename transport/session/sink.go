package session

import (
	"sync"

	"runs-mcp-server/transport/jsonrpc"
)

// Sink takes what a message leads to, one whole JSON-RPC message at a time. A
// call writes from one goroutine.
type Sink interface {
	WriteNotification(line []byte) error
	// WriteRequest writes a request of ours.
	WriteRequest(line []byte) error
	// WriteAnswer ends the message. It is called exactly once for every message
	// that came in.
	WriteAnswer(Answer) error
}

// Answer is what a message gets in the end. A pipe needs the line alone; HTTP
// makes a status of the rest.
type Answer struct {
	Line    []byte // nil: the message gets no answer
	Code    int    // of a JSON-RPC error; 0 of a result
	Refused bool   // the message was not handed to mcp-go
}

// Refusal returns the answer for a message that was not accepted.
func Refusal(e *jsonrpc.Error) Answer {
	return Answer{Line: e.Encode(), Code: e.Code, Refused: true}
}

// batchSink is the sink of all messages of one array. Notifications and requests
// go out at once, the answers as one array when the last has come.
type batchSink struct {
	Sink

	mu      sync.Mutex // guards all below
	missing int        // how many messages have no answer yet
	lines   [][]byte
	bytes   int // of lines
}

// maxBatchBytes is how many bytes of answers to one array are collected. Then the
// rest of its requests are refused.
const maxBatchBytes = 256 << 10

// isFull reports whether no more requests of the array are taken.
func (b *batchSink) isFull() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes > maxBatchBytes
}

// WriteAnswer implements [Sink].
func (b *batchSink) WriteAnswer(a Answer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.Line != nil {
		b.lines = append(b.lines, a.Line)
		b.bytes += len(a.Line)
	}
	b.missing--
	switch {
	case b.missing > 0:
		return nil
	case len(b.lines) == 0:
		return b.Sink.WriteAnswer(Answer{})
	}
	return b.Sink.WriteAnswer(Answer{Line: jsonrpc.JoinBatch(b.lines)})
}
