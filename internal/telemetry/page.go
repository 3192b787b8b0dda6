package telemetry

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"runs-mcp-server/internal/loopback"
)

// newRegistry returns a registry with what Prometheus is told of every Go process.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

const (
	// pageTimeout bounds each step of a scrape, and pageWriteTimeout all of it.
	pageTimeout      = 10 * time.Second
	pageWriteTimeout = 20 * time.Second
	// pageIdleTimeout is longer than scrapes are apart, as a rule.
	pageIdleTimeout = 2 * time.Minute
	// maxScrapes is how many scrapes are served at a time; others get 503.
	maxScrapes = 4
	// maxPageConnections is how many connections are accepted at a time. Anybody may
	// connect, and each takes a descriptor of the server.
	maxPageConnections = 64
)

// ServePage serves the metrics at /metrics until close is called. It owns the listener.
func (t *Telemetry) ServePage(l net.Listener) (close func()) {
	page := promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(t.options.Log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes, Timeout: pageTimeout,
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if isLoopback(l.Addr().String()) && !isLoopback(r.Host) { // DNS rebinding
			http.Error(w, "this page answers only to a loopback host, such as 127.0.0.1", http.StatusForbidden)
			return
		}
		page.ServeHTTP(w, r)
	})
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: pageTimeout, ReadTimeout: pageTimeout, WriteTimeout: pageWriteTimeout, IdleTimeout: pageIdleTimeout, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(t.options.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan struct{})
	go func() {
		defer func() { served <- struct{}{} }()
		if err := server.Serve(netutil.LimitListener(l, maxPageConnections)); !errors.Is(err, http.ErrServerClosed) {
			t.options.Log.Error("the metrics are no longer served", "error", err)
		}
	}()
	return func() {
		_ = server.Close() // a scrape that is cut off comes again
		<-served
	}
}

// isLoopback reports whether a host, with or without a port, means this machine alone.
func isLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	return loopback.Host(strings.ToLower(name))
}
