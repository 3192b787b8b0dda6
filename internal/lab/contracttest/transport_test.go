package contracttest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"runs-mcp-server/internal/lab/contracttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a testing.TB that counts failures instead of failing.
type recorder struct {
	testing.TB
	failures int
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures++
	r.Logf(format, args...)
}

func (r *recorder) Helper() {}

type answer func(*http.Request) *http.Response

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

func respond(status int, contentType, body string) answer {
	return func(*http.Request) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body))}
	}
}

func TestTransport(t *testing.T) {
	const (
		base  = "http://127.0.0.1:1"
		runID = "/v1/runs/0b5c1f0e-6a52-4f5c-9d3e-0a4e6f6f2f11"
		good  = `{"intent":"i","selectedCustomerIntegrationIds":["*"],"context":"","userId":"u"}`
		json  = "application/json"
	)
	tests := []struct {
		name, method, path, body, header string
		answer                           answer
		broken                           bool
	}{
		{"list", "GET", "/v1/runs?page=1", "", "", respond(200, json, `[]`), false},
		{"list is no array", "GET", "/v1/runs", "", "", respond(200, json, `{}`), true},
		{"unknown query", "GET", "/v1/runs?limit=1", "", "", respond(200, json, `[]`), true},
		{"query out of range", "GET", "/v1/runs?pageSize=101", "", "", respond(200, json, `[]`), true},
		{"unknown header", "GET", "/v1/runs", "", "X-User-Id", respond(200, json, `[]`), true},
		{"body lacks fields", "POST", "/v1/runs", `{"intent":"i"}`, "", respond(400, json, `{}`), true},
		{"error answers are free", "POST", "/v1/runs", good, "", respond(503, "text/html", `<html>`), false},
		{"answer lacks fields", "POST", "/v1/runs", good, "", respond(201, json, `{}`), true},
		{"wrong success status", "POST", "/v1/runs", good, "", respond(200, json, `{}`), true},
		{"run id is no uuid", "GET", "/v1/runs/7", "", "", respond(404, json, `{}`), true},
		{"unknown path", "GET", "/v2/runs", "", "", respond(404, json, `{}`), true},
		{"unknown method", "PUT", runID, "", "", respond(405, json, `{}`), true},
		{"abort", "DELETE", runID, "", "", respond(200, "", ``), false},
		{"approval", "GET", "/v1/runs/approval?token=t", "", "", respond(201, "", ``), false},
		{"stream", "GET", runID + "/sse?includeToolCalls=true", "", "Last-Event-ID", respond(200, "text/event-stream", "x"), false},
		{"stream is no stream", "GET", runID + "/sse", "", "", respond(200, json, `{}`), true},
		{"neighbour", "GET", "/v1/integrations?active=true", "", "", respond(200, json, `[]`), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := &recorder{TB: t}
			request, err := http.NewRequestWithContext(t.Context(), tt.method, base+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.body == "" {
				request.Body = nil
			} else {
				request.Header.Set("Content-Type", json)
			}
			if tt.header != "" {
				request.Header.Set(tt.header, "1")
			}
			response, err := contracttest.Transport(seen, tt.answer).RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			if err := response.Body.Close(); err != nil {
				t.Fatal(err)
			}
			if (seen.failures > 0) != tt.broken {
				t.Errorf("%d violations reported, want some: %v", seen.failures, tt.broken)
			}
		})
	}
}
