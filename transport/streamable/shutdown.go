package streamable

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"runs-mcp-server/transport/session"
)

// shutdown runs steps 2 and 3 of [Serve]: calls are told to stop waiting
// (stopWaiting), then cancelled (cancelCalls). An error says what was left behind.
func (e *endpoint) shutdown(srv *http.Server) error {
	ended := make(chan struct{}) // closed when no request is served and no call runs
	go func() {
		defer close(ended)
		e.stopWaiting()
		e.requests.awaitNone()
		e.calls.Wait() // no call is added any more
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
	case <-time.After(e.Grace):
		e.cancelCalls()
	}
	last, cancel := context.WithTimeout(ctx, session.CancelTimeout)
	defer cancel()
	select {
	case <-ended:
	case <-last.Done():
	}
	// To net/http, connections that never sent a request are not idle. Nothing
	// is lost with them.
	select {
	case <-idle:
	case <-last.Done():
	}
	return e.closeConnections(srv, ended)
}

// stopWaiting takes no more requests and tells all calls to stop waiting.
func (e *endpoint) stopWaiting() {
	e.leaving.Store(true)
	e.requests.stopRequests(session.ErrShutdown)
	e.sessions.stopAll(session.ErrShutdown)
}

// cancelCalls cancels all calls.
func (e *endpoint) cancelCalls() {
	e.requests.cancelCalls(session.ErrShutdown)
	e.sessions.endAll(session.ErrShutdown)
}

// closeConnections closes all connections and says what has not ended by then.
func (e *endpoint) closeConnections(srv *http.Server, ended <-chan struct{}) error {
	select {
	case <-ended:
		return srv.Close()
	default:
	}
	_ = srv.Close() // ends the responses of clients that do not read
	select {
	case <-ended: // only responses were left
		return fmt.Errorf("transport: stopped after %s, leaving behind a response the client did not read", e.Grace)
	case <-time.After(session.CancelTimeout / 10):
	}
	return fmt.Errorf("transport: stopped after %s, leaving behind calls that did not end: %d", e.Grace, e.quota.InUse()[session.Calls])
}
