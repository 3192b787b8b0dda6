package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// maxHeader is how many bytes the header of a request may have; net/http adds
// 4 KiB to what it is told.
const maxHeader = 32<<10 - 4<<10

// ServeHTTP serves MCP's streamable HTTP transport at /mcp, in both eras, and
// /healthz and /readyz, until ctx is done. It owns the listener.
//
// Then it accepts no more, cancels all calls (ErrShutdown), lets them and the
// listens end and their answers be read, and returns nil if that is achieved
// within Options.Grace; else an error says what was left behind. The error of a
// listener that fails is returned.
func ServeHTTP(ctx context.Context, l net.Listener, o HTTPOptions) error {
	h, err := newEndpoint(o)
	if err != nil {
		_ = l.Close()
		return err
	}
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: h.HeaderTimeout,
		ReadTimeout:       max(h.BodyTimeout, h.HeaderTimeout),
		WriteTimeout:      h.WriteTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ConnState:         newConnections(h.Connections).note,
		ErrorLog:          slog.NewLogLogger(h.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	sweeping, stop := context.WithCancel(context.Background())
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		h.sweep(sweeping)
	}()
	defer func() {
		stop()
		<-swept
	}()

	select {
	case err = <-failed:
		err = fmt.Errorf("transport: accept connections: %w", err)
		failed <- http.ErrServerClosed
	case <-ctx.Done():
	}
	left := h.shutdown(srv)
	<-failed
	return errors.Join(err, left)
}

// sweep ends idle sessions until ctx is done.
func (h *endpoint) sweep(ctx context.Context) {
	tick := time.NewTicker(max(h.SessionIdle/8, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.sessions.sweep(h.SessionIdle)
		case <-ctx.Done():
			return
		}
	}
}

// shutdown ends everything, within the grace; an error says what was left.
func (h *endpoint) shutdown(srv *http.Server) error {
	grace, stop := context.WithTimeout(context.Background(), h.Grace)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.close()
		<-h.served
		h.calls.Wait() // nobody adds to them any more
	}()
	// New connections that never sent a request hold this up to its end; they
	// are nobody's loss.
	_ = srv.Shutdown(grace)
	select {
	case <-ended:
	case <-grace.Done():
	}
	select {
	case <-ended:
		return srv.Close()
	default:
	}
	_ = srv.Close() // cuts off who does not read
	select {
	case <-ended: // only responses were left
		return fmt.Errorf("transport: stopped after %s, leaving behind a response the client did not read", h.Grace)
	case <-time.After(h.Grace / 8):
	}
	h.limits.mu.Lock()
	defer h.limits.mu.Unlock()
	return fmt.Errorf("transport: stopped after %s, leaving behind calls that did not end: %d", h.Grace, h.limits.all[callsHeld])
}

// enter counts a request; false: the shutdown has begun.
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

// track puts a new-era request among those that the shutdown ends.
func (h *endpoint) track(p *peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peers[p] = struct{}{}
	if h.closing {
		p.end(ErrShutdown)
	}
}

// untrack is the reverse of track.
func (h *endpoint) untrack(p *peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.peers, p)
}

// close begins the shutdown.
func (h *endpoint) close() {
	h.mu.Lock()
	h.closing = true
	for p := range h.peers {
		p.end(ErrShutdown)
	}
	if h.serving == 0 {
		close(h.served)
	}
	h.mu.Unlock()
	h.sessions.close(ErrShutdown)
}
