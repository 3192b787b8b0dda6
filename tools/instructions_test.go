package tools_test

import (
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// TestFirstLine: the first line of the instructions, which is all that some
// clients show, says in people's words what the server is for.
func TestFirstLine(t *testing.T) {
	eachRevision(t, func(t *testing.T, version string) {
		for _, readOnly := range []bool{false, true} {
			s := testbed.New(t, func(o *tools.Options) { o.ReadOnly = readOnly }, nil).Connect(version, nil)
			first, _, _ := strings.Cut(s.InitializeResult().Instructions, "\n")
			for _, word := range []string{"automation", "workflow", "job", "task", "apps", "integrations", "CRM", "tickets", "chat", "e-mail", "invoices"} {
				if !strings.Contains(first, word) {
					t.Errorf("no word %s: %s", word, first)
				}
			}
			if len(first) > 240 {
				t.Errorf("%d bytes: %s", len(first), first)
			}
		}
	})
}
