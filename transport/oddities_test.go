package transport

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const mark = "\ufeff"

// TestByteOrderMarkOnStdio counts as nothing before the first message, and as a
// fault anywhere else.
func TestByteOrderMarkOnStdio(t *testing.T) {
	const pong, bad = `{"jsonrpc":"2.0","id":"p","result":{}}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error: the message is not valid JSON"}}`
	for _, c := range []struct{ name, in, first, second string }{
		{"before the first message", mark + ping + "\n" + ping, pong, pong},
		{"before a line end", mark + "\r\n" + ping + "\n" + ping, pong, pong},
		{"before an array", mark + "[]\n" + ping, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: an array of messages is accepted in protocol version 2025-03-26 only. Send one message at a time."}}`, pong},
		{"before a later message", ping + "\n" + mark + ping, pong, bad},
		{"twice", mark + mark + ping + "\n" + ping, bad, pong},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := serve(t, newFixture().srv, Options{})
			w.send(c.in)
			w.expect(c.first)
			w.expect(c.second)
		})
	}
}

// TestOddRequests are what clients send that is not quite what the specification
// says, where it is plain what they mean or can be said what is wrong.
func TestOddRequests(t *testing.T) {
	s := serveHTTP(t, newFixture(), HTTPOptions{})
	h := s.session("2025-11-25", `{}`)
	with := func(more ...string) header { return append(slices.Clone(h), more...) }
	call := newEra("tools/call", "echo")
	newWith := func(more ...string) header { return append(slices.Clone(call), more...) }
	const pong = `{"jsonrpc":"2.0","id":"p","result":{}}`
	for _, c := range []struct {
		name, method, path, body string
		h                        header
		status                   int
		want                     string
	}{
		{"slash at the end", "POST", "/mcp/", ping, h, 200, pong},
		{"slash at the end, new era", "POST", "/mcp/", newCallBody("1", "echo", ""), call, 200, `"result"`},
		{"two slashes at the end", "POST", "/mcp//", ping, h, 404, `MCP is at /mcp.`},
		{"path of an old transport", "GET", "/sse", "", h, 404, `MCP is at /mcp.`},
		{"byte order mark", "POST", "/mcp", mark + ping, h, 200, pong},
		{"byte order mark, new era", "POST", "/mcp", mark + newCallBody("1", "echo", ""), call, 200, `"result"`},
		{"byte order mark in an array", "POST", "/mcp", mark + "[" + ping + "]", h, 400, `an array of messages`},
		{"two byte order marks", "POST", "/mcp", mark + mark + ping, h, 400, `-32700`},
		{"Accept of nothing", "POST", "/mcp", ping, with("Accept", ""), 200, pong},
		{"Accept of old Java", "POST", "/mcp", ping, with("Accept", "text/html, image/gif, *; q=.2, */*; q=.2"), 200, pong},
		{"Accept of pages", "POST", "/mcp", ping, with("Accept", "text/html"), 406, `Accept: application/json, text/event-stream`},
		{"charset without a hyphen", "POST", "/mcp", ping, with("Content-Type", `application/json; charset="utf8"`), 200, pong},
		{"another charset", "POST", "/mcp", ping, with("Content-Type", "application/json; charset=utf-16"), 415, `UTF-8`},
		{"a form", "POST", "/mcp", ping, with("Content-Type", "application/x-www-form-urlencoded"), 415, `Content-Type: application/json`},
		{"coding of nothing", "POST", "/mcp", ping, with("Content-Encoding", "identity"), 200, pong},
		{"compressed", "POST", "/mcp", ping, with("Content-Encoding", "gzip"), 415, `compressed`},
		{"HEAD", "HEAD", "/mcp", "", h, 405, ``},
		{"unknown revision in the header only", "POST", "/mcp", newCallBody("1", "echo", ""), newWith("MCP-Protocol-Version", "2099-01-01"), 400, `-32020`},
		{"unknown revision without a session", "POST", "/mcp", toolCall("1", "echo", ""), newWith("MCP-Protocol-Version", "2099-01-01"), 400, `"id":1,"error":` + revisions("2099-01-01")},
		{"endless revision", "GET", "/mcp", "", header{"MCP-Protocol-Version", strings.Repeat("9", 5000)}, 400, `"requested":"` + strings.Repeat("9", 64) + `…"`},
		{"unknown revision asked for", "POST", "/mcp", initBody("2099-01-01", `{}`), nil, 200, `"protocolVersion":"2025-11-25"`},
		{"new revision asked for", "POST", "/mcp", initBody("2026-07-28", `{}`), nil, 200, `"protocolVersion":"2025-11-25"`},
		{"no revision asked for", "POST", "/mcp", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}`, nil, 200, `"protocolVersion":"2025-03-26"`},
		{"revision that is a number", "POST", "/mcp", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}`, nil, 200, `-32602`},
		{"revision in the header, unknown, of initialize", "POST", "/mcp", initBody("2025-11-25", `{}`), header{"MCP-Protocol-Version", "2099-01-01"}, 200, `"protocolVersion":"2025-11-25"`},
		{"revision in the header, new, of initialize", "POST", "/mcp", initBody("2025-11-25", `{}`), header{"MCP-Protocol-Version", "2026-07-28"}, 200, `"protocolVersion":"2025-11-25"`},
		{"the session still", "POST", "/mcp", ping, h, 200, pong},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := s.ask(c.method, c.path, c.h, c.body)
			if resp.StatusCode != c.status || !strings.Contains(body, c.want) {
				t.Fatalf("got %s %s", resp.Status, body)
			}
			if c.status == 405 && resp.Header.Get("Allow") == "" {
				t.Fatal("no Allow")
			}
		})
	}
}

// TestOddSessionIDs are those that no client library would send for a test.
func TestOddSessionIDs(t *testing.T) {
	s := serveHTTP(t, newFixture(), HTTPOptions{})
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
		conn.send(strings.Replace(post(nil, ping), "Host: localhost\r\n", "Host: localhost\r\n"+c.head, 1))
		if got := conn.line(); !strings.HasPrefix(got, "HTTP/1.1 "+c.status+" ") {
			t.Errorf("%q: %s", c.head, got)
		}
	}
}

// TestInitializeAgain makes a new session whatever session the client names; one
// of its own ends by that.
func TestInitializeAgain(t *testing.T) {
	f := newFixture()
	s := serveHTTP(t, f, HTTPOptions{SessionsPerCaller: 1})
	foreign := s.session("2025-11-25", `{}`, "X-Key", "other")
	h := s.session("2025-11-25", `{}`)
	get := s.stream(s.do("GET", "/mcp", h, ""))
	call := s.stream(s.do("POST", "/mcp", h, toolCall("1", "wait", "")))
	receive(t, f.waiting)
	for _, c := range []struct{ name, id string }{
		{"its own", h[1]},
		{"its own, ended", h[1]},
		{"unknown", strings.Repeat("A", 26)},
		{"another caller's", foreign[1]},
		{"none", ""},
	} {
		resp, body := s.ask("POST", "/mcp", header{"Mcp-Session-Id", c.id, "MCP-Protocol-Version", "2025-11-25"}, initBody("2025-11-25", `{}`))
		id := resp.Header.Get("Mcp-Session-Id")
		if resp.StatusCode != 200 || id == "" || id == c.id {
			t.Fatalf("%s: %s %q %s", c.name, resp.Status, id, body)
		}
		if resp, body := s.ask("POST", "/mcp", header{"Mcp-Session-Id", id}, ping); resp.StatusCode != 200 {
			t.Fatalf("%s: the new session: %s %s", c.name, resp.Status, body)
		}
		if resp, _ := s.ask("DELETE", "/mcp", header{"Mcp-Session-Id", id}, ""); resp.StatusCode != 204 { // there may be one only
			t.Fatalf("%s: %s", c.name, resp.Status)
		}
		if c.id == h[1] {
			if resp, body := s.ask("POST", "/mcp", h, ping); resp.StatusCode != 404 {
				t.Fatalf("%s: the old session: %s %s", c.name, resp.Status, body)
			}
		}
	}
	get.end()
	if cause := receive(t, f.causes); !errors.Is(cause, ErrClientGone) {
		t.Errorf("cause %v", cause)
	}
	call.expect(textAnswer("1", "stopped"))
	if resp, body := s.ask("POST", "/mcp", foreign, ping); resp.StatusCode != 200 {
		t.Errorf("the other caller's session: %s %s", resp.Status, body)
	}
}

// TestLateCancellation: some clients send notifications/cancelled after every call
// that was answered. It makes no error and does not touch a later call that has
// the same id.
func TestLateCancellation(t *testing.T) {
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"AbortError: This operation was aborted"}}`
	t.Run("stdio", func(t *testing.T) {
		f := newFixture()
		w := serve(t, f.srv, Options{})
		w.hello("2025-11-25", `{}`)
		for range 3 {
			w.send(toolCall("1", "echo", ""))
			w.expect(textAnswer("1", ""))
			w.send(cancel)
		}
		w.send(toolCall("1", "hold", ""))
		receive(t, f.waiting)
		close(f.release)
		w.expect(textAnswer("1", "held"))
		w.send(cancel)
		w.in.Close()
		if rest, err := w.finish(); err != nil || len(rest) > 0 {
			t.Fatalf("got %q, %v", rest, err)
		}
	})
	for _, version := range []string{"2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			f := newFixture()
			close(f.release)
			s := serveHTTP(t, f, HTTPOptions{})
			h, body := newEra("tools/call", "hold"), newCallBody("1", "hold", "")
			cancelled := newEra("notifications/cancelled", "")
			if version != "2026-07-28" {
				h, body = s.session(version, `{}`), toolCall("1", "hold", "")
				cancelled = h
			}
			for range 3 {
				if resp, got := s.ask("POST", "/mcp", h, body); resp.StatusCode != 200 || !strings.Contains(got, `"held"`) {
					t.Fatalf("%s %s", resp.Status, got)
				}
				if resp, got := s.ask("POST", "/mcp", cancelled, cancel); resp.StatusCode != 202 || got != "" {
					t.Fatalf("%s %s", resp.Status, got)
				}
			}
		})
	}
}
