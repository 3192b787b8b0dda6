package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/internal/lab/inmem"
)

// slowAPI answers each read after some time. The intent of the run says at which time
// of the test, in nanoseconds, the request came.
type slowAPI struct {
	began  time.Time
	client *Client

	mu       sync.Mutex // guards the rest
	requests int
	status   int
	takes    func(request int) time.Duration
}

// newSlowAPI returns an API that takes a second for each answer, and knows the keys of
// aCaller and anotherCaller.
func newSlowAPI(t *testing.T) *slowAPI {
	a := &slowAPI{began: time.Now(), status: http.StatusOK, takes: func(int) time.Duration { return 0 }}
	c, err := New(Options{URL: "http://localhost", Transport: inmem.Transport(a)})
	if err != nil {
		t.Fatal(err)
	}
	a.client = c
	for _, caller := range []Caller{aCaller, anotherCaller} { // the first request of a key is alone
		if _, _, err := a.read(t.Context(), caller); err != nil {
			t.Fatal(err)
		}
	}
	a.requests, a.takes = 0, func(int) time.Duration { return time.Second }
	t.Cleanup(func() {
		if len(c.reads.byRun) > 0 {
			t.Errorf("%d runs are kept though nobody reads them", len(c.reads.byRun))
		}
	})
	return a
}

func (a *slowAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.requests++
	came, takes, status := time.Since(a.began), a.takes(a.requests), a.status
	a.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-r.Context().Done():
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status != http.StatusOK {
		fmt.Fprint(w, `{"message":"no"}`)
		return
	}
	fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","intent":"%d","events":[{"id":1,"event":"status"}]}`, onceRun, came)
}

// read reads the run, and returns how old the state is that it got: the time since the
// request came to the API. It is negative if that was before the read began.
func (a *slowAPI) read(ctx context.Context, caller Caller) (after time.Duration, run *Run, err error) {
	began := time.Since(a.began)
	if run, err = a.client.GetRun(ctx, caller, onceRun, true); err != nil {
		return 0, nil, err
	}
	var came time.Duration
	fmt.Sscanf(run.Intent, "%d", &came)
	return came - began, run, nil
}

var aCaller, anotherCaller = Caller{Key: "k", UserID: "u"}, Caller{Key: "other", UserID: "u"}

// TestReadsAreShared: reads that come while one is on its way share the next one.
func TestReadsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSlowAPI(t)
		var wg sync.WaitGroup
		read := func() {
			after, run, err := a.read(t.Context(), aCaller)
			if err != nil || after < 0 || run.Status != Running {
				t.Errorf("got %+v, %v; its request came %v after the call", run, err, after)
				return
			}
			run.Status = Success // each call owns its run
		}
		wg.Go(read)
		time.Sleep(time.Millisecond) // the first is sent
		for range 99 {
			wg.Go(read)
		}
		wg.Wait()
		if a.requests != 2 {
			t.Errorf("100 reads sent %d requests", a.requests)
		}
	})
}

// TestFailedReadIsShared: the API's refusal is an answer too.
func TestFailedReadIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSlowAPI(t)
		a.status = http.StatusNotFound
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, _, err := a.read(t.Context(), aCaller); KindOf(err) != NotFound {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if a.requests > 2 {
			t.Errorf("10 reads sent %d requests", a.requests)
		}
	})
}

// TestOtherReadsAreNotShared: neither another caller's or user's, nor of another run, nor
// one without events.
func TestOtherReadsAreNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSlowAPI(t)
		var wg sync.WaitGroup
		for _, key := range []sharedKey{
			{aCaller, onceRun, true}, {anotherCaller, onceRun, true}, {Caller{Key: "k", UserID: "v"}, onceRun, true},
			{aCaller, "123e4567-e89b-12d3-a456-426614174999", true}, {aCaller, onceRun, false},
		} {
			wg.Go(func() {
				if _, err := a.client.GetRun(t.Context(), key.caller, key.runID, key.includeEvents); err != nil {
					t.Error(err)
				}
			})
		}
		began := time.Now()
		wg.Wait()
		if a.requests != 5 || time.Since(began) != time.Second {
			t.Errorf("5 different reads sent %d requests and took %v", a.requests, time.Since(began))
		}
	})
}

// TestSharedReadIsSentByAnother: if the call that sends a shared read is ended, while
// it waits or while it reads, another one sends it.
func TestSharedReadIsSentByAnother(t *testing.T) {
	for name, endAfter := range map[string]time.Duration{"while it waits": 500 * time.Millisecond, "while it reads": 1500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newSlowAPI(t)
				ctx, end := context.WithCancel(t.Context())
				defer end()
				var wg sync.WaitGroup
				start := func(ctx context.Context, want Kind) {
					wg.Go(func() {
						if after, _, err := a.read(ctx, aCaller); KindOf(err) != want || after < 0 {
							t.Errorf("got %v, want kind %q; its request came %v after the call", err, want, after)
						}
					})
					synctest.Wait()
				}
				start(t.Context(), "")
				start(ctx, Canceled) // begins the next read
				for range 5 {
					start(t.Context(), "")
				}
				time.Sleep(endAfter)
				end()
				wg.Wait()
			})
		})
	}
}

// TestSharerIsEnded: a call that waits for a shared read ends with its own context.
func TestSharerIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSlowAPI(t)
		a.takes = func(int) time.Duration { return 10 * time.Second }
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { a.read(t.Context(), aCaller) })
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, _, err := a.read(ctx, aCaller); KindOf(err) != Timeout || time.Since(began) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		wg.Wait()
	})
}

// TestStuckReadHoldsUpNobody: a read waits for the one before it for a second at most.
// The late answer of that one changes nothing for those who come then.
func TestStuckReadHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSlowAPI(t)
		a.takes = func(request int) time.Duration {
			if request == 1 {
				return 20 * time.Second
			}
			return 500 * time.Millisecond
		}
		var wg sync.WaitGroup
		wg.Go(func() { a.read(t.Context(), aCaller) })
		synctest.Wait()
		read := func() {
			began := time.Now()
			if _, _, err := a.read(t.Context(), aCaller); err != nil || time.Since(began) > shareTimeout+500*time.Millisecond {
				t.Errorf("got %v after %v", err, time.Since(began))
			}
		}
		for range 10 {
			wg.Go(read)
		}
		time.Sleep(19_800 * time.Millisecond)
		wg.Go(read)
		time.Sleep(300 * time.Millisecond) // the first has its answer
		for range 10 {
			wg.Go(read)
			time.Sleep(10 * time.Millisecond)
		}
		wg.Wait()
		if a.requests != 4 {
			t.Errorf("the reads sent %d requests", a.requests)
		}
	})
}

// TestSharedReadIsNeverOld: whenever calls come, and however long the API takes, no call
// gets a state that was read before it began, and it waits little longer than alone.
func TestSharedReadIsNeverOld(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			a := newSlowAPI(t)
			a.takes = func(int) time.Duration { return time.Duration(random.IntN(300)) * time.Millisecond } // called with mu held
			var pauses [40]time.Duration
			for i := range pauses {
				pauses[i] = time.Duration(random.IntN(2000)) * time.Millisecond
			}
			var wg sync.WaitGroup
			for _, pause := range pauses {
				wg.Go(func() {
					time.Sleep(pause)
					began := time.Now()
					after, _, err := a.read(t.Context(), aCaller)
					if took := time.Since(began); err != nil || after < 0 || took > 600*time.Millisecond {
						t.Errorf("seed %d: %v after %v; its request came %v after the call", seed, err, took, after)
					}
				})
			}
			wg.Wait()
		})
	}
}
