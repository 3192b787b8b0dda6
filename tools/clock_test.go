package tools

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/inmem"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/view"
)

var caller = client.Caller{Key: sandbox.DefaultKey, UserID: "u"}

// bubble is a set of tools on an API without a network, and a call by a client,
// for a bubble of its own time.
func bubble(t *testing.T, upstream http.Handler, who *slowPerson) (*set, *call) {
	t.Helper()
	api, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(upstream)})
	if err != nil {
		t.Fatal(err)
	}
	v := view.New()
	desk := approval.NewDesk(api, v)
	feeds := feed.NewHub(api, desk, feed.Options{})
	t.Cleanup(feeds.Close)
	s := &set{Options{
		API: api, Feeds: feeds, Desk: desk, View: v, Log: slog.New(slog.DiscardHandler),
		Integrations: []string{"*"}, Approvals: ApprovalsHuman, AskApprovals: true,
	}}
	who.notes = make(chan mcp.JSONRPCNotification, 100)
	ctx := server.NewMCPServer("test", "1").WithContext(client.WithCaller(t.Context(), caller), who)
	c, err := s.arrive(ctx, "a_tool", mcp.CallToolRequest{Params: mcp.CallToolParams{Meta: &mcp.Meta{ProgressToken: "p"}}})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// TestHeartbeats come after each 15 s of silence, and after no less: an event
// puts the next one off.
func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runID = "123e4567-e89b-12d3-a456-426614174000"
		who := &slowPerson{}
		s, c := bubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/sse") {
				fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[]}`, runID)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			time.Sleep(20 * time.Second)
			fmt.Fprintf(w, "id: 1\nevent: start\ndata: {\"runId\":%q,\"runStatus\":\"RUNNING\"}\n\n", runID)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}), who)
		began := time.Now()
		var said []string
		go func() {
			for n := range who.notes {
				said = append(said, fmt.Sprintf("%v: %v", time.Since(began), n.Params.AdditionalFields["message"]))
			}
		}()
		if _, err := s.getRun(t.Context(), c, getRunArgs{RunID: runID, WaitSeconds: 45}); err != nil {
			t.Fatal(err)
		}
		close(who.notes)
		synctest.Wait()
		if got := strings.Join(said, "\n"); got != "15s: waiting for the run\n20s: 1: started\n35s: still RUNNING" {
			t.Errorf("after %v:\n%s", time.Since(began), got)
		}
	})
}

// TestHeartbeatsBesideSilentNews: events before the cursor are news that says
// nothing, and put no heartbeat off.
func TestHeartbeatsBesideSilentNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := sandbox.New(sandbox.Options{})
		defer box.Close()
		who := &slowPerson{}
		s, c := bubble(t, box, who)
		run, err := s.createRun(t.Context(), c, createRunArgs{Intent: "x", Context: "sandbox: steps=20 step_ms=5000"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		beyond := int64(1000)
		c.at = time.Now()
		if _, err := s.getRun(t.Context(), c, getRunArgs{RunID: run.RunID, AfterEventID: &beyond, WaitSeconds: 40}); err != nil {
			t.Fatal(err)
		}
		if n := len(who.notes); n != 2 {
			t.Errorf("%d heartbeats in 40 s", n)
		}
	})
}

// TestHistoryIsNoProgress where the call names no event to go on from: of what
// happened before it, the newest event tells how the run stands.
func TestHistoryIsNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := sandbox.New(sandbox.Options{})
		defer box.Close()
		who := &slowPerson{}
		s, c := bubble(t, box, who)
		run, err := s.createRun(t.Context(), c, createRunArgs{Intent: "x", Context: "sandbox: steps=20 step_ms=1000"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		told := func(after *int64) int {
			c.at = time.Now()
			if _, err := s.getRun(t.Context(), c, getRunArgs{RunID: run.RunID, AfterEventID: after, WaitSeconds: 2}); err != nil {
				t.Fatal(err)
			}
			n := len(who.notes)
			for range n {
				<-who.notes
			}
			return n
		}
		if n := told(nil); n < 2 || n > 4 {
			t.Errorf("%d notifications of a wait of 2 s, with an event each second", n)
		}
		if n := told(new(int64)); n < 12 {
			t.Errorf("%d notifications from the first event on", n)
		}
	})
}

// TestTimeStandsStill while the person is asked: the wait goes on afterwards as
// long as it would have.
func TestTimeStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := sandbox.New(sandbox.Options{})
		defer box.Close()
		who := &slowPerson{takes: 4 * time.Minute, decision: "approve"}
		s, c := bubble(t, box, who)
		began := time.Now()
		got, err := s.createRun(t.Context(), c, createRunArgs{Intent: "x", Context: "sandbox: steps=2 step_ms=9000", ApprovalStrategy: "ON_START", WaitSeconds: 45}, nil)
		if err != nil || got.Status != "SUCCESS" || got.WaitEnded != endFinished || time.Since(began) < who.takes {
			t.Errorf("after %v: %+v, %v", time.Since(began), got, err)
		}
	})
}

// TestTimeStandsStillForWhoDoesNotDecide: however late no answer comes, the call
// says how the run stands and that nobody decided.
func TestTimeStandsStillForWhoDoesNotDecide(t *testing.T) {
	for _, takes := range []time.Duration{50 * time.Second, 5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			box := sandbox.New(sandbox.Options{})
			defer box.Close()
			who := &slowPerson{takes: takes}
			s, c := bubble(t, box, who)
			got, err := s.createRun(t.Context(), c, createRunArgs{Intent: "x", ApprovalStrategy: "ON_START", WaitSeconds: 45}, nil)
			if err != nil || got.Status != "PAUSED" || got.WaitEnded != endNeedsPerson || got.NextStep != askLater(decideLater) || !strings.HasPrefix(got.Summary, "The user was asked and did not decide") {
				t.Errorf("after %v: %+v, %v", takes, got, err)
			}
		})
	}
}

// TestDecidedIsNoNeed: a run that does not show the decision yet is waited for.
func TestDecidedIsNoNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runID = "123e4567-e89b-12d3-a456-426614174000"
		who := &slowPerson{decision: "approve"}
		s, c := bubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/sse") {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			fmt.Fprintf(w, `{"runId":%q,"status":"PAUSED","events":[{"id":1,"event":"run_approval","runStatus":"PAUSED",`+
				`"approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=abcdefghijk"}]}]}`, runID)
		}), who)
		began := time.Now()
		got, err := s.getRun(t.Context(), c, getRunArgs{RunID: runID, WaitSeconds: 45})
		if err != nil || got.WaitEnded != endTimeUp || time.Since(began) != 45*time.Second || !strings.HasPrefix(got.NextStep, "Do not decide again") || who.asked != 1 {
			t.Errorf("after %v, %d questions: %+v, %v", time.Since(began), who.asked, got, err)
		}
	})
}
