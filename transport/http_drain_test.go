package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDrainOfHTTP: over HTTP a drained call is answered as any other, in both
// eras and in both forms of a response, and one that creates something when it is
// done.
func TestDrainOfHTTP(t *testing.T) {
	for _, version := range []string{"2025-06-18", "2025-11-25", "2026-07-28"} {
		for _, accept := range []string{"application/json", "application/json, text/event-stream"} {
			t.Run(version+" "+accept, func(t *testing.T) {
				f := newFixture()
				f.addDrain()
				s := serveHTTP(t, f, HTTPOptions{Options: Options{Grace: patience}})
				var h header
				if version != "2026-07-28" {
					h = s.session(version, `{}`)
				}
				answers := make(map[string]chan string)
				for _, tool := range []string{"drain", "create"} {
					answers[tool] = make(chan string, 1)
					go func() {
						h, body := h, toolCall(`"`+tool+`"`, tool, "")
						if version == "2026-07-28" {
							h, body = newEra("tools/call", tool), newCallBody(`"`+tool+`"`, tool, "")
						}
						resp, got := s.ask("POST", "/mcp", append(slices.Clone(h), "Accept", accept), body)
						answers[tool] <- resp.Status + " " + got
					}()
					receive(t, f.waiting)
				}
				s.cancel()
				if got := receive(t, answers["drain"]); !strings.HasPrefix(got, "200 OK") || !strings.Contains(got, `"id":"drain","result":`) || !strings.Contains(got, "time_up") {
					t.Errorf("got %s", got)
				}
				close(f.release)
				if got := receive(t, answers["create"]); !strings.HasPrefix(got, "200 OK") || !strings.Contains(got, "created") {
					t.Errorf("got %s", got)
				}
				s.stop()
			})
		}
	}
}

// TestRequestsUnderWay: a request that is not read to its end when no more are
// taken is served, and told at once to stop waiting.
func TestRequestsUnderWay(t *testing.T) {
	f := newFixture()
	f.addDrain()
	came := make(chan struct{}, 10)
	s := serveHTTP(t, f, HTTPOptions{Options: Options{Grace: patience}, Identify: func(r *http.Request) (string, context.Context, error) {
		came <- struct{}{}
		return "", r.Context(), nil
	}})
	h := s.session("2025-11-25", `{}`)
	first := s.stream(s.do("POST", "/mcp", h, toolCall("1", "drain", "")))
	receive(t, f.waiting)
	for len(came) > 0 {
		<-came
	}
	conns := map[*conn]string{}
	for _, text := range []string{post(h, toolCall("2", "drain", "")), post(newEra("tools/call", "drain"), newCallBody("2", "drain", ""))} {
		c := dial(t, s)
		c.send(text[:len(text)-1])
		receive(t, came)
		conns[c] = text[len(text)-1:]
	}
	s.cancel()
	first.expect(textAnswer("1", "time_up")) // no more are taken
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

// TestGraceOfHTTP: calls that go on are cancelled, in both eras.
func TestGraceOfHTTP(t *testing.T) {
	f := newFixture()
	s := serveHTTP(t, f, HTTPOptions{Options: Options{Grace: 10 * time.Millisecond}})
	e := s.stream(s.do("POST", "/mcp", s.session("2025-11-25", `{}`), toolCall("1", "wait", "")))
	answer := make(chan string, 1)
	go func() {
		_, body := s.ask("POST", "/mcp", newEra("tools/call", "wait"), newCallBody("1", "wait", ""))
		answer <- body
	}()
	receive(t, f.waiting)
	receive(t, f.waiting)
	s.cancel()
	for range 2 {
		if cause := receive(t, f.causes); !errors.Is(cause, ErrShutdown) {
			t.Errorf("cause %v", cause)
		}
	}
	e.expect(textAnswer("1", "stopped"))
	if got := receive(t, answer); !strings.Contains(got, `"stopped"`) {
		t.Error(got)
	}
	s.stop()
}

// TestDrainTime: for a while after ctx is done the server says that it is not
// ready, and serves as before, on connections that end.
func TestDrainTime(t *testing.T) {
	const drain = 2 * time.Second
	f := newFixture()
	f.addDrain()
	s := serveHTTP(t, f, HTTPOptions{Options: Options{Grace: patience}, Drain: drain})
	h := s.session("2025-11-25", `{}`)
	get := s.stream(s.do("GET", "/mcp", h, ""))
	began := time.Now()
	s.cancel()
	for { // cancelling takes effect in another goroutine
		resp, body := s.ask("GET", "/readyz", nil, "")
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
		"session":       {"POST", "/mcp", h, toolCall("1", "echo", ""), 200},
		"initialize":    {"POST", "/mcp", nil, initBody("2025-11-25", `{}`), 200},
		"new era":       {"POST", "/mcp", newEra("tools/call", "echo"), newCallBody("1", "echo", ""), 200},
		"refused":       {"POST", "/mcp", header{"X-Key", "bad"}, "", 401},
		"wrong host":    {"POST", "/mcp", header{"Host", "evil.example"}, "", 403},
		"notification":  {"POST", "/mcp", h, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, 202},
		"event streams": {"POST", "/mcp", append(newEra("tools/call", "echo"), "Accept", "text/event-stream"), newCallBody("1", "echo", ""), 200},
	} {
		if resp, body := s.ask(r.method, r.path, r.h, r.body); resp.StatusCode != r.status || !resp.Close {
			t.Errorf("%s: %s %s, the connection ends: %t", what, resp.Status, body, resp.Close)
		}
	}
	call := make(chan string, 1)
	go func() {
		_, body := s.ask("POST", "/mcp", newEra("tools/call", "drain"), newCallBody("1", "drain", ""))
		call <- body
	}()
	receive(t, f.waiting)
	if got := receive(t, call); !strings.Contains(got, "time_up") {
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
