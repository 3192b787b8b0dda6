package transport

import (
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// TestOfficialClientOverHTTP lets a client that nobody here wrote do the round.
func TestOfficialClientOverHTTP(t *testing.T) {
	for _, version := range []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			f := newFixture()
			close(f.release)
			s := serveHTTP(t, f, HTTPOptions{})
			official(t, version, &sdk.StreamableClientTransport{Endpoint: "http://" + s.addr + "/mcp", HTTPClient: s.client})
		})
	}
}
