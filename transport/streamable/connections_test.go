package streamable

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
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

// TestConnections: which connection is closed for a new one. A step is what happens
// to a connection, by name: "new", "serve", "idle" and "close" are its states; "known"
// is a request of a known caller, "unknown" of a stranger, "learn" says that the
// latter is known by now. "later" lets time pass until no connection is young, and
// "accept" is an accept that fails.
func TestConnections(t *testing.T) {
	for _, tt := range []struct {
		name              string
		places, strangers int
		steps, ended      string
	}{
		{"there is room", 3, 3, "new a, new b, new c", ""},
		{"the longest idle", 2, 2, "new a, new b, later, new c", "a"},
		{"a request makes it the last", 2, 2, "new a, new b, serve a, idle a, later, new c", "b"},
		{"an idle one before a served one", 2, 2, "new a, serve a, new b, later, new c", "b"},
		{"a served one before a young one", 2, 2, "new a, serve a, later, new b, new c", "a"},
		{"if it is not young itself", 2, 2, "new a, serve a, new b, new c", "b"},
		{"the newest of strangers stays", 2, 2, "new a, serve a, new b, serve b, new c, serve c, new d", "a b"},
		{"an ended one takes no place", 2, 2, "new a, new b, later, new c, close a, new d", "a b"},
		{"a closed one takes no place", 2, 2, "new a, new b, close a, new c", ""},
		{"all are served for known callers", 2, 2, "new a, serve a, known a, new b, serve b, known b, new c, close c, new d", "c d"},
		{"its request came when it was closed", 2, 2, "new a, new b, later, new c, serve a, known a, idle a, close a, later, new d", "a b"},

		{"strangers have few places", 9, 2, "new a, new b, later, new c", "a"},
		{"known callers do not take them", 9, 2, "new a, serve a, known a, new b, serve b, known b, new c, new d", ""},
		{"strangers do not push out known callers", 4, 4, "new k, serve k, known k, idle k, new a, new b, new c, later, new d, new e", "a b"},
		{"not even a served stranger does", 4, 4, "new k, serve k, known k, idle k, new a, serve a, new b, serve b, new c, serve c, later, new d", "a"},
		{"a stranger may come if all are known", 2, 2, "new k, serve k, known k, idle k, new l, serve l, known l, idle l, new a", "k"},
		{"the next one pushes out the stranger", 2, 2, "new k, serve k, known k, idle k, new l, serve l, known l, idle l, new a, new b, new c", "k a b"},
		{"strangers that are idle go before known callers", 8, 8, "new k, serve k, known k, idle k, new l, serve l, known l, new m, serve m, known m, new n, serve n, known n, " +
			"new o, serve o, known o, new p, serve p, known p, new q, serve q, known q, new a, later, new b", "a"},
		{"a caller becomes known by its request", 9, 2, "new a, serve a, unknown a, new b, serve b, learn a, new c", ""},
		{"while it is idle", 9, 2, "new a, serve a, unknown a, idle a, new b, serve b, learn a, later, new c, new d", "b"},
		{"a caller stays a stranger", 9, 2, "new a, serve a, unknown a, new b, serve b, new c", "a"},
		{"a known caller stays known", 9, 1, "new a, serve a, known a, unknown a, idle a, new b, serve b, new c", "b"},

		{"an accept fails: the longest idle", 9, 9, "new a, new b, later, accept", "a"},
		{"strangers first", 9, 9, "new k, serve k, known k, idle k, new a, later, accept", "a"},
		{"then known callers", 9, 9, "new k, serve k, known k, idle k, new l, serve l, known l, idle l, accept, accept", "k l"},
		{"none is idle", 9, 9, "new k, serve k, known k, accept", "-"},
		{"one is young", 9, 9, "new a, accept", "-"},
		{"one has just begun to be served", 9, 9, "new a, later, serve a, accept, later, accept", "- a"},
		{"there is none", 9, 9, "accept", "-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &connectionSteps{connections: newConnections(testOptions(tt.places, tt.strangers), 0), byName: map[string]net.Conn{}, known: map[string]bool{}}
				for step := range strings.SplitSeq(tt.steps, ", ") {
					c.run(step)
				}
				if got := strings.Join(c.ended, " "); got != tt.ended {
					t.Errorf("ended %q, want %q", got, tt.ended)
				}
				for _, conn := range c.byName {
					c.noteState(conn, http.StateClosed)
				}
				if len(c.open)+c.strangers.len()+c.connections.known.len() != 0 {
					t.Error("connections stay")
				}
			})
		})
	}
}

// testOptions returns options of these limits.
func testOptions(places, strangers int) *Options {
	return &Options{Options: session.Options{Logger: slog.New(slog.DiscardHandler)}, Connections: places, StrangerConnections: strangers}
}

// connectionSteps runs the steps of TestConnections.
type connectionSteps struct {
	*connections
	byName map[string]net.Conn
	known  map[string]bool
	ended  []string
}

func (c *connectionSteps) run(step string) {
	what, name, _ := strings.Cut(step, " ")
	if c.byName[name] == nil {
		c.byName[name] = &closeRecorder{name: name, ended: &c.ended}
	}
	states := map[string]http.ConnState{"new": http.StateNew, "serve": http.StateActive, "idle": http.StateIdle, "close": http.StateClosed}
	switch state, isState := states[what]; {
	case isState:
		c.noteState(c.byName[name], state)
	case what == "known" || what == "unknown":
		c.known[name] = what == "known"
		c.noteCaller(withConnection(context.Background(), c.byName[name]), func() bool { return c.known[name] })
	case what == "learn":
		c.known[name] = true
	case what == "later":
		time.Sleep(youngTime)
	case what == "accept":
		if !c.freeDescriptor(syscall.EMFILE) {
			c.ended = append(c.ended, "-")
		}
	}
}

// TestDescriptorsBoundConnections: clients have half of the descriptors, and a warning
// says so when they have them, once a minute.
func TestDescriptorsBoundConnections(t *testing.T) {
	for _, tt := range []struct{ connections, descriptors, places int }{
		{8192, 0, 8192}, {8192, 1 << 20, 8192}, {8192, 16384, 8192}, {8192, 16382, 8191}, {8192, 64, 32}, {10, 64, 10}, {10, 1, 1},
	} {
		if c := newConnections(testOptions(tt.connections, 10), tt.descriptors); c.places != tt.places {
			t.Errorf("%d connections, %d descriptors: %d", tt.connections, tt.descriptors, c.places)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		o := testOptions(100, 100)
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c := newConnections(o, 4)
		if !strings.Contains(log.String(), "level=INFO") || !strings.Contains(log.String(), "connections=2 limit=4 recommended=200") {
			t.Errorf("at start: %s", log.String())
		}
		var ended []string
		admit := func(n, warnings int) {
			t.Helper()
			for range n {
				c.noteState(&closeRecorder{ended: &ended}, http.StateNew)
			}
			if got := strings.Count(log.String(), "level=WARN"); got != warnings {
				t.Errorf("%d warnings, want %d: %s", got, warnings, log.String())
			}
		}
		admit(2, 0)
		admit(10, 1)
		time.Sleep(warnInterval)
		admit(10, 2)
		if !strings.Contains(log.String(), "RLIMIT_NOFILE, ulimit -n") {
			t.Error(log.String())
		}
	})
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
