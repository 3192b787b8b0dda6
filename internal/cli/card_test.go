package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// request sends a request without a key, from a page of another site and under another
// host, and returns the answer and its body.
func request(t *testing.T, method, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header, req.Host = header, "evil.example"
	req.Header.Set("Origin", "https://evil.example")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestServerCard holds that with --public-url everybody gets the server card, as its draft
// wants it, that it says what the server says of itself, and nothing secret.
func TestServerCard(t *testing.T) {
	url := program.ServeHTTP(t, io.Discard, nil, "--sandbox", "--path-prefix=/runs", "--public-url=https://mcp.example.com/ours/mcp")
	program.NewTenant(t, url, sandbox.DefaultKey) // the server serves
	resp, body := request(t, http.MethodGet, url+"/server-card", http.Header{})
	tag := resp.Header.Get("ETag")
	for name, want := range map[string]string{
		"Content-Type": "application/mcp-server-card+json", "Cache-Control": "public, max-age=3600", "Access-Control-Allow-Origin": "*",
		"Access-Control-Allow-Methods": "GET", "Access-Control-Allow-Headers": "Content-Type, If-None-Match", "Access-Control-Expose-Headers": "ETag",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(tag, `"`) || strings.Contains(body, sandbox.DefaultKey) {
		t.Fatalf("status %d, ETag %s: %s", resp.StatusCode, tag, body)
	}
	var card struct {
		Name, Version, Title, Description string
		Remotes                           []struct {
			Type, URL                 string
			SupportedProtocolVersions []string
		}
	}
	if err := json.Unmarshal([]byte(body), &card); err != nil {
		t.Fatal(err)
	}
	if card.Name != "com.example.mcp/"+cli.Name || card.Version != cli.Version || card.Title != "Runs" || card.Description == "" || len(card.Description) > 100 {
		t.Errorf("the card is %s", body)
	}
	if r := card.Remotes; len(r) != 1 || r[0].Type != "streamable-http" || r[0].URL != "https://mcp.example.com/ours/mcp" || !slices.Contains(r[0].SupportedProtocolVersions, "2026-07-28") {
		t.Errorf("the remotes are %+v", r)
	}
	for _, tt := range []struct {
		method, path string
		header       http.Header
		status       int
	}{
		{http.MethodGet, "", http.Header{"If-None-Match": {tag}}, http.StatusNotModified},
		{http.MethodGet, "", http.Header{"If-None-Match": {`"other", W/` + tag}}, http.StatusNotModified},
		{http.MethodGet, "", http.Header{"If-None-Match": {`"other"`}}, http.StatusOK},
		{http.MethodOptions, "", http.Header{"Access-Control-Request-Method": {"GET"}}, http.StatusNoContent},
		{http.MethodPost, "", http.Header{}, http.StatusMethodNotAllowed},
		{http.MethodDelete, "", http.Header{}, http.StatusMethodNotAllowed},
		{http.MethodHead, "", http.Header{}, http.StatusMethodNotAllowed},
		{http.MethodGet, "/more", http.Header{}, http.StatusForbidden},
	} {
		resp, body := request(t, tt.method, url+"/server-card"+tt.path, tt.header)
		if resp.StatusCode != tt.status || tt.status == http.StatusMethodNotAllowed && resp.Header.Get("Allow") != "GET, OPTIONS" || tt.status == http.StatusNotModified && body != "" {
			t.Errorf("%s %v: status %d, %v: %s", tt.method, tt.header, resp.StatusCode, resp.Header, body)
		}
	}
	if resp, _ := request(t, http.MethodPost, url, http.Header{}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("another host gets to MCP: status %d", resp.StatusCode)
	}
}

// TestNoServerCard holds that there is none without --public-url, and which URLs are none.
func TestNoServerCard(t *testing.T) {
	url := program.ServeHTTP(t, io.Discard, nil, "--sandbox")
	if resp, body := request(t, http.MethodGet, url+"/server-card", http.Header{}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %d: %s", resp.StatusCode, body)
	}
	for _, wrong := range []string{"mcp.example.com/mcp", "http://mcp.example.com/mcp", "https://mcp.example.com", "https://me:k-0123456789@mcp.example.com/mcp", "https://mcp.example.com/mcp?key=k-0123456789"} {
		got := runProgram(t, nil, nil, "http", "--sandbox", "--public-url="+wrong)
		if got.code != 2 || !strings.Contains(got.stderr, "--public-url is the whole URL") || strings.Contains(got.stderr, "0123456789") {
			t.Errorf("%s: exit code %d: %s", wrong, got.code, got.stderr)
		}
	}
}
