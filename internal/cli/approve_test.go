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

// approveSession is one person's approve command for a run that waits for approval.
type approveSession struct {
	box      *sandbox.Sandbox
	keyboard *io.PipeWriter
	screen   *questionScreen
	ended    chan error // receives what the command returned

	api    *client.Client
	feeds  *feed.Hub
	caller client.Caller
	runID  client.RunID
}

// questionScreen is the output of a command. It closes asked when it gets a question.
type questionScreen struct {
	text  strings.Builder
	asked chan struct{}
}

func (s *questionScreen) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "y approves") {
		close(s.asked)
	}
	return s.text.Write(p)
}

// startApprove creates a run and starts its approve command. It returns once the person
// is asked. approve, unless nil, handles the API's approval requests.
func startApprove(t *testing.T, ctx context.Context, approve http.HandlerFunc) *approveSession {
	t.Helper()
	s := &approveSession{
		box: sandbox.New(sandbox.Options{}), screen: &questionScreen{asked: make(chan struct{})}, ended: make(chan error, 1),
		caller: client.Caller{Key: sandbox.DefaultKey},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if approve != nil && strings.HasSuffix(r.URL.Path, "/approval") {
			approve(w, r)
			return
		}
		s.box.ServeHTTP(w, r)
	}))
	var err error
	if s.api, err = client.New(client.Options{URL: server.URL}); err != nil {
		t.Fatal(err)
	}
	decider := approval.NewDecider(s.api)
	s.feeds = feed.NewHub(s.api, decider, feed.Options{})
	in, keyboard := io.Pipe()
	s.keyboard = keyboard
	t.Cleanup(func() {
		in.Close()
		s.feeds.Close()
		s.api.Close()
		s.box.Close()
		server.Close()
	})
	s.runID = createPausedRun(t, s.api, s.caller)
	go func() {
		s.ended <- (&approveDialog{api: s.api, feeds: s.feeds, decider: decider, caller: s.caller, runID: s.runID, in: in, out: s.screen}).run(ctx)
	}()
	<-s.screen.asked
	return s
}

// createPausedRun creates a run and waits until it needs the approval of its start.
func createPausedRun(t *testing.T, api *client.Client, caller client.Caller) client.RunID {
	t.Helper()
	run, err := api.CreateRun(t.Context(), caller, client.CreateRunRequest{
		Intent: "x", Integrations: []string{"*"}, UserID: "u", ApprovalStrategy: client.ApproveStart, Context: "sandbox: step_ms=0",
	})
	if err != nil {
		t.Fatal(err)
	}
	for run.Status != client.Paused {
		if run, err = api.GetRun(t.Context(), caller, run.RunID, false); err != nil {
			t.Fatal(err)
		}
	}
	return run.RunID
}

// typeLine types a line. It does not wait until the command reads it.
func (s *approveSession) typeLine(line string) {
	go func() { _, _ = io.WriteString(s.keyboard, line+"\n") }()
}

// TestInterrupted holds that an interrupt is no decision, whatever the person types
// after it.
func TestInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	s := startApprove(t, ctx, nil)
	interrupt()
	s.typeLine("y")
	if err := <-s.ended; err == nil || !strings.Contains(err.Error(), "nothing was sent") {
		t.Errorf("got %v", err)
	}
	if n := s.box.Stats().ApprovalCalls; n != 0 {
		t.Errorf("%d tokens were sent", n)
	}
}

// TestInterruptedTooLate holds that an interrupt does not cancel the request of a
// decision.
func TestInterruptedTooLate(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	cancelled := make(chan bool, 1)
	s := startApprove(t, ctx, func(w http.ResponseWriter, r *http.Request) {
		interrupt()
		select { // a cancelled request is noticed within this time
		case <-r.Context().Done():
			cancelled <- true
		case <-time.After(300 * time.Millisecond):
			cancelled <- false
		}
	})
	s.typeLine("y")
	if err := <-s.ended; <-cancelled || err != nil || !strings.Contains(s.screen.text.String(), "took the decision to approve") {
		t.Errorf("got %v: %s", err, s.screen.text.String())
	}
}

// TestAnswerLost holds that the command says that the decision was sent if the API's
// answer is lost.
func TestAnswerLost(t *testing.T) {
	s := startApprove(t, t.Context(), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	s.typeLine("n")
	if err := <-s.ended; err == nil || !strings.Contains(err.Error(), "the decision to deny was sent, but the API's answer was lost; the run is PAUSED now") {
		t.Errorf("got %v", err)
	}
}

// TestDecidedElsewhere holds that a decision is not sent if the run stopped waiting for
// it while the person read the question.
func TestDecidedElsewhere(t *testing.T) {
	sent := 0
	s := startApprove(t, t.Context(), func(http.ResponseWriter, *http.Request) { sent++ })
	if err := s.api.AbortRun(t.Context(), s.caller, s.runID); err != nil {
		t.Fatal(err)
	}
	for pending := true; pending; { // until the feed has the abort
		_, state, ok := s.feeds.Read(s.caller, s.runID, 0)
		pending = ok && len(state.Pending) > 0
	}
	s.typeLine("y")
	if err := <-s.ended; err != nil || sent != 0 || !strings.Contains(s.screen.text.String(), "no longer waits for this decision") {
		t.Errorf("%d sent, %v: %s", sent, err, s.screen.text.String())
	}
}

// hookedScreen is the output of a command. It calls hook after a text was written.
type hookedScreen struct {
	strings.Builder
	after string
	hook  func()
}

func (s *hookedScreen) Write(p []byte) (int, error) {
	n, err := s.Builder.Write(p)
	if strings.Contains(string(p), s.after) {
		s.hook()
	}
	return n, err
}

// TestRunEndsBetweenApprovals holds that nothing is asked or sent for a second
// approval if denying the first one ended the run.
func TestRunEndsBetweenApprovals(t *testing.T) {
	box := sandbox.New(sandbox.Options{})
	server := httptest.NewServer(box)
	api, err := client.New(client.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	decider := approval.NewDecider(api)
	feeds := feed.NewHub(api, decider, feed.Options{})
	defer func() {
		feeds.Close()
		api.Close()
		box.Close()
		server.Close()
	}()
	caller := client.Caller{Key: sandbox.DefaultKey}
	run, err := api.CreateRun(t.Context(), caller, client.CreateRunRequest{
		Intent: "x", Integrations: []string{"*"}, UserID: "u", ApprovalStrategy: client.ApproveToolCall, Context: "sandbox: step_ms=0 approvals=parallel:2",
	})
	if err != nil {
		t.Fatal(err)
	}
	for run.Status != client.Paused {
		if run, err = api.GetRun(t.Context(), caller, run.RunID, false); err != nil {
			t.Fatal(err)
		}
	}
	// The command goes on when the feed has seen the end of the run.
	screen := &hookedScreen{after: "took the decision", hook: func() {
		if err := feeds.Await(t.Context(), caller, run.RunID, func(s feed.State) bool { return s.Ended }); err != nil {
			t.Error(err)
		}
	}}
	d := approveDialog{api: api, feeds: feeds, decider: decider, caller: caller, runID: run.RunID, in: strings.NewReader("n\ny\n"), out: screen}
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Approval 1 of 2", "took the decision to deny", "Approval 2 of 2", "no longer waits"} {
		if !strings.Contains(screen.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, screen.String())
		}
	}
	if n := box.Stats().ApprovalCalls; n != 1 {
		t.Errorf("%d tokens were sent, want 1", n)
	}
}
