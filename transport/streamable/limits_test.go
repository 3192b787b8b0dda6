package streamable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

func TestBodyLimit(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{BodyLimit: 1000})
	fits := fixture.StatelessCall("1", "echo", "")
	fits += strings.Repeat(" ", 1000-len(fits))
	h := statelessHeaders("tools/call", "echo")
	if resp, body := s.roundTrip("POST", "/mcp", h, fits); resp.StatusCode != 200 {
		t.Fatalf("%s %s", resp.Status, body)
	}
	if resp, body := s.roundTrip("POST", "/mcp", h, fits+" "); resp.StatusCode != 413 || !strings.Contains(body, "the limit is 1000 bytes") {
		t.Fatalf("%s %s", resp.Status, body)
	}
	c := dial(t, s) // the body need not be sent
	c.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1001\r\n\r\n")
	if got := c.line(); !strings.HasPrefix(got, "HTTP/1.1 413 ") {
		t.Fatal(got)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.addr+"/mcp", io.MultiReader(strings.NewReader(fits), strings.NewReader(" "))) // chunked
	if err != nil {
		t.Fatal(err)
	}
	resp := s.send(r, h)
	resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Fatal(resp.Status)
	}
}

// TestBigBodyCostsLittle sends 16 MiB, with and without a Content-Length.
func TestBigBodyCostsLittle(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{})
	s.roundTrip("POST", "/mcp", statelessHeaders("tools/call", "echo"), fixture.StatelessCall("1", "echo", ""))
	piece := []byte(strings.Repeat(" ", 64<<10))
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", len(piece), piece)
	for _, head := range []string{"Content-Length: 16777216\r\n", "Transfer-Encoding: chunked\r\n"} {
		c := dial(t, s)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + head + "\r\n")
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			data := piece
			if strings.HasPrefix(head, "T") {
				data = chunk
			}
			for range 16 << 20 / len(piece) {
				if _, err := c.Write(data); err != nil {
					return
				}
			}
		}()
		if got := c.line(); !strings.HasPrefix(got, "HTTP/1.1 413 ") {
			t.Fatal(got)
		}
		c.Close()
		<-sent
		runtime.ReadMemStats(&after)
		cost := after.TotalAlloc - before.TotalAlloc
		t.Logf("%q cost %d KiB, all that was allocated meanwhile", head[:len(head)-2], cost>>10)
		if cost > 4<<20 {
			t.Errorf("cost %d bytes", cost)
		}
	}
}

func TestHeaderLimit(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{})
	for _, c := range []struct {
		size   int
		status string
	}{{30 << 10, "200"}, {33 << 10, "431"}} {
		conn := dial(t, s)
		conn.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: " + strings.Repeat("a", c.size) + "\r\n\r\n")
		if got := conn.line(); !strings.HasPrefix(got, "HTTP/1.1 "+c.status+" ") {
			t.Errorf("%d bytes: %s", c.size, got)
		}
	}
}

// TestSlowClients: a request that is not finished in time ends its connection.
func TestSlowClients(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{HeaderTimeout: 200 * time.Millisecond, BodyTimeout: time.Hour})
	c := dial(t, s)
	c.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\n")
	if _, err := io.ReadAll(c); err != nil {
		t.Fatalf("slow header: %v", err)
	}
	s = serveHTTP(t, f, Options{BodyTimeout: 400 * time.Millisecond, HeaderTimeout: 200 * time.Millisecond})
	c = dial(t, s)
	c.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	if got := c.line(); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Fatalf("slow body: %s", got)
	}
	c = dial(t, s)
	c.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Key: bad\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	if got := c.line(); !strings.HasPrefix(got, "HTTP/1.1 401 ") {
		t.Fatalf("slow body of a stranger: %s", got)
	}
	// After the request is sent, the client may wait as long as it takes.
	h := s.session("2025-11-25", `{}`)
	get := s.stream(s.do("GET", "/mcp", h, ""))
	get.frame()
	c = dial(t, s)
	c.send(post(statelessHeaders("tools/call", "wait"), fixture.StatelessCall("1", "wait", "")))
	fixture.Receive(t, f.Waiting)
	select {
	case <-time.After(600 * time.Millisecond):
	case f, ok := <-get.frames:
		t.Fatalf("came %+v, %v", f, ok)
	case cause := <-f.Causes:
		t.Fatalf("the call was cancelled: %v", cause)
	}
}

// TestClientThatNeverReads: the write deadline ends its response, and its call.
func TestClientThatNeverReads(t *testing.T) {
	f := fixture.New(session.Hooks())
	f.MCP.AddTool(mcp.NewTool("flood"), flood(f))
	s := serveHTTP(t, f, Options{WriteTimeout: 100 * time.Millisecond})
	c := dial(t, s)
	c.send(post(statelessHeaders("tools/call", "flood"), fixture.StatelessCall("1", "flood", "1")))
	if cause := fixture.Receive(t, f.Causes); !errors.Is(cause, session.ErrClientGone) && !errors.Is(cause, session.ErrCancelled) {
		t.Fatalf("cause %v", cause)
	}
	// A stateful call goes on for a client that comes back, which finds what is
	// kept.
	h := s.session("2025-11-25", `{}`)
	c = dial(t, s)
	c.send(post(h, fixture.Call("1", "flood", "1")))
	var id string
	for id == "" {
		if rest, ok := strings.CutPrefix(c.line(), "id: "); ok {
			id = rest
		}
	}
	for range 3 { // it does not wait forever
		fixture.Receive(t, f.Waiting)
	}
	if resp, _ := s.roundTrip("DELETE", "/mcp", h, ""); resp.StatusCode != 204 {
		t.Fatal(resp.Status)
	}
	fixture.Receive(t, f.Causes)
}

// flood returns a tool that sends much progress until its context is done.
func flood(f *fixture.Server) server.ToolHandlerFunc {
	note := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION}
	note.Method = "notifications/progress"
	note.Params.AdditionalFields = map[string]any{"progressToken": 1, "progress": 1, "message": strings.Repeat("x", 32<<10)}
	return func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for n := 0; ; n++ {
			if n%1000 == 999 {
				f.Waiting <- struct{}{}
			}
			select {
			case server.ClientSessionFromContext(ctx).NotificationChannel() <- note:
			case <-ctx.Done():
				f.Causes <- context.Cause(ctx)
				return mcp.NewToolResultText(""), nil
			}
		}
	}
}

func TestLimitsPerCaller(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{CallsPerCaller: 2, StreamsPerCaller: 1, Options: session.Options{MaxCalls: 3}})
	h := s.session("2025-11-25", `{}`, "X-Key", "a")
	wants := func(what string, h header, body, text string) {
		t.Helper()
		resp, got := s.roundTrip("POST", "/mcp", h, body)
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || !strings.Contains(got, `-32000`) || !strings.Contains(got, text) {
			t.Fatalf("%s: %s %s", what, resp.Status, got)
		}
	}
	key := func(h header, key string) header { return append(slices.Clone(h), "X-Key", key) }
	s.stream(s.do("POST", "/mcp", h, fixture.Call("1", "hold", "")))
	listen := s.stream(s.do("POST", "/mcp", key(statelessHeaders("subscriptions/listen", ""), "a"),
		fixture.Stateless("1", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`)))
	listen.next()
	wants("call", h, fixture.Call("2", "echo", ""), "2 calls per caller")
	wants("stateless call", key(statelessHeaders("tools/call", "echo"), "a"), fixture.StatelessCall("2", "echo", ""), "2 calls per caller")
	wants("listen", key(statelessHeaders("subscriptions/listen", ""), "a"), fixture.Stateless("1", "subscriptions/listen", ""), "1 streams per caller")
	if resp, body := s.roundTrip("GET", "/mcp", h, ""); resp.StatusCode != 429 {
		t.Fatalf("GET: %s %s", resp.Status, body)
	}
	listen.resp.Body.Close()
	// The ended listen is counted no more: its stream, and then its call.
	again := func(method, body string) *http.Response {
		for {
			resp := s.do(method, "/mcp", h, body)
			if resp.StatusCode == 200 {
				return resp
			}
			resp.Body.Close()
		}
	}
	again("GET", "").Body.Close()
	s.stream(again("POST", fixture.Call("3", "hold", "")))
	if resp, body := s.roundTrip("POST", "/mcp", h, fixture.Ping); resp.StatusCode != 200 {
		t.Fatalf("ping: %s %s", resp.Status, body)
	}
	c := dial(t, s)
	c.send(post(key(statelessHeaders("tools/call", "hold"), "b"), fixture.StatelessCall("1", "hold", "")))
	for range 3 {
		fixture.Receive(t, f.Waiting)
	}
	wants("call in all", key(statelessHeaders("tools/call", "echo"), "b"), fixture.StatelessCall("2", "echo", ""), "3 calls in all")
	close(f.Release)
	if got := c.line(); got != "HTTP/1.1 200 OK" {
		t.Fatal(got)
	}
}

// TestManyInitializes: of a client that only initializes, the newest sessions stay.
func TestManyInitializes(t *testing.T) {
	const tries = 2000
	h, err := newEndpoint(Options{Server: pick(fixture.New(session.Hooks()), nil)})
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	body := fixture.Initialize("2025-11-25", `{}`)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range tries {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, newPost(body))
		if w.Code == 200 {
			made++
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d sessions were made, what is left holds %d KiB", made, (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>10)
	if left := h.quota.InUse()[session.Sessions]; made != tries || left != 256 || len(h.sessions.byID) != left {
		t.Fatalf("%d made, %d left, %d in the table", made, left, len(h.sessions.byID))
	}
	h.sessions.endAll(session.ErrShutdown)
	if left := h.quota.InUse(); left != (session.Amounts{}) {
		t.Fatalf("left: %v", left)
	}
}

// newPost returns a request as net/http hands it over.
func newPost(body string) *http.Request {
	r := httptest.NewRequest("POST", "http://localhost/mcp", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// openFiles returns how many files this process has open.
func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	return len(entries)
}

// TestWatchesPerCaller: watches are counted over all sessions and listens of a
// caller, until they end, are refused or panic.
func TestWatchesPerCaller(t *testing.T) {
	ws := fixture.NewWatching()
	watch := func(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
		if uri == "run://panics" {
			panic("of a test")
		}
		return ws.Watch(ctx, uri, changed)
	}
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{WatchesPerCaller: 2, Watches: 3, Options: session.Options{Watch: watch}})
	one, two := s.session("2025-11-25", `{}`, "X-Key", "a"), s.session("2025-06-18", `{}`, "X-Key", "a")
	other := s.session("2025-11-25", `{}`, "X-Key", "b")
	wants := func(h header, body, text string) {
		t.Helper()
		if _, got := s.roundTrip("POST", "/mcp", h, body); !strings.Contains(got, text) {
			t.Fatalf("%s: %s, want %s", body, got, text)
		}
	}
	const yes = `"result":`
	for range 3 {
		wants(one, fixture.Subscribe("run://gone"), "not found")
		wants(one, fixture.Subscribe("run://panics"), "internal error")
	}
	wants(one, fixture.Subscribe("run://a"), yes)
	wants(one, fixture.Subscribe("run://a"), yes)
	wants(two, fixture.Subscribe("run://a"), yes)
	wants(one, fixture.Subscribe("run://b"), "the limit is 2 watched resources per caller")
	wants(other, fixture.Subscribe("run://a"), yes)
	wants(other, fixture.Subscribe("run://b"), "the limit of this server is 3 watched resources in all")
	wants(one, fixture.Unsubscribe("run://a"), yes)
	listen := s.stream(s.do("POST", "/mcp", append(statelessHeaders("subscriptions/listen", ""), "X-Key", "a"),
		fixture.Stateless("1", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://c","run://d"]}`)))
	if got := listen.next().data; strings.Contains(got, "run://c") == strings.Contains(got, "run://d") {
		t.Fatal(got)
	}
	s.roundTrip("DELETE", "/mcp", two, "")
	wants(one, fixture.Subscribe("run://b"), yes)
	listen.resp.Body.Close()
	ended := map[string]int{}
	for range 3 {
		ended[fixture.Receive(t, ws.Stopped)]++
	}
	if ended["run://a"] != 2 || ended["run://c"]+ended["run://d"] != 1 {
		t.Fatal(ended)
	}
}
