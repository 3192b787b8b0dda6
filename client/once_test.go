package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const onceRun = "123e4567-e89b-12d3-a456-426614174000"

// line is a client of a scripted server over real connections. Dials can be
// refused, and requests are recorded.
type line struct {
	*Client
	refuse int // so many dials, from the first, fail

	mu       sync.Mutex // guards the rest
	dials    int
	requests []*http.Request
}

// newLine answers the n-th request, from 1, by script. start is how the server
// is started: (*httptest.Server).Start, or StartTLS, which offers HTTP/2.
func newLine(t *testing.T, start func(*httptest.Server), script func(n int, w http.ResponseWriter, r *http.Request)) *line {
	t.Helper()
	l := &line{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		l.mu.Lock()
		l.requests = append(l.requests, r)
		n := len(l.requests)
		l.mu.Unlock()
		script(n, w, r)
	}))
	server.EnableHTTP2 = true
	start(server)
	t.Cleanup(server.Close)
	c, err := New(Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, hc := range []*http.Client{c.calls, c.once} {
		transport := hc.Transport.(*http.Transport)
		transport.DialContext = l.dial
		if server.TLS != nil {
			transport.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
		}
	}
	l.Client = c
	return l
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	l.dials++
	refuse := l.dials <= l.refuse
	l.mu.Unlock()
	if refuse {
		return nil, errors.New("refused")
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func hangUp(int, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// statuses answers one after the other, the last for ever.
func statuses(all ...int) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(all[min(n, len(all))-1])
		fmt.Fprintf(w, `{"runId":%q,"status":"QUEUED"}`, onceRun)
	}
}

func (l *line) do(ctx context.Context, op string) error {
	caller := Caller{Key: "key-of-a-test"}
	switch op {
	case "create":
		_, err := l.CreateRun(ctx, caller, CreateRunRequest{Intent: "x"})
		return err
	case "abort":
		return l.AbortRun(ctx, caller, onceRun)
	case "approve":
		return l.Approve(ctx, caller, "token-of-a-test")
	default:
		_, err := l.GetRun(ctx, caller, onceRun, false)
		return err
	}
}

// TestRepeats: how many requests of one call arrive, and how the call ends.
func TestRepeats(t *testing.T) {
	late := func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(429)
	}
	cutOff := func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			w.Header().Set("Content-Length", "1000")
		}
		statuses(201)(n, w, r)
	}
	then := func(first func(int, http.ResponseWriter, *http.Request), status int) func(int, http.ResponseWriter, *http.Request) {
		return func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				first(n, w, r)
			} else {
				statuses(status)(n, w, r)
			}
		}
	}
	tests := []struct {
		name     string
		op       string
		refuse   int // dials
		script   func(int, http.ResponseWriter, *http.Request)
		requests int
		want     Kind
	}{
		{"no connection at first", "create", 2, statuses(201), 1, ""},
		{"no connection", "create", 9, statuses(201), 0, Unavailable},
		{"hung up", "create", 0, hangUp, 1, OutcomeUnknown},
		{"hung up after no connection", "create", 1, hangUp, 1, OutcomeUnknown},
		{"refused once", "create", 0, statuses(429, 201), 2, ""},
		{"refused", "create", 0, statuses(429), 3, RateLimited},
		{"refused for long", "create", 0, late, 1, RateLimited},
		{"500", "create", 0, statuses(500, 201), 1, OutcomeUnknown},
		{"503", "create", 0, statuses(503, 201), 1, OutcomeUnknown},
		{"504", "create", 0, statuses(504, 201), 1, OutcomeUnknown},
		{"408", "create", 0, statuses(408, 201), 1, OutcomeUnknown},
		{"answer cut off", "create", 0, cutOff, 1, OutcomeUnknown},
		{"400", "create", 0, statuses(400, 201), 1, InvalidArgument},

		{"no connection", "approve", 1, statuses(200), 0, Unavailable},
		{"hung up", "approve", 0, hangUp, 1, OutcomeUnknown},
		{"refused", "approve", 0, statuses(429, 200), 1, RateLimited},
		{"503", "approve", 0, statuses(503, 200), 1, OutcomeUnknown},

		{"503", "abort", 0, statuses(503, 200), 2, ""},
		{"503 for ever", "abort", 0, statuses(503), 3, OutcomeUnknown},
		{"no connection", "abort", 9, statuses(200), 0, Unavailable},
		{"conflict", "abort", 0, statuses(409), 1, Conflict},
		{"conflict after doubt", "abort", 0, then(hangUp, 409), 2, OutcomeUnknown},
		{"gone after doubt", "abort", 0, then(statuses(502), 404), 2, OutcomeUnknown},
		{"refused key after doubt", "abort", 0, then(statuses(502), 401), 2, OutcomeUnknown},
		{"refused for long after doubt", "abort", 0, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				hangUp(n, w, r)
			}
			late(n, w, r)
		}, 2, OutcomeUnknown},

		{"503 twice", "get", 0, statuses(503, 500, 200), 3, ""},
		{"503 for ever", "get", 0, statuses(503), 3, Unavailable},
		{"refused once", "get", 0, statuses(429, 200), 2, ""},
		{"refused for long", "get", 0, late, 1, RateLimited},
		{"hung up", "get", 0, then(hangUp, 200), 2, ""},
		{"answer cut off", "get", 0, cutOff, 2, ""},
		{"404 of no API", "get", 0, statuses(404, 200), 1, Misconfigured},
		{"302", "get", 0, statuses(302, 200), 1, Misconfigured},
	}
	for _, tt := range tests {
		t.Run(tt.op+" "+tt.name, func(t *testing.T) {
			l := newLine(t, (*httptest.Server).Start, tt.script)
			l.refuse = tt.refuse
			err := l.do(t.Context(), tt.op)
			if kind := KindOf(err); kind != tt.want || err == nil != (tt.want == "") {
				t.Errorf("ended in %v, want %q", err, tt.want)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if len(l.requests) != tt.requests {
				t.Errorf("%d requests arrived, want %d", len(l.requests), tt.requests)
			}
		})
	}
}

// TestCanceledCreate: the outcome of a create is unknown if it was cancelled after
// it was sent.
func TestCanceledCreate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := newLine(t, (*httptest.Server).Start, func(_ int, _ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if err := l.do(ctx, "create"); KindOf(err) != OutcomeUnknown {
		t.Errorf("canceled while it waited: %v", err)
	}
	if err := l.do(ctx, "create"); KindOf(err) != Canceled || len(l.requests) != 1 {
		t.Errorf("canceled before: %v; %d requests", err, len(l.requests))
	}
}

// TestOnceMeansOnce: creates and approvals go over HTTP/1 on a connection of their
// own, even to an HTTP/2 server, because net/http sends nothing again there. Reads
// share a connection.
func TestOnceMeansOnce(t *testing.T) {
	l := newLine(t, (*httptest.Server).StartTLS, statuses(201))
	for range 3 {
		for _, op := range []string{"create", "approve", "get"} {
			if err := l.do(t.Context(), op); err != nil {
				t.Fatal(err)
			}
		}
	}
	reads, connections := map[string]bool{}, map[string]bool{}
	for _, r := range l.requests {
		for name := range r.Header {
			if strings.Contains(strings.ToLower(name), "idempotency") {
				t.Errorf("%s %s has the header %s", r.Method, r.URL.Path, name)
			}
		}
		if r.URL.Path == "/v1/runs/"+onceRun {
			reads[r.RemoteAddr] = true
			if r.ProtoMajor != 2 {
				t.Errorf("a read over %s", r.Proto)
			}
			continue
		}
		if connections[r.RemoteAddr] || r.ProtoMajor != 1 || !r.Close {
			t.Errorf("%s %s over %s, on a connection used before: %t, to be closed: %t", r.Method, r.URL.Path, r.Proto, connections[r.RemoteAddr], r.Close)
		}
		connections[r.RemoteAddr] = true
	}
	if len(connections) != 6 || len(reads) != 1 {
		t.Errorf("%d connections for what must arrive once, %d for reads; want 6 and 1", len(connections), len(reads))
	}
}

// TestBrokenConnections: a create whose connection breaks at any byte arrives at
// most once, and its caller knows if it may have arrived.
func TestBrokenConnections(t *testing.T) {
	ends := map[Kind]int{}
	for limit := 0; limit < 800; limit += 16 { // a request of about 290 bytes, an answer of about 200
		l := newLine(t, (*httptest.Server).Start, statuses(201))
		l.retries.jitter = func(time.Duration) time.Duration { return 0 }
		l.once.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := l.dial(ctx, network, address)
			return &brittleConn{Conn: conn, left: limit}, err
		}
		err := l.do(t.Context(), "create")
		l.Close()
		ends[KindOf(err)]++
		l.mu.Lock()
		made := len(l.requests)
		l.mu.Unlock()
		if l.dials != 1 || made > 1 || made == 1 && err != nil && KindOf(err) != OutcomeUnknown || made == 0 && err == nil {
			t.Errorf("broken after %d bytes: %d connections, %d runs, %v", limit, l.dials, made, err)
		}
	}
	if ends[OutcomeUnknown] < 20 || ends[""] < 10 || len(ends) != 2 {
		t.Errorf("they ended as %v", ends)
	}
}

// brittleConn breaks after so many bytes either way.
type brittleConn struct {
	net.Conn
	mu   sync.Mutex
	left int // guarded by mu
}

var errBrittle = errors.New("broken")

func (c *brittleConn) spend(n int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, c.left)
	c.left -= n
	if c.left == 0 {
		c.Close()
		return n, errBrittle
	}
	return n, nil
}

func (c *brittleConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		return n, err
	}
	return c.spend(n)
}

func (c *brittleConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	n := min(len(p), c.left)
	c.mu.Unlock()
	n, err := c.Conn.Write(p[:n])
	if err != nil {
		return n, err
	}
	return c.spend(n)
}
