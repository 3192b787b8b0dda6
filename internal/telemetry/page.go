package telemetry

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newRegistry returns a registry with what Prometheus is told of every Go process.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

const (
	// pageTimeout bounds each step of a scrape.
	pageTimeout = 10 * time.Second
	// maxScrapes is how many scrapes are served at a time; others get 503.
	maxScrapes = 4
)

// ServePage serves the metrics at /metrics until close is called. It owns the listener.
func (t *Telemetry) ServePage(l net.Listener) (close func()) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(t.options.Log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes, Timeout: pageTimeout,
	}))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: pageTimeout, ReadTimeout: pageTimeout, WriteTimeout: 2 * pageTimeout, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(t.options.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan struct{})
	go func() {
		defer func() { served <- struct{}{} }()
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.options.Log.Error("the metrics are no longer served", "error", err)
		}
	}()
	return func() {
		_ = server.Close() // a scrape that is cut off comes again
		<-served
	}
}
