package session

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"

	"runs-mcp-server/transport/jsonrpc"
)

// questions are the requests of ours that a client has not answered.
type questions struct {
	draining context.Context // done when nothing may be asked any more

	mu   sync.Mutex // guards all below
	open map[string]*question
	last uint64 // the number of the newest
}

// question is one of them.
type question struct {
	id       string
	response chan *jsonrpc.Message // gets the client's first response; has room for it
	closed   chan struct{}         // closed when it was answered or withdrawn
}

func newQuestions(draining context.Context) *questions {
	return &questions{draining: draining, open: make(map[string]*question)}
}

// openQuestion makes a new question; nil if the client is drained. The caller
// closes it.
func (q *questions) openQuestion() *question {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.draining.Err() != nil {
		return nil
	}
	q.last++
	opened := &question{id: "server-" + strconv.FormatUint(q.last, 10), response: make(chan *jsonrpc.Message, 1), closed: make(chan struct{})}
	q.open[opened.id] = opened
	return opened
}

// closeQuestion closes a question that was answered or withdrawn.
func (q *questions) closeQuestion(closed *question) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, closed.id)
	close(closed.closed)
}

// deliverResponse brings a response to its question. A response to no question,
// and a second one, is dropped.
func (q *questions) deliverResponse(m *jsonrpc.Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	answered, ok := q.open[m.StringID()]
	if !ok {
		return
	}
	select {
	case answered.response <- m:
	default:
	}
}

// awaitClosed waits, after the drain, until no question is open.
func (q *questions) awaitClosed() {
	q.mu.Lock()
	open := slices.Collect(maps.Values(q.open))
	q.mu.Unlock()
	for _, question := range open {
		<-question.closed
	}
}
