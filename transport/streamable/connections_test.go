package streamable

import (
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// closeRecorder is a connection that records its end.
type closeRecorder struct {
	net.Conn
	name  string
	ended *[]string
}

func (c *closeRecorder) Close() error {
	*c.ended = append(*c.ended, c.name)
	return nil
}

// TestConnections: beyond the limit, the connection that has been idle for longest
// is closed; the new one if all others are served.
func TestConnections(t *testing.T) {
	var ended []string
	byName := map[string]*closeRecorder{}
	c := newConnections(3)
	for _, step := range []struct {
		name  string
		state http.ConnState
		ended string // those closed by now
	}{
		{"mute", http.StateNew, ""},
		{"a", http.StateNew, ""},
		{"b", http.StateNew, ""},
		{"a", http.StateActive, ""},
		{"b", http.StateActive, ""},
		{"b", http.StateIdle, ""},
		{"a", http.StateIdle, ""},
		{"c", http.StateNew, "mute"},
		{"c", http.StateActive, "mute"},
		{"d", http.StateNew, "mute b"},
		{"mute", http.StateClosed, "mute b"}, // it is not counted any more
		{"b", http.StateActive, "mute b a"},  // its request came when it was closed
		{"b", http.StateClosed, "mute b a"},
		{"d", http.StateActive, "mute b a"},
		{"e", http.StateNew, "mute b a"},
		{"e", http.StateActive, "mute b a"},
		{"f", http.StateNew, "mute b a f"},
		{"f", http.StateClosed, "mute b a f"},
		{"e", http.StateHijacked, "mute b a f"},
		{"g", http.StateNew, "mute b a f"},
	} {
		if byName[step.name] == nil {
			byName[step.name] = &closeRecorder{name: step.name, ended: &ended}
		}
		c.noteState(byName[step.name], step.state)
		if got := strings.Join(ended, " "); got != step.ended {
			t.Fatalf("%s %s: ended %q, want %q", step.name, step.state, got, step.ended)
		}
	}
	for _, conn := range byName {
		c.noteState(conn, http.StateClosed)
	}
	if len(c.open)+c.idle.Len() != 0 {
		t.Errorf("%d and %d stay", len(c.open), c.idle.Len())
	}
}

// TestConnectionsOverHTTP: a new connection does not end those being served.
func TestConnectionsOverHTTP(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{Connections: 3, HeaderTimeout: time.Hour})
	served := []*conn{dial(t, s), dial(t, s), dial(t, s)}
	for _, c := range served {
		c.send(post(statelessHeaders("tools/call", "hold"), fixture.StatelessCall("1", "hold", "")))
		fixture.Receive(t, f.Waiting)
	}
	if _, err := dial(t, s).in.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("a fourth connection stays")
	}
	close(f.Release)
	for _, c := range served {
		if got := c.line(); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
			t.Error(got)
		}
	}
}
