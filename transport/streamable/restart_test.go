package streamable

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// backend is a server behind a proxy.
type backend struct {
	*fixture.Server
	url    *url.URL
	cancel context.CancelFunc
	ended  chan error
}

func startBackend(t *testing.T) *backend {
	f := fixture.New(session.Hooks())
	f.AddDrainTools()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	b := &backend{Server: f, url: &url.URL{Scheme: "http", Host: l.Addr().String()}, cancel: cancel, ended: make(chan error, 1)}
	o := Options{Server: pick(f, nil), Drain: time.Second, Options: session.Options{Grace: fixture.Timeout}}
	go func() { b.ended <- Serve(ctx, l, o) }()
	return b
}

// proxy spreads requests over those of its backends that are ready. It sends no
// request twice.
type proxy struct {
	transport *http.Transport

	mu       sync.Mutex // guards all below
	backends []*backend
	ready    map[*backend]bool
	turn     int
}

// set replaces the backends.
func (p *proxy) set(backends ...*backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backends, p.ready = slices.Clone(backends), map[*backend]bool{}
	for _, b := range backends {
		p.ready[b] = true
	}
}

// pick returns the next backend that is ready.
func (p *proxy) pick() *backend {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.backends {
		p.turn++
		if b := p.backends[p.turn%len(p.backends)]; p.ready[b] {
			return b
		}
	}
	return p.backends[0]
}

// probe asks the backends again and again whether they are ready, until ctx is done.
func (p *proxy) probe(ctx context.Context) {
	for ctx.Err() == nil {
		p.mu.Lock()
		backends := slices.Clone(p.backends)
		p.mu.Unlock()
		for _, b := range backends {
			ready := false
			if resp, err := p.transport.RoundTrip(httptest.NewRequest("GET", b.url.JoinPath("/readyz").String(), nil)); err == nil {
				ready = resp.StatusCode == 200
				resp.Body.Close()
			}
			p.mu.Lock()
			p.ready[b] = ready
			p.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// RoundTrip implements http.RoundTripper.
func (p *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	b := p.pick()
	r.URL.Host = b.url.Host
	return p.transport.RoundTrip(r)
}

// startProxy serves the proxy.
func startProxy(t *testing.T, backends ...*backend) (*proxy, *httptest.Server) {
	p := &proxy{transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	p.set(backends...)
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.Out.Host = "localhost"
		},
		Transport:     p,
		FlushInterval: -1,
	})
	ctx, stop := context.WithCancel(context.Background())
	probed := make(chan struct{})
	go func() {
		defer close(probed)
		p.probe(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-probed
		front.Close()
		p.transport.CloseIdleConnections()
	})
	return p, front
}

// TestRollingRestart: each request gets its answer while one backend after the
// other is replaced behind a proxy, and clients make quick calls, waiting calls
// and calls that create something.
func TestRollingRestart(t *testing.T) {
	old := []*backend{startBackend(t), startBackend(t)}
	p, front := startProxy(t, old...)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	defer client.CloseIdleConnections()
	call := func(tool, want string) {
		r, err := http.NewRequest("POST", front.URL+"/mcp", strings.NewReader(fixture.StatelessCall("1", tool, "")))
		if err != nil {
			t.Error(err)
			return
		}
		h := append(statelessHeaders("tools/call", tool), "Content-Type", "application/json")
		for i := 0; i < len(h); i += 2 {
			r.Header.Set(h[i], h[i+1])
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Errorf("%s: %v", tool, err)
			return
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s %s %v", tool, resp.Status, body, err)
		}
	}
	var waiting, quick sync.WaitGroup
	for range 20 {
		waiting.Go(func() { call("drain", `"time_up"`) })
		waiting.Go(func() { call("create", `"created"`) })
	}
	for range 20 {
		fixture.Receive(t, old[0].Waiting)
		fixture.Receive(t, old[1].Waiting)
	}
	stop, calls := make(chan struct{}), atomic.Int64{}
	for range 8 {
		quick.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					call("echo", `"result"`)
					calls.Add(1)
				}
			}
		})
	}
	replaced := []*backend{old[0], old[1]}
	for i, b := range old {
		b.cancel()
		<-time.After(1200 * time.Millisecond) // the drain is over, the calls that create something are not
		close(b.Release)
		if err := fixture.Receive(t, b.ended); err != nil {
			t.Errorf("backend %d: %v", i, err)
		}
		replaced[i] = startBackend(t)
		p.set(replaced...)
	}
	waiting.Wait()
	close(stop)
	quick.Wait()
	t.Logf("%d quick calls", calls.Load())
	for _, b := range replaced {
		b.cancel()
		if err := fixture.Receive(t, b.ended); err != nil {
			t.Error(err)
		}
	}
}
