package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/sandbox"
)

const (
	// approvers make the short runs, runsEach one after the other.
	approvers = 6
	runsEach  = 6
	// stuckTimeout is when a short run is aborted, because its decision or its link
	// got lost.
	stuckTimeout = 5 * time.Second
)

// callCount counts the calls through the proxy, and how they ended.
type callCount struct {
	creates, created, createUnknown       int
	decisions, decided, decisionUnknown   int
	approvalCalls, lostRuns, abortedStuck int
}

func (c callCount) String() string {
	return fmt.Sprintf("%d creates (%d answered, %d unknown, of which %d made a run), %d decisions (%d answered, %d unknown, %d arrived), %d runs stuck and aborted",
		c.creates, c.created, c.createUnknown, c.lostRuns, c.decisions, c.decided, c.decisionUnknown, c.approvalCalls, c.abortedStuck)
}

func (b *bench) countCall(f func(*callCount)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.calls)
}

// callLog records the tokens that the sandbox receives, and the create calls.
type callLog struct {
	next http.Handler

	mu      sync.Mutex // guards the rest
	tokens  map[string]int
	creates []attempt
}

// attempt is one create call.
type attempt struct {
	tag  string
	kind client.Kind // "" for success
}

// ServeHTTP records the token and lets the sandbox answer.
func (l *callLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if token := r.URL.Query().Get("token"); token != "" {
		l.mu.Lock()
		l.tokens[token]++
		l.mu.Unlock()
	}
	l.next.ServeHTTP(w, r)
}

// create creates a run through the proxy, with one call. It returns the run's id, or
// "" and the kind of the failure.
func (b *bench) create(ctx context.Context, tag, behaviour string, strategy client.ApprovalStrategy) (client.RunID, client.Kind) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	run, err := b.api.CreateRun(ctx, caller(), client.CreateRunRequest{
		Intent: "Find the " + tag, Integrations: []string{"*"}, UserID: "user-1",
		Context: tag + "\nsandbox: " + behaviour, ApprovalStrategy: strategy,
	})
	kind := client.KindOf(err)
	b.callLog.mu.Lock()
	b.callLog.creates = append(b.callLog.creates, attempt{tag, kind})
	b.callLog.mu.Unlock()
	b.countCall(func(c *callCount) {
		c.creates++
		switch {
		case err == nil:
			c.created++
		case kind == client.OutcomeUnknown:
			c.createUnknown++
		}
	})
	if err != nil {
		return "", kind
	}
	return run.RunID, ""
}

// createUntilDone tries until there is a run. After an unknown outcome it looks for the
// run first. It waits longer each time, for a busy machine.
func (b *bench) createUntilDone(ctx context.Context, name, behaviour string, strategy client.ApprovalStrategy) client.RunID {
	for n := 0; ctx.Err() == nil; n++ {
		runID, kind := b.create(ctx, fmt.Sprintf("%s-%d", name, n), behaviour, strategy)
		if kind == client.OutcomeUnknown {
			pause(ctx, time.Duration(n+1)*300*time.Millisecond) // the request may still arrive
			runs, err := b.direct.list(ctx)
			if err != nil {
				b.addFault("the sandbox itself: %v", err)
			}
			for tried := range n + 1 {
				if ids := runs[fmt.Sprintf("%s-%d", name, tried)]; len(ids) > 0 {
					runID = client.RunID(ids[0])
				}
			}
		}
		if runID != "" {
			return runID
		}
		pause(ctx, 100*time.Millisecond)
	}
	b.addFault("%s: could not be created", name)
	return ""
}

// shortRuns makes runs with approvals, one after another.
func (b *bench) shortRuns(ctx context.Context, worker int, r *rand.Rand) {
	for n := range runsEach {
		b.approvalRun(ctx, fmt.Sprintf("short-%d-%d", worker, n), r)
		pause(ctx, milliseconds(r, 0, 1000))
	}
}

// approvalRun makes a run that needs approvals. Two people watch it, and both decide
// everything that is pending. In half of the runs with one approval they disagree.
func (b *bench) approvalRun(ctx context.Context, tag string, r *rand.Rand) {
	behaviour, strategy := "step_ms=20 steps=2", client.ApproveStart
	second := pick(r, approval.Approve, approval.Deny)
	if r.IntN(2) == 0 {
		// No denial here: it would void the tokens of the other approvals.
		behaviour, strategy, second = "step_ms=20 approvals=parallel:2 steps=4", client.ApproveToolCall, approval.Approve
	}
	behaviour += pick(r, "", "", " links=stream-only", " cut=7", " replay=none")
	runID, _ := b.create(ctx, tag, behaviour, strategy)
	if runID == "" {
		return
	}
	b.hub.Pin(caller(), runID)
	views := make([]view, 2)
	over, done := context.WithCancel(ctx)
	var watching, impatient sync.WaitGroup
	var aborted atomic.Bool // a later decision is refused
	for i, decision := range []approval.Decision{approval.Approve, second} {
		random := rand.New(rand.NewPCG(r.Uint64(), 0))
		watching.Go(func() {
			views[i] = b.watchRun(ctx, runID, watcherKind{name: "person", news: b.decideEach(ctx, decision, &aborted)}, random)
		})
	}
	impatient.Go(func() {
		pause(over, stuckTimeout)
		if over.Err() == nil {
			aborted.Store(true)
			b.abort(ctx, runID)
		}
	})
	watching.Wait()
	done()
	impatient.Wait()
	stored, err := b.direct.read(context.WithoutCancel(ctx), runID) // also after a watcher hung
	if err != nil {
		b.addFault("%s: the sandbox itself: %v", behaviour, err)
		return
	}
	b.compareAll(behaviour, stored, views)
	b.checkDecisions(tag+" "+behaviour, runID, stored)
}

// decideEach returns a function that decides each pending approval once.
func (b *bench) decideEach(ctx context.Context, d approval.Decision, aborted *atomic.Bool) func(feed.News) {
	return func(news feed.News) {
		for _, p := range news.Pending {
			if b.decider.Sent(p) {
				continue
			}
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			err := b.decider.Decide(ctx, caller(), approval.Request{Pending: p}, d, audit.Agent)
			cancel()
			kind := client.KindOf(err)
			if err != nil && kind == "" {
				continue // the other person was faster
			}
			b.countCall(func(c *callCount) {
				c.decisions++
				switch kind {
				case "":
					c.decided++
				case client.OutcomeUnknown:
					c.decisionUnknown++
				}
			})
			if kind == client.InvalidArgument && !aborted.Load() {
				b.addFault("a decision was refused: %v", err) // its token was used before
			}
		}
	}
}

// abort ends a run whose decision or link got lost. It does not use the proxy.
func (b *bench) abort(ctx context.Context, runID client.RunID) {
	did, err := b.direct.abort(ctx, runID)
	if err != nil {
		b.addFault("the sandbox itself: %v", err)
	}
	if did {
		b.countCall(func(c *callCount) { c.abortedStuck++ })
	}
}

// checkDecisions compares the decisions on a run with its approvals.
func (b *bench) checkDecisions(who string, runID client.RunID, s stored) {
	asked := 0
	for _, item := range s.items {
		if item.Event == "run_approval" || item.Step.Approval == "PENDING" {
			asked++
		}
	}
	if made := b.box.Decisions(string(runID)); len(made) > asked {
		b.addFault("%s: %d decisions (%v) on %d approvals", who, len(made), made, asked)
	}
}

// checkCalls compares what the sandbox received with the calls.
func (b *bench) checkCalls(ctx context.Context) {
	runs, err := b.direct.list(ctx)
	if err != nil {
		b.addFault("the sandbox itself: %v", err)
	}
	b.callLog.mu.Lock()
	defer b.callLog.mu.Unlock()
	for token, times := range b.callLog.tokens {
		if times > 1 {
			b.addFault("the token %.4s… arrived %d times", token, times)
		}
	}
	for _, a := range b.callLog.creates {
		made := len(runs[a.tag])
		switch {
		case made > 1, a.kind == "" && made != 1, a.kind != "" && a.kind != client.OutcomeUnknown && made > 0:
			b.addFault("create %s ended as %q and made %d runs", a.tag, a.kind, made)
		case a.kind == client.OutcomeUnknown:
			b.countCall(func(c *callCount) { c.lostRuns += made })
		}
	}
	s := b.box.Stats()
	b.countCall(func(c *callCount) { c.approvalCalls = s.ApprovalCalls })
	if made := s.Approvals + s.Denials; made > b.calls.decided+b.calls.decisionUnknown || made < b.calls.decided {
		b.addFault("%d decisions took effect; %d were answered, %d unknown", made, b.calls.decided, b.calls.decisionUnknown)
	}
}

// direct reads the sandbox past the proxy, with none of the client's code.
type directClient struct {
	url  string
	http *http.Client
}

// stored is a run as the sandbox stores it.
type stored struct {
	status string
	items  []item
	raws   []json.RawMessage
}

// places returns the index of each event by its content.
func (s stored) places() map[string]int {
	places := make(map[string]int, len(s.raws))
	for i, raw := range s.raws {
		places[content(raw)] = i
	}
	return places
}

// item is one stored event.
type item struct {
	ID    int64  `json:"id"`    // 0 under events=bare
	Event string `json:"event"` // "" under events=bare
	Step  struct {
		Approval string `json:"approval"`
	} `json:"step"`
}

// cursor returns the id of an event, or its position if it has no id.
func (s stored) cursor(i int) int64 {
	if s.items[i].ID == 0 {
		return int64(i + 1)
	}
	return s.items[i].ID
}

func (d directClient) do(ctx context.Context, method, path string, into any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, d.url+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("x-api-key", sandbox.DefaultKey)
	resp, err := d.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return 0, err
	}
	if into == nil {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, json.Unmarshal(body.Bytes(), into)
}

func (d directClient) read(ctx context.Context, runID client.RunID) (stored, error) {
	var run struct {
		Status string            `json:"status"`
		Events []json.RawMessage `json:"events"`
	}
	if _, err := d.do(ctx, http.MethodGet, "/v1/runs/"+string(runID)+"?includeEvents=true", &run); err != nil {
		return stored{}, err
	}
	s := stored{status: run.Status, items: make([]item, len(run.Events)), raws: run.Events}
	for i, raw := range run.Events {
		if err := json.Unmarshal(raw, &s.items[i]); err != nil {
			return stored{}, err
		}
	}
	return s, nil
}

// list returns the ids of all runs by their tag, the first line of their context.
func (d directClient) list(ctx context.Context) (map[string][]string, error) {
	ids := map[string][]string{}
	for page := 1; ; page++ {
		var runs []struct{ RunID, Context string }
		if _, err := d.do(ctx, http.MethodGet, fmt.Sprintf("/v1/runs?pageSize=100&page=%d", page), &runs); err != nil {
			return nil, err
		}
		for _, run := range runs {
			tag, _, _ := strings.Cut(run.Context, "\n")
			ids[tag] = append(ids[tag], run.RunID)
		}
		if len(runs) < 100 {
			return ids, nil
		}
	}
}

// abort reports whether it ended the run.
func (d directClient) abort(ctx context.Context, runID client.RunID) (bool, error) {
	status, err := d.do(ctx, http.MethodDelete, "/v1/runs/"+string(runID), nil)
	return status == http.StatusOK, err
}
