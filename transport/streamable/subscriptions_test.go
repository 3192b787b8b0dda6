package streamable

import (
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// TestSubscribeOverHTTP: updates wait for a GET stream, and go only to the session
// that subscribed.
func TestSubscribeOverHTTP(t *testing.T) {
	ws := fixture.NewWatching()
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{Options: session.Options{Watch: ws.Watch}})
	mine := s.session("2025-06-18", `{}`)
	other := s.session("2025-06-18", `{}`)
	others := s.stream(s.do("GET", "/mcp", other, ""))
	s.roundTrip("POST", "/mcp", mine, fixture.Subscribe("run://a"))
	changed := fixture.Receive(t, ws.Changed)
	for n := range 100 {
		changed(map[string]any{"n": n})
	}
	e := s.stream(s.do("GET", "/mcp", mine, ""))
	got := e.next().data
	for n := 0; got != fixture.Updated("run://a", `{"n":99}`); n++ {
		if n > 0 {
			t.Fatalf("not coalesced: %s", got)
		}
		got = e.next().data // the first may have been under way
	}
	if _, body := s.roundTrip("POST", "/mcp", mine, fixture.Subscribe("run://gone")); !strings.Contains(body, `-32002`) {
		t.Fatal(body)
	}
	s.roundTrip("POST", "/mcp", mine, fixture.Unsubscribe("run://a"))
	fixture.Receive(t, ws.Stopped)
	s.roundTrip("POST", "/mcp", mine, fixture.Subscribe("run://b"))
	changed = fixture.Receive(t, ws.Changed)
	changed(map[string]any{"n": 1})
	e.expect(fixture.Updated("run://b", `{"n":1}`))
	s.roundTrip("DELETE", "/mcp", mine, "")
	fixture.Receive(t, ws.Stopped)
	e.end()
	s.roundTrip("DELETE", "/mcp", other, "")
	others.end()
}

// TestListenOverHTTPUpdates: a listen sends updates of what is watched, with its
// id, until it is closed.
func TestListenOverHTTPUpdates(t *testing.T) {
	ws := fixture.NewWatching()
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{Options: session.Options{Watch: ws.Watch}})
	e := s.stream(s.do("POST", "/mcp", statelessHeaders("subscriptions/listen", ""),
		fixture.Stateless(`9007199254740993`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://gone","run://a"]}`)))
	e.expect(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":9007199254740993},"notifications":{"resourceSubscriptions":["run://a"]}}}`)
	fixture.Receive(t, ws.Changed)(map[string]any{"n": 1})
	e.expect(fixture.Updated("run://a", `{"io.modelcontextprotocol/subscriptionId":9007199254740993,"n":1}`))
	e.resp.Body.Close()
	fixture.Receive(t, ws.Stopped)
}
