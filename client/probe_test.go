package client

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestProbeAddress holds which answers to a request without a key count as the API's.
func TestProbeAddress(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		kind   Kind // "" is reachable
	}{
		{"a refusal", 401, `{"statusCode":401,"message":"Unauthorized"}`, ""},
		{"a refusal without a body", 401, "", ""},
		{"no permission", 403, `{"message":"no"}`, ""},
		{"a limit", 429, "", ""},
		{"an API without keys", 200, `[]`, ""},
		{"a web page", 200, "<html>", Misconfigured},
		{"a firewall", 403, "<html>", Misconfigured},
		{"another server", 404, "nothing here", Misconfigured},
		{"a redirect", 301, "", Misconfigured},
		{"a gateway", 502, "<html>", Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if len(r.Header.Values("x-api-key")) > 0 || r.Method != "GET" || r.URL.Path != "/v1/runs" {
					t.Errorf("%s %s with %v", r.Method, r.URL, r.Header)
				}
				w.Header().Set("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
				w.Header().Set("Location", "https://elsewhere.test/")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer server.Close()
			c, err := New(Options{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			p, err := c.ProbeAddress(t.Context())
			if KindOf(err) != tt.kind || (err != nil) != (tt.kind != "") || !p.Date.Equal(time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC)) || p.AnsweredAt.Before(p.SentAt) {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	c, err := New(Options{URL: closed.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ProbeAddress(t.Context()); KindOf(err) != Unavailable || !strings.Contains(err.Error(), "refuses connections") {
		t.Errorf("nothing listens: %v", err)
	}
}
