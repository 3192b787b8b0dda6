package client_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
	"runs-mcp-server/internal/sandbox"
)

// offsets is at how many bytes of a request and of an answer it breaks.
const offsets = 200

// padding makes every request and every answer longer than offsets.
var padding = strings.Repeat("x", offsets)

// faulty is a sandbox behind a proxy that breaks connections.
type faulty struct {
	box    *sandbox.Sandbox
	cutter *cutter
	near   *client.Client // past the proxy

	mu        sync.Mutex  // guards the rest
	requests  map[int]int // requests that arrived, by connection
	decisions []int       // the connections on which decisions arrived
	kept      bool        // one of them asked to be kept open
	tokens    []string    // of approvals that wait
}

type connectionKey struct{}

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	f := &faulty{box: sandbox.New(sandbox.Options{}), requests: map[int]int{}}
	upstream := httptest.NewUnstartedServer(f)
	connections := 0 // used by the accepting goroutine alone
	upstream.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		connections++
		return context.WithValue(ctx, connectionKey{}, connections)
	}
	upstream.Start()
	t.Cleanup(func() {
		f.box.Close()
		upstream.Close()
	})
	f.cutter = newCutter(t, upstream.Listener.Addr().String())
	f.near = f.client(t, upstream.URL)
	t.Cleanup(f.near.Close)
	return f
}

func (f *faulty) client(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{URL: url, UserAgent: padding})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ServeHTTP notes what arrives and lets the sandbox answer.
func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	connection := r.Context().Value(connectionKey{}).(int)
	f.mu.Lock()
	f.requests[connection]++
	if r.URL.Query().Has("token") {
		f.decisions = append(f.decisions, connection)
		f.kept = f.kept || !r.Close
	}
	f.mu.Unlock()
	w.Header().Set("X-Padding", padding)
	f.box.ServeHTTP(w, r)
}

var sandboxCaller = client.Caller{Key: sandbox.DefaultKey, UserID: "u"}

// token returns the token of an approval that waits.
func (f *faulty) token(t *testing.T) string {
	t.Helper()
	if len(f.tokens) == 0 {
		run, err := f.near.CreateRun(t.Context(), sandboxCaller, client.CreateRunRequest{
			Intent: "x", Integrations: []string{"*"}, UserID: "u", Context: "sandbox: step_ms=0 approvals=parallel:100 steps=100", ApprovalStrategy: client.ApproveToolCall,
		})
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range follow.Events(t.Context(), f.near, sandboxCaller, run.RunID, 0) {
			if err != nil {
				t.Fatal(err)
			}
			for _, link := range e.Links() {
				if link.Action == "approve" {
					f.tokens = append(f.tokens, link.Token())
				}
			}
			if len(f.tokens) == 100 {
				break
			}
		}
	}
	token := f.tokens[0]
	f.tokens = f.tokens[1:]
	return token
}

// effect is a call that must not happen twice.
type effect struct {
	name string
	// prepare returns the call.
	prepare func(*testing.T, *faulty) func(context.Context, *client.Client) error
	// arrived and took count the calls that arrived and took effect, ever.
	arrived, took func(sandbox.Stats) int
}

var effects = []effect{
	{"create", func(*testing.T, *faulty) func(context.Context, *client.Client) error {
		return func(ctx context.Context, c *client.Client) error {
			_, err := c.CreateRun(ctx, sandboxCaller, client.CreateRunRequest{Intent: "x", Integrations: []string{"*"}, UserID: "u", Context: "sandbox: step_ms=0 steps=1"})
			return err
		}
	}, func(s sandbox.Stats) int { return s.Creates }, func(s sandbox.Stats) int { return s.Creates }},
	{"approve", func(t *testing.T, f *faulty) func(context.Context, *client.Client) error {
		token := f.token(t)
		return func(ctx context.Context, c *client.Client) error { return c.Approve(ctx, sandboxCaller, token) }
	}, func(s sandbox.Stats) int { return s.ApprovalCalls }, func(s sandbox.Stats) int { return s.Approvals }},
}

// TestFaultsAtEveryOffset breaks the connection within the request and within
// the answer of what must not happen twice: it takes effect at most once, and
// whoever was not told so knows that it may have.
func TestFaultsAtEveryOffset(t *testing.T) {
	for _, e := range effects {
		for _, reused := range []bool{false, true} {
			for _, answer := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/reused=%t/answer=%t", e.name, reused, answer), func(t *testing.T) {
					t.Parallel()
					f := newFaulty(t)
					request, whole := f.measure(t, e, reused)
					if answer {
						request = whole
					}
					f.sweep(t, e, reused, answer, request)
					f.checkDecisions(t)
				})
			}
		}
	}
}

// measure returns the lengths of a request and its answer, in bytes.
func (f *faulty) measure(t *testing.T, e effect, reused bool) (request, answer int) {
	t.Helper()
	_, request, answer, err := f.once(t, e, reused, cut{after: 1 << 30})
	if err != nil || request < offsets || answer < offsets {
		t.Fatalf("%v; %d and %d bytes", err, request, answer)
	}
	return request, answer
}

// sweep breaks at offsets places from the first byte to behind the last, and
// before the first, in both manners.
func (f *faulty) sweep(t *testing.T, e effect, reused, answer bool, length int) {
	t.Helper()
	tally := map[string]int{}
	for i := range offsets + 1 {
		for _, reset := range []bool{false, true} {
			c := cut{answer: answer, after: i*(length+1)/offsets - 1, reset: reset}
			if answer && c.after == before {
				continue
			}
			took, _, _, err := f.once(t, e, reused, c)
			kind := client.KindOf(err)
			if took > 1 || err == nil && took != 1 || kind != "" && kind != client.OutcomeUnknown && took > 0 {
				t.Errorf("%+v: took effect %d times, and the caller was told %v", c, took, err)
			}
			tally[fmt.Sprintf("%q and %d", kind, took)]++
		}
	}
	t.Logf("%d bytes: %v", length, tally)
	if tally[`"outcome_unknown" and 1`] == 0 {
		t.Error("no outcome was in doubt: nothing was broken")
	}
}

// once calls once with a cut, and returns how often it took effect, how many
// bytes got through, and what the caller was told.
func (f *faulty) once(t *testing.T, e effect, reused bool, c cut) (took, request, answer int, err error) {
	t.Helper()
	call := e.prepare(t, f)
	through := f.client(t, f.cutter.url)
	defer through.Close()
	if reused {
		if _, err := through.ListRuns(t.Context(), sandboxCaller, client.ListRunsQuery{PageSize: 1}); err != nil {
			t.Fatal(err)
		}
	}
	then := f.box.Stats()
	f.cutter.arm(c, reused)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	begin := time.Now()
	err = call(ctx, through)
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("%+v: the call hung for %s", c, d)
	}
	request, answer = f.cutter.settle()
	now := f.box.Stats()
	if n := e.arrived(now) - e.arrived(then); n > 1 {
		t.Errorf("%+v: arrived %d times", c, n)
	}
	return e.took(now) - e.took(then), request, answer, err
}

// checkDecisions holds every decision to a connection of its own: net/http
// repeats a GET whose reused connection breaks.
func (f *faulty) checkDecisions(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, connection := range f.decisions {
		if n := f.requests[connection]; n != 1 {
			t.Errorf("a decision shared a connection with %d other requests", n-1)
		}
	}
	if f.kept {
		t.Error("a decision's connection was to be kept open")
	}
}
