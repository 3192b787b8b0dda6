package cli

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/sandbox"
)

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

// visit is one person's approve command in front of a run that waits.
type visit struct {
	box   *sandbox.Sandbox
	keys  *io.PipeWriter
	out   *screen
	ended chan error

	api    *client.Client
	feeds  *feed.Hub
	caller client.Caller
	runID  client.RunID
}

// visits starts one; approves, unless nil, takes the API's approval calls.
func visits(t *testing.T, ctx context.Context, approves http.HandlerFunc) *visit {
	t.Helper()
	v := &visit{box: sandbox.New(sandbox.Options{}), out: &screen{shown: make(chan struct{})}, ended: make(chan error, 1)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if approves != nil && strings.HasSuffix(r.URL.Path, "/approval") {
			approves(w, r)
			return
		}
		v.box.ServeHTTP(w, r)
	}))
	api, err := client.New(client.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	decider := approval.NewDecider(api)
	feeds := feed.NewHub(api, decider, feed.Options{})
	in, keys := io.Pipe()
	v.keys = keys
	t.Cleanup(func() {
		in.Close()
		feeds.Close()
		api.Close()
		v.box.Close()
		server.Close()
	})
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
	v.api, v.feeds, v.caller, v.runID = api, feeds, caller, run.RunID
	go func() {
		v.ended <- (&approveDialog{api: api, feeds: feeds, decider: decider, caller: caller, runID: run.RunID, in: in, out: v.out}).run(ctx)
	}()
	<-v.out.shown
	return v
}

// types is a line at the keyboard, whoever reads it.
func (v *visit) types(line string) {
	go func() { _, _ = io.WriteString(v.keys, line+"\n") }()
}

// TestInterrupted: who interrupts has not decided, whatever they type after it.
func TestInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	v := visits(t, ctx, nil)
	interrupt()
	v.types("y")
	if err := <-v.ended; err == nil || !strings.Contains(err.Error(), "nothing was sent") {
		t.Errorf("got %v", err)
	}
	if n := v.box.Stats().ApprovalCalls; n != 0 {
		t.Errorf("%d tokens were sent", n)
	}
}

// TestInterruptedTooLate: a decision that is on its way is not called back.
func TestInterruptedTooLate(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	calledBack := make(chan bool, 1)
	v := visits(t, ctx, func(w http.ResponseWriter, r *http.Request) {
		interrupt()
		select { // who calls the request back is noticed within this
		case <-r.Context().Done():
			calledBack <- true
		case <-time.After(300 * time.Millisecond):
			calledBack <- false
		}
	})
	v.types("y")
	if err := <-v.ended; <-calledBack || err != nil || !strings.Contains(v.out.text.String(), "took the decision to approve") {
		t.Errorf("got %v: %s", err, v.out.text.String())
	}
}

// TestAnswerLost says that the decision may have been taken.
func TestAnswerLost(t *testing.T) {
	v := visits(t, t.Context(), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	v.types("n")
	if err := <-v.ended; err == nil || !strings.Contains(err.Error(), "the decision to deny was sent, but the API's answer was lost; the run is PAUSED now") {
		t.Errorf("got %v", err)
	}
}

// TestDecidedElsewhere while the person read: what they type is not sent.
func TestDecidedElsewhere(t *testing.T) {
	var v *visit
	sent := 0
	v = visits(t, t.Context(), func(http.ResponseWriter, *http.Request) { sent++ })
	if err := v.api.AbortRun(t.Context(), v.caller, v.runID); err != nil {
		t.Fatal(err)
	}
	for known := false; !known; { // the feed hears of it
		_, st, ok := v.feeds.Read(v.caller, v.runID, 0)
		known = !ok || len(st.Pending) == 0
	}
	v.types("y")
	if err := <-v.ended; err != nil || sent != 0 || !strings.Contains(v.out.text.String(), "no longer waits for this decision") {
		t.Errorf("%d sent, %v: %s", sent, err, v.out.text.String())
	}
}
