package server

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	mcpserver "github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/transport"
)

func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/mcp", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// TestIdentifyCaller: the key and the user of a request, or the error that says
// which header is wrong.
func TestIdentifyCaller(t *testing.T) {
	operator := CallerOptions{UserID: "operator"}
	for _, tt := range []struct {
		o         CallerOptions
		headers   []string
		key, user string
		says      string // the error
		forbidden bool
	}{
		{operator, []string{"x-api-key", " k-17 "}, "k-17", "operator", "", false},
		{operator, []string{"Authorization", "bearer k-17"}, "k-17", "operator", "", false},
		{operator, []string{"x-api-key", "k-17", "Authorization", "Bearer k-17"}, "k-17", "operator", "", false},
		{operator, []string{"x-api-key", "k-17", "Authorization", "Basic eA=="}, "k-17", "operator", "", false},
		{operator, []string{"x-api-key", "k-17", "x-user-id", "operator"}, "k-17", "operator", "", false},
		{operator, []string{"x-api-key", "k-17", "x-user-id", ""}, "k-17", "operator", "", false},
		{CallerOptions{}, []string{"x-api-key", "k-17", "x-user-id", "ada"}, "k-17", "ada", "", false},
		{CallerOptions{UserID: "operator", AllowAnyUser: true}, []string{"x-api-key", "k-17", "x-user-id", "ada"}, "k-17", "ada", "", false},
		{operator, nil, "", "", "x-api-key, or as Authorization: Bearer KEY", false},
		{CallerOptions{Sandbox: true}, nil, "", "", "sandbox-key", false},
		{operator, []string{"x-api-key", "k-17", "x-api-key", "k-17"}, "", "", "one x-api-key header", false},
		{operator, []string{"Authorization", "Bearer a-1", "Authorization", "Bearer a-1"}, "", "", "one Authorization header", false},
		{operator, []string{"Authorization", "Basic eA=="}, "", "", "must be Bearer KEY", false},
		{operator, []string{"Authorization", "Bearer "}, "", "", "must be Bearer KEY", false},
		{operator, []string{"x-api-key", "k-17", "Authorization", "Bearer k-18"}, "", "", "different API keys", false},
		{operator, []string{"x-api-key", "${KEY}"}, "", "", "name of a variable", false},
		{operator, []string{"x-api-key", "k-17", "x-user-id", "a", "x-user-id", "a"}, "", "", "at most one x-user-id", true},
		{operator, []string{"x-api-key", "k-17", "x-user-id", "ada"}, "", "", "another user than the operator's", true},
	} {
		id, ctx, err := IdentifyCaller(tt.o)(request(tt.headers...))
		if tt.says != "" {
			if err == nil || !strings.Contains(err.Error(), tt.says) || errors.Is(err, transport.ErrForbidden) != tt.forbidden {
				t.Errorf("%q: got %v, want %q, forbidden %t", tt.headers, err, tt.says, tt.forbidden)
			}
			continue
		}
		if err != nil || len(id) != 64 || strings.Contains(id, tt.key) {
			t.Errorf("%q: got the id %q, %v", tt.headers, id, err)
			continue
		}
		if caller := client.CallerFrom(ctx); string(caller.Key) != tt.key || caller.UserID != tt.user {
			t.Errorf("%q: got the user %q", tt.headers, caller.UserID)
		}
	}
}

// TestCallerID: the key alone makes the caller.
func TestCallerID(t *testing.T) {
	identify := IdentifyCaller(CallerOptions{})
	id := func(headers ...string) string {
		id, _, err := identify(request(headers...))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if id("x-api-key", "k-17") != id("Authorization", "Bearer k-17", "x-user-id", "ada") {
		t.Error("one key makes two callers")
	}
	if id("x-api-key", "k-17") == id("x-api-key", "k-18") {
		t.Error("two keys make one caller")
	}
}

func TestNarrowedByHeader(t *testing.T) {
	full, readOnly := &mcpserver.MCPServer{}, &mcpserver.MCPServer{}
	choose := NarrowedByHeader(full, readOnly)
	for _, tt := range []struct {
		values []string
		narrow bool
	}{
		{nil, false}, {[]string{"false"}, false}, {[]string{" 0 "}, false},
		{[]string{"true"}, true}, {[]string{"1"}, true}, {[]string{""}, true}, {[]string{"perhaps"}, true}, {[]string{"false", "true"}, true},
	} {
		r := request()
		for _, value := range tt.values {
			r.Header.Add("X-MCP-Readonly", value)
		}
		if got := choose(r) == readOnly; got != tt.narrow {
			t.Errorf("%q: read-only %t", tt.values, got)
		}
	}
}
