package streamable

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// TestDrainOfHTTP: a drained call is answered as any other, in all revisions and
// both forms of a response, and a call that creates something when it is done.
func TestDrainOfHTTP(t *testing.T) {
	for _, version := range []string{"2025-06-18", "2025-11-25", "2026-07-28"} {
		for _, accept := range []string{"application/json", "application/json, text/event-stream"} {
			t.Run(version+" "+accept, func(t *testing.T) {
				f := fixture.New(session.Hooks())
				f.AddDrainTools()
				s := serveHTTP(t, f, Options{Options: session.Options{Grace: fixture.Timeout}})
				var h header
				if version != "2026-07-28" {
					h = s.session(version, `{}`)
				}
				answers := make(map[string]chan string)
				for _, tool := range []string{"drain", "create"} {
					answers[tool] = make(chan string, 1)
					go func() {
						h, body := h, fixture.Call(`"`+tool+`"`, tool, "")
						if version == "2026-07-28" {
							h, body = statelessHeaders("tools/call", tool), fixture.StatelessCall(`"`+tool+`"`, tool, "")
						}
						resp, got := s.roundTrip("POST", "/mcp", append(slices.Clone(h), "Accept", accept), body)
						answers[tool] <- resp.Status + " " + got
					}()
					fixture.Receive(t, f.Waiting)
				}
				s.cancel()
				if got := fixture.Receive(t, answers["drain"]); !strings.HasPrefix(got, "200 OK") || !strings.Contains(got, `"id":"drain","result":`) || !strings.Contains(got, "time_up") {
					t.Errorf("got %s", got)
				}
				close(f.Release)
				if got := fixture.Receive(t, answers["create"]); !strings.HasPrefix(got, "200 OK") || !strings.Contains(got, "created") {
					t.Errorf("got %s", got)
				}
				s.stop()
			})
		}
	}
}

// TestRequestsUnderWay: a request whose body is still coming when the server
// stops taking requests is served, and its call is drained at once.
func TestRequestsUnderWay(t *testing.T) {
	f := fixture.New(session.Hooks())
	f.AddDrainTools()
	came := make(chan struct{}, 10)
	s := serveHTTP(t, f, Options{Options: session.Options{Grace: fixture.Timeout}, Identify: func(r *http.Request) (string, context.Context, error) {
		came <- struct{}{}
		return "", r.Context(), nil
	}})
	h := s.session("2025-11-25", `{}`)
	first := s.stream(s.do("POST", "/mcp", h, fixture.Call("1", "drain", "")))
	fixture.Receive(t, f.Waiting)
	for len(came) > 0 {
		<-came
	}
	conns := map[*conn]string{}
	for _, text := range []string{post(h, fixture.Call("2", "drain", "")), post(statelessHeaders("tools/call", "drain"), fixture.StatelessCall("2", "drain", ""))} {
		c := dial(t, s)
		c.send(text[:len(text)-1])
		fixture.Receive(t, came)
		conns[c] = text[len(text)-1:]
	}
	s.cancel()
	first.expect(fixture.TextAnswer("1", "time_up")) // the server takes no more requests
	for c, rest := range conns {
		c.send(rest)
		resp, err := http.ReadResponse(c.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), "time_up") {
			t.Errorf("%s %s %v", resp.Status, body, err)
		}
	}
	s.stop()
}

// TestGraceOfHTTP: calls that go on are cancelled, in all revisions.
func TestGraceOfHTTP(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{Options: session.Options{Grace: 10 * time.Millisecond}})
	e := s.stream(s.do("POST", "/mcp", s.session("2025-11-25", `{}`), fixture.Call("1", "wait", "")))
	answer := make(chan string, 1)
	go func() {
		_, body := s.roundTrip("POST", "/mcp", statelessHeaders("tools/call", "wait"), fixture.StatelessCall("1", "wait", ""))
		answer <- body
	}()
	fixture.Receive(t, f.Waiting)
	fixture.Receive(t, f.Waiting)
	s.cancel()
	for range 2 {
		if cause := fixture.Receive(t, f.Causes); !errors.Is(cause, session.ErrShutdown) {
			t.Errorf("cause %v", cause)
		}
	}
	e.expect(fixture.TextAnswer("1", "stopped"))
	if got := fixture.Receive(t, answer); !strings.Contains(got, `"stopped"`) {
		t.Error(got)
	}
	s.stop()
}

// TestDrainTime: for Options.Drain after ctx is done, the server says that it is
// not ready, and serves as before, on connections that end.
func TestDrainTime(t *testing.T) {
	const drain = 2 * time.Second
	f := fixture.New(session.Hooks())
	f.AddDrainTools()
	s := serveHTTP(t, f, Options{Options: session.Options{Grace: fixture.Timeout}, Drain: drain})
	h := s.session("2025-11-25", `{}`)
	get := s.stream(s.do("GET", "/mcp", h, ""))
	began := time.Now()
	s.cancel()
	for { // cancelling takes effect in another goroutine
		resp, body := s.roundTrip("GET", "/readyz", nil, "")
		if resp.StatusCode == 503 {
			if body != "the server is shutting down\n" || !resp.Close {
				t.Errorf("not ready: %q, the connection ends: %t", body, resp.Close)
			}
			break
		}
	}
	get.frame()
	for what, r := range map[string]struct {
		method, path string
		h            header
		body         string
		status       int
	}{
		"health":        {"GET", "/healthz", nil, "", 200},
		"session":       {"POST", "/mcp", h, fixture.Call("1", "echo", ""), 200},
		"initialize":    {"POST", "/mcp", nil, fixture.Initialize("2025-11-25", `{}`), 200},
		"stateless":     {"POST", "/mcp", statelessHeaders("tools/call", "echo"), fixture.StatelessCall("1", "echo", ""), 200},
		"refused":       {"POST", "/mcp", header{"X-Key", "bad"}, "", 401},
		"wrong host":    {"POST", "/mcp", header{"Host", "evil.example"}, "", 403},
		"notification":  {"POST", "/mcp", h, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, 202},
		"event streams": {"POST", "/mcp", append(statelessHeaders("tools/call", "echo"), "Accept", "text/event-stream"), fixture.StatelessCall("1", "echo", ""), 200},
	} {
		if resp, body := s.roundTrip(r.method, r.path, r.h, r.body); resp.StatusCode != r.status || !resp.Close {
			t.Errorf("%s: %s %s, the connection ends: %t", what, resp.Status, body, resp.Close)
		}
	}
	call := make(chan string, 1)
	go func() {
		_, body := s.roundTrip("POST", "/mcp", statelessHeaders("tools/call", "drain"), fixture.StatelessCall("1", "drain", ""))
		call <- body
	}()
	fixture.Receive(t, f.Waiting)
	if got := fixture.Receive(t, call); !strings.Contains(got, "time_up") {
		t.Error(got)
	}
	if took := time.Since(began); took < drain {
		t.Errorf("a call was told to stop after %s", took)
	}
	get.end()
	s.stop()
	if _, err := s.client.Get("http://" + s.addr + "/healthz"); err == nil {
		t.Error("it serves on")
	}
}
