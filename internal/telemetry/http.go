package telemetry

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"runs-mcp-server/client"
)

// WrapHandler returns a handler that makes a span of each HTTP request to the MCP
// endpoint, which has the path. address is where the server listens: what a client writes
// in its Host header would be a label.
func (t *Telemetry) WrapHandler(address, path string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		traced := otelhttp.NewHandler(next, "MCP",
			otelhttp.WithTracerProvider(t.tracers), otelhttp.WithMeterProvider(t.meters), otelhttp.WithPropagators(t.propagator),
			otelhttp.WithServerName(address),
			otelhttp.WithFilter(func(r *http.Request) bool { return strings.TrimSuffix(r.URL.Path, "/") == path }),
			otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return knownHTTPMethod(r.Method) + " /mcp" }))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { traced.ServeHTTP(w, shortened(r)) })
	}
}

// maxTraced bounds each text of a client that becomes part of a span, in bytes: 2048
// spans may wait for a collector. W3C asks for 512 bytes of tracestate at least.
const maxTraced = 512

// shortened returns a request whose headers suit a span. Those that are too long are cut,
// or left out if a part of them means nothing.
func shortened(r *http.Request) *http.Request {
	long := func(name string) bool { return len(strings.Join(r.Header.Values(name), ",")) > maxTraced }
	if !long("User-Agent") && !long("X-Forwarded-For") && !long("Tracestate") {
		return r
	}
	short := r.Clone(r.Context())
	for _, name := range []string{"User-Agent", "X-Forwarded-For"} {
		if long(name) {
			text := r.Header.Get(name)
			short.Header.Set(name, strings.Clone(text[:min(len(text), maxTraced)])) // a part would keep the whole
		}
	}
	if long("Tracestate") {
		short.Header.Del("Tracestate")
	}
	return short
}

// knownHTTPMethod returns a method that the endpoint has, or HTTP for another, as the
// conventions name it.
func knownHTTPMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "HTTP"
}

// Identify returns identify with the span of the HTTP request in its context: the
// context of a call is not that of its request, which may end before.
func Identify(identify func(*http.Request) (string, context.Context, error)) func(*http.Request) (string, context.Context, error) {
	return func(r *http.Request) (string, context.Context, error) {
		id, ctx, err := identify(r)
		if err != nil {
			return id, ctx, err
		}
		ctx = trace.ContextWithSpan(ctx, trace.SpanFromContext(r.Context()))
		return id, baggage.ContextWithBaggage(ctx, baggage.FromContext(r.Context())), nil
	}
}

// WrapTransport returns a transport that makes a span of each request to the Run API that
// belongs to a trace, and hands the trace on to the API. What the server does by itself,
// such as watching a run, belongs to none.
func (t *Telemetry) WrapTransport(base http.RoundTripper) http.RoundTripper {
	instrument := func(tracers trace.TracerProvider) http.RoundTripper {
		return otelhttp.NewTransport(restoringTransport{base},
			otelhttp.WithTracerProvider(tracers), otelhttp.WithMeterProvider(t.meters), otelhttp.WithPropagators(t.propagator),
			otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + r.URL.Path }))
	}
	return apiTransport{base: base, traced: instrument(t.tracers), untraced: instrument(tracenoop.NewTracerProvider())}
}

// apiTransport shows OpenTelemetry a request without what is secret in its address: an
// approval's token is part of the query.
type apiTransport struct{ base, traced, untraced http.RoundTripper }

// addressKey is where the context of a request has its true address.
type addressKey struct{}

// RoundTrip sends a request.
func (a apiTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	next := a.untraced
	if trace.SpanContextFromContext(r.Context()).IsValid() {
		next = a.traced
	}
	shown := r.Clone(context.WithValue(r.Context(), addressKey{}, r.URL))
	shown.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: pathTemplate(r.URL.Path)}
	return next.RoundTrip(shown)
}

// CloseIdleConnections closes the idle connections of the true transport.
func (a apiTransport) CloseIdleConnections() {
	(&http.Client{Transport: a.base}).CloseIdleConnections()
}

// pathTemplate returns a path of the API with names in place of ids.
func pathTemplate(path string) string {
	segments := strings.Split(path, "/")
	for i := 1; i < len(segments); i++ {
		switch {
		case client.RunID(segments[i]).Valid():
			segments[i] = ":runId"
		case segments[i-1] == "execution-plans":
			segments[i] = ":planId"
		case segments[i] == "approval": // the rest of a link of this form would be a secret
			segments[i] = ":approval"
		}
	}
	return strings.Join(segments, "/")
}

// restoringTransport sends a request to its true address.
type restoringTransport struct{ base http.RoundTripper }

// RoundTrip sends a request.
func (t restoringTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if address, ok := r.Context().Value(addressKey{}).(*url.URL); ok {
		r = r.Clone(r.Context())
		r.URL = address
	}
	return t.base.RoundTrip(r)
}
