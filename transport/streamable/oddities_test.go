package streamable

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

const mark = "\ufeff"

// TestOddRequests: requests that are not quite what the specification says are
// read as what they clearly mean, or the answer says what is wrong.
func TestOddRequests(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{})
	h := s.session("2025-11-25", `{}`)
	with := func(more ...string) header { return append(slices.Clone(h), more...) }
	call := statelessHeaders("tools/call", "echo")
	newWith := func(more ...string) header { return append(slices.Clone(call), more...) }
	const pong = `{"jsonrpc":"2.0","id":"p","result":{}}`
	for _, c := range []struct {
		name, method, path, body string
		h                        header
		status                   int
		want                     string
	}{
		{"slash at the end", "POST", "/mcp/", fixture.Ping, h, 200, pong},
		{"slash at the end, stateless", "POST", "/mcp/", fixture.StatelessCall("1", "echo", ""), call, 200, `"result"`},
		{"two slashes at the end", "POST", "/mcp//", fixture.Ping, h, 404, `MCP is at /mcp.`},
		{"path of an old transport", "GET", "/sse", "", h, 404, `MCP is at /mcp.`},
		{"byte order mark", "POST", "/mcp", mark + fixture.Ping, h, 200, pong},
		{"byte order mark, stateless", "POST", "/mcp", mark + fixture.StatelessCall("1", "echo", ""), call, 200, `"result"`},
		{"byte order mark in an array", "POST", "/mcp", mark + "[" + fixture.Ping + "]", h, 400, `an array of messages`},
		{"two byte order marks", "POST", "/mcp", mark + mark + fixture.Ping, h, 400, `-32700`},
		{"Accept of nothing", "POST", "/mcp", fixture.Ping, with("Accept", ""), 200, pong},
		{"Accept of old Java", "POST", "/mcp", fixture.Ping, with("Accept", "text/html, image/gif, *; q=.2, */*; q=.2"), 200, pong},
		{"Accept of pages", "POST", "/mcp", fixture.Ping, with("Accept", "text/html"), 406, `Accept: application/json, text/event-stream`},
		{"charset without a hyphen", "POST", "/mcp", fixture.Ping, with("Content-Type", `application/json; charset="utf8"`), 200, pong},
		{"another charset", "POST", "/mcp", fixture.Ping, with("Content-Type", "application/json; charset=utf-16"), 415, `UTF-8`},
		{"a form", "POST", "/mcp", fixture.Ping, with("Content-Type", "application/x-www-form-urlencoded"), 415, `Content-Type: application/json`},
		{"coding of nothing", "POST", "/mcp", fixture.Ping, with("Content-Encoding", "identity"), 200, pong},
		{"compressed", "POST", "/mcp", fixture.Ping, with("Content-Encoding", "gzip"), 415, `compressed`},
		{"HEAD", "HEAD", "/mcp", "", h, 405, ``},
		{"unknown revision in the header only", "POST", "/mcp", fixture.StatelessCall("1", "echo", ""), newWith("MCP-Protocol-Version", "2099-01-01"), 400, `-32020`},
		{"unknown revision without a session", "POST", "/mcp", fixture.Call("1", "echo", ""), newWith("MCP-Protocol-Version", "2099-01-01"), 400, `"id":1,"error":` + revisions("2099-01-01")},
		{"endless revision", "GET", "/mcp", "", header{"MCP-Protocol-Version", strings.Repeat("9", 5000)}, 400, `"requested":"` + strings.Repeat("9", 64) + `…"`},
		{"unknown revision asked for", "POST", "/mcp", fixture.Initialize("2099-01-01", `{}`), nil, 200, `"protocolVersion":"2025-11-25"`},
		{"new revision asked for", "POST", "/mcp", fixture.Initialize("2026-07-28", `{}`), nil, 200, `"protocolVersion":"2025-11-25"`},
		{"no revision asked for", "POST", "/mcp", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}`, nil, 200, `"protocolVersion":"2025-03-26"`},
		{"revision that is a number", "POST", "/mcp", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}`, nil, 200, `-32602`},
		{"revision in the header, unknown, of initialize", "POST", "/mcp", fixture.Initialize("2025-11-25", `{}`), header{"MCP-Protocol-Version", "2099-01-01"}, 200, `"protocolVersion":"2025-11-25"`},
		{"revision in the header, new, of initialize", "POST", "/mcp", fixture.Initialize("2025-11-25", `{}`), header{"MCP-Protocol-Version", "2026-07-28"}, 200, `"protocolVersion":"2025-11-25"`},
		{"the session still", "POST", "/mcp", fixture.Ping, h, 200, pong},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := s.roundTrip(c.method, c.path, c.h, c.body)
			if resp.StatusCode != c.status || !strings.Contains(body, c.want) {
				t.Fatalf("got %s %s", resp.Status, body)
			}
			if c.status == 405 && resp.Header.Get("Allow") == "" {
				t.Fatal("no Allow")
			}
		})
	}
}

// TestOddSessionIDs: session headers that no client library sends.
func TestOddSessionIDs(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{})
	id := s.session("2025-11-25", `{}`)[1]
	for _, c := range []struct {
		head   string
		status string
	}{
		{"Mcp-Session-Id: \t " + id + "  \t\r\n", "200"},
		{"mcp-session-id:" + id + "\r\n", "200"},
		{"Mcp-Session-Id: " + id[:5] + " " + id[5:] + "\r\n", "404"},
		{"Mcp-Session-Id: " + id + "\r\nMcp-Session-Id: " + id + "\r\n", "400"},
		{"Mcp-Session-Id:   \r\n", "400"},
	} {
		conn := dial(t, s)
		conn.send(strings.Replace(post(nil, fixture.Ping), "Host: localhost\r\n", "Host: localhost\r\n"+c.head, 1))
		if got := conn.line(); !strings.HasPrefix(got, "HTTP/1.1 "+c.status+" ") {
			t.Errorf("%q: %s", c.head, got)
		}
	}
}

// TestInitializeAgain: initialize makes a new session, whatever session the client
// names. A session of its own ends by that.
func TestInitializeAgain(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{SessionsPerCaller: 1})
	foreign := s.session("2025-11-25", `{}`, "X-Key", "other")
	h := s.session("2025-11-25", `{}`)
	get := s.stream(s.do("GET", "/mcp", h, ""))
	call := s.stream(s.do("POST", "/mcp", h, fixture.Call("1", "wait", "")))
	fixture.Receive(t, f.Waiting)
	for _, c := range []struct{ name, id string }{
		{"its own", h[1]},
		{"its own, ended", h[1]},
		{"unknown", strings.Repeat("A", 26)},
		{"another caller's", foreign[1]},
		{"none", ""},
	} {
		resp, body := s.roundTrip("POST", "/mcp", header{"Mcp-Session-Id", c.id, "MCP-Protocol-Version", "2025-11-25"}, fixture.Initialize("2025-11-25", `{}`))
		id := resp.Header.Get("Mcp-Session-Id")
		if resp.StatusCode != 200 || id == "" || id == c.id {
			t.Fatalf("%s: %s %q %s", c.name, resp.Status, id, body)
		}
		if resp, body := s.roundTrip("POST", "/mcp", header{"Mcp-Session-Id", id}, fixture.Ping); resp.StatusCode != 200 {
			t.Fatalf("%s: the new session: %s %s", c.name, resp.Status, body)
		}
		if resp, _ := s.roundTrip("DELETE", "/mcp", header{"Mcp-Session-Id", id}, ""); resp.StatusCode != 204 { // the limit is one
			t.Fatalf("%s: %s", c.name, resp.Status)
		}
		if c.id == h[1] {
			if resp, body := s.roundTrip("POST", "/mcp", h, fixture.Ping); resp.StatusCode != 404 {
				t.Fatalf("%s: the old session: %s %s", c.name, resp.Status, body)
			}
		}
	}
	get.end()
	if cause := fixture.Receive(t, f.Causes); !errors.Is(cause, session.ErrClientGone) {
		t.Errorf("cause %v", cause)
	}
	call.expect(fixture.TextAnswer("1", "stopped"))
	if resp, body := s.roundTrip("POST", "/mcp", foreign, fixture.Ping); resp.StatusCode != 200 {
		t.Errorf("the other caller's session: %s %s", resp.Status, body)
	}
}

// TestLateCancellation: some clients send notifications/cancelled after every
// answered call. It gets no error and does not touch a later call with that id.
func TestLateCancellation(t *testing.T) {
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"AbortError: This operation was aborted"}}`
	for _, version := range []string{"2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			f := fixture.New(session.Hooks())
			close(f.Release)
			s := serveHTTP(t, f, Options{})
			h, body := statelessHeaders("tools/call", "hold"), fixture.StatelessCall("1", "hold", "")
			cancelled := statelessHeaders("notifications/cancelled", "")
			if version != "2026-07-28" {
				h, body = s.session(version, `{}`), fixture.Call("1", "hold", "")
				cancelled = h
			}
			for range 3 {
				if resp, got := s.roundTrip("POST", "/mcp", h, body); resp.StatusCode != 200 || !strings.Contains(got, `"held"`) {
					t.Fatalf("%s %s", resp.Status, got)
				}
				if resp, got := s.roundTrip("POST", "/mcp", cancelled, cancel); resp.StatusCode != 202 || got != "" {
					t.Fatalf("%s %s", resp.Status, got)
				}
			}
		})
	}
}
