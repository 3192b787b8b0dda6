package streamable

import (
	"sync"

	"runs-mcp-server/transport/session"
)

// requests are the requests to the MCP endpoint that are being served. The
// shutdown takes no more and waits for these.
type requests struct {
	mu        sync.Mutex // guards all below
	closing   bool       // no more requests are taken
	serving   int
	stateless map[*session.Connection]struct{} // the connections of those of 2026-07-28
	none      chan struct{}                    // closed when closing, and none is served
}

func newRequests() *requests {
	return &requests{stateless: make(map[*session.Connection]struct{}), none: make(chan struct{})}
}

// startRequest counts a request until finishRequest is called. false: no more are taken.
func (r *requests) startRequest() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return false
	}
	r.serving++
	return true
}

// finishRequest counts the end of a request.
func (r *requests) finishRequest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serving--
	if r.closing && r.serving == 0 {
		close(r.none)
	}
}

// addConnection adds the connection of a stateless request. After stopRequests, its
// calls are told at once to stop waiting.
func (r *requests) addConnection(c *session.Connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stateless[c] = struct{}{}
	if r.closing {
		c.Drain(session.ErrShutdown)
	}
}

// removeConnection is the reverse of addConnection.
func (r *requests) removeConnection(c *session.Connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.stateless, c)
}

// stopRequests takes no more requests, and tells the calls of stateless ones to stop
// waiting.
func (r *requests) stopRequests(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closing = true
	for c := range r.stateless {
		c.Drain(cause)
	}
	if r.serving == 0 {
		close(r.none)
	}
}

// cancelCalls cancels the calls of stateless requests.
func (r *requests) cancelCalls(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.stateless {
		c.End(cause)
	}
}

// awaitNone waits, after stopRequests, until no request is served.
func (r *requests) awaitNone() { <-r.none }
