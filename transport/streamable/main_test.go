package streamable

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/server"
	"go.uber.org/goleak"

	"runs-mcp-server/internal/lab/fixture"
)

// testServer is a served endpoint and a client of it.
type testServer struct {
	t      *testing.T
	addr   string
	client *http.Client
	cancel context.CancelFunc
	ended  chan error // what Serve returned
}

// serveHTTP runs Serve on a real listener until the end of the test, which fails
// if Serve returns an error. The header X-Key identifies the caller.
func serveHTTP(t *testing.T, f *fixture.Server, o Options) *testServer {
	t.Helper()
	return serveOn(t, listen(t), f, o)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serveOn is serveHTTP on a given listener.
func serveOn(t *testing.T, l net.Listener, f *fixture.Server, o Options) *testServer {
	t.Helper()
	if o.Server == nil {
		o.Server = func(*http.Request) *server.MCPServer { return f.MCP }
	}
	if o.Identify == nil {
		o.Identify = identify
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &testServer{
		t: t, addr: l.Addr().String(), cancel: cancel, ended: make(chan error, 1),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}},
	}
	go func() { s.ended <- Serve(ctx, l, o) }()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.stop()
	})
	return s
}

type callerKey struct{}

func identify(r *http.Request) (string, context.Context, error) {
	key := r.Header.Get("X-Key")
	if key == "bad" {
		return "", nil, errors.New("this key is not known: send yours in X-Key")
	}
	return key, context.WithValue(r.Context(), callerKey{}, key), nil
}

// stop ends the server, once.
func (s *testServer) stop() {
	s.t.Helper()
	s.cancel()
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Errorf("Serve: %v", err)
		}
		s.ended <- nil
	case <-time.After(fixture.Timeout):
		s.t.Error("Serve did not return")
	}
}

// header is pairs of names and values.
type header []string

// do sends a request; the caller closes the body.
func (s *testServer) do(method, path string, h header, body string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.send(r, h)
}

func (s *testServer) send(r *http.Request, h header) *http.Response {
	s.t.Helper()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i < len(h); i += 2 {
		switch {
		case h[i] == "Host":
			r.Host = h[i+1]
		case h[i+1] == "-":
			r.Header.Del(h[i])
		default:
			r.Header.Set(h[i], h[i+1])
		}
	}
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp
}

// roundTrip sends a request and reads the whole response.
func (s *testServer) roundTrip(method, path string, h header, body string) (*http.Response, string) {
	s.t.Helper()
	resp := s.do(method, path, h, body)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(data)
}

// statelessHeaders returns the headers of a request of 2026-07-28.
func statelessHeaders(method, name string) header {
	h := header{"MCP-Protocol-Version", "2026-07-28", "Mcp-Method", method}
	if name != "" {
		h = append(h, "Mcp-Name", name)
	}
	return h
}

// session initializes and returns the headers of later requests.
func (s *testServer) session(version, capabilities string, h ...string) header {
	s.t.Helper()
	resp, body := s.roundTrip("POST", "/mcp", h, fixture.Initialize(version, capabilities))
	id := resp.Header.Get("Mcp-Session-Id")
	if resp.StatusCode != 200 || id == "" {
		s.t.Fatalf("initialize: %s %s", resp.Status, body)
	}
	h = append(header{"Mcp-Session-Id", id, "MCP-Protocol-Version", version}, h...)
	if resp, body := s.roundTrip("POST", "/mcp", h, `{"jsonrpc":"2.0","method":"notifications/initialized"}`); resp.StatusCode != 202 || body != "" {
		s.t.Fatalf("initialized: %s %s", resp.Status, body)
	}
	return h
}

// sse is one frame of an event stream.
type sse struct{ id, data, comment string }

// events reads an event stream frame by frame.
type events struct {
	t      *testing.T
	resp   *http.Response
	frames chan sse
}

// stream checks that a response is an event stream, and reads it until its end.
func (s *testServer) stream(resp *http.Response) *events {
	s.t.Helper()
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || kind != "text/event-stream" {
		data, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("no event stream: %s %s %s", resp.Status, kind, data)
	}
	frames := make(chan sse, 10_000)
	e := &events{t: s.t, resp: resp, frames: frames}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(frames)
		var f sse
		in := bufio.NewScanner(resp.Body)
		in.Buffer(nil, 64<<20)
		for in.Scan() {
			line := in.Text()
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case line == "":
				frames <- f
				f = sse{}
			case name == "":
				f.comment = value
			case name == "id":
				f.id = value
			case name == "data":
				f.data += value
			}
		}
	}()
	s.t.Cleanup(func() {
		resp.Body.Close()
		<-done
	})
	return e
}

// next returns the next message, without comments and priming events.
func (e *events) next() sse {
	e.t.Helper()
	for {
		if f := e.frame(); f.data != "" {
			return f
		}
	}
}

// frame returns the next frame of any kind.
func (e *events) frame() sse {
	e.t.Helper()
	select {
	case f, ok := <-e.frames:
		if !ok {
			e.t.Fatal("the stream ended")
		}
		return f
	case <-time.After(fixture.Timeout):
		e.t.Fatal("nothing came")
	}
	return sse{}
}

// expect checks the next message.
func (e *events) expect(want string) sse {
	e.t.Helper()
	got := e.next()
	if got.data != want {
		e.t.Fatalf("got  %s\nwant %s", got.data, want)
	}
	return got
}

// end checks that no more messages come.
func (e *events) end() {
	e.t.Helper()
	for {
		select {
		case f, ok := <-e.frames:
			if !ok {
				return
			}
			if f.data != "" {
				e.t.Fatalf("unexpected %s", f.data)
			}
		case <-time.After(fixture.Timeout):
			e.t.Fatal("the stream did not end")
		}
	}
}

// conn is a connection that speaks bytes.
type conn struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, s *testServer) *conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(fixture.Timeout)); err != nil {
		t.Fatal(err)
	}
	return &conn{t, c, bufio.NewReader(c)}
}

func (c *conn) send(text string) {
	c.t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// line returns the next line that comes.
func (c *conn) line() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimRight(line, "\r\n")
}

// post returns a request as bytes.
func post(h header, body string) string {
	var b strings.Builder
	b.WriteString("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n")
	for i := 0; i < len(h); i += 2 {
		b.WriteString(h[i] + ": " + h[i+1] + "\r\n")
	}
	b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	return b.String()
}

// probe returns the status of a GET.
func probe(h http.Handler, path string) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+path, nil))
	return w.Code
}

func closedListener(t *testing.T) net.Listener {
	l := listen(t)
	l.Close()
	return l
}

// pick returns a function that picks the narrow server by a header.
func pick(wide, narrow *fixture.Server) func(*http.Request) *server.MCPServer {
	return func(r *http.Request) *server.MCPServer {
		if r.Header.Get("X-MCP-Readonly") != "" {
			return narrow.MCP
		}
		return wide.MCP
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
