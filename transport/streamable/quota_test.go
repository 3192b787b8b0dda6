package streamable

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// knownCallers are the callers whom the API knows.
type knownCallers struct {
	mu   sync.Mutex
	keys map[string]bool // guarded by mu
}

func (k *knownCallers) isKnown(ctx context.Context) bool {
	key, _ := ctx.Value(callerKey{}).(string)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[key]
}

func (k *knownCallers) add(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[key] = true
}

func newKnownCallers(keys ...string) *knownCallers {
	k := &knownCallers{keys: make(map[string]bool)}
	for _, key := range keys {
		k.add(key)
	}
	return k
}

// exists reports whether a session is in the table.
func (s *testServer) exists(h header) bool {
	s.t.Helper()
	resp, body := s.roundTrip("POST", "/mcp", h, fixture.Ping)
	switch resp.StatusCode {
	case 200:
		return true
	case 404:
		return false
	}
	s.t.Fatalf("ping: %s %s", resp.Status, body)
	return false
}

// TestIdleSessionMakesRoom: beyond the limit of a caller, the session of its that
// has been idle for longest ends. One with an open response stays.
func TestIdleSessionMakesRoom(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{SessionsPerCaller: 3})
	open := s.session("2025-11-25", `{}`, "X-Key", "a")
	get := s.stream(s.do("GET", "/mcp", open, ""))
	get.frame()
	idle, newer := s.session("2025-11-25", `{}`, "X-Key", "a"), s.session("2025-11-25", `{}`, "X-Key", "a")
	other := s.session("2025-11-25", `{}`, "X-Key", "b")
	newest := s.session("2025-11-25", `{}`, "X-Key", "a")
	if s.exists(idle) {
		t.Error("the session that was idle for longest is there")
	}
	for name, h := range map[string]header{"open": open, "newer": newer, "of another caller": other, "newest": newest} {
		if !s.exists(h) {
			t.Errorf("the session %s is gone", name)
		}
	}
	for _, h := range []header{newer, newest} {
		s.stream(s.do("GET", "/mcp", h, "")).frame()
	}
	resp, body := s.roundTrip("POST", "/mcp", header{"X-Key", "a"}, fixture.Initialize("2025-11-25", `{}`))
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "none is idle: the limit is 3 sessions per caller") {
		t.Errorf("all are busy: %s %s", resp.Status, body)
	}
}

// TestIdleSessionOfAnotherMakesRoom: beyond the limit of all callers, the session of
// any of them that has been idle for longest ends.
func TestIdleSessionOfAnotherMakesRoom(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{Sessions: 2})
	a, b := s.session("2025-11-25", `{}`, "X-Key", "a"), s.session("2025-11-25", `{}`, "X-Key", "b")
	c := s.session("2025-11-25", `{}`, "X-Key", "c")
	if s.exists(a) || !s.exists(b) || !s.exists(c) {
		t.Error("another session than the one that was idle for longest made room")
	}
	s.stream(s.do("GET", "/mcp", b, "")).frame()
	s.stream(s.do("GET", "/mcp", c, "")).frame()
	if resp, body := s.roundTrip("POST", "/mcp", header{"X-Key", "a"}, fixture.Initialize("2025-11-25", `{}`)); resp.StatusCode != 429 || !strings.Contains(body, "2 sessions in all") {
		t.Errorf("all are busy: %s %s", resp.Status, body)
	}
}

// TestStrangersSessions: a stranger's ninth session replaces its oldest, even one with
// an open response; strangers together have 256, and take none of a known caller.
func TestStrangersSessions(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{IsKnown: newKnownCallers("known").isKnown, Sessions: 1})
	known := s.session("2025-11-25", `{}`, "X-Key", "known")
	first := s.session("2025-11-25", `{}`, "X-Key", "a")
	s.stream(s.do("GET", "/mcp", first, "")).frame()
	for range maxSessionsPerStranger - 1 {
		s.session("2025-11-25", `{}`, "X-Key", "a")
	}
	if !s.exists(first) {
		t.Fatal("the first session ended too early")
	}
	last := s.session("2025-11-25", `{}`, "X-Key", "a")
	if s.exists(first) {
		t.Error("the first session is there")
	}
	for i := range maxStrangerSessions {
		s.session("2025-11-25", `{}`, "X-Key", fmt.Sprint("rotating", i))
	}
	if s.exists(last) {
		t.Error("strangers have more sessions than they share")
	}
	if !s.exists(known) {
		t.Error("strangers took the session of a known caller")
	}
}

// TestStrangersShareBytes: strangers are refused when their bytes are used up, and
// known callers are not.
func TestStrangersShareBytes(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{IsKnown: newKnownCallers("known").isKnown})
	bodies := 0
	addBody := func() { // that does not come to its end
		bodies++
		c := dial(t, s)
		c.send(fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Key: %d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", bodies, maxStrangerBody) +
			strings.Repeat(" ", maxStrangerBody-1))
	}
	for range (12<<20)/(bodyCost*maxStrangerBody) + 1 {
		addBody()
	}
	deadline := time.Now().Add(fixture.Timeout)
	for {
		// What is no message takes bytes only until it is answered: a session would keep some.
		resp, body := s.roundTrip("POST", "/mcp", header{"X-Key", "a"}, "{")
		if resp.StatusCode == 429 && resp.Header.Get("Retry-After") != "" && strings.Contains(body, "whose key the API has not accepted yet share 12582912 bytes") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("strangers are not refused: %s %s", resp.Status, body)
		}
		addBody() // the last one may have come beside such a request, and had no room
	}
	s.session("2025-11-25", `{}`, "X-Key", "known")
}

// TestNothingIsKeptForStrangers: a stranger cannot ask for what came before. Once the
// API knows it, it can.
func TestNothingIsKeptForStrangers(t *testing.T) {
	f := fixture.New(session.Hooks())
	close(f.Release)
	known := newKnownCallers()
	s := serveHTTP(t, f, Options{IsKnown: known.isKnown})
	h := s.session("2025-11-25", `{}`, "X-Key", "a")
	call := func() (eventID string) {
		e := s.stream(s.do("POST", "/mcp", h, fixture.Call("1", "slow", "7")))
		eventID = e.frame().id
		for f := range e.frames {
			if f.id != "" {
				eventID = f.id
			}
		}
		return eventID
	}
	first := strings.Split(call(), "-")[0] + "-0"
	again := append(header{"Last-Event-ID", first}, h...)
	if resp, body := s.roundTrip("GET", "/mcp", again, ""); resp.StatusCode != 400 {
		t.Fatalf("a stranger's events are kept: %s %s", resp.Status, body)
	}
	known.add("a")
	first = strings.Split(call(), "-")[0] + "-0"
	e := s.stream(s.do("GET", "/mcp", append(header{"Last-Event-ID", first}, h...), ""))
	if got := e.next().data; !strings.Contains(got, "progress") {
		t.Fatalf("got %s", got)
	}
}

// TestWelcome: what a stranger holds counts on its own account once the API knows it.
func TestWelcome(t *testing.T) {
	known := newKnownCallers()
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{IsKnown: known.isKnown})
	h := s.session("2025-11-25", `{}`, "X-Key", "a")
	known.add("a")
	if !s.exists(h) {
		t.Fatal("the session is gone")
	}
	for i := range maxStrangerSessions + 1 {
		s.session("2025-11-25", `{}`, "X-Key", fmt.Sprint("stranger", i))
	}
	if !s.exists(h) {
		t.Error("strangers took the session of a caller who was known by then")
	}
}

// TestBytesPerCaller: answers that a caller does not read count, until they are read
// or their responses end; another caller is served meanwhile.
func TestBytesPerCaller(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{BytesPerCaller: 4 * batchCost})
	array := "[" + strings.Repeat(fixture.Ping+",", 10) + fixture.Call("9", "hold", "") + "]"
	h := s.session("2025-03-26", `{}`, "X-Key", "a")
	other := s.session("2025-03-26", `{}`, "X-Key", "b")
	responses := make(chan *http.Response, 4)
	for range 3 {
		go func() {
			responses <- s.do("POST", "/mcp", h, strings.ReplaceAll(array, `"id":9`, fmt.Sprintf(`"id":"%p"`, new(int))))
		}()
		fixture.Receive(t, f.Waiting)
	}
	resp, body := s.roundTrip("POST", "/mcp", h, array)
	if resp.StatusCode != 429 || !strings.Contains(body, "too much at the same time: the limit is 8388608 bytes per caller") {
		t.Fatalf("%s %s", resp.Status, body)
	}
	if !s.exists(other) {
		t.Fatal("another caller is refused")
	}
	close(f.Release)
	for range 3 {
		r := fixture.Receive(t, responses)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
	}
	resp, body = s.roundTrip("POST", "/mcp", h, array)
	if resp.StatusCode != 200 {
		t.Fatalf("the bytes are free again: %s %s", resp.Status, body)
	}
}

// TestArrayAnswers: beyond 256 KiB of answers, the rest of an array is refused.
func TestArrayAnswers(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{})
	h := s.session("2025-03-26", `{}`)
	f.MCP.AddTool(mcp.NewTool("large", mcp.WithDescription(strings.Repeat("x", 25<<10))), f.Echo)
	list := make([]string, 20)
	for i := range list {
		list[i] = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/list"}`, i)
	}
	resp, body := s.roundTrip("POST", "/mcp", h, "["+strings.Join(list, ",")+"]")
	if resp.StatusCode != 200 || len(body) > 256<<10+50<<10 {
		t.Fatalf("%s, %d bytes", resp.Status, len(body))
	}
	if n := strings.Count(body, `"code":-32000,"message":"the answers to this array take more than 256 KiB`); n < 8 || n > 10 || strings.Count(body, `"id":`) < 20 {
		t.Errorf("%d requests were refused", n)
	}
}

// TestSubscriptionsPause: what a client has subscribed to is watched while it reads
// the stream of GET, and a grace beyond. When it comes back, it learns that each may
// have changed.
func TestSubscriptionsPause(t *testing.T) {
	w := fixture.NewWatching()
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{WatchGrace: 20 * time.Millisecond, Options: session.Options{Watch: w.Watch}})
	h := s.session("2025-11-25", `{}`)
	get := s.stream(s.do("GET", "/mcp", h, ""))
	get.frame()
	for _, uri := range []string{"run://a", "run://b"} {
		s.roundTrip("POST", "/mcp", h, fixture.Subscribe(uri))
		fixture.Receive(t, w.Changed)
	}
	get.resp.Body.Close()
	for range 2 {
		fixture.Receive(t, w.Stopped)
	}
	if n := w.Left(); n != 0 {
		t.Fatalf("%d are watched", n)
	}
	s.roundTrip("POST", "/mcp", h, fixture.Unsubscribe("run://b"))
	get = s.stream(s.do("GET", "/mcp", h, ""))
	fixture.Receive(t, w.Changed)(map[string]any{"n": 1})
	get.expect(fixture.Updated("run://a", `{"n":1}`))
	if n := w.Left(); n != 1 {
		t.Fatalf("%d are watched", n)
	}
}
