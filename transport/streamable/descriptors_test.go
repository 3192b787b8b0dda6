package streamable

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// scarceListener is the listener of a process that has few descriptors for connections.
type scarceListener struct {
	net.Listener
	free   atomic.Int32
	failed chan struct{} // has a value after an accept that failed
}

// scarceConn is a connection of a scarceListener.
type scarceConn struct {
	net.Conn
	release func()
}

// Accept fails if no descriptor is free, whether a connection waits or not, as it does
// on Linux.
func (l *scarceListener) Accept() (net.Conn, error) {
	if l.free.Load() == 0 {
		select {
		case l.failed <- struct{}{}:
		default:
		}
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.free.Add(-1)
	return &scarceConn{conn, sync.OnceFunc(func() { l.free.Add(1) })}, nil
}

func (c *scarceConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// serveScarce serves with so many descriptors for connections, and logs to log.
func serveScarce(t *testing.T, f *fixture.Server, descriptors int32, log *strings.Builder) (*testServer, *scarceListener) {
	l := &scarceListener{Listener: listen(t), failed: make(chan struct{}, 1)}
	l.free.Store(descriptors)
	o := Options{Options: session.Options{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))}}
	return serveOn(t, l, f, o), l
}

// TestDescriptorsRunOut: idle connections are closed for new ones, and one warning says
// what to do.
func TestDescriptorsRunOut(t *testing.T) {
	var log strings.Builder
	s, _ := serveScarce(t, fixture.New(session.Hooks()), 3, &log)
	request := post(statelessHeaders("tools/call", "echo"), fixture.StatelessCall("1", "echo", ""))
	var clients []*conn
	for range 20 {
		c := dial(t, s)
		c.send(request)
		if got := c.line(); got != "HTTP/1.1 200 OK" {
			t.Fatal(got)
		}
		clients = append(clients, c)
	}
	for _, c := range clients[:17] {
		if _, err := c.in.WriteTo(io.Discard); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("an older connection stays: %v", err)
		}
	}
	s.stop()
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN") || !strings.Contains(got, "RLIMIT_NOFILE, ulimit -n") || !strings.Contains(got, "too many open files") {
		t.Errorf("log: %s", got)
	}
}

// TestDescriptorsRunOutWhileAllAreServed: a new connection waits until another ends.
func TestDescriptorsRunOutWhileAllAreServed(t *testing.T) {
	var log strings.Builder
	f := fixture.New(session.Hooks())
	s, l := serveScarce(t, f, 2, &log)
	served := []*conn{dial(t, s), dial(t, s)}
	for _, c := range served {
		c.send(post(append(statelessHeaders("tools/call", "hold"), "Connection", "close"), fixture.StatelessCall("1", "hold", "")))
		fixture.Receive(t, f.Waiting)
	}
	fixture.Receive(t, l.failed)
	c := dial(t, s)
	c.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	close(f.Release)
	for _, c := range append(served, c) {
		if got := c.line(); got != "HTTP/1.1 200 OK" {
			t.Error(got)
		}
	}
}
