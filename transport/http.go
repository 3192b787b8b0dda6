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
// Then, for HTTPOptions.Drain, it says on /readyz that it is not ready and on
// every response that the connection ends, and serves on. After that it accepts
// no more; calls are told to stop waiting (Draining), listens end. Calls that are
// not over within Options.Grace are cancelled (ErrShutdown) and have a second to
// end.
//
// It returns nil if all calls have ended and their answers are sent; else an
// error says what was left behind. The error of a listener that fails is
// returned.
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
	var failure error
	accepted := make(chan struct{}) // closed when no connection is accepted any more; failure says why
	go func() {
		defer close(accepted)
		failure = srv.Serve(l)
	}()
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
	case <-accepted:
	case <-ctx.Done():
		h.leaving.Store(true)
		select {
		case <-accepted:
		case <-time.After(h.Drain):
		}
	}
	err = h.shutdown(srv)
	<-accepted
	if !errors.Is(failure, http.ErrServerClosed) {
		err = errors.Join(fmt.Errorf("transport: accept connections: %w", failure), err)
	}
	return err
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
