// Package telemetry makes traces and metrics of what the other rooms count and report.
// It alone knows OpenTelemetry: the rooms have plain counters, which are read when
// metrics are collected, and hooks that are nil when telemetry is off.
//
//	telemetry.go  what is switched on, by the OTEL_* variables and --metrics
//	requests.go   a span and a duration for each MCP request
//	http.go       net/http on both sides: the MCP endpoint and the Run API
//	metrics.go    the metrics that are read from the rooms
//	page.go       the page that Prometheus reads
//
// Names follow the semantic conventions for MCP of open-telemetry/semantic-conventions-genai,
// version 0.1.0; docs/observability.md lists them.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"runs-mcp-server/internal/prompts"
	"runs-mcp-server/tools"
)

// Options are what telemetry works with.
type Options struct {
	// Env reads the environment, to see what is switched on. The variables of an
	// exporter, such as its address and headers, are read by OpenTelemetry itself, from
	// the environment of the process: they are its own, and new ones come with it.
	Env func(string) string
	// Page says that there is to be a page for Prometheus.
	Page bool
	// Stdio says that standard output carries MCP messages, which exporters to the
	// console would break.
	Stdio bool

	Name, Version, Commit string
	Log                   *slog.Logger
}

// Telemetry is what is switched on.
type Telemetry struct {
	options    Options
	tools      []string // the names that there are
	prompts    []string
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	registry   *prometheus.Registry // nil: there is no page
	propagator propagation.TextMapPropagator
	requests   requests
	shutdown   []func(context.Context) error
}

// Start starts what the environment and the options switch on. It returns nil if that is
// nothing. The caller ends it with Shutdown.
func Start(ctx context.Context, o Options) (*Telemetry, error) {
	traces, metrics := o.exports("TRACES"), o.exports("METRICS")
	if !traces && !metrics && !o.Page {
		return nil, nil
	}
	reportErrors(o.Log)
	t := &Telemetry{
		options: o, tools: tools.AllNames(), prompts: prompts.Names(), tracers: tracenoop.NewTracerProvider(), meters: metricnoop.NewMeterProvider(),
		propagator: propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
	}
	described, err := describeService(ctx, o)
	if err == nil && traces {
		err = t.startTraces(ctx, described)
	}
	if err == nil && (metrics || o.Page) {
		err = t.startMetrics(ctx, described, metrics)
	}
	if err == nil {
		t.requests, err = t.newRequests()
	}
	if err != nil {
		t.Shutdown()
		return nil, err
	}
	return t, nil
}

// exports reports whether a signal, TRACES or METRICS, is to be exported: an exporter or
// an address for it is named. OpenTelemetry itself would export to localhost otherwise.
func (o Options) exports(signal string) bool {
	exporter := o.Env("OTEL_" + signal + "_EXPORTER")
	switch {
	case o.Env("OTEL_SDK_DISABLED") == "true", exporter == "none":
		return false
	case exporter == "console" && o.Stdio:
		o.Log.Warn("nothing is exported to the console: standard output carries MCP messages", "variable", "OTEL_"+signal+"_EXPORTER")
		return false
	}
	return exporter != "" || o.Env("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || o.Env("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

// errorPause is how often a failing exporter is logged at most.
const errorPause = time.Minute

// reportErrors has OpenTelemetry report its failures to the log. Its own messages are
// dropped: they may hold headers, which have secrets, and would go to standard error.
func reportErrors(log *slog.Logger) {
	var mu sync.Mutex // guards last
	var last time.Time
	otel.SetLogger(logr.Discard())
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(last) >= errorPause {
			last = now
			log.Warn("telemetry failed; this is logged once a minute", "error", exportError(err))
		}
	}))
}

// exportError returns the text of an error without what a collector said, which may
// repeat a header, without the values of variables, and without the paths of addresses,
// which may hold a token.
func exportError(err error) string {
	text, _, _ := strings.Cut(err.Error(), " (body: ")
	text, _, _ = strings.Cut(text, ": missing value: [")
	return regexp.MustCompile(`(https?://[^/\s"]*)/[^\s":]*`).ReplaceAllString(text, "$1/...")
}

// describeService returns what is said of this process. The command line is not among
// it.
func describeService(ctx context.Context, o Options) (*resource.Resource, error) {
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", o.Name), attribute.String("service.version", o.Version), attribute.String("service.instance.id", uuid.NewString()),
	), resource.WithFromEnv())
	if errors.Is(err, resource.ErrPartialResource) { // the error quotes it
		o.Log.Warn("OTEL_RESOURCE_ATTRIBUTES is partly wrong: it holds name=value, with commas between them")
		err = nil
	}
	return described, err
}

func (t *Telemetry) startTraces(ctx context.Context, described *resource.Resource) error {
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return fmt.Errorf("OTEL_TRACES_EXPORTER: %w", err)
	}
	provider, err := newTracerProvider(exporter, described)
	if err != nil {
		return errors.Join(err, exporter.Shutdown(ctx))
	}
	t.tracers = provider
	t.shutdown = append(t.shutdown, provider.Shutdown)
	return nil
}

// newTracerProvider returns the provider of an exporter. OpenTelemetry panics if a number
// for its queue is out of range.
func newTracerProvider(exporter sdktrace.SpanExporter, described *resource.Resource) (provider *sdktrace.TracerProvider, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("a variable OTEL_BSP_… is out of range: OTEL_BSP_MAX_QUEUE_SIZE is 2048 by default")
		}
	}()
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(described)), nil
}

func (t *Telemetry) startMetrics(ctx context.Context, described *resource.Resource, export bool) error {
	// Sizes of HTTP bodies would be half of all series, and tell an operator little.
	dropSizes := sdkmetric.NewView(sdkmetric.Instrument{Name: "http.*.body.size"}, sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}})
	options := []sdkmetric.Option{sdkmetric.WithResource(described), sdkmetric.WithView(dropSizes)}
	if export {
		reader, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return fmt.Errorf("OTEL_METRICS_EXPORTER: %w", err)
		}
		options = append(options, sdkmetric.WithReader(reader))
	}
	if t.options.Page {
		t.registry = newRegistry()
		reader, err := otelprometheus.New(otelprometheus.WithRegisterer(t.registry), otelprometheus.WithoutScopeInfo())
		if err != nil {
			return err
		}
		options = append(options, sdkmetric.WithReader(reader))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	t.meters = provider
	t.shutdown = append(t.shutdown, provider.Shutdown)
	return nil
}

// shutdownTimeout is how long the last spans and metrics may take to be exported.
const shutdownTimeout = 3 * time.Second

// Shutdown exports what is left and ends telemetry. t may be nil.
func (t *Telemetry) Shutdown() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var failed []error
	for _, shutdown := range t.shutdown {
		failed = append(failed, shutdown(ctx))
	}
	if err := errors.Join(failed...); err != nil {
		t.options.Log.Warn("the last telemetry was not exported", "error", exportError(err))
	}
}

// scope is the name under which spans and metrics are made.
const scope = "runs-mcp-server"
