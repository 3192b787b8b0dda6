package streamable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// maxHeader is how many bytes the header of a request may have. net/http adds
// 4 KiB to what it is told.
const maxHeader = 32<<10 - 4<<10

// Serve serves MCP at /mcp, and /healthz and /readyz, until ctx is done. It owns
// the listener. ctx is the program's: SIGTERM, SIGHUP or SIGINT ends it
// (internal/cli/signals.go). Then Serve stops in three steps:
//
//  1. Drain period, for Options.Drain: requests are served as before, but /readyz
//     says that the server is not ready, and every response says that its
//     connection ends. If the listener is closed, this step ends at once: SIGINT
//     closes it (internal/cli/http.go).
//  2. Stop waiting, for Options.Grace at most: no connection is accepted, calls are
//     told to stop waiting (session.Connection.Drain), and listens end. The time is
//     for creates and decisions, which go on until the API has answered.
//  3. Cancel: calls that are not over by then are cancelled (ErrShutdown) and have
//     a second to end.
//
// It returns nil if all calls have ended and their answers are sent; else an
// error says what was left behind. The error of a listener that fails is
// returned.
func Serve(ctx context.Context, l net.Listener, options Options) error {
	e, err := newEndpoint(options)
	if err != nil {
		_ = l.Close()
		return err
	}
	handler := http.Handler(e)
	if e.Wrap != nil {
		handler = e.Wrap(e)
	}
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: e.HeaderTimeout,
		ReadTimeout:       max(e.BodyTimeout, e.HeaderTimeout),
		WriteTimeout:      e.WriteTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ConnState:         e.connections.noteState,
		ConnContext:       withConnection,
		ErrorLog:          slog.NewLogLogger(e.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	serveError := make(chan error, 1)
	go func() { serveError <- srv.Serve(listener{l, e.connections}) }()
	stopSweeping := e.startSweeping()
	defer stopSweeping()

	var failure error // why the listener failed; nil as long as it accepts
	select {
	case failure = <-serveError:
	case <-ctx.Done():
		e.leaving.Store(true) // step 1
		select {
		case failure = <-serveError:
		case <-time.After(e.Drain):
		}
	}
	err = e.shutdown(srv) // steps 2 and 3
	if failure == nil {
		failure = <-serveError
	}
	if !errors.Is(failure, http.ErrServerClosed) {
		err = errors.Join(fmt.Errorf("transport: accept connections: %w", failure), err)
	}
	return err
}

// startSweeping ends idle sessions, and pauses the watching of those that nobody
// reads, again and again until stop is called.
func (e *endpoint) startSweeping() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(max(min(e.SessionIdle/8, e.WatchGrace/2), time.Millisecond))
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				e.sessions.endIdle(e.SessionIdle)
				e.sessions.pauseUnread(e.WatchGrace)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
