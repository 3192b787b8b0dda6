package tools

import (
	"context"
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
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/lab/inmem"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/sandbox"
)

var caller = client.Caller{Key: sandbox.DefaultKey, UserID: "u"}

// bubble is a set of tools on an API without a network, and a call by a client,
// for a bubble of its own time.
func bubble(t *testing.T, upstream http.Handler, who *slowPerson) (*handlers, *call) {
	t.Helper()
	api, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(upstream)})
	if err != nil {
		t.Fatal(err)
	}
	decider := approval.NewDecider(api)
	feeds := feed.NewHub(api, decider, feed.Options{})
	t.Cleanup(feeds.Close)
	log := slog.New(slog.DiscardHandler)
	people := attend.New(attend.Options{Feeds: feeds, Decider: decider, Secrets: redact.New(), Log: log})
	t.Cleanup(people.Close)
	s := newHandlers(Options{
		API: api, Feeds: feeds, Decider: decider, Attend: people, Secrets: redact.New(), Log: log,
		Integrations: []string{"*"}, Approvals: ApprovalsHuman, AskApprovals: true,
	})
	who.notes = make(chan mcp.JSONRPCNotification, 10_000) // most tests read none
	ctx := server.NewMCPServer("test", "1").WithContext(client.WithCaller(t.Context(), caller), who)
	c, err := s.newCall(ctx, "a_tool", mcp.CallToolRequest{Params: mcp.CallToolParams{Meta: &mcp.Meta{ProgressToken: "p"}}})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// again is another call of the client of a call.
func (h *handlers) again(c *call) *call {
	return &call{
		caller: c.caller, tool: c.tool, at: time.Now(), progress: &progress{token: c.progress.token, out: c.progress.out}, secrets: h.secretsOf(c.caller),
		session: c.session, modern: c.modern, canElicit: c.canElicit, personName: c.personName, draining: c.draining,
	}
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
		if n := len(who.notes); n != 1+2 { // the first said that the run was created
			t.Errorf("%d heartbeats in 40 s", n-1)
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
		time.Sleep(10*time.Second + 300*time.Millisecond) // between two events
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

// TestAnsweredInTime: a call is answered when its time is up, however long its
// person thinks; the question stays open, its answer counts once, and the next call
// tells what came of it.
func TestAnsweredInTime(t *testing.T) {
	for name, call := range map[string]func(context.Context, *handlers, *call, client.RunID) (RunResult, error){
		"create_run": func(ctx context.Context, s *handlers, c *call, _ client.RunID) (RunResult, error) {
			return s.createRun(ctx, c, createRunArgs{Intent: "x", ApprovalStrategy: "ON_START", WaitSeconds: 45}, nil)
		},
		"get_run": func(ctx context.Context, s *handlers, c *call, runID client.RunID) (RunResult, error) {
			return s.getRun(ctx, c, getRunArgs{RunID: runID, WaitSeconds: 20})
		},
		"approve": func(ctx context.Context, s *handlers, c *call, runID client.RunID) (RunResult, error) {
			return s.askApproval(ctx, c, askArgs{RunID: runID})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			box := sandbox.New(sandbox.Options{})
			defer box.Close()
			who := &slowPerson{takes: 4 * time.Minute, decision: "approve"}
			s, c := bubble(t, box, who)
			run, err := s.createRun(t.Context(), c, createRunArgs{Intent: "x", ApprovalStrategy: "ON_START"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second) // then it waits
			began := time.Now()
			c = s.again(c)
			got, err := call(t.Context(), s, c, run.RunID)
			if took := time.Since(began); err != nil || took > 50*time.Second || got.Status != "PAUSED" {
				t.Fatalf("%s: after %v: %+v, %v", name, took, got, err)
			}
			if !strings.Contains(got.Summary, "The user is being asked to decide; the question stays open") || !strings.Contains(got.NextStep, "call get_run with runId and waitSeconds 45 now") {
				t.Errorf("%s: %q, %q", name, got.Summary, got.NextStep)
			}
			time.Sleep(5 * time.Minute)
			got, err = s.getRun(t.Context(), s.again(c), getRunArgs{RunID: got.RunID})
			if err != nil || got.Status != "SUCCESS" || !strings.HasPrefix(got.Summary, "The decision to approve was accepted by the API.") {
				t.Errorf("%s: then %+v, %v", name, got, err)
			}
			if got, err = s.getRun(t.Context(), s.again(c), getRunArgs{RunID: got.RunID}); err != nil || strings.Contains(got.Summary, "decision") {
				t.Errorf("%s: told twice: %q, %v", name, got.Summary, err)
			}
			if n := len(box.Decisions(string(got.RunID))); n != 1 || who.asked != 1 {
				t.Errorf("%s: %d decisions, %d questions", name, n, who.asked)
			}
		})
	}
}

// TestProgressWhileAsked: clients give up on a call that is silent for a minute.
func TestProgressWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := sandbox.New(sandbox.Options{})
		defer box.Close()
		who := &slowPerson{takes: time.Hour}
		s, c := bubble(t, box, who)
		if _, err := s.createRun(t.Context(), c, createRunArgs{Intent: "x", ApprovalStrategy: "ON_START", WaitSeconds: 45}, nil); err != nil {
			t.Fatal(err)
		}
		heartbeats := 0
		for range len(who.notes) {
			if n := <-who.notes; n.Params.AdditionalFields["message"] == "waiting for the user's answer" {
				heartbeats++
			}
		}
		if heartbeats != 2 {
			t.Errorf("%d heartbeats in 45 s", heartbeats)
		}
		s.Attend.Close()
	})
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
		if err != nil || got.WaitEnded != attend.TimeUp || time.Since(began) != 45*time.Second || !strings.HasPrefix(got.NextStep, "Do not decide again") || who.asked != 1 {
			t.Errorf("after %v, %d questions: %+v, %v", time.Since(began), who.asked, got, err)
		}
	})
}

// leavingClient is a client that ends its input in the middle of a call.
type leavingClient struct {
	*slowPerson
	draining chan struct{}
}

func (c leavingClient) Draining() <-chan struct{} { return c.draining }

// TestDraining: a call that only waits ends at once when its client or the
// server leaves, as when its time is up, and says how to go on; the run goes on.
func TestDraining(t *testing.T) {
	for name, draining := range map[string]func(leave func()){
		"while it waits": func(leave func()) { time.AfterFunc(7*time.Second, leave) },
		"before it does": func(leave func()) { leave() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				box := sandbox.New(sandbox.Options{})
				defer box.Close()
				who := leavingClient{&slowPerson{}, make(chan struct{})}
				s, _ := bubble(t, box, who.slowPerson)
				ctx := server.NewMCPServer("test", "1").WithContext(client.WithCaller(t.Context(), caller), who)
				c, err := s.newCall(ctx, "create_run", mcp.CallToolRequest{})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				draining(func() { close(who.draining) })
				got, err := s.createRun(t.Context(), c, createRunArgs{Intent: "x", Context: "sandbox: steps=2 step_ms=60000", WaitSeconds: 45}, nil)
				if err != nil || got.WaitEnded != attend.TimeUp || got.Finished || time.Since(began) > 8*time.Second {
					t.Fatalf("after %s: %+v, %v", time.Since(began), got, err)
				}
				if !strings.Contains(got.Summary, "this server is stopping") || !strings.Contains(got.NextStep, "call get_run with runId, afterEventId") {
					t.Errorf("%q, %q", got.Summary, got.NextStep)
				}
				if run, err := s.API.GetRun(t.Context(), caller, got.RunID, false); err != nil || run.Status.Terminal() {
					t.Errorf("the run is %+v, %v", run, err)
				}
			})
		})
	}
}

// TestListWords says which filters applied, and never to leave one out that
// nobody set.
func TestListWords(t *testing.T) {
	s := newHandlers(Options{})
	for _, tt := range []struct {
		args    listRunsArgs
		userID  string
		summary string
		next    string
	}{
		{listRunsArgs{}, "", "No runs. Filters: none.", "There are none to list"},
		{listRunsArgs{}, "u", "No runs. Filters: this caller's default user.", "There are none to list"},
		{listRunsArgs{UserID: "u"}, "u", `No runs. Filters: userId "u".`, "leave out a filter"},
		{listRunsArgs{Status: "FAILED", CustomerIntegrationIDs: []string{"a", "b"}}, "u", "Filters: status FAILED, 2 customerIntegrationIds, this caller's default user.", "leave out a filter"},
	} {
		l := RunList{Page: 1}
		s.describeList(&l, filtersOf(tt.args), tt.userID != "" && tt.args.UserID == "")
		if !strings.Contains(l.Summary, tt.summary) || !strings.Contains(l.NextStep, tt.next) {
			t.Errorf("%+v: %q, %q", tt.args, l.Summary, l.NextStep)
		}
	}
	many := RunList{Page: 1, PageSize: 10, Runs: make([]ListedRun, 10)}
	s.describeList(&many, filtersOf(listRunsArgs{Status: "FAILED"}), false)
	many.shorten(3, 10)
	if !strings.Contains(many.Summary, "the first 3 are shown") || !strings.HasSuffix(many.Summary, " Filters: status FAILED.") {
		t.Errorf("shortened: %q", many.Summary)
	}
}
