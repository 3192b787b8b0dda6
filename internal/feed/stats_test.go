package feed

import (
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// TestGapsAreCounted holds that a gap and a new beginning of ids count, each once.
func TestGapsAreCounted(t *testing.T) {
	h := NewHub(nil, approval.NewDecider(nil), Options{})
	f := newFeed(h, client.Caller{}, "run")
	for _, e := range []client.Event{{ID: 1}, {ID: 5, Missing: 3}, {ID: 6}, {ID: 1, Restarted: true, Missing: 1}} {
		f.addEvent(e)
	}
	if got := h.Stats(); got != (Stats{Gaps: 2}) {
		t.Errorf("got %+v", got)
	}
}
