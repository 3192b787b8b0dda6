package streamable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// isFriend is an Options.IsKnown that knows one caller.
func isFriend(ctx context.Context) bool { return ctx.Value(callerKey{}) == "friend" }

// callAs returns a request that calls a tool.
func callAs(key, tool string) string {
	return post(append(statelessHeaders("tools/call", tool), "X-Key", key), fixture.StatelessCall("1", tool, ""))
}

// wantStatus reads a whole response.
func (c *conn) wantStatus(want int) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != want {
		c.t.Fatalf("%s, %v", resp.Status, err)
	}
}

// wantEnd reads until the end of the connection.
func (c *conn) wantEnd() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.in); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		c.t.Fatalf("the connection stays: %v", err)
	}
}

// TestStrangersDoNotCloseKnownConnections: a known caller's idle connection survives
// many connections of strangers, which close each other's, and a new one gets through.
func TestStrangersDoNotCloseKnownConnections(t *testing.T) {
	for _, tt := range []struct {
		name      string
		strangers int
		request   string // which each of them sends; "": none
	}{
		{"idle", 600, callAs("stranger", "echo")},
		{"silent", 2000, ""},
		{"with half a header", 600, "POST /mcp HTTP/1.1\r\nHost: localhost\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serveHTTP(t, fixture.New(session.Hooks()), Options{IsKnown: isFriend, HeaderTimeout: time.Hour})
			friend := dial(t, s)
			friend.send(callAs("friend", "echo"))
			friend.wantStatus(200)
			strangers := make([]*conn, tt.strangers)
			for i := range strangers {
				strangers[i] = dial(t, s)
				strangers[i].send(tt.request)
				if strings.HasSuffix(tt.request, "}") {
					strangers[i].wantStatus(200)
				}
			}
			ended := make(chan struct{}, tt.strangers)
			for _, c := range strangers {
				go func() {
					_, _ = io.Copy(io.Discard, c.in)
					ended <- struct{}{}
				}()
			}
			for range tt.strangers - 512 {
				fixture.Receive(t, ended)
			}
			for _, c := range []*conn{friend, dial(t, s)} {
				c.send(callAs("friend", "echo"))
				c.wantStatus(200)
			}
		})
	}
}

// TestNewestStrangerIsServed: strangers that hold all their places by long calls give
// way to newer ones. A caller that becomes known by its call does not.
func TestNewestStrangerIsServed(t *testing.T) {
	var learned atomic.Bool
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{StrangerConnections: 2, IsKnown: func(ctx context.Context) bool {
		return learned.Load() && ctx.Value(callerKey{}) == "new"
	}})
	var served []*conn
	for i, key := range []string{"new", "b", "c"} {
		served = append(served, dial(t, s))
		served[i].send(callAs(key, "hold"))
		fixture.Receive(t, f.Waiting)
		learned.Store(true)
	}
	newest := dial(t, s)
	newest.send(callAs("d", "echo"))
	newest.wantStatus(200)
	served[1].wantEnd()
	close(f.Release)
	served[0].wantStatus(200)
	served[2].wantStatus(200)
}

// TestStrangersHaveLessTime: to send a body, and to read what is written.
func TestStrangersHaveLessTime(t *testing.T) {
	f := fixture.New(session.Hooks())
	f.MCP.AddTool(mcp.NewTool("flood"), flood(f))
	s := serveHTTP(t, f, Options{IsKnown: isFriend, StrangerTimeout: 200 * time.Millisecond, BodyTimeout: time.Hour, WriteTimeout: time.Hour})
	half := func(key string) *conn {
		request := callAs(key, "echo")
		c := dial(t, s)
		c.send(request[:len(request)-1])
		return c
	}
	friend := half("friend")
	half("stranger").wantStatus(408)
	friend.send("}")
	friend.wantStatus(200)

	dial(t, s).send(callAs("stranger", "flood"))
	if cause := fixture.Receive(t, f.Causes); !errors.Is(cause, session.ErrClientGone) && !errors.Is(cause, session.ErrCancelled) {
		t.Errorf("cause %v", cause)
	}
}

// TestStrangersMayWait: a stranger's time counts while bytes are due, and not while a
// call or a stream is open.
func TestStrangersMayWait(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{IsKnown: isFriend, StrangerTimeout: 100 * time.Millisecond, KeepAlive: 400 * time.Millisecond})
	get := s.stream(s.do("GET", "/mcp", s.session("2025-11-25", `{}`), ""))
	c := dial(t, s)
	c.send(callAs("stranger", "hold"))
	fixture.Receive(t, f.Waiting)
	for range 2 {
		get.frame() // ": open", then the comment after 400 ms
	}
	close(f.Release)
	c.wantStatus(200)
}

// TestLargeBodyOfAStranger: it is refused before it is read, unless the API accepts the
// caller when it is asked.
func TestLargeBodyOfAStranger(t *testing.T) {
	known := newKnownCallers("known")
	var asked atomic.Int64
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{IsKnown: known.isKnown, Introduce: func(ctx context.Context) {
		asked.Add(1)
		if key, _ := ctx.Value(callerKey{}).(string); key == "new" {
			known.add(key)
		}
	}})
	call := fixture.StatelessCall("1", "echo", "")
	large := strings.Repeat(" ", maxStrangerBody) + call
	for _, tt := range []struct {
		name, key, body string
		length          bool
		status          int
		asked           int64
	}{
		{"short", "stranger", call, true, 200, 0},
		{"large", "stranger", large, true, 413, 1},
		{"of unknown length", "stranger", call, false, 413, 1},
		{"large, of a known caller", "known", large, true, 200, 0},
		{"of unknown length, of a known caller", "known", call, false, 200, 0},
		{"large, of a new caller", "new", large, true, 200, 1},
		{"large, of that caller", "new", large, true, 200, 0},
	} {
		asked.Store(0)
		c := dial(t, s)
		headers := append(statelessHeaders("tools/call", "echo"), "X-Key", tt.key)
		request := post(headers, tt.body)
		if !tt.length {
			head, _, _ := strings.Cut(request, "Content-Length")
			request = fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", head, len(tt.body), tt.body)
		}
		c.send(request)
		resp, err := http.ReadResponse(c.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != tt.status || asked.Load() != tt.asked {
			t.Errorf("%s: %s, %d times asked: %s", tt.name, resp.Status, asked.Load(), text)
		}
		if tt.status == 413 && !strings.Contains(string(text), "64 KiB") {
			t.Errorf("%s: %s", tt.name, text)
		}
	}
}
