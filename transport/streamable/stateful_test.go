package streamable

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// TestStatefulStatuses: what requests with and without a session get.
func TestStatefulStatuses(t *testing.T) {
	f := fixture.New(session.Hooks())
	close(f.Release)
	s := serveHTTP(t, f, Options{})
	other := s.session("2025-06-18", `{}`, "X-Key", "other")
	foreign := header{"Mcp-Session-Id", other[1], "MCP-Protocol-Version", "2025-06-18"}
	unknown := header{"Mcp-Session-Id", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "MCP-Protocol-Version", "2025-06-18"}
	noSession := header{"MCP-Protocol-Version", "2025-06-18"}
	for _, version := range []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"} {
		h := s.session(version, `{}`)
		with := func(more ...string) header { return append(slices.Clone(h), more...) }
		batch := 400
		if version == "2025-03-26" {
			batch = 200
		}
		for _, c := range []struct {
			name, method, body string
			h                  header
			status             int
			want               string
		}{
			{"ping", "POST", fixture.Ping, h, 200, `{"jsonrpc":"2.0","id":"p","result":{}}`},
			{"call", "POST", fixture.Call("9007199254740993", "echo", ""), h, 200, fixture.TextAnswer("9007199254740993", "")},
			{"no version header", "POST", fixture.Ping, header{"Mcp-Session-Id", h[1]}, 200, `"result"`},
			{"other old version", "POST", fixture.Ping, with("MCP-Protocol-Version", "2025-06-18"), 200, `"result"`},
			{"unsupported version", "POST", fixture.Ping, with("MCP-Protocol-Version", "1999-01-01"), 400, `"id":"p","error":{"code":-32022`},
			{"unsupported later version", "POST", fixture.Ping, with("MCP-Protocol-Version", "2099-01-01"), 400, revisions("2099-01-01")},
			{"unsupported version of a notification", "POST", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, with("MCP-Protocol-Version", "draft"), 400, `"id":null,"error":{"code":-32022`},
			{"unsupported version of a response", "POST", `{"jsonrpc":"2.0","id":"server-1","result":{}}`, with("MCP-Protocol-Version", "draft"), 400, `"id":null,"error":{"code":-32022`},
			{"unsupported version of an array", "POST", "[" + fixture.Ping + "]", with("MCP-Protocol-Version", "draft"), 400, revisions("draft")},
			{"new version", "POST", fixture.Ping, with("MCP-Protocol-Version", "2026-07-28"), 400, `-32602`},
			{"unsupported version", "GET", "", with("MCP-Protocol-Version", "1999-01-01"), 400, revisions("1999-01-01")},
			{"unsupported version", "DELETE", "", with("MCP-Protocol-Version", "2099-01-01"), 400, revisions("2099-01-01")},
			{"unknown method", "POST", `{"jsonrpc":"2.0","id":1,"method":"no/such"}`, h, 200, `-32601`},
			{"failed call", "POST", fixture.Call("1", "panic", ""), h, 200, `-32603`},
			{"unknown resource", "POST", `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://gone"}}`, h, 200, `-32002`},
			{"notification", "POST", `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`, h, 202, ""},
			{"response", "POST", `{"jsonrpc":"2.0","id":"server-1","result":{}}`, h, 202, ""},
			{"no JSON", "POST", `{`, h, 400, `-32700`},
			{"duplicate key", "POST", `{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}`, h, 400, `-32600`},
			{"array", "POST", "[" + fixture.Ping + "," + fixture.Call("2", "echo", "") + "]", h, batch, `{`},
			{"array of 2026-07-28", "POST", "[" + fixture.Ping + "]", with("MCP-Protocol-Version", "2026-07-28"), 400, `-32600`},
			{"empty array", "POST", "[]", h, 400, `-32600`},
			{"initialize in an array", "POST", "[" + fixture.Initialize(version, `{}`) + "]", h, batch, `-32600`},
			{"array without a session", "POST", "[" + fixture.Ping + "]", noSession, 400, `Mcp-Session-Id is missing`},
			{"no session", "POST", fixture.Ping, noSession, 400, `Mcp-Session-Id is missing`},
			{"no session", "GET", "", noSession, 400, `Mcp-Session-Id is missing`},
			{"no session", "DELETE", "", noSession, 400, `Mcp-Session-Id is missing`},
			{"nothing said", "POST", fixture.Ping, header{}, 400, `Mcp-Session-Id is missing`},
			{"session of nothing", "POST", fixture.Ping, with("Mcp-Session-Id", ""), 400, `Mcp-Session-Id is missing`},
			{"unknown session", "POST", fixture.Ping, unknown, 404, `initialize a new one`},
			{"unknown session", "GET", "", unknown, 404, `initialize a new one`},
			{"unknown session", "DELETE", "", unknown, 404, `initialize a new one`},
			{"another caller's session", "POST", fixture.Ping, foreign, 404, `initialize a new one`},
			{"another caller's session", "GET", "", foreign, 404, `initialize a new one`},
			{"another caller's session", "DELETE", "", foreign, 404, `initialize a new one`},
			{"unknown key", "POST", fixture.Ping, with("X-Key", "bad"), 401, ``},
			{"GET for JSON", "GET", "", with("Accept", "application/json"), 406, ``},
			{"GET with a body", "GET", fixture.Ping, h, 400, `GET has no body`},
			{"never seen event", "GET", "", with("Last-Event-ID", "99-1"), 400, `Last-Event-ID`},
			{"event to come", "GET", "", with("Last-Event-ID", "0-1"), 400, `Last-Event-ID`},
			{"broken event id", "GET", "", with("Last-Event-ID", "x"), 400, `Last-Event-ID`},
			{"negative event id", "GET", "", with("Last-Event-ID", "0--1"), 400, `Last-Event-ID`},
			{"DELETE", "DELETE", "", h, 204, ``},
			{"after DELETE", "POST", fixture.Ping, h, 404, `initialize a new one`},
			{"after DELETE", "GET", "", h, 404, `initialize a new one`},
			{"after DELETE", "DELETE", "", h, 404, `initialize a new one`},
		} {
			t.Run(version+"/"+c.method+" "+c.name, func(t *testing.T) {
				resp, body := s.roundTrip(c.method, "/mcp", c.h, c.body)
				if resp.StatusCode != c.status || !strings.Contains(body, c.want) {
					t.Fatalf("got %s %s", resp.Status, body)
				}
				if resp.StatusCode == 200 && resp.Header.Get("Content-Type") != "application/json" {
					t.Fatalf("type %v", resp.Header)
				}
			})
		}
	}
	if resp, body := s.roundTrip("POST", "/mcp", other, fixture.Ping); resp.StatusCode != 200 {
		t.Fatalf("the other caller's session: %s %s", resp.Status, body)
	}
}

// revisions returns the error that lists the known revisions.
func revisions(requested string) string {
	return `{"code":-32022,"message":"unsupported protocol version: this server speaks 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05",` +
		`"data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"` + requested + `"}}`
}

// TestForeignSessionLooksUnknown compares whole responses.
func TestForeignSessionLooksUnknown(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{})
	mine := s.session("2025-11-25", `{}`, "X-Key", "a")
	for _, method := range []string{"POST", "GET", "DELETE"} {
		dump := func(id, event string) string {
			h := header{"X-Key", "b", "Mcp-Session-Id", id, "MCP-Protocol-Version", "2025-11-25"}
			if event != "" {
				h = append(h, "Last-Event-ID", event)
			}
			resp, body := s.roundTrip(method, "/mcp", h, fixture.Ping)
			resp.Header.Del("Date")
			return fmt.Sprint(resp.Status, resp.Header, body)
		}
		for _, event := range []string{"", "0-0", "1-0"} {
			foreign, unknown := dump(mine[1], event), dump(strings.Repeat("A", 26), event)
			if foreign != unknown {
				t.Errorf("%s:\n%s\n%s", method, foreign, unknown)
			}
		}
	}
}

func TestSessionIDsAreUnguessable(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{})
	seen := map[string]bool{}
	for range 100 {
		id := s.session("2025-11-25", `{}`)[1]
		if len(id) < 26 || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}

func TestFailedInitializeMakesNoSession(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{SessionsPerCaller: 1})
	for range 3 {
		resp, body := s.roundTrip("POST", "/mcp", nil, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":7}}`)
		if resp.Header.Get("Mcp-Session-Id") != "" || !strings.Contains(body, `"error"`) {
			t.Fatalf("%s %s", resp.Status, body)
		}
	}
	s.session("2025-11-25", `{}`)
}

func TestDeleteEndsWhatTheSessionHas(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{})
	h := s.session("2025-11-25", `{}`)
	get := s.stream(s.do("GET", "/mcp", h, ""))
	call := s.stream(s.do("POST", "/mcp", h, fixture.Call("1", "wait", "")))
	fixture.Receive(t, f.Waiting)
	if resp, _ := s.roundTrip("DELETE", "/mcp", h, ""); resp.StatusCode != 204 {
		t.Fatal(resp.Status)
	}
	get.end()
	if cause := fixture.Receive(t, f.Causes); !errors.Is(cause, session.ErrClientGone) {
		t.Fatalf("cause %v", cause)
	}
	call.expect(fixture.TextAnswer("1", "stopped"))
	call.end()
}

func TestIdleSessionsEnd(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{SessionIdle: time.Second, KeepAlive: time.Hour})
	reading := s.session("2025-11-25", `{}`)
	s.stream(s.do("GET", "/mcp", reading, ""))
	calling := s.session("2025-11-25", `{}`)
	call := s.stream(s.do("POST", "/mcp", calling, fixture.Call("1", "hold", "")))
	fixture.Receive(t, f.Waiting)
	left := s.session("2025-11-25", `{}`)
	gone := s.stream(s.do("POST", "/mcp", left, fixture.Call("1", "hold", ""))) // its client goes away
	fixture.Receive(t, f.Waiting)
	event := gone.frame().id
	gone.resp.Body.Close()
	idle := s.session("2025-11-25", `{}`)
	deadline := time.Now().Add(fixture.Timeout)
	for { // a request keeps the session alive, so wait for longer than the limit
		<-time.After(1500 * time.Millisecond)
		if resp, _ := s.roundTrip("POST", "/mcp", idle, fixture.Ping); resp.StatusCode == 404 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("an idle session does not end")
		}
	}
	for name, h := range map[string]header{"reading": reading, "calling": calling, "left": left} {
		if resp, body := s.roundTrip("POST", "/mcp", h, fixture.Ping); resp.StatusCode != 200 {
			t.Errorf("%s: %s %s", name, resp.Status, body)
		}
	}
	s.stream(s.do("GET", "/mcp", left, "")) // else it would be idle when its call ends
	close(f.Release)
	call.expect(fixture.TextAnswer("1", "held"))
	late := s.stream(s.do("GET", "/mcp", append(slices.Clone(left), "Last-Event-ID", event), ""))
	late.expect(fixture.TextAnswer("1", "held"))
}

func TestElicitationOverAnotherConnection(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{})
	h := s.session("2025-06-18", `{"elicitation":{}}`)
	e := s.stream(s.do("POST", "/mcp", h, fixture.Call("1", "ask", "")))
	e.expect(`{"jsonrpc":"2.0","id":"server-1","method":"elicitation/create","params":{"message":"May I?","requestedSchema":{"properties":{},"type":"object"}}}`)
	stranger := s.session("2025-06-18", `{"elicitation":{}}`)
	yes := `{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept","content":{}}}`
	if resp, _ := s.roundTrip("POST", "/mcp", stranger, yes); resp.StatusCode != 202 {
		t.Fatal(resp.Status)
	}
	if resp, _ := s.roundTrip("POST", "/mcp", h, `{"jsonrpc":"2.0","id":"server-1","result":{"action":"decline"}}`); resp.StatusCode != 202 {
		t.Fatal(resp.Status)
	}
	e.expect(fixture.TextAnswer("1", "decline"))
	e.end()
}

// TestElicitationWithoutAStream: a client that accepts JSON only is asked on GET.
func TestElicitationWithoutAStream(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{})
	h := s.session("2025-06-18", `{"elicitation":{}}`)
	plain := append(slices.Clone(h), "Accept", "application/json")
	if _, body := s.roundTrip("POST", "/mcp", plain, fixture.Call("1", "ask", "")); body != fixture.TextAnswer("1", "unasked") {
		t.Fatal(body)
	}
	if got := fixture.Receive(t, f.Asked); got != "unasked" {
		t.Fatal(got)
	}
	get := s.stream(s.do("GET", "/mcp", h, ""))
	answered := make(chan string, 1)
	go func() {
		_, body := s.roundTrip("POST", "/mcp", plain, fixture.Call("2", "ask", ""))
		answered <- body
	}()
	if got := get.next().data; !strings.Contains(got, `"id":"server-2","method":"elicitation/create"`) {
		t.Fatal(got)
	}
	s.roundTrip("POST", "/mcp", h, `{"jsonrpc":"2.0","id":"server-2","result":{"action":"accept","content":{}}}`)
	if got := fixture.Receive(t, answered); got != fixture.TextAnswer("2", "accept") {
		t.Fatal(got)
	}
}

func TestStatefulCancel(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{})
	h := s.session("2025-11-25", `{}`)
	other := s.session("2025-11-25", `{}`)
	e := s.stream(s.do("POST", "/mcp", h, fixture.Call("1", "wait", "")))
	fixture.Receive(t, f.Waiting)
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`
	s.roundTrip("POST", "/mcp", other, cancel)
	s.roundTrip("POST", "/mcp", append(slices.Clone(h), "X-Key", "other"), cancel)
	s.roundTrip("POST", "/mcp", statelessHeaders("notifications/cancelled", ""), cancel)
	if resp, body := s.roundTrip("POST", "/mcp", h, `{"jsonrpc":"2.0","id":1,"method":"ping"}`); resp.StatusCode != 400 {
		t.Fatalf("an id in flight: %s %s", resp.Status, body)
	}
	select {
	case cause := <-f.Causes:
		t.Fatal(cause)
	default:
	}
	s.roundTrip("POST", "/mcp", h, cancel)
	if cause := fixture.Receive(t, f.Causes); !errors.Is(cause, session.ErrCancelled) {
		t.Fatal(cause)
	}
	e.end() // without an answer
}

func TestBatchOverHTTP(t *testing.T) {
	f := fixture.New(session.Hooks())
	close(f.Release)
	s := serveHTTP(t, f, Options{})
	h := s.session("2025-03-26", `{}`)
	e := s.stream(s.do("POST", "/mcp", h, "["+fixture.Call("1", "slow", "7")+`,{"jsonrpc":"2.0","id":3,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"}]`))
	for n := range 20 {
		e.expect(fixture.Progress("7", n+1))
	}
	if got := e.next().data; !strings.HasPrefix(got, "[") || !strings.Contains(got, `{"jsonrpc":"2.0","id":3,"result":{}}`) || !strings.Contains(got, fixture.TextAnswer("1", "done")) {
		t.Fatal(got)
	}
	e.end()
	notes := `[{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","id":"x","result":{}}]`
	if resp, body := s.roundTrip("POST", "/mcp", h, notes); resp.StatusCode != 202 || body != "" {
		t.Fatalf("no requests: %s %s", resp.Status, body)
	}
}

// TestServerIsPickedPerRequest: each request of a session picks its server.
func TestServerIsPickedPerRequest(t *testing.T) {
	f := fixture.New(session.Hooks())
	narrow := fixture.New(session.Hooks())
	narrow.MCP.DeleteTools("echo")
	o := Options{}
	o.Server = pick(f, narrow)
	s := serveHTTP(t, f, o)
	h := s.session("2025-11-25", `{}`)
	if _, body := s.roundTrip("POST", "/mcp", h, fixture.Call("1", "echo", "")); body != fixture.TextAnswer("1", "") {
		t.Fatal(body)
	}
	if _, body := s.roundTrip("POST", "/mcp", append(slices.Clone(h), "X-MCP-Readonly", "true"), fixture.Call("1", "echo", "")); !strings.Contains(body, "error") {
		t.Fatal(body)
	}
}

var _ http.Handler = (*endpoint)(nil)
