package transport

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// watching is a Watch that hands out how to change.
type watching struct {
	changed chan func(map[string]any) // one per Watch
	stopped chan string

	mu   sync.Mutex // guards all below
	open map[string]int
}

func newWatching() *watching {
	return &watching{changed: make(chan func(map[string]any), 5000), stopped: make(chan string, 5000), open: map[string]int{}}
}

func (w *watching) watch(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
	if uri == "run://gone" {
		return nil, fmt.Errorf("upstream said 404: %w", server.ErrResourceNotFound)
	}
	w.mu.Lock()
	w.open[uri]++
	w.mu.Unlock()
	w.changed <- changed
	return func() {
		if ctx.Err() == nil {
			panic("stopped, and the context is not done")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.open[uri]--; w.open[uri] == 0 {
			delete(w.open, uri)
		}
		w.stopped <- uri
	}, nil
}

// left is how many are watched.
func (w *watching) left() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open)
}

func subscribe(uri string) string {
	return `{"jsonrpc":"2.0","id":"s","method":"resources/subscribe","params":{"uri":"` + uri + `"}}`
}

func unsubscribe(uri string) string {
	return `{"jsonrpc":"2.0","id":"u","method":"resources/unsubscribe","params":{"uri":"` + uri + `"}}`
}

func updateLine(uri, meta string) string {
	return `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":` + meta + `,"uri":"` + uri + `"}}`
}

// pick picks the narrow server by header.
func pick(wide, narrow *fixture) func(*http.Request) *server.MCPServer {
	return func(r *http.Request) *server.MCPServer {
		if r.Header.Get("X-MCP-Readonly") != "" {
			return narrow.srv
		}
		return wide.srv
	}
}

// TestSubscribeOverStdio goes through the life of a subscription of an old-era
// client.
func TestSubscribeOverStdio(t *testing.T) {
	ws := newWatching()
	w := serve(t, newFixture().srv, Options{Watch: ws.watch})
	w.hello("2025-06-18", `{}`)
	w.send(subscribe("run://a"))
	w.expect(`{"jsonrpc":"2.0","id":"s","result":{}}`)
	changed := receive(t, ws.changed)
	w.send(subscribe("run://a")) // again is nothing new
	w.expect(`{"jsonrpc":"2.0","id":"s","result":{}}`)
	changed(map[string]any{"state": "running"})
	w.expect(updateLine("run://a", `{"state":"running"}`))
	changed(nil)
	w.expect(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"run://a"}}`)
	w.send(subscribe("run://gone"))
	w.expect(`{"jsonrpc":"2.0","id":"s","error":{"code":-32002,"message":"resource not found","data":{"uri":"run://gone"}}}`)
	w.send(unsubscribe("run://a"))
	w.expect(`{"jsonrpc":"2.0","id":"u","result":{}}`)
	if uri := receive(t, ws.stopped); uri != "run://a" {
		t.Fatal(uri)
	}
	changed(map[string]any{"late": true}) // nobody is told
	w.send(unsubscribe("run://a"), subscribe("run://b"), subscribe("run://c"))
	for range 3 {
		w.next()
	}
	w.in.Close()
	if rest, err := w.finish(); err != nil || len(rest) > 0 {
		t.Fatalf("got %q, %v", rest, err)
	}
	if n := ws.left(); n != 0 {
		t.Fatalf("%d still watched", n)
	}
}

// TestListenOverStdio: a listen's updates carry its id, and end with it.
func TestListenOverStdio(t *testing.T) {
	ws := newWatching()
	w := serve(t, newFixture().srv, Options{Watch: ws.watch})
	w.send(modern(`7`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://a","run://gone","run://a"]}`))
	w.expect(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"notifications":{"resourceSubscriptions":["run://a"]}}}`)
	changed := receive(t, ws.changed)
	changed(map[string]any{"n": 1})
	w.expect(updateLine("run://a", `{"io.modelcontextprotocol/subscriptionId":7,"n":1}`))
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`)
	receive(t, ws.stopped)
	w.send(modern(`8`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://gone"]}`))
	w.expect(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":8},"notifications":{}}}`)
	if got := w.next(); !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":8,"result":`) { // there is nothing to wait for
		t.Fatal(got)
	}
}

// TestOldClientsListenInVain: the method is none of theirs, and does not touch
// their subscriptions.
func TestOldClientsListenInVain(t *testing.T) {
	ws := newWatching()
	w := serve(t, newFixture().srv, Options{Watch: ws.watch})
	w.hello("2025-06-18", `{}`)
	w.send(subscribe("run://a"))
	w.next()
	w.send(`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["run://b"]}}}`)
	if got := w.next(); !strings.Contains(got, "-32601") {
		t.Fatal(got)
	}
	receive(t, ws.changed)(map[string]any{"n": 1})
	w.expect(updateLine("run://a", `{"n":1}`))
}

// TestSlowWatchHoldsUpOnlySubscribing: the order of subscribe and unsubscribe
// is kept, others need not wait for them.
func TestSlowWatchHoldsUpOnlySubscribing(t *testing.T) {
	ws := newWatching()
	slow := make(chan struct{})
	w := serve(t, newFixture().srv, Options{Watch: func(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
		<-slow
		return ws.watch(ctx, uri, changed)
	}})
	w.hello("2025-06-18", `{}`)
	const n = 100
	for i := range n {
		if i%2 == 0 {
			w.send(strings.Replace(subscribe("run://a"), `"s"`, strconv.Itoa(i), 1))
		} else {
			w.send(strings.Replace(unsubscribe("run://a"), `"u"`, strconv.Itoa(i), 1))
		}
	}
	w.send(ping)
	w.expect(`{"jsonrpc":"2.0","id":"p","result":{}}`)
	close(slow)
	for i := range n {
		w.expect(`{"jsonrpc":"2.0","id":` + strconv.Itoa(i) + `,"result":{}}`)
	}
	if ws.left() != 0 {
		t.Fatal("still watched")
	}
}

// TestCancelledSubscribe: one that was given up while Watch was under way does
// not stay.
func TestCancelledSubscribe(t *testing.T) {
	under := make(chan context.Context)
	end := make(chan struct{})
	w := serve(t, newFixture().srv, Options{Watch: func(ctx context.Context, _ string, _ func(map[string]any)) (func(), error) {
		under <- ctx
		<-ctx.Done()
		return func() { close(end) }, nil // too late to be of use
	}})
	w.hello("2025-06-18", `{}`)
	w.send(subscribe("run://a"))
	receive(t, under)
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"s"}}`)
	receive(t, end)
}

// TestUpdatesCoalesce: a receiver that is busy is told once, the last state, and
// whoever changes never waits.
func TestUpdatesCoalesce(t *testing.T) {
	var changes [3]func(map[string]any)
	i := 0
	told := make(chan string)
	s := newSubscriptions(func(_ context.Context, _ string, changed func(map[string]any)) (func(), error) {
		changes[i] = changed
		i++
		changed(map[string]any{"n": "early"}) // before Watch returns
		return nil, nil
	}, func(ctx context.Context, uri string, meta map[string]any) error {
		select {
		case told <- fmt.Sprint(uri, meta["n"]):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	for _, uri := range []string{"a", "b", "c"} {
		if err := s.add(t.Context(), uri); err != nil {
			t.Fatal(err)
		}
	}
	if got := receive(t, told); got != "aearly" {
		t.Fatal(got)
	}
	if got := receive(t, told); got != "bearly" {
		t.Fatal(got)
	}
	// "c" is being told of; meanwhile much happens.
	settle(t, "dirty", 0, func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.dirty)
	})
	for n := range 100_000 {
		changes[n%3](map[string]any{"n": n})
	}
	if got := receive(t, told); got != "cearly" {
		t.Fatal(got)
	}
	last := map[string]bool{"a99999": true, "b99997": true, "c99998": true}
	for range 3 {
		if got := receive(t, told); !last[got] {
			t.Fatal(got)
		}
	}
	s.close()
	s.close()
	changes[0](map[string]any{"n": "late"})
	if err := s.add(t.Context(), "d"); err == nil {
		t.Fatal("added to what is closed")
	}
}

func TestSubscriptionsAreLimited(t *testing.T) {
	ws := newWatching()
	s := newSubscriptions(ws.watch, func(context.Context, string, map[string]any) error { return nil })
	defer s.close()
	for i := range maxWatched {
		if err := s.add(t.Context(), strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.add(t.Context(), "one more"); err == nil || !strings.Contains(err.Error(), "the limit is 1000") {
		t.Fatal(err)
	}
	s.remove("7", nil)
	if err := s.add(t.Context(), "one more"); err != nil {
		t.Fatal(err)
	}
}

// TestSubscribeOverHTTP: updates wait for a GET stream, and go to the session
// that subscribed alone.
func TestSubscribeOverHTTP(t *testing.T) {
	ws := newWatching()
	s := serveHTTP(t, newFixture(), HTTPOptions{Options: Options{Watch: ws.watch}})
	mine := s.session("2025-06-18", `{}`)
	other := s.session("2025-06-18", `{}`)
	others := s.stream(s.do("GET", "/mcp", other, ""))
	s.ask("POST", "/mcp", mine, subscribe("run://a"))
	changed := receive(t, ws.changed)
	for n := range 100 {
		changed(map[string]any{"n": n})
	}
	e := s.stream(s.do("GET", "/mcp", mine, ""))
	got := e.next().data
	for n := 0; got != updateLine("run://a", `{"n":99}`); n++ {
		if n > 0 {
			t.Fatalf("not coalesced: %s", got)
		}
		got = e.next().data // the first may have been under way
	}
	if _, body := s.ask("POST", "/mcp", mine, subscribe("run://gone")); !strings.Contains(body, `-32002`) {
		t.Fatal(body)
	}
	s.ask("POST", "/mcp", mine, unsubscribe("run://a"))
	receive(t, ws.stopped)
	s.ask("POST", "/mcp", mine, subscribe("run://b"))
	changed = receive(t, ws.changed)
	changed(map[string]any{"n": 1})
	e.expect(updateLine("run://b", `{"n":1}`))
	s.ask("DELETE", "/mcp", mine, "")
	receive(t, ws.stopped)
	e.end()
	s.ask("DELETE", "/mcp", other, "")
	others.end()
}

// TestListenOverHTTPTellsOfUpdates, trimmed, tagged and until it is closed.
func TestListenOverHTTPTellsOfUpdates(t *testing.T) {
	ws := newWatching()
	s := serveHTTP(t, newFixture(), HTTPOptions{Options: Options{Watch: ws.watch}})
	e := s.stream(s.do("POST", "/mcp", newEra("subscriptions/listen", ""),
		modern(`1.0`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://gone","run://a"]}`)))
	e.expect(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1.0},"notifications":{"resourceSubscriptions":["run://a"]}}}`)
	receive(t, ws.changed)(map[string]any{"n": 1})
	e.expect(updateLine("run://a", `{"io.modelcontextprotocol/subscriptionId":1.0,"n":1}`))
	e.resp.Body.Close()
	receive(t, ws.stopped)
}

// TestCloseWaits: after close nobody is told any more.
func TestCloseWaits(t *testing.T) {
	ws := newWatching()
	telling := make(chan struct{})
	over := false
	s := newSubscriptions(ws.watch, func(ctx context.Context, _ string, _ map[string]any) error {
		close(telling)
		<-ctx.Done()
		<-time.After(20 * time.Millisecond) // a write under way takes its time
		over = true
		return ctx.Err()
	})
	if err := s.add(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	receive(t, ws.changed)(nil)
	receive(t, telling)
	s.close()
	if !over {
		t.Fatal("close did not wait")
	}
}

// TestCallsOfAnEndedPeer are cancelled from the start.
func TestCallsOfAnEndedPeer(t *testing.T) {
	p := newPeer(Options{}, nil, nil)
	p.end(ErrShutdown)
	p.end(ErrClientGone) // the first cause stays
	m, _ := parse([]byte(ping))
	c, _ := p.begin(t.Context(), m)
	if cause := context.Cause(c.ctx); cause != ErrShutdown {
		t.Fatalf("cause %v", cause)
	}
}
