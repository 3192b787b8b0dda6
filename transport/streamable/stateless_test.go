package streamable

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// TestStatelessStatuses: what a request of 2026-07-28 gets, by its headers and its
// body.
func TestStatelessStatuses(t *testing.T) {
	f := fixture.New(session.Hooks())
	close(f.Release)
	f.MCP.AddTool(mcp.NewTool("lacks"), func(_ context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return nil, mcp.MissingRequiredClientCapabilityError{Capability: "elicitation"}
	})
	f.MCP.AddTool(mcp.NewToolWithRawSchema("param", "", []byte(`{"type":"object","properties":{"text":{"type":"string","x-mcp-header":"Text"}}}`)), f.Echo)
	s := serveHTTP(t, f, Options{})
	echo := fixture.StatelessCall("1", "echo", "")
	unknown := strings.ReplaceAll(echo, "2026-07-28", "1999-01-01")
	param := fixture.Stateless("1", "tools/call", `"name":"param","arguments":{"text":"a"}`)
	with := func(h header, more ...string) header { return append(slices.Clone(h), more...) }
	call := statelessHeaders("tools/call", "echo")
	for _, c := range []struct {
		name, body string
		h          header
		status     int
		want       string // in the body
	}{
		{"call", echo, call, 200, `"resultType":"complete"`},
		{"discover", fixture.Stateless("1", "server/discover", ""), statelessHeaders("server/discover", ""), 200, `"supportedVersions":["2026-07-28",`},
		{"list has cache hints", fixture.Stateless("1", "tools/list", ""), statelessHeaders("tools/list", ""), 200, `"ttlMs":0,"cacheScope":"private"`},
		{"session id is ignored", echo, with(call, "Mcp-Session-Id", "whatever"), 200, `"result"`},
		{"name in Base64", echo, with(call, "Mcp-Name", "=?base64?ZWNobw==?="), 200, `"result"`},
		{"name in broken Base64", echo, with(call, "Mcp-Name", "=?base64?*?="), 400, `-32020`},
		{"other version in the header", echo, with(call, "MCP-Protocol-Version", "2025-11-25"), 400, `-32020`},
		{"no version in the header", echo, with(call, "MCP-Protocol-Version", "-"), 400, `-32020`},
		{"no method in the header", echo, with(call, "Mcp-Method", "-"), 400, `-32020`},
		{"other method in the header", echo, with(call, "Mcp-Method", "tools/list"), 400, `-32020`},
		{"no name in the header", echo, with(call, "Mcp-Name", "-"), 400, `-32020`},
		{"other name in the header", echo, with(call, "Mcp-Name", "ask"), 400, `"id":1,"error":{"code":-32020`},
		{"argument in a header", param, with(statelessHeaders("tools/call", "param"), "Mcp-Param-Text", "a"), 200, `"result"`},
		{"argument missing in the header", param, statelessHeaders("tools/call", "param"), 400, `-32020`},
		{"other argument in the header", param, with(statelessHeaders("tools/call", "param"), "Mcp-Param-Text", "b"), 400, `-32020`},
		{"unknown version", unknown, with(call, "MCP-Protocol-Version", "1999-01-01"), 400,
			`{"code":-32022,"message":"unsupported protocol version: this server speaks 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05","data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"1999-01-01"}}`},
		{"later version", strings.ReplaceAll(echo, "2026-07-28", "2099-01-01"), with(call, "MCP-Protocol-Version", "2099-01-01"), 400, `-32022`},
		{"no _meta", fixture.Call("1", "echo", ""), call, 400, `-32602`},
		{"no capabilities", strings.Replace(echo, `"io.modelcontextprotocol/clientCapabilities":{},`, "", 1), call, 400, `-32602`},
		{"capabilities that are none", strings.Replace(echo, `clientCapabilities":{}`, `clientCapabilities":7`, 1), call, 400, `-32602`},
		{"lacking capability", fixture.StatelessCall("1", "lacks", ""), statelessHeaders("tools/call", "lacks"), 400, `{"code":-32021,"message":"missing required client capability: \"elicitation\"","data":{"requiredCapabilities":{"elicitation":{}}}}`},
		{"unknown method", fixture.Stateless("1", "no/such", ""), statelessHeaders("no/such", ""), 404, `-32601`},
		{"initialize", fixture.Stateless("1", "initialize", ""), statelessHeaders("initialize", ""), 404, `-32601`},
		{"ping", fixture.Stateless("1", "ping", ""), statelessHeaders("ping", ""), 404, `-32601`},
		{"subscribe", fixture.Stateless("1", "resources/subscribe", `"uri":"run://there"`), statelessHeaders("resources/subscribe", ""), 404, `-32601`},
		{"unknown resource", fixture.Stateless("1", "resources/read", `"uri":"run://gone"`), statelessHeaders("resources/read", "run://gone"), 400, `-32602,"message":"resource not found","data":{"uri":"run://gone"}`},
		{"handler's failure", fixture.Stateless("1", "resources/read", `"uri":"run://broken"`), statelessHeaders("resources/read", "run://broken"), 200, `-32603`},
		{"panic", fixture.StatelessCall("1", "panic", ""), statelessHeaders("tools/call", "panic"), 200, `{"code":-32603,"message":"internal error"}`},
		{"notification", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, statelessHeaders("notifications/cancelled", ""), 202, ""},
		{"response", `{"jsonrpc":"2.0","id":1,"result":{}}`, statelessHeaders("", ""), 400, `-32600`},
		{"array", "[" + echo + "]", call, 400, `-32600`},
		{"no JSON", `{`, call, 400, `-32700`},
		{"no body", ``, call, 400, `-32700`},
		{"duplicate key", `{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}`, call, 400, `-32600`},
		{"letter case", `{"jsonrpc":"2.0","id":1,"Method":"ping"}`, call, 400, `-32600`},
		{"depth", `{"jsonrpc":"2.0","id":1,"method":"ping","params":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat("}", 100) + "}", call, 400, `-32600`},
		{"unknown key", echo, with(call, "X-Key", "bad"), 401, `this key is not known`},
		{"no JSON said", echo, with(call, "Content-Type", "text/plain"), 415, `-32600`},
		{"no type said", echo, with(call, "Content-Type", "-"), 415, `-32600`},
		{"other charset", echo, with(call, "Content-Type", "application/json; charset=latin1"), 415, ``},
		{"charset", echo, with(call, "Content-Type", "Application/JSON; charset=UTF-8"), 200, ``},
		{"compressed", echo, with(call, "Content-Encoding", "gzip"), 415, ``},
		{"accepts neither", echo, with(call, "Accept", "text/html, application/json;q=0"), 406, `-32600`},
		{"accepts all", echo, with(call, "Accept", "*/*"), 200, `{"jsonrpc"`},
		{"accepts anything", echo, with(call, "Accept", "-"), 200, `{"jsonrpc"`},
		{"accepts JSON", echo, with(call, "Accept", "application/*;q=0.1"), 200, `{"jsonrpc"`},
		{"accepts events", echo, with(call, "Accept", "text/event-stream"), 200, "event: message\ndata: {"},
		{"error for who accepts events", fixture.Stateless("1", "no/such", ""), with(statelessHeaders("no/such", ""), "Accept", "text/event-stream"), 404, `-32601`},
		{"listen for who accepts JSON", fixture.Stateless("1", "subscriptions/listen", ""), with(statelessHeaders("subscriptions/listen", ""), "Accept", "application/json"), 406, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := s.roundTrip("POST", "/mcp", c.h, c.body)
			if resp.StatusCode != c.status || !strings.Contains(body, c.want) {
				t.Fatalf("got %s %s", resp.Status, body)
			}
			if resp.Header.Get("Mcp-Session-Id") != "" {
				t.Fatal("a session")
			}
			if kind := resp.Header.Get("Content-Type"); c.status >= 400 && kind != "application/json" {
				t.Fatalf("an error of type %s", kind)
			}
		})
	}
	for _, method := range []string{"GET", "DELETE", "PUT", "HEAD", "PATCH"} {
		for _, h := range []header{{}, {"MCP-Protocol-Version", "2026-07-28"}, {"MCP-Protocol-Version", "2026-07-28", "Mcp-Session-Id", "x"}} {
			if resp, _ := s.roundTrip(method, "/mcp", h, ""); resp.StatusCode != 405 || !strings.Contains(resp.Header.Get("Allow"), "POST") {
				t.Errorf("%s %v: %s, Allow %q", method, h, resp.Status, resp.Header.Get("Allow"))
			}
		}
	}
}

func TestStatelessHeadersSentTwice(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{})
	for _, name := range []string{"MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.addr+"/mcp", strings.NewReader(fixture.StatelessCall("1", "echo", "")))
		if err != nil {
			t.Fatal(err)
		}
		h := statelessHeaders("tools/call", "echo")
		for i := 0; i < len(h); i += 2 {
			r.Header.Add(h[i], h[i+1])
		}
		r.Header.Add(name, "ping") // a reader of the last value sees another request
		resp := s.send(r, nil)
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("%s twice: %s", name, resp.Status)
		}
	}
}

func TestStatelessAnswers(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{})
	resp, body := s.roundTrip("POST", "/mcp", statelessHeaders("tools/call", "echo"), fixture.StatelessCall("9007199254740993", "echo", ""))
	if resp.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(body, `{"jsonrpc":"2.0","id":9007199254740993,"result":`) {
		t.Fatalf("without progress: %v %s", resp.Header, body)
	}
	close(f.Release)
	e := s.stream(s.do("POST", "/mcp", statelessHeaders("tools/call", "slow"), fixture.StatelessCall("1", "slow", "9007199254740993")))
	for n := range 20 {
		if got := e.expect(fixture.Progress("9007199254740993", n+1)); got.id != "" {
			t.Fatalf("an id without a session: %s", got.id)
		}
	}
	if got := e.next(); !strings.HasPrefix(got.data, `{"jsonrpc":"2.0","id":1,"result":`) {
		t.Fatal(got)
	}
	e.end()
	for name, want := range map[string]string{"X-Accel-Buffering": "no", "Cache-Control": "no-store"} {
		if got := e.resp.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	h := append(statelessHeaders("tools/call", "slow"), "Accept", "application/json")
	if resp, body := s.roundTrip("POST", "/mcp", h, fixture.StatelessCall("1", "slow", "1")); resp.Header.Get("Content-Type") != "application/json" || !strings.Contains(body, `"done"`) {
		t.Fatalf("for who accepts JSON only: %v %s", resp.Header, body)
	}
}

func TestClosedResponseCancelsTheCall(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{KeepAlive: time.Millisecond})
	resp := s.do("POST", "/mcp", statelessHeaders("tools/call", "wait"), fixture.StatelessCall("1", "wait", ""))
	fixture.Receive(t, f.Waiting)
	resp.Body.Close()
	if cause := fixture.Receive(t, f.Causes); !errors.Is(cause, session.ErrCancelled) {
		t.Fatalf("cause %v", cause)
	}
	// A cancellation by message has no effect in this revision.
	e := s.stream(s.do("POST", "/mcp", statelessHeaders("tools/call", "wait"), fixture.StatelessCall("1", "wait", "")))
	fixture.Receive(t, f.Waiting)
	s.roundTrip("POST", "/mcp", statelessHeaders("notifications/cancelled", ""), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	s.roundTrip("POST", "/mcp", statelessHeaders("tools/call", "echo"), fixture.StatelessCall("1", "echo", "")) // nor has another request with the same id
	<-e.frames                                                                                                  // a comment, so there was time for it
	select {
	case cause := <-f.Causes:
		t.Fatalf("cancelled: %v", cause)
	default:
	}
}

func TestListenOverHTTP(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{KeepAlive: time.Millisecond})
	e := s.stream(s.do("POST", "/mcp", statelessHeaders("subscriptions/listen", ""),
		fixture.Stateless(`"l\u0031"`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`)))
	e.expect(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l\u0031"},"notifications":{"resourceSubscriptions":["run://there"]}}}`)
	for range 3 {
		if f := e.frame(); f.comment == "" {
			t.Fatalf("no comment: %+v", f)
		}
	}
	s.cancel()
	got := e.next().data
	if !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":"l\u0031","result":`) || !strings.Contains(got, `"io.modelcontextprotocol/subscriptionId":"l\u0031"`) {
		t.Fatal(got)
	}
	e.end()
}

func TestHealth(t *testing.T) {
	var ready error
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{Ready: func() error { return ready }})
	for _, c := range []struct {
		method, path string
		ready        error
		status       int
		body         string
	}{
		{"GET", "/healthz", errors.New("no"), 200, "ok\n"},
		{"HEAD", "/healthz", nil, 200, ""},
		{"POST", "/healthz", nil, 405, ""},
		{"GET", "/readyz", nil, 200, "ok\n"},
		{"GET", "/readyz", errors.New("the upstream is away"), 503, "the upstream is away\n"},
		{"GET", "/", nil, 404, ""},
		{"GET", "/readyz/", nil, 200, "ok\n"},
		{"POST", "/mcp/sse", nil, 404, ""},
	} {
		ready = c.ready
		if resp, body := s.roundTrip(c.method, c.path, nil, ""); resp.StatusCode != c.status || c.body != "" && body != c.body {
			t.Errorf("%s %s: %s %q", c.method, c.path, resp.Status, body)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	good := func(*http.Request) *server.MCPServer { return nil }
	for _, o := range []Options{
		{},
		{Server: good, Sessions: -1},
		{Server: good, KeepAlive: -1},
		{Server: good, BodyLimit: -1},
		{Server: good, Options: session.Options{Grace: -1}},
		{Server: good, AllowedHosts: []string{"*.example.com"}},
		{Server: good, AllowedHosts: []string{"https://example.com"}},
		{Server: good, AllowedOrigins: []string{"*"}},
		{Server: good, AllowedOrigins: []string{"example.com"}},
		{Server: good, AllowedOrigins: []string{"https://example.com/"}},
		{Server: good, AllowedOrigins: []string{"null"}},
	} {
		if _, err := newEndpoint(o); err == nil {
			t.Errorf("accepted %+v", o)
		}
	}
}

// TestPathPrefix: it stands before all paths, and probes stay at the root too.
func TestPathPrefix(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{PathPrefix: "/tools/runs.v1"})
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/tools/runs.v1/mcp":      {200, `"protocolVersion"`},
		"/tools/runs.v1/mcp/":     {200, `"protocolVersion"`},
		"/tools/runs.v1/healthz":  {405, ``},
		"/tools/runs.v1/readyz":   {405, ``},
		"/healthz":                {405, ``},
		"/readyz":                 {405, ``},
		"/mcp":                    {404, `MCP is at /tools/runs.v1/mcp.`},
		"/tools/runs.v1":          {404, `MCP is at /tools/runs.v1/mcp.`},
		"/tools/runs.v1x/mcp":     {404, `MCP is at /tools/runs.v1/mcp.`},
		"/tools/mcp":              {404, `MCP is at /tools/runs.v1/mcp.`},
		"/tools/runs.v1/mcp/more": {404, `MCP is at /tools/runs.v1/mcp.`},
	} {
		if resp, body := s.roundTrip("POST", path, nil, fixture.Initialize("2025-11-25", `{}`)); resp.StatusCode != want.status || !strings.Contains(body, want.body) {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	for _, prefix := range []string{"/", "runs", "/runs/", "//runs", "/a//b", "/a/../b", "/a/.", "/..", "/a b", "/a?b", "/a#b", "/a%20b", "/ä", "/a\n", "/{id}"} {
		if _, err := newEndpoint(Options{Server: func(*http.Request) *server.MCPServer { return nil }, PathPrefix: prefix}); err == nil {
			t.Errorf("accepted %q", prefix)
		}
	}
}
