package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestProxyStatus: an error names the status of a proxy. Below 500 it is not tried
// again.
func TestProxyStatus(t *testing.T) {
	for status, kind := range map[int]Kind{407: Misconfigured, 403: Misconfigured, 502: Unavailable} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
		through := newTransport(false)
		through.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
		c, err := New(Options{URL: "https://api.test", Transport: through})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.ListRuns(t.Context(), Caller{Key: "k"}, ListRunsQuery{})
		if KindOf(err) != kind || !strings.Contains(err.Error(), fmt.Sprintf("the HTTP proxy on the way to it answered %d", status)) {
			t.Errorf("%d: %v", status, err)
		}
		through.CloseIdleConnections()
		proxy.Close()
	}
}
