package streamable

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"pgregory.net/rapid"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// twoCallers is the model of a server with two callers, and knows who may do what.
type twoCallers struct {
	s        *testServer
	watching *fixture.Watching
	sessions []*modelled
	n        int // makes ids unique
}

// modelled is a session as the model knows it.
type modelled struct {
	id, owner string
	ended     bool
	event     string // the id of one on some stream, or ""
	get       *http.Response
}

// TestNothingLeaksBetweenCallers: two callers do random things with their own and
// each other's sessions, calls, streams and subscriptions.
func TestNothingLeaksBetweenCallers(t *testing.T) {
	f := fixture.New(session.Hooks())
	close(f.Release)
	f.MCP.AddTool(mcp.NewTool("whose"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		key, _ := ctx.Value(callerKey{}).(string)
		return mcp.NewToolResultText("key of " + key), nil
	})
	ws := fixture.NewWatching()
	s := serveHTTP(t, f, Options{Options: session.Options{Watch: func(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
		if key, _ := ctx.Value(callerKey{}).(string); !strings.HasPrefix(uri, "run://"+key+"/") {
			return nil, fmt.Errorf("not yours")
		}
		return ws.Watch(ctx, uri, changed)
	}}})
	rapid.Check(t, func(t *rapid.T) {
		m := &twoCallers{s: s, watching: ws}
		defer m.close()
		t.Repeat(map[string]func(*rapid.T){
			"initialize": m.initialize,
			"use":        m.use,
			"delete":     m.delete,
			"call":       m.call,
			"resume":     m.resume,
			"listen":     m.listen,
			"subscribe":  m.subscribe,
			"stateless":  m.sendStateless,
		})
	})
}

func (m *twoCallers) close() {
	for _, s := range m.sessions {
		if s.get != nil {
			s.get.Body.Close()
		}
		m.roundTrip("DELETE", s.owner, s, "")
	}
}

// roundTrip sends a request as a caller in a session.
func (m *twoCallers) roundTrip(method, caller string, s *modelled, body string, more ...string) (int, string) {
	h := append(header{"X-Key", caller, "Mcp-Session-Id", s.id, "MCP-Protocol-Version", "2025-11-25"}, more...)
	resp, got := m.s.roundTrip(method, "/mcp", h, body)
	return resp.StatusCode, got
}

func (m *twoCallers) caller(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b"}).Draw(t, "caller")
}

// session draws any session there was.
func (m *twoCallers) session(t *rapid.T) *modelled {
	if len(m.sessions) == 0 {
		t.Skip("no session")
	}
	return rapid.SampledFrom(m.sessions).Draw(t, "session")
}

// expect checks a status. A session that has ended or is another caller's is not
// found.
func (m *twoCallers) expect(t *rapid.T, caller string, s *modelled, status, want int, body string) bool {
	if s.ended || s.owner != caller {
		want = 404
	}
	if status != want {
		t.Fatalf("caller %s in %+v: %d %s, want %d", caller, *s, status, body, want)
	}
	return want != 404
}

func (m *twoCallers) initialize(t *rapid.T) {
	if len(m.sessions) >= 8 {
		t.Skip("enough")
	}
	owner := m.caller(t)
	resp, _ := m.s.roundTrip("POST", "/mcp", header{"X-Key", owner}, fixture.Initialize("2025-11-25", `{}`))
	m.sessions = append(m.sessions, &modelled{id: resp.Header.Get("Mcp-Session-Id"), owner: owner})
}

func (m *twoCallers) use(t *rapid.T) {
	s, caller := m.session(t), m.caller(t)
	status, body := m.roundTrip("POST", caller, s, fixture.Call("1", "whose", ""))
	if m.expect(t, caller, s, status, 200, body) && body != fixture.TextAnswer("1", "key of "+caller) {
		t.Fatal(body)
	}
}

func (m *twoCallers) delete(t *rapid.T) {
	s, caller := m.session(t), m.caller(t)
	status, body := m.roundTrip("DELETE", caller, s, "")
	if m.expect(t, caller, s, status, 204, body) {
		s.ended = true
	}
}

// call makes a call with progress, and finds only its own on the stream.
func (m *twoCallers) call(t *rapid.T) {
	s, caller := m.session(t), m.caller(t)
	m.n++
	token := fmt.Sprintf(`"%s-%d"`, caller, m.n)
	status, body := m.roundTrip("POST", caller, s, fixture.Call("1", "slow", token))
	if !m.expect(t, caller, s, status, 200, body) {
		return
	}
	if n := strings.Count(body, `"progressToken":`); n != 20 || strings.Count(body, token) != 20 {
		t.Fatalf("%d notifications: %s", n, body)
	}
	_, rest, _ := strings.Cut(body, "id: ")
	s.event, _, _ = strings.Cut(rest, "\n")
}

// resume sends the event id of one session in another session.
func (m *twoCallers) resume(t *rapid.T) {
	of, s, caller := m.session(t), m.session(t), m.caller(t)
	if of.event == "" {
		t.Skip("no event")
	}
	if s == of && !s.ended && caller == s.owner {
		status, body := m.roundTrip("GET", caller, s, "", "Last-Event-ID", of.event)
		if m.expect(t, caller, s, status, 200, body); !strings.Contains(body, `"done"`) {
			t.Fatal(body)
		}
		return
	}
	stream, _, _ := strings.Cut(of.event, "-")
	if s.event != "" && strings.HasPrefix(s.event, stream+"-") || s.get != nil {
		t.Skip("it has such a stream of its own")
	}
	status, body := m.roundTrip("GET", caller, s, "", "Last-Event-ID", of.event)
	if status == 200 && s.owner == caller && !s.ended && !strings.Contains(body, caller+"-") {
		t.Fatalf("another's stream: %s", body)
	}
	if (s.owner != caller || s.ended) && status != 404 {
		t.Fatalf("%d %s", status, body)
	}
}

// listen opens the GET stream of a session, again if it has one.
func (m *twoCallers) listen(t *rapid.T) {
	s, caller := m.session(t), m.caller(t)
	resp := m.s.do("GET", "/mcp", header{"X-Key", caller, "Mcp-Session-Id", s.id, "MCP-Protocol-Version", "2025-11-25"}, "")
	if !m.expect(t, caller, s, resp.StatusCode, 200, "") {
		resp.Body.Close()
		return
	}
	if s.get != nil { // the newer takes over
		rest, err := io.ReadAll(s.get.Body)
		if s.get.Body.Close(); err != nil || strings.Contains(string(rest), "data: {") {
			t.Fatalf("the older ends with %q, %v", rest, err)
		}
	}
	s.get = resp
	readFrame(t, resp) // the priming event
}

// subscribe subscribes, changes the resource, and finds only that change on the
// session's stream.
func (m *twoCallers) subscribe(t *rapid.T) {
	s, caller := m.session(t), m.caller(t)
	m.n++
	owner := m.caller(t) // of the resource
	uri := fmt.Sprintf("run://%s/%d", owner, m.n)
	status, body := m.roundTrip("POST", caller, s, fixture.Subscribe(uri))
	if !m.expect(t, caller, s, status, 200, body) {
		return
	}
	if owner != caller {
		if !strings.Contains(body, `"error"`) {
			t.Fatalf("watches another's: %s", body)
		}
		return
	}
	changed := <-m.watching.Changed
	if s.get == nil {
		return
	}
	changed(map[string]any{"n": m.n})
	if got := readFrame(t, s.get); !strings.Contains(got, fixture.Updated(uri, fmt.Sprintf(`{"n":%d}`, m.n))) {
		t.Fatalf("got %s", got)
	}
}

// sendStateless sends a request without a session.
func (m *twoCallers) sendStateless(t *rapid.T) {
	caller := m.caller(t)
	h := append(statelessHeaders("tools/call", "whose"), "X-Key", caller)
	if len(m.sessions) > 0 {
		h = append(h, "Mcp-Session-Id", m.session(t).id)
	}
	if resp, body := m.s.roundTrip("POST", "/mcp", h, fixture.StatelessCall("1", "whose", "")); resp.StatusCode != 200 || !strings.Contains(body, `key of `+caller) {
		t.Fatalf("%s %s", resp.Status, body)
	}
}

// readFrame returns the next frame of an event stream.
func readFrame(t *rapid.T, resp *http.Response) string {
	var frame []byte
	for one := make([]byte, 1); !strings.HasSuffix(string(frame), "\n\n"); frame = append(frame, one[0]) {
		if _, err := io.ReadFull(resp.Body, one); err != nil {
			t.Fatalf("after %q: %v", frame, err)
		}
	}
	return string(frame)
}
