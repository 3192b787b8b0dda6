package transport

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// shutdown ends everything in the two phases of ServeHTTP; an error says what
// was left behind.
func (h *endpoint) shutdown(srv *http.Server) error {
	ended := make(chan struct{}) // closed when no request is served and no call runs
	go func() {
		defer close(ended)
		h.drain()
		<-h.served
		h.calls.Wait() // nobody adds to them any more
	}()
	idle := make(chan struct{}) // closed when all responses are sent
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(idle)
		_ = srv.Shutdown(ctx)
	}()
	defer func() {
		stop()
		<-idle
	}()

	select {
	case <-ended:
	case <-time.After(h.Grace):
		h.cancel()
	}
	last, over := context.WithTimeout(ctx, lastMoment)
	defer over()
	select {
	case <-ended:
	case <-last.Done():
	}
	// Connections that never sent a request are not idle to net/http; they are
	// nobody's loss.
	select {
	case <-idle:
	case <-last.Done():
	}
	return h.leftBehind(srv, ended)
}

// leftBehind closes all connections and says what has not ended by then.
func (h *endpoint) leftBehind(srv *http.Server, ended <-chan struct{}) error {
	select {
	case <-ended:
		return srv.Close()
	default:
	}
	_ = srv.Close() // cuts off who does not read
	select {
	case <-ended: // only responses were left
		return fmt.Errorf("transport: stopped after %s, leaving behind a response the client did not read", h.Grace)
	case <-time.After(lastMoment / 10):
	}
	h.limits.mu.Lock()
	defer h.limits.mu.Unlock()
	return fmt.Errorf("transport: stopped after %s, leaving behind calls that did not end: %d", h.Grace, h.limits.all[callsHeld])
}

// enter counts a request; false: no more are taken.
func (h *endpoint) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return false
	}
	h.serving++
	return true
}

// leave counts a request's end.
func (h *endpoint) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serving--
	if h.closing && h.serving == 0 {
		close(h.served)
	}
}

// track puts a new-era request among those that the shutdown drains. One that
// came in just before is served all the same.
func (h *endpoint) track(p *peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peers[p] = struct{}{}
	if h.closing {
		p.drain(ErrShutdown)
	}
}

// untrack is the reverse of track.
func (h *endpoint) untrack(p *peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.peers, p)
}

// drain takes no more requests, and tells all calls to stop waiting.
func (h *endpoint) drain() {
	h.leaving.Store(true)
	h.mu.Lock()
	h.closing = true
	for p := range h.peers {
		p.drain(ErrShutdown)
	}
	if h.serving == 0 {
		close(h.served)
	}
	h.mu.Unlock()
	h.sessions.drain(ErrShutdown)
}

// cancel cancels all calls.
func (h *endpoint) cancel() {
	h.mu.Lock()
	for p := range h.peers {
		p.end(ErrShutdown)
	}
	h.mu.Unlock()
	h.sessions.end(ErrShutdown)
}
