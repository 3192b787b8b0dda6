package approval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/audit"
)

func newDecider(t *testing.T, h http.HandlerFunc) *Decider {
	t.Helper()
	upstream := httptest.NewServer(h)
	t.Cleanup(upstream.Close)
	api, err := client.New(client.Options{URL: upstream.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	return NewDecider(api)
}

func pending(t *testing.T) Pending {
	t.Helper()
	tracker := NewTracker(caller, runID)
	tracker.AddEvent(event(t, `{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, links(1)))
	return tracker.Pending()[0]
}

// TestDecideOnce: of many concurrent decisions on one approval, one is sent.
func TestDecideOnce(t *testing.T) {
	var sent atomic.Int64
	decider := newDecider(t, func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		w.WriteHeader(http.StatusCreated)
	})
	p := pending(t)
	var wg sync.WaitGroup
	var refused atomic.Int64
	for i := range 50 {
		wg.Go(func() {
			decision := []Decision{Approve, Deny}[i%2]
			if err := decider.Decide(t.Context(), caller, Request{Pending: p}, decision, audit.Agent); errors.Is(err, ErrAlreadySent) {
				refused.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if sent.Load() != 1 || refused.Load() != 49 || !decider.Sent(p) {
		t.Errorf("%d sent, %d refused", sent.Load(), refused.Load())
	}
}

// TestDecideAgain: a decision can be sent again only if the first attempt provably
// had no effect.
func TestDecideAgain(t *testing.T) {
	for status, again := range map[int]bool{401: true, 403: true, 429: true, 400: false, 404: false, 409: false, 500: false, 503: false} {
		var sent atomic.Int64
		decider := newDecider(t, func(w http.ResponseWriter, r *http.Request) {
			sent.Add(1)
			w.WriteHeader(status)
			io.WriteString(w, `{"message":"as the API answers"}`)
		})
		p := pending(t)
		first := decider.Decide(t.Context(), caller, Request{Pending: p}, Approve, audit.Agent)
		second := decider.Decide(t.Context(), caller, Request{Pending: p}, Approve, audit.Agent)
		if first == nil || errors.Is(second, ErrAlreadySent) == again || (sent.Load() == 2) != again {
			t.Errorf("%d: %v, then %v; %d sent", status, first, second, sent.Load())
		}
	}
}

// TestBrokenConnectionIsNotRepeated: net/http repeats a GET when a reused connection
// breaks. A decision must not be repeated.
func TestBrokenConnectionIsNotRepeated(t *testing.T) {
	var sent atomic.Int64
	decider := newDecider(t, func(w http.ResponseWriter, r *http.Request) {
		if sent.Add(1) == 1 {
			w.WriteHeader(http.StatusCreated)
			return
		}
		panic(http.ErrAbortHandler)
	})
	if known, err := decider.DecideByToken(t.Context(), caller, TokenDecision{RunID: runID, Decision: Approve, Token: "first-token"}); known || err != nil {
		t.Fatal(known, err)
	}
	_, err := decider.DecideByToken(t.Context(), caller, TokenDecision{RunID: runID, Decision: Approve, Token: "second-token"})
	if client.KindOf(err) != client.OutcomeUnknown || sent.Load() != 2 {
		t.Errorf("got %v after %d requests", err, sent.Load())
	}
}

// TestOtherToken: a token of something else is refused and not sent.
func TestOtherToken(t *testing.T) {
	decider := newDecider(t, func(http.ResponseWriter, *http.Request) { t.Error("a token was sent") })
	p := pending(t)
	decider.RememberTokens(runID, p)
	for _, by := range []TokenDecision{
		{runID, Approve, p.tokens[Deny], true},
		{"another run", Approve, p.tokens[Approve], false},
		{runID, Approve, "a token nobody saw", true},
	} {
		if _, err := decider.DecideByToken(t.Context(), caller, by); !errors.Is(err, ErrOtherToken) {
			t.Errorf("%+v: got %v", by, err)
		}
	}
	if err := decider.Decide(t.Context(), caller, Request{Pending: Pending{ID: "x"}}, Approve, audit.Agent); !errors.Is(err, ErrNoLink) {
		t.Errorf("got %v", err)
	}
}

// TestOneDecisionByEitherWay: only one of an approval's two tokens is sent, whether
// it is named by the approval's ID or comes as a token.
func TestOneDecisionByEitherWay(t *testing.T) {
	p := pending(t)
	byID := func(p Pending) func(*Decider, Decision) error {
		return func(d *Decider, decision Decision) error {
			return d.Decide(t.Context(), caller, Request{Pending: p}, decision, audit.Agent)
		}
	}
	byToken := func(d *Decider, decision Decision) error {
		known, err := d.DecideByToken(t.Context(), caller, TokenDecision{RunID: runID, Decision: decision, Token: p.tokens[decision], LinksKnown: true})
		if !known {
			t.Error("the token is not known")
		}
		return err
	}
	for name, ways := range map[string][2]func(*Decider, Decision) error{
		"token, then id": {byToken, byID(p)},
		"id, then token": {byID(p), byToken},
		"both tokens":    {byToken, byToken},
	} {
		var sent atomic.Int64
		decider := newDecider(t, func(http.ResponseWriter, *http.Request) { sent.Add(1) })
		decider.RememberTokens(runID, p)
		first, second := ways[0](decider, Approve), ways[1](decider, Deny)
		if first != nil || !errors.Is(second, ErrAlreadySent) || sent.Load() != 1 || !decider.Sent(p) {
			t.Errorf("%s: %v, then %v; %d sent", name, first, second, sent.Load())
		}
	}
}

// TestTokensOfADecidedApproval: after a decision neither token is sent, even if they are
// not remembered as the approval's.
func TestTokensOfADecidedApproval(t *testing.T) {
	var sent atomic.Int64
	decider := newDecider(t, func(http.ResponseWriter, *http.Request) { sent.Add(1) })
	p := pending(t)
	if err := decider.Decide(t.Context(), caller, Request{Pending: p}, Approve, audit.Agent); err != nil {
		t.Fatal(err)
	}
	for decision, token := range p.tokens {
		if known, err := decider.DecideByToken(t.Context(), caller, TokenDecision{RunID: runID, Decision: decision, Token: token}); known || !errors.Is(err, ErrAlreadySent) {
			t.Errorf("%s: %t, %v", decision, known, err)
		}
	}
	if sent.Load() != 1 {
		t.Errorf("%d sent", sent.Load())
	}
}

// TestHadNoEffect: only a request that was refused before it took effect, or was never
// sent, may be sent again.
func TestHadNoEffect(t *testing.T) {
	for _, tt := range []struct {
		e    client.Error
		want bool
	}{
		{client.Error{Kind: client.RateLimited, Status: 429}, true},
		{client.Error{Kind: client.Unauthorized, Status: 401}, true},
		{client.Error{Kind: client.Unavailable}, true},
		{client.Error{Kind: client.Unavailable, Status: 503}, false},
		{client.Error{Kind: client.OutcomeUnknown}, false},
		{client.Error{Kind: client.OutcomeUnknown, Status: 500}, false},
		{client.Error{Kind: client.Conflict, Status: 409}, false},
	} {
		if got := hadNoEffect(&tt.e); got != tt.want {
			t.Errorf("%+v: %t", tt.e, got)
		}
	}
}

// TestCallersKeptApart: what a Decider remembers of one caller's approval has no
// effect for another caller of the same run. If both send the same token, the API
// decides.
func TestCallersKeptApart(t *testing.T) {
	var sent atomic.Int64
	decider := newDecider(t, func(http.ResponseWriter, *http.Request) { sent.Add(1) })
	stranger := client.Caller{Key: "another-key"}
	p := pending(t)
	tracker := NewTracker(stranger, runID)
	tracker.AddEvent(event(t, `{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, links(1)))
	other := tracker.Pending()[0]
	decider.RememberTokens(runID, p)
	decider.RememberShown(p)
	if decider.WasShown(other) || decider.WasShown(Pending{ID: p.ID, caller: stranger.Key}) {
		t.Error("another caller was shown it")
	}
	if err := decider.Decide(t.Context(), caller, Request{Pending: p}, Approve, audit.Agent); err != nil || decider.Sent(other) {
		t.Errorf("%v; sent for another caller: %t", err, decider.Sent(other))
	}
	known, err := decider.DecideByToken(t.Context(), stranger, TokenDecision{RunID: runID, Decision: Approve, Token: p.tokens[Approve]})
	if known || err != nil || sent.Load() != 2 {
		t.Errorf("known %t, %v, %d sent", known, err, sent.Load())
	}
}

// TestMemory: beyond the limit the oldest entry is forgotten.
func TestMemory(t *testing.T) {
	decider := newDecider(t, nil)
	for i := range maxRemembered + 1 {
		decider.RememberShown(Pending{ID: fmt.Sprint(i)})
	}
	if decider.WasShown(Pending{ID: "0"}) || !decider.WasShown(Pending{ID: "1"}) || decider.shown.Len() != maxRemembered {
		t.Errorf("%d remembered", decider.shown.Len())
	}
}

// TestMemoryInBytes holds that tokens, decisions and plans take no more than they
// count and an eighth, which the allocator adds, and count no more than they may.
func TestMemoryInBytes(t *testing.T) {
	steps := strings.Repeat(`{"id":"x"},`, 3_000)
	for name, tt := range map[string]struct {
		most     int
		remember func(d *Decider, i int) // the i-th
		counted  func(d *Decider) int
	}{
		"tokens":         {maxRememberedBytes, func(d *Decider, i int) { d.RememberTokens(runIDOf(i), pendingOf(i, 0)) }, func(d *Decider) int { return d.tokens.Bytes() }},
		"decisions":      {maxRememberedBytes, func(d *Decider, i int) { d.claim(claimsOf(pendingOf(i, 0))) }, func(d *Decider) int { return d.sent.Bytes() }},
		"keys of 20 KiB": {maxRememberedBytes, func(d *Decider, i int) { d.RememberShown(pendingOf(i, 20<<10)) }, func(d *Decider) int { return d.shown.Bytes() }},
		"plans": {maxPlansBytes, func(d *Decider, i int) {
			plan := new(client.Plan)
			if err := json.Unmarshal([]byte(`{"plan":{"steps":[`+steps+`{}]}}`), plan); err != nil {
				t.Fatal(err)
			}
			d.RememberPlan(caller, runIDOf(i), plan)
		}, func(d *Decider) int { return d.plans.Bytes() }},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDecider(t, nil)
			before := liveHeap()
			for i := range 12_000 {
				if tt.remember(d, i); name == "plans" && i > 100 {
					break
				}
			}
			took, counted := liveHeap()-before, tt.counted(d)
			t.Logf("%d KiB, counted %d KiB", took>>10, counted>>10)
			if counted > tt.most || counted < tt.most/2 || took > counted+counted/8 {
				t.Errorf("%d bytes, counted %d", took, counted)
			}
			runtime.KeepAlive(d)
		})
	}
}

func runIDOf(i int) client.RunID { return client.RunID(fmt.Sprintf("%036d", i)) }

// pendingOf returns the i-th of many approvals, of a caller with a key of so many more
// bytes.
func pendingOf(i, more int) Pending {
	return Pending{
		ID: fmt.Sprintf("%032d", i), caller: client.Key(fmt.Sprint("key-", i) + strings.Repeat("x", more)),
		tokens: map[Decision]string{Approve: fmt.Sprint("approve-", i), Deny: fmt.Sprint("deny-", i)},
	}
}

// liveHeap returns the bytes of the live heap.
func liveHeap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestLargePlanIsNotRemembered holds that one plan does not push out many others.
func TestLargePlanIsNotRemembered(t *testing.T) {
	d := newDecider(t, nil)
	d.RememberPlan(caller, runIDOf(1), &client.Plan{Text: "small"})
	d.RememberPlan(caller, runIDOf(2), &client.Plan{Text: strings.Repeat("x", maxPlanBytes)})
	if d.rememberedPlan(caller, runIDOf(1)) == nil || d.rememberedPlan(caller, runIDOf(2)) != nil {
		t.Error("want the small plan alone")
	}
}
