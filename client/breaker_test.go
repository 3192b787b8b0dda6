package client

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/internal/lab/inmem"
)

// passRequest sends a request through the breaker, each about another run, and reports
// its outcome. It returns false if the breaker refused it.
func passRequest(b *breaker, o outcome) bool {
	report, _ := b.allow(rand.Text())
	if report != nil {
		report(o)
	}
	return report != nil
}

// openBreaker reports failures until the breaker is open.
func openBreaker(b *breaker) {
	for range breakerLimit {
		passRequest(b, failure)
	}
}

// TestBreakerOpens: a breaker opens after so many failures in a row, and not
// before.
func TestBreakerOpens(t *testing.T) {
	b := &breaker{jitter: most}
	for range 3 {
		for range breakerLimit - 1 {
			passRequest(b, failure)
		}
		if !passRequest(b, success) { // 404 and 429 too: the API answers
			t.Fatal("refused though the failures were too few")
		}
	}
	for range breakerLimit - 1 {
		passRequest(b, failure)
		passRequest(b, noOutcome) // the caller's own cancellations
	}
	if !passRequest(b, failure) || passRequest(b, success) {
		t.Errorf("after %d failures in a row, the last is let through and the next is not", breakerLimit)
	}
}

// TestOneBadRunOpensNoBreaker: failures of one run never open it, failures of two
// do.
func TestOneBadRunOpensNoBreaker(t *testing.T) {
	b := &breaker{jitter: most}
	fail := func(subject string) bool {
		report, _ := b.allow(subject)
		if report != nil {
			report(failure)
		}
		return report != nil
	}
	for range 10 * breakerLimit {
		if !fail("one run") {
			t.Fatal("one run opened it")
		}
	}
	for range breakerLimit - breakerShare {
		if !fail("list_runs") {
			t.Error("it is open before another fails as often")
		}
	}
	if fail("one run") {
		t.Error("it is not open though two fail")
	}
}

// TestBreakerProbes: an open breaker lets one request through at a time, after
// pauses that double.
func TestBreakerProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{jitter: most}
		openBreaker(b)
		for _, pause := range []time.Duration{1, 2, 4, 8, 15, 15, 15} {
			if _, wait := b.allow("get_run"); wait != pause*time.Second {
				t.Fatalf("refuses for %v, want %d s", wait, pause)
			}
			time.Sleep(pause*time.Second - 1)
			if passRequest(b, success) {
				t.Fatalf("let through before %d s are over", pause)
			}
			time.Sleep(time.Nanosecond)
			probe, _ := b.allow("get_run")
			if second, wait := b.allow("get_run"); probe == nil || second != nil || wait <= 0 {
				t.Fatalf("after %d s: the first let through %t, the second %t (wait %v)", pause, probe != nil, second != nil, wait)
			}
			probe(failure)
		}
		time.Sleep(breakerCap)
		if !passRequest(b, noOutcome) || !passRequest(b, success) {
			t.Fatal("after a probe that was given up another may follow at once")
		}
		for range breakerLimit - 1 {
			passRequest(b, failure)
		}
		if !passRequest(b, failure) {
			t.Error("after a probe that succeeded it takes as many failures as ever")
		}
		if _, wait := b.allow("get_run"); wait != breakerBase {
			t.Errorf("and the pause begins anew: %v", wait)
		}
	})
}

// TestBreakerStragglers: requests that were sent before it opened do not prolong
// that when they fail, and close it when they succeed.
func TestBreakerStragglers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{jitter: most}
		late, _ := b.allow("get_run")
		good, _ := b.allow("get_run")
		openBreaker(b)
		time.Sleep(breakerBase / 2)
		late(failure)
		if _, wait := b.allow("get_run"); wait != breakerBase/2 {
			t.Errorf("refuses for %v, want %v", wait, breakerBase/2)
		}
		good(success)
		if !passRequest(b, success) {
			t.Error("refuses though a request succeeded")
		}
	})
}

// TestProbeAfterStraggler: a probe that fails after another request has closed the
// breaker does not open it again.
func TestProbeAfterStraggler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{jitter: most}
		straggler, _ := b.allow("get_run")
		openBreaker(b)
		time.Sleep(breakerBase)
		probe, _ := b.allow("get_run")
		straggler(success)
		probe(failure)
		if wait := b.wait(); wait != 0 {
			t.Errorf("refuses for %v", wait)
		}
		openBreaker(b)
		if wait := b.wait(); wait != breakerBase {
			t.Errorf("opened anew it refuses for %v, want %v", wait, breakerBase)
		}
	})
}

// TestJitteredPause is half to all of the pause.
func TestJitteredPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{jitter: func(time.Duration) time.Duration { return 0 }}
		openBreaker(b)
		if wait := b.wait(); wait != breakerBase/2 {
			t.Errorf("refuses for %v, want %v", wait, breakerBase/2)
		}
	})
}

// TestCutOffCreatesOpenTheBreaker: a cut off answer counts as a failure, also where
// the outcome is unknown.
func TestCutOffCreatesOpenTheBreaker(t *testing.T) {
	c, err := New(Options{URL: "http://localhost", Transport: inmem.Transport(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("{"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))})
	if err != nil {
		t.Fatal(err)
	}
	c.retries.tries = 1
	who := Caller{Key: "key-of-a-test"}
	for range breakerShare {
		if _, err := c.CreateRun(t.Context(), who, CreateRunRequest{}); KindOf(err) != OutcomeUnknown {
			t.Fatalf("got %v", err)
		}
	}
	for range breakerLimit - breakerShare {
		c.ListRuns(t.Context(), who, ListRunsQuery{})
	}
	if c.healthOf(who.Key).breaker.wait() == 0 {
		t.Error("the breaker is not open")
	}
}

// TestLongerRetryAfter: the call that opens the breaker reports the longer wait, the
// breaker's or the API's.
func TestLongerRetryAfter(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{0: time.Second, time.Minute: time.Minute} {
		e := refusedByBreaker(request{}, &Error{Kind: Unavailable, Status: 503, RetryAfter: asked}, time.Second)
		if e.RetryAfter != want || e.Status != 503 {
			t.Errorf("asked for %v: %+v", asked, e)
		}
	}
	if e := refusedByBreaker(request{op: "x"}, nil, time.Second); e.Kind != Unavailable || e.Op != "x" || e.RetryAfter != time.Second || e.Message == "" {
		t.Errorf("without a try: %+v", e)
	}
}

// TestPanicFreesTheProbe: a probe that panics ends. Otherwise the breaker would
// stay open for ever.
func TestPanicFreesTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{jitter: most}
		openBreaker(b)
		time.Sleep(breakerBase)
		func() {
			defer func() { recover() }()
			report, _ := b.allow("get_run")
			reportOutcome(report, func() *Error { panic("x") })
		}()
		if !passRequest(b, success) {
			t.Error("the probe that panicked is still under way")
		}
	})
}

// TestOpenBreaker: the call that opens the breaker reports how long it will be
// open. Neither it nor a probe pays for a retry that would be refused. A success of
// ReadRun closes the breaker.
func TestOpenBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		c, err := New(Options{URL: "http://localhost", Transport: inmem.Transport(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if requests++; requests <= breakerLimit+1 {
				w.WriteHeader(503)
			}
			fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING"}`, onceRun)
		}))})
		if err != nil {
			t.Fatal(err)
		}
		caller := Caller{Key: "key-of-a-test"}
		health := c.healthOf(caller.Key)
		reads := 0
		read := func() error { // of one run, and of another
			reads++
			_, err := c.GetRun(t.Context(), caller, RunID(onceRun[:35]+fmt.Sprint(reads%2)), false)
			return err
		}
		for health.breaker.wait() == 0 {
			err = read()
		}
		if e, _ := errors.AsType[*Error](err); requests != breakerLimit || e == nil || e.Kind != Unavailable || e.Status != 503 || e.RetryAfter <= 0 || e.RetryAfter > breakerBase {
			t.Errorf("after %d requests: %+v", requests, e)
		}
		time.Sleep(breakerBase)
		read() // the probe
		if got, want := health.budget.tokens, budgetTokens-6*retryCost; requests != breakerLimit+1 || got != want {
			t.Errorf("%d requests left %d tokens, want %d", requests, got, want)
		}
		if err := read(); KindOf(err) != Unavailable || requests != breakerLimit+1 {
			t.Fatalf("the breaker is not open: %v", err)
		}
		if _, err := c.ReadRun(t.Context(), caller, onceRun); err != nil {
			t.Fatal(err)
		}
		if err := read(); err != nil {
			t.Errorf("after the watcher's: %v", err)
		}
	})
}
