package cli

import (
	"log/slog"
	"net"

	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/server"
	"runs-mcp-server/internal/telemetry"
	"runs-mcp-server/transport"
)

// metricsFlags say where metrics are served.
type metricsFlags struct {
	Metrics string `group:"Operation" placeholder:"HOST:PORT" help:"Serve metrics for Prometheus, at /metrics" doc:"serve [metrics](docs/observability.md#metrics) for Prometheus at '/metrics' of this address"`
}

// startTelemetry starts what the environment and --metrics switch on; t is nil if that is
// nothing. The caller calls stop at the end, in any case.
func (f *metricsFlags) startTelemetry(p *process, log *slog.Logger, stdio bool) (t *telemetry.Telemetry, stop func(), err error) {
	page, err := f.listen(p)
	if err != nil {
		return nil, nil, err
	}
	t, err = telemetry.Start(p.ctx, telemetry.Options{
		Env: p.env, Page: page != nil, Stdio: stdio, Name: Name, Version: Version, Commit: buildCommit(), Log: log,
	})
	switch {
	case err != nil && page != nil:
		_ = page.Close() // nothing was served
		fallthrough
	case err != nil:
		return nil, nil, usageError{err}
	case page == nil:
		return t, t.Shutdown, nil
	}
	closePage := t.ServePage(page)
	log.Info("serving metrics", "address", "http://"+page.Addr().String()+"/metrics")
	return t, func() {
		closePage()
		t.Shutdown()
	}, nil
}

// listen returns the listener of --metrics, nil without the flag. The flag must name an
// interface: everybody who can reach the page can read it, and :9464 alone would be all.
func (f *metricsFlags) listen(p *process) (net.Listener, error) {
	if f.Metrics == "" {
		return nil, nil
	}
	if host, _, err := net.SplitHostPort(f.Metrics); err == nil && host == "" {
		return nil, usageErrorf("--metrics needs a host: 127.0.0.1%[1]s for this machine alone, 0.0.0.0%[1]s for all networks", f.Metrics)
	}
	l, err := (&net.ListenConfig{}).Listen(p.ctx, "tcp", f.Metrics)
	if err != nil {
		return nil, listenError("--metrics", err)
	}
	return l, nil
}

// observeServer has telemetry, if there is any, see what a server does.
func (p *process) observeServer(t *telemetry.Telemetry, s *server.Server, recorded *audit.Log, options *transport.Options) error {
	if t == nil {
		return nil
	}
	options.Counts, options.Observe = new(transport.Counts), t.ObserveRequest
	from := telemetry.Sources{Server: s.Stats, Transport: options.Counts, LostLogLines: p.log.Lost}
	if recorded != nil {
		from.AuditFailures = recorded.Failures
	}
	return t.Observe(from)
}
