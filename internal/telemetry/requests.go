package telemetry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

// Attributes of the semantic conventions for MCP.
const (
	keyMethod     = attribute.Key("mcp.method.name")
	keyVersion    = attribute.Key("mcp.protocol.version")
	keySession    = attribute.Key("mcp.session.id")
	keyResource   = attribute.Key("mcp.resource.uri")
	keyTool       = attribute.Key("gen_ai.tool.name")
	keyPrompt     = attribute.Key("gen_ai.prompt.name")
	keyOperation  = attribute.Key("gen_ai.operation.name")
	keyRequestID  = attribute.Key("jsonrpc.request.id")
	keyErrorType  = attribute.Key("error.type")
	keyStatusCode = attribute.Key("rpc.response.status_code")
	keyTransport  = attribute.Key("network.transport")
)

// Our own attributes of a span.
const (
	keyOutcome = attribute.Key("runs_mcp.outcome") // see tools.CallReport
	keyRun     = attribute.Key("runs_mcp.run.id")
)

// other stands for names that clients make up.
const other = "other"

// durationBuckets are those of the conventions, in seconds.
var durationBuckets = []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}

// requests are the instruments of MCP requests.
type requests struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	calls    metric.Int64Counter
}

func (t *Telemetry) newRequests() (requests, error) {
	r := requests{tracer: t.tracers.Tracer(scope)}
	meter := t.meters.Meter(scope)
	var err error
	r.duration, err = meter.Float64Histogram("mcp.server.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from an MCP request to its response."), metric.WithExplicitBucketBoundaries(durationBuckets...))
	if err != nil {
		return r, err
	}
	r.calls, err = meter.Int64Counter("runs_mcp.tool.calls", metric.WithUnit("{call}"), metric.WithDescription("Calls of tools, by outcome. An error result is a failure."))
	return r, err
}

// parameters are what a span says of the parameters of a request. Members of a wrong
// type are left out.
type parameters struct {
	Name string
	URI  string
	Meta struct{ Traceparent, Tracestate, Baggage string } `json:"_meta"`
}

// ObserveRequest starts the span of an MCP request. Its parent is the span that
// params._meta names, with a link to the span of the HTTP request; without one, the
// latter.
func (t *Telemetry) ObserveRequest(ctx context.Context, r transport.ObservedRequest) (context.Context, func(transport.ObservedResponse)) {
	started := time.Now()
	var params parameters
	_ = json.Unmarshal(r.Params, &params) // it is valid JSON; wrong types stay empty
	method := methodName(r.Method)
	labels, target := t.labelsOf(method, params.Name)
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(labels...), trace.WithAttributes(keyRequestID.String(idText(r.ID)))}
	if r.SessionID != "" {
		options = append(options, trace.WithAttributes(keySession.String(hashSession(r.SessionID))))
	}
	if uri := knownURI.FindString(params.URI); uri != "" {
		options = append(options, trace.WithAttributes(keyResource.String(strings.Clone(uri)))) // a part would keep the whole
	}
	ctx, link := t.extractParent(ctx, params)
	if link.SpanContext.IsValid() {
		options = append(options, trace.WithLinks(link))
	}
	name := method
	if target != "" {
		name += " " + target
	}
	ctx, span := t.requests.tracer.Start(ctx, name, options...)
	return ctx, func(response transport.ObservedResponse) {
		defer span.End()
		ended := responseAttributes(response)
		span.SetAttributes(ended...)
		if response.Code != 0 || response.ToolError {
			span.SetStatus(codes.Error, "")
		}
		t.requests.duration.Record(ctx, time.Since(started).Seconds(), metric.WithAttributes(append(labels, ended...)...))
	}
}

// idText returns the id of a request as the conventions show it: 7, or abc for "abc".
func idText(id string) string {
	text := ""
	if json.Unmarshal([]byte(id), &text) != nil {
		return id
	}
	return text
}

// extractParent returns a context whose span is the one that _meta names, if it names
// one, and a link to the span before.
func (t *Telemetry) extractParent(ctx context.Context, params parameters) (context.Context, trace.Link) {
	meta := propagation.MapCarrier{}
	for key, value := range map[string]string{"traceparent": params.Meta.Traceparent, "tracestate": params.Meta.Tracestate, "baggage": params.Meta.Baggage} {
		if value != "" && (key != "tracestate" || len(value) <= maxTraced) {
			meta[key] = value
		}
	}
	ambient := trace.SpanContextFromContext(ctx)
	ctx = t.propagator.Extract(ctx, meta)
	if trace.SpanContextFromContext(ctx).Equal(ambient) {
		return ctx, trace.Link{}
	}
	return ctx, trace.Link{SpanContext: ambient}
}

// labelsOf returns the attributes of a request that span and metric share, and the
// target in the name of the span. All have few values.
func (t *Telemetry) labelsOf(method, name string) (labels []attribute.KeyValue, target string) {
	labels = append(make([]attribute.KeyValue, 0, 8), keyMethod.String(method), keyTransport.String(t.transportName()))
	switch {
	case method == string(mcp.MethodToolsCall):
		if !slices.Contains(t.tools, name) {
			name = other
		}
		return append(labels, keyTool.String(name), keyOperation.String("execute_tool")), name
	case method == string(mcp.MethodPromptsGet) && slices.Contains(t.prompts, name):
		return append(labels, keyPrompt.String(name)), name
	}
	return labels, ""
}

// transportName names the transport as the conventions do.
func (t *Telemetry) transportName() string {
	if t.options.Stdio {
		return "pipe"
	}
	return "tcp"
}

// responseAttributes returns the attributes of a response that span and metric share.
func responseAttributes(r transport.ObservedResponse) (attributes []attribute.KeyValue) {
	if mcp.IsValidProtocolVersion(r.Version) {
		attributes = append(attributes, keyVersion.String(r.Version))
	}
	switch {
	case r.Code != 0:
		code := strconv.Itoa(r.Code)
		attributes = append(attributes, keyErrorType.String(code), keyStatusCode.String(code))
	case r.ToolError:
		attributes = append(attributes, keyErrorType.String("tool_error"))
	}
	return attributes
}

// methods are the requests that clients may send.
var methods = []string{
	"initialize", "ping", "server/discover", "logging/setLevel", "completion/complete", "tools/list", "tools/call", "prompts/list", "prompts/get",
	"resources/list", "resources/templates/list", "resources/read", "resources/subscribe", "resources/unsubscribe", "subscriptions/listen",
	"tasks/get", "tasks/list", "tasks/result", "tasks/cancel", "tasks/update",
}

// methodName returns the name of a method that MCP has.
func methodName(method string) string {
	if slices.Contains(methods, method) {
		return method
	}
	return other
}

// knownURI matches the part of a resource's address that a span shows.
var knownURI = regexp.MustCompile(`^(run://[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(/(events|plan|result))?|integrations://active)`)

// hashSession returns what stands for the id of a session: the id itself is what a
// client proves its session with.
func hashSession(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:8])
}

// ObserveCall counts a call of a tool, and names its outcome and run in the span.
func (t *Telemetry) ObserveCall(ctx context.Context, r tools.CallReport) {
	t.requests.calls.Add(ctx, 1, metric.WithAttributes(attribute.String("tool", r.Tool), attribute.String("outcome", r.Outcome)))
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(keyOutcome.String(r.Outcome))
	if r.RunID.Valid() {
		span.SetAttributes(keyRun.String(string(r.RunID)))
	}
}
