package cli_test

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/view"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen is what a person sees; shown is closed once they are asked.
type screen struct {
	text  strings.Builder
	shown chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "y approves") {
		close(s.shown)
	}
	return s.text.Write(p)
}

// TestInterrupted: who interrupts has not decided, whatever they type after it.
func TestInterrupted(t *testing.T) {
	box := sandbox.New(sandbox.Options{})
	defer box.Close()
	server := httptest.NewServer(box)
	defer server.Close()
	api, err := client.New(client.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	desk := approval.NewDesk(api, view.New())
	feeds := feed.NewHub(api, desk, feed.Options{})
	defer feeds.Close()
	caller := client.Caller{Key: sandbox.DefaultKey}
	run, err := api.CreateRun(t.Context(), caller, client.CreateRunRequest{
		Intent: "x", Integrations: []string{"*"}, UserID: "u", ApprovalStrategy: client.ApproveStart, Context: "sandbox: step_ms=0"})
	if err != nil {
		t.Fatal(err)
	}
	for run.Status != client.Paused {
		if run, err = api.GetRun(t.Context(), caller, run.RunID, false); err != nil {
			t.Fatal(err)
		}
	}

	ctx, interrupt := context.WithCancel(t.Context())
	in, keys := io.Pipe()
	out := &screen{shown: make(chan struct{})}
	ended := make(chan error, 1)
	go func() {
		ended <- cli.Approve(ctx, cli.Approval{API: api, Feeds: feeds, Desk: desk, View: view.New(), Caller: caller, RunID: run.RunID, In: in, Out: out})
	}()
	<-out.shown
	interrupt()
	go func() { _, _ = io.WriteString(keys, "y\n") }()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "nothing was sent") {
		t.Errorf("got %v", err)
	}
	in.Close()
	if n := box.Stats().ApprovalCalls; n != 0 {
		t.Errorf("%d tokens were sent", n)
	}
}
