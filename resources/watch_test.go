package resources_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/resources"
	"runs-mcp-server/tools"
)

// watcher is a client that watches runs in every way there is.
type watcher struct {
	t       *testing.T
	session *sdk.ClientSession

	mu       sync.Mutex               // guards all below
	updates  map[string]chan struct{} // by URI; has room for one
	progress map[any][]int64          // event ids by progress token
}

func newWatcher(t *testing.T, bed *testbed.Bed, version string) *watcher {
	w := &watcher{t: t, updates: map[string]chan struct{}{}, progress: map[any][]int64{}}
	w.session = bed.ConnectWith(version, &sdk.ClientOptions{
		ResourceUpdatedHandler: func(_ context.Context, r *sdk.ResourceUpdatedNotificationRequest) { w.wake(r.Params.URI) },
		ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) {
			id, _, _ := strings.Cut(r.Params.Message, ": ")
			if n, err := strconv.ParseInt(id, 10, 64); err == nil { // a heartbeat has no id
				w.mu.Lock()
				w.progress[r.Params.ProgressToken] = append(w.progress[r.Params.ProgressToken], n)
				w.mu.Unlock()
			}
			if strings.Contains(r.Params.Message, ": ended: ") {
				w.wake(fmt.Sprint(r.Params.ProgressToken))
			}
		},
	})
	return w
}

func (w *watcher) updated(uri string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.updates[uri] == nil {
		w.updates[uri] = make(chan struct{}, 1)
	}
	return w.updates[uri]
}

// wake lets whoever waits for name go on, and never blocks.
func (w *watcher) wake(name string) {
	select {
	case w.updated(name) <- struct{}{}:
	default:
	}
}

// bySubscription reads what came after the cursor whenever it is told to.
func (w *watcher) bySubscription(runID client.RunID) (ids []int64) {
	uri := "run://" + runID + "/events"
	if err := w.session.Subscribe(w.t.Context(), &sdk.SubscribeParams{URI: string(uri)}); err != nil {
		w.t.Error(err)
		return nil
	}
	after := int64(0)
	for ended := false; !ended; {
		<-w.updated(string(uri))
		for more := true; more; {
			page := read[resources.EventPage](w.t, w.session, fmt.Sprintf("%s?afterEventId=%d&limit=60", uri, after))
			for _, e := range page.Events {
				if e.MissingBefore != 0 {
					w.t.Errorf("run %s: %d events missing before %d", runID, e.MissingBefore, e.EventID)
				}
				ids = append(ids, e.EventID)
				ended = ended || e.Event == "end"
			}
			after, more = page.LastEventID, page.More
		}
	}
	if err := w.session.Unsubscribe(w.t.Context(), &sdk.UnsubscribeParams{URI: string(uri)}); err != nil {
		w.t.Error(err)
	}
	return ids
}

// byCalls waits again and again, from where the last answer ended.
func (w *watcher) byCalls(runID client.RunID) (ids []int64) {
	after := int64(0)
	for {
		text, failed := testbed.Raw(w.t, w.session, "get_run", map[string]any{"runId": runID, "afterEventId": after, "limit": 200, "waitSeconds": 2})
		if failed && strings.Contains(text, " again in a little while") {
			continue // as it says: on a busy machine the sandbox may be late, and nothing may be lost by that
		}
		var got tools.RunResult
		if err := json.Unmarshal([]byte(text), &got); err != nil || failed {
			w.t.Errorf("run %s: get_run answered %s", runID, text)
			return ids
		}
		for _, e := range got.Events {
			ids = append(ids, e.EventID)
		}
		after = got.LastEventID
		if got.Finished && got.EventsLeftOut == 0 {
			return ids
		}
	}
}

// byProgress waits in one call and listens to its progress.
func (w *watcher) byProgress(runID client.RunID) []int64 {
	params := &sdk.CallToolParams{Name: "get_run", Arguments: map[string]any{"runId": runID, "afterEventId": 0, "waitSeconds": 45}}
	params.SetProgressToken(string(runID))
	result, err := w.session.CallTool(w.t.Context(), params)
	if err != nil || result.IsError {
		w.t.Errorf("run %s: %+v, %v", runID, result, err)
		return nil
	}
	// On a busy machine the 45 s of a wait may be over before the run is, or just when
	// it ends: then what came must still be a beginning without a hole.
	if strings.Contains(result.Content[0].(*sdk.TextContent).Text, `"waitEnded":"finished"`) {
		select {
		case <-w.updated(string(runID)): // the client hands over notifications after the answer
		case <-time.After(10 * time.Second):
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.progress[string(runID)]
}

// TestEveryWayOfWatching: 16 runs of 100 events, over streams that break every
// 7 events, with holes in the ids, with and without replay, in stateful and stateless revisions: each
// event comes once and in order by every way of watching.
func TestEveryWayOfWatching(t *testing.T) {
	// A front of any kind turns the contract checks off, which cost more than all else here.
	bed := testbed.New(t, nil, func(box http.Handler) http.Handler { return box })
	watchers := []*watcher{newWatcher(t, bed, testbed.Oldest), newWatcher(t, bed, testbed.Newest)}
	var wg sync.WaitGroup
	for i := range 16 {
		w := watchers[i%2]
		behaviour := fmt.Sprintf("sandbox: steps=97 step_ms=40 cut=7 id_gap=%d replay=%s", []int{0, 5}[i/2%2], []string{"all", "none"}[i/4%2])
		run := testbed.Call[tools.RunResult](t, w.session, "create_run", map[string]any{"intent": "x", "context": behaviour})
		ways := map[string][]int64{}
		var mu sync.Mutex // guards ways
		var watching sync.WaitGroup
		for name, way := range map[string]func(client.RunID) []int64{"subscription": w.bySubscription, "calls": w.byCalls, "progress": w.byProgress} {
			watching.Go(func() {
				ids := way(client.RunID(string(run.RunID)))
				mu.Lock()
				defer mu.Unlock()
				ways[name] = ids
			})
		}
		wg.Go(func() {
			watching.Wait()
			stored, err := bed.API.GetRun(t.Context(), bed.Caller, run.RunID, true)
			if err != nil {
				t.Error(err)
				return
			}
			var want []int64
			for _, e := range stored.Events {
				want = append(want, e.ID)
			}
			for name, got := range ways {
				want := want
				if name == "progress" && len(got) > 0 && len(got) < len(want) {
					want = want[:len(got)]
				}
				if len(stored.Events) != 100 || !slices.Equal(got, want) {
					t.Errorf("%s, by %s: %d events, want %d: %v", behaviour, name, len(got), len(want), got)
				}
			}
		})
	}
	wg.Wait()
}

// TestSubscriptionsAreForOwnRuns: what the caller cannot see is refused where
// the protocol can, and left out where it cannot.
func TestSubscriptionsAreForOwnRuns(t *testing.T) {
	const unknown = "run://123e4567-e89b-12d3-a456-426614174000"
	bed := testbed.New(t, nil, nil)
	if err := bed.Connect("2025-11-25", nil).Subscribe(t.Context(), &sdk.SubscribeParams{URI: unknown}); err == nil {
		t.Error("a subscription to an unknown run was accepted")
	}
	if n := bed.Sandbox.Stats().StreamsOpened; n != 0 {
		t.Errorf("%d streams were opened", n)
	}
}

// TestOnlyRunsAndEventsAreWatched: the other resources refuse a subscription.
func TestOnlyRunsAndEventsAreWatched(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	old := bed.Connect("2025-11-25", nil)
	run := testbed.Call[tools.RunResult](t, old, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=60000"})
	for _, uri := range []string{"integrations://active", string("run://" + string(run.RunID) + "/plan"), string("run://" + string(run.RunID) + "/result"), string("run://" + string(run.RunID) + "/result?offset=1"), "run://" + someRun + "/plan"} {
		var wire *jsonrpc.Error
		if err := old.Subscribe(t.Context(), &sdk.SubscribeParams{URI: uri}); !errors.As(err, &wire) || wire.Code != -32602 || !strings.HasSuffix(wire.Message, "can be subscribed to") {
			t.Errorf("%s: got %v", uri, err)
		}
	}
	if n := bed.Sandbox.Stats().StreamsOpened; n != 0 {
		t.Errorf("%d streams were opened", n)
	}
}

// TestHundredWatchers of one run, in stateful and stateless revisions, share one upstream stream. It is
// gone within 30 s of the last of them, and not before.
func TestHundredWatchers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bed := testbed.NewInBubble(t, nil, nil)
		run, err := bed.API.CreateRun(t.Context(), bed.Caller, client.CreateRunRequest{
			Intent: "x", Integrations: []string{"*"}, UserID: "u", Context: "sandbox: steps=1000 step_ms=1000",
		})
		if err != nil {
			t.Fatal(err)
		}
		streams := func(when string, open int) {
			t.Helper()
			synctest.Wait()
			if s := bed.Sandbox.Stats(); s.OpenStreams != open || s.StreamsOpened != 1 {
				t.Errorf("%s: %d upstream streams are open, want %d; %d were opened, want 1", when, s.OpenStreams, open, s.StreamsOpened)
			}
		}
		sessions, heard := make([]*sdk.ClientSession, 100), make([]atomic.Int64, 100)
		for i := range sessions {
			sessions[i] = bed.ConnectWith([]string{testbed.Oldest, testbed.Newest}[i%2], &sdk.ClientOptions{
				ResourceUpdatedHandler: func(context.Context, *sdk.ResourceUpdatedNotificationRequest) { heard[i].Add(1) },
			})
			if err := sessions[i].Subscribe(t.Context(), &sdk.SubscribeParams{URI: string("run://" + string(run.RunID) + "/events")}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(30 * time.Second)
		streams("all watch", 1)
		for i := range heard {
			if n := heard[i].Load(); n < 25 || n > 35 {
				t.Errorf("watcher %d was told %d times in 30 s", i, n)
			}
		}
		for _, s := range sessions[1:] {
			s.Close()
		}
		time.Sleep(30 * time.Second)
		streams("one still watches", 1)
		sessions[0].Close()
		time.Sleep(30 * time.Second)
		streams("nobody watches", 0)
	})
}

// TestRunSubscription tells of status changes alone.
func TestRunSubscription(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	statuses, newest := make(chan string, 100), make(chan float64, 100)
	s := bed.ConnectWith("2025-11-25", &sdk.ClientOptions{ResourceUpdatedHandler: func(_ context.Context, r *sdk.ResourceUpdatedNotificationRequest) {
		statuses <- fmt.Sprint(r.Params.Meta["status"])
		last, _ := r.Params.Meta["lastEventId"].(float64)
		newest <- last
	}})
	run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: steps=5 step_ms=100"})
	if err := s.Subscribe(t.Context(), &sdk.SubscribeParams{URI: string("run://" + string(run.RunID))}); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for len(seen) == 0 || seen[len(seen)-1] != "SUCCESS" {
		seen = append(seen, <-statuses)
	}
	if !slices.Equal(seen, []string{"QUEUED", "RUNNING", "SUCCESS"}) {
		t.Errorf("told of %v", seen)
	}
	var ids []float64
	for range seen {
		ids = append(ids, <-newest)
	}
	if !slices.Equal(ids, []float64{1, 2, 8}) { // status, start, five steps, end
		t.Errorf("told of the events %v", ids)
	}
}

// TestList shows the caller's newest runs, in the API's pages, and completes
// their ids.
func TestList(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	for version := range map[string]bool{testbed.Oldest: true, testbed.Newest: true} {
		s := bed.Connect(version, nil)
		want := map[string]bool{}
		for range 30 {
			want[string(testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "Tidy up", "context": "sandbox: step_ms=0"}).RunID)] = true
		}
		seen, shared := 0, 0
		for r, err := range s.Resources(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if r.URI == "integrations://active" {
				shared++
			} else if runID, ok := strings.CutPrefix(r.URI, "run://"); !ok || r.Name != "Tidy up" || !strings.Contains(r.Description, ", created 2") {
				t.Errorf("got %+v", r)
			} else if want[runID] {
				seen++
			}
		}
		if seen != 30 || shared != 1 {
			t.Errorf("%d of 30 runs are listed, and the integrations %d times", seen, shared)
		}
		var one string
		for one = range want {
			break
		}
		if version == testbed.Oldest {
			continue // completion came with 2025-03-26
		}
		templates, err := s.ListResourceTemplates(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, template := range templates.ResourceTemplates {
			done, err := s.Complete(t.Context(), &sdk.CompleteParams{
				Ref: &sdk.CompleteReference{Type: "ref/resource", URI: template.URITemplate}, Argument: sdk.CompleteParamsArgument{Name: "runId", Value: strings.ToUpper(one[:8])},
			})
			if err != nil || !slices.Contains(done.Completion.Values, one) {
				t.Errorf("%s: completed %+v, %v", template.URITemplate, done, err)
			}
		}
	}
}

// TestListEnds where the API tells a total: a full page is then the last one,
// and the next is no null.
func TestListEnds(t *testing.T) {
	// The contract knows no totals: a front turns its checks off.
	s := testbed.New(t, nil, func(box http.Handler) http.Handler { return box }).Connect(testbed.Newest, nil)
	for range 14 {
		testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=0 list=wrapped"})
	}
	page, err := s.ListResources(t.Context(), nil)
	if err != nil || page.NextCursor != "" || len(page.Resources) != 15 {
		t.Errorf("%d resources, then %q, %v", len(page.Resources), page.NextCursor, err)
	}
}

// TestNewsWithoutEvents: a run that has ended and tells no event is news all the same.
func TestNewsWithoutEvents(t *testing.T) {
	const runID = "123e4567-e89b-12d3-a456-426614174000"
	bed := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/sse") {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			fmt.Fprintf(w, `{"runId":%q,"status":"SUCCESS","events":[]}`, runID)
		})
	})
	told := make(chan string, 10)
	s := bed.ConnectWith("2025-11-25", &sdk.ClientOptions{
		ResourceUpdatedHandler: func(_ context.Context, r *sdk.ResourceUpdatedNotificationRequest) {
			told <- fmt.Sprint(r.Params.Meta["lastEventId"])
		},
	})
	for _, uri := range []string{"run://" + runID, "run://" + runID + "/events"} {
		if err := s.Subscribe(t.Context(), &sdk.SubscribeParams{URI: uri}); err != nil {
			t.Fatal(err)
		}
		if last := <-told; last != "0" {
			t.Errorf("%s: told of the event %s", uri, last)
		}
	}
}
