package streamable

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// TestManyCallsWithProgress: of 4,000 calls over 36 connections, each with 20
// notifications in one burst, no notification is lost, out of order or on another
// call's stream.
func TestManyCallsWithProgress(t *testing.T) {
	const callers, connections, calls = 3, 36, 1200
	for _, era := range []string{"2026-07-28", "2025-11-25", "2025-03-26"} {
		t.Run(era, func(t *testing.T) {
			f := fixture.New(session.Hooks())
			close(f.Release)
			s := serveHTTP(t, f, Options{})
			var heads [callers]header
			for i := range heads {
				if era == "2026-07-28" {
					heads[i] = append(statelessHeaders("tools/call", "slow"), "X-Key", strconv.Itoa(i))
				} else {
					heads[i] = s.session(era, `{}`, "X-Key", strconv.Itoa(i))
				}
			}
			n := calls
			if era == "2025-03-26" {
				n /= 4 // it is much like 2025-11-25
			}
			var all sync.WaitGroup
			for c := range connections {
				all.Go(func() {
					for i := c; i < n; i += connections {
						id := strconv.Itoa(i)
						body := fixture.Call(id, "slow", id)
						if era == "2026-07-28" {
							body = fixture.StatelessCall(id, "slow", id)
						}
						if err := s.progressCall(heads[c%callers], body, id); err != nil {
							t.Errorf("call %s: %v", id, err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// progressCall makes a call of the slow tool and checks every line of it.
func (s *testServer) progressCall(h header, body, id string) error {
	r, err := http.NewRequestWithContext(s.t.Context(), "POST", "http://"+s.addr+"/mcp", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(h); i += 2 {
		r.Header.Set(h[i], h[i+1])
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	seen := 0
	for in.Scan() {
		data, ok := strings.CutPrefix(in.Text(), "data: ")
		switch {
		case !ok || data == "":
		case seen < 20:
			if seen++; data != fixture.Progress(id, seen) {
				return fmt.Errorf("got %s as number %d", data, seen)
			}
		case seen == 20 && strings.HasPrefix(data, `{"jsonrpc":"2.0","id":`+id+`,"result":`):
			seen++
		default:
			return fmt.Errorf("got %s after %d", data, seen)
		}
	}
	if seen != 21 {
		return fmt.Errorf("%d of 21 messages", seen)
	}
	return in.Err()
}

// TestConnectSubscribeDisconnect: nothing stays of 300 clients, of which some just
// go away.
func TestConnectSubscribeDisconnect(t *testing.T) {
	w := fixture.NewWatching()
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{Options: session.Options{Watch: w.Watch}, SessionIdle: 3 * time.Second})
	cycle := func(i int) {
		s.client.CloseIdleConnections()
		c := dial(t, s)
		if i%3 == 0 {
			c.send(post(statelessHeaders("subscriptions/listen", ""), fixture.Stateless("1", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://`+strconv.Itoa(i)+`"]}`)))
			for !strings.HasPrefix(c.line(), "data: ") {
			}
			c.Close()
			return
		}
		h := s.session("2025-11-25", `{}`)
		s.roundTrip("POST", "/mcp", h, fixture.Subscribe("run://"+strconv.Itoa(i)))
		c.send("GET /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: " + h[1] + "\r\n\r\n")
		for !strings.HasPrefix(c.line(), "id: ") {
		}
		if i%3 == 1 {
			s.roundTrip("DELETE", "/mcp", h, "")
		}
		c.Close()
	}
	cycle(0)
	cycle(1)
	s.client.CloseIdleConnections()
	fixture.Settle(t, "subscriptions", 0, w.Left)
	<-time.After(100 * time.Millisecond)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for i := range 300 {
		cycle(i)
	}
	s.client.CloseIdleConnections()
	fixture.Settle(t, "subscriptions", 0, w.Left)
	fixture.Settle(t, "goroutines", goroutines, runtime.NumGoroutine)
	fixture.Settle(t, "open files", files, func() int { return openFiles(t) })
}

// TestShutdownOfMany: 200 open streams and 200 waiting calls end at once.
func TestShutdownOfMany(t *testing.T) {
	const n = 200
	w := fixture.NewWatching()
	f := fixture.New(session.Hooks())
	f.AddDrainTools()
	s := serveHTTP(t, f, Options{Options: session.Options{Watch: w.Watch}})
	var listens, gets []*events
	calls := make(chan *events, n/2)
	for i := range n / 2 {
		key := []string{"X-Key", strconv.Itoa(i % 4)}
		listens = append(listens, s.stream(s.do("POST", "/mcp", append(statelessHeaders("subscriptions/listen", ""), key...),
			fixture.Stateless("1", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`))))
		h := s.session("2025-11-25", `{}`, key...)
		s.roundTrip("POST", "/mcp", h, fixture.Subscribe("run://there"))
		gets = append(gets, s.stream(s.do("GET", "/mcp", h, "")))
		go func() { calls <- s.stream(s.do("POST", "/mcp", h, fixture.Call("1", "drain", ""))) }()
	}
	answers := make(chan string, n)
	for i := range n / 2 {
		go func() {
			resp, err := s.client.Do(newPostRequest(s, append(statelessHeaders("tools/call", "drain"), "X-Key", strconv.Itoa(i%4)), fixture.StatelessCall("1", "drain", "")))
			if err != nil {
				answers <- err.Error()
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			answers <- string(body)
		}()
	}
	for range n {
		fixture.Receive(t, f.Waiting)
	}
	for _, l := range listens {
		l.next()
	}
	var streams []*events
	for range n / 2 {
		streams = append(streams, fixture.Receive(t, calls))
	}
	began := time.Now()
	s.stop()
	took := time.Since(began)
	t.Logf("%d streams and %d calls ended within %s", n, n, took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Error("too long")
	}
	for _, l := range listens {
		if got := l.next().data; !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":1,"result":`) {
			t.Fatal(got)
		}
		l.end()
	}
	for _, g := range gets {
		g.end()
	}
	for _, c := range streams {
		c.expect(fixture.TextAnswer("1", "time_up"))
		c.end()
	}
	for range n / 2 {
		if got := fixture.Receive(t, answers); !strings.Contains(got, `"time_up"`) {
			t.Fatal(got)
		}
	}
	if w.Left() != 0 {
		t.Fatalf("%d still watched", w.Left())
	}
}

// newPostRequest returns a POST to /mcp.
func newPostRequest(s *testServer, h header, body string) *http.Request {
	r, err := http.NewRequest("POST", "http://"+s.addr+"/mcp", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(h); i += 2 {
		r.Header.Set(h[i], h[i+1])
	}
	return r
}

// TestShutdownLeavesBehind: Serve returns an error if calls ignore their context.
func TestShutdownLeavesBehind(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{Options: session.Options{Grace: 50 * time.Millisecond}})
	e := s.stream(s.do("POST", "/mcp", s.session("2025-11-25", `{}`), fixture.Call("1", "hold", "")))
	fixture.Receive(t, f.Waiting)
	s.cancel()
	if err := fixture.Receive(t, s.ended); err == nil || !strings.Contains(err.Error(), "calls that did not end: 1") {
		t.Fatal(err)
	}
	s.ended <- nil
	e.end()
	close(f.Release)
}

// TestShutdownWithAStallingClient: Serve returns an error, in time.
func TestShutdownWithAStallingClient(t *testing.T) {
	f := fixture.New(session.Hooks())
	f.MCP.AddTool(mcp.NewTool("big"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText(strings.Repeat("x", 16<<20)), nil // no socket's buffer holds that
	})
	s := serveHTTP(t, f, Options{Options: session.Options{Grace: 200 * time.Millisecond}, WriteTimeout: time.Hour, KeepAlive: time.Hour})
	c := dial(t, s)
	c.send(post(statelessHeaders("tools/call", "big"), fixture.StatelessCall("1", "big", "1")))
	c.line()
	s.cancel()
	err := fixture.Receive(t, s.ended)
	s.ended <- nil
	if err == nil || !strings.Contains(err.Error(), "a response the client did not read") {
		t.Fatal(err)
	}
}

// TestShutdownWithASilentConnection: a connection without a request is no loss.
func TestShutdownWithASilentConnection(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{Options: session.Options{Grace: 200 * time.Millisecond}})
	dial(t, s)
	s.roundTrip("GET", "/healthz", nil, "") // the other one is accepted by now
	s.stop()
}

// TestRequestsDuringTheShutdown: they are refused.
func TestRequestsDuringTheShutdown(t *testing.T) {
	h, err := newEndpoint(Options{Server: pick(fixture.New(session.Hooks()), nil)})
	if err != nil {
		t.Fatal(err)
	}
	h.stopWaiting()
	for path, want := range map[string]int{"/mcp": 503, "/readyz": 503, "/healthz": 200} {
		if got := probe(h, path); got != want {
			t.Errorf("%s: %d", path, got)
		}
	}
}

// TestListenerThatFails: Serve returns its error at once.
func TestListenerThatFails(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{})
	s.stop()
	if err := Serve(t.Context(), closedListener(t), Options{Server: pick(f, nil)}); err == nil {
		t.Fatal("no error")
	}
}
