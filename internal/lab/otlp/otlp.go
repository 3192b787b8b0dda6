// Package otlp receives traces and metrics for tests, as a collector does: OTLP over
// HTTP, in protobuf.
package otlp

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Receiver is a collector.
type Receiver struct {
	URL string

	mu    sync.Mutex // guards the rest
	spans []Span
	text  []byte
}

// Span is a span that was exported. Ids are in hexadecimal digits.
type Span struct {
	Name, TraceID, ID, Parent string
	Attributes                map[string]string // those that are text
	Links                     []string          // the ids of the spans that it links to
	Failed                    bool
}

// New starts a receiver. It ends with the test.
func New(t *testing.T) *Receiver {
	r := &Receiver{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, q *http.Request) {
		var m tracepb.ExportTraceServiceRequest
		if !r.receive(w, q, &m) {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, resource := range m.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					span := Span{
						Name: s.Name, TraceID: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
						Attributes: map[string]string{}, Failed: s.GetStatus().GetCode() == 2,
					}
					for _, a := range s.Attributes {
						span.Attributes[a.Key] = a.Value.GetStringValue()
					}
					for _, link := range s.Links {
						span.Links = append(span.Links, hex.EncodeToString(link.SpanId))
					}
					r.spans = append(r.spans, span)
				}
			}
		}
	})
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, q *http.Request) {
		r.receive(w, q, new(metricspb.ExportMetricsServiceRequest))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

// receive reads a message and keeps its text and the headers.
func (r *Receiver) receive(w http.ResponseWriter, q *http.Request, m proto.Message) bool {
	body, err := io.ReadAll(q.Body)
	if err == nil {
		err = proto.Unmarshal(body, m)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(append(r.text, text...), '\n')
	w.Header().Set("Content-Type", "application/x-protobuf")
	return true
}

// Env returns the environment in which a program exports everything to the receiver.
func (r *Receiver) Env() map[string]string {
	return map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": r.URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
}

// Spans returns the spans that were received.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Span(nil), r.spans...)
}

// Text returns everything that was received, as JSON.
func (r *Receiver) Text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.text)
}
