package streamable

import (
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// TestOriginGuard tries Host and Origin headers with every method on every path.
func TestOriginGuard(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{
		AllowedHosts:   []string{"mcp.example.com", "gate.example.com:8443", "[2001:db8::1]", "10.0.0.7"},
		AllowedOrigins: []string{"https://app.example.com", "http://App.example.com:8080"},
	})
	rows := []struct {
		host, origin string // "": the real one; "-": none
		open         bool
	}{
		{"", "-", true},
		{"localhost", "-", true},
		{"LOCALHOST:80", "-", true},
		{"localhost:1234", "http://localhost:1234", true},
		{"127.0.0.1", "-", true},
		{"127.8.9.10:1", "-", true},
		{"[::1]", "-", true},
		{"[::1]:8080", "http://[::1]:9", true},
		{"mcp.example.com", "-", true},
		{"MCP.example.com:99", "-", true},
		{"gate.example.com:8443", "-", true},
		{"[2001:db8::1]:7", "-", true},
		{"10.0.0.7:7", "-", true},
		{"[::ffff:127.0.0.1]", "-", true},

		{"gate.example.com", "-", false},
		{"gate.example.com:8444", "-", false},
		{"evil.example", "-", false},
		{"evil.example:80", "-", false},
		{"mcp.example.com.evil.example", "-", false},
		{"xmcp.example.com", "-", false},
		{"localhost.evil.example", "-", false},
		{"localhost.", "-", false},
		{"foo.localhost", "-", false},
		{"127.0.0.1.evil.example", "-", false},
		{"127.1", "-", false},
		{"0.0.0.0", "-", false},
		{"0x7f.0.0.1", "-", false},
		{"2130706433", "-", false},
		{"127.0.0.01", "-", false},
		{"10.0.0.8", "-", false},
		{"[::]", "-", false},
		{"[::2]:80", "-", false},
		{"[2001:db8::2]", "-", false},
		{"evil@localhost", "-", false},
		{"localhost:80:80", "-", false},
		{"localhost:", "-", false},
		{"localhost:http", "-", false},

		{"", "http://localhost", true},
		{"", "https://127.0.0.1:3000", true},
		{"", "https://app.example.com", true},
		{"", "http://APP.example.com:8080", true},
		{"", "null", false},
		{"", "", false},
		{"", "https://app.example.com:444", false},
		{"", "http://app.example.com", false},
		{"", "https://app.example.com.evil.example", false},
		{"", "https://evil.example", false},
		{"", "https://localhost.evil.example", false},
		{"", "http://localhost@evil.example", false},
		{"", "http://evil.example#localhost", false},
		{"", "http://localhost/", false},
		{"", "http://localhost, http://evil.example", false},
		{"", "file://", false},
		{"", "file://localhost", false},
		{"", "chrome-extension://localhost", false},
		{"", "localhost", false},
		{"", "http://127.1", false},
		{"", "http://0.0.0.0:80", false},
		{"evil.example", "http://localhost", false},
		{"localhost", "http://evil.example", false},
	}
	if len(rows) < 40 {
		t.Fatal("too few rows")
	}
	for _, row := range rows {
		h := header{}
		if row.host != "" {
			h = append(h, "Host", row.host)
		}
		if row.origin != "-" {
			h = append(h, "Origin", row.origin)
		}
		for _, path := range []string{"/mcp", "/healthz", "/readyz", "/elsewhere"} {
			for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"} {
				resp, body := s.roundTrip(method, path, h, "")
				if got := resp.StatusCode != 403; got != row.open && resp.StatusCode != 400 {
					t.Errorf("Host %q, Origin %q: %s %s is %s %s", row.host, row.origin, method, path, resp.Status, body)
				}
				if resp.StatusCode == 400 && !row.open && !strings.ContainsAny(row.host, "@:") { // net/http's own answer
					t.Errorf("Host %q: %s %s", row.host, resp.Status, body)
				}
				allowed := resp.Header.Get("Access-Control-Allow-Origin")
				if want := row.open && row.origin != "-"; want != (allowed != "") || want && allowed != row.origin {
					t.Errorf("Host %q, Origin %q: %s %s allows %q", row.host, row.origin, method, path, allowed)
				}
			}
		}
	}
}

// TestOriginGuardComesFirst: a foreign page learns nothing of keys and sessions.
func TestOriginGuardComesFirst(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{})
	h := s.session("2025-11-25", `{}`)
	_, want := s.roundTrip("POST", "/mcp", header{"Origin", "https://evil.example"}, "")
	for _, h := range []header{{"X-Key", "bad"}, h, {"Mcp-Session-Id", "unknown"}, statelessHeaders("tools/call", "echo")} {
		for _, body := range []string{"", "{}", fixture.StatelessCall("1", "echo", "")} {
			resp, got := s.roundTrip("POST", "/mcp", append(h, "Origin", "https://evil.example"), body)
			if resp.StatusCode != 403 || got != want {
				t.Errorf("%v: %s %s", h, resp.Status, got)
			}
		}
	}
}

func TestTwoOrigins(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{})
	c := dial(t, s)
	c.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: http://evil.example\r\n\r\n")
	if got := c.line(); !strings.HasPrefix(got, "HTTP/1.1 403 ") {
		t.Fatal(got)
	}
	c = dial(t, s)
	c.send("GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") // the request line counts, not the header
	if got := c.line(); !strings.HasPrefix(got, "HTTP/1.1 403 ") {
		t.Fatal(got)
	}
	c = dial(t, s)
	c.send("GET /healthz HTTP/1.0\r\n\r\n")
	if got := c.line(); !strings.HasPrefix(got, "HTTP/1.0 403 ") {
		t.Fatal(got)
	}
}

func TestCORS(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{AllowedOrigins: []string{"https://app.example.com"}})
	resp, body := s.roundTrip("OPTIONS", "/mcp", header{"Origin", "https://app.example.com", "X-Key", "bad",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "mcp-session-id, x-key, mcp-param-a"}, "")
	if resp.StatusCode != 204 || body != "" {
		t.Fatalf("preflight: %s %s", resp.Status, body)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      "https://app.example.com",
		"Access-Control-Allow-Methods":     "GET, POST, DELETE",
		"Access-Control-Allow-Headers":     "mcp-session-id, x-key, mcp-param-a",
		"Access-Control-Allow-Credentials": "",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	resp, _ = s.roundTrip("POST", "/mcp", header{"Origin", "https://app.example.com"}, fixture.Initialize("2025-11-25", `{}`))
	if got := resp.Header.Get("Access-Control-Expose-Headers"); got != "Mcp-Session-Id, MCP-Protocol-Version" {
		t.Errorf("exposed: %q", got)
	}
	if got := resp.Header.Get("Vary"); got != "Origin" {
		t.Errorf("Vary: %q", got)
	}
	resp, _ = s.roundTrip("POST", "/mcp", nil, fixture.Initialize("2025-11-25", `{}`))
	if resp.Header.Get("Access-Control-Allow-Origin") != "" || resp.Header.Get("Vary") != "Origin" {
		t.Errorf("without an Origin: %v", resp.Header)
	}
}

// TestRefusedCallers: the answer names the header or flag, and does not send the
// client to look for an authorization server.
func TestRefusedCallers(t *testing.T) {
	s := serveHTTP(t, fixture.New(session.Hooks()), Options{})
	for _, c := range []struct {
		name   string
		h      header
		status int
		want   string
	}{
		{"key", header{"X-Key", "bad"}, 401, `"this key is not known: send yours in X-Key"`},
		{"host", header{"Host", "mcp.example.com:8080"}, 403, `"this server does not answer to the Host \"mcp.example.com:8080\": the operator can allow it with --allowed-hosts"`},
		{"long host", header{"Host", strings.Repeat("a", 1000)}, 403, `Host \"` + strings.Repeat("a", 64) + `\"...: the`},
		{"origin", header{"Origin", "https://evil.example"}, 403, `"requests of the Origin \"https://evil.example\" are not allowed: the operator can allow it with --allowed-origins"`},
		{"origin that looks like ours", header{"Origin", "http://lоcalhost"}, 403, `\"http://l\\u043ecalhost\"`},
		{"origin that breaks out", header{"Origin", `x" <script>`}, 403, `\"x\\\" <script>\"`},
	} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			resp, body := s.roundTrip(method, "/mcp", c.h, "")
			if resp.StatusCode != c.status || !strings.Contains(body, c.want) {
				t.Errorf("%s: %s is %s %s", c.name, method, resp.Status, body)
			}
			if resp.Header.Values("WWW-Authenticate") != nil {
				t.Errorf("%s: WWW-Authenticate %q", c.name, resp.Header.Values("WWW-Authenticate"))
			}
		}
	}
}
