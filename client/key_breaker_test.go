package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

// keyServer answers every request after a second with its status.
type keyServer struct {
	status   atomic.Int64
	requests atomic.Int64
	mu       sync.Mutex
	now, top int // requests under way, and the most there were; guarded by mu
}

func (s *keyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	s.count(1)
	defer s.count(-1)
	select {
	case <-time.After(time.Second):
	case <-r.Context().Done():
		return
	}
	w.WriteHeader(int(s.status.Load()))
	fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","message":"as the API answers"}`, onceRun)
}

func (s *keyServer) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += n
	s.top = max(s.top, s.now)
}

// keyTest runs a test in a bubble with a client of a keyServer.
func keyTest(t *testing.T, status int64, run func(t *testing.T, c *Client, s *keyServer)) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.status.Store(status)
		run(t, newKeyTest(t, s.ServeHTTP), s)
	})
}

// readRun reads a run of its own, so that the read is not shared, and returns the error,
// nil for none.
func readRun(ctx context.Context, c *Client) *Error {
	_, err := c.GetRun(ctx, Caller{Key: "k"}, RunID(uuid.NewString()), false)
	e, _ := errors.AsType[*Error](err)
	return e
}

// readAtOnce reads n runs at once and returns the errors.
func readAtOnce(t *testing.T, c *Client, n int) []*Error {
	failed := make([]*Error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { failed[i] = readRun(t.Context(), c) })
	}
	wg.Wait()
	return failed
}

// isLocal reports whether an error is that of a refused key for which nothing was
// sent.
func isLocal(e *Error) bool {
	return e != nil && e.Kind == Unauthorized && e.Status == 0 && e.RetryAfter > 0 && strings.Contains(e.Message, "just now") && strings.Contains(e.Message, "not sent")
}

// TestStrangerIsRefusedOnce: of many requests at once with a key that the API
// refuses, one is sent. All others fail with the refusal.
func TestStrangerIsRefusedOnce(t *testing.T) {
	keyTest(t, 401, func(t *testing.T, c *Client, s *keyServer) {
		start, sent := time.Now(), 0
		for _, e := range readAtOnce(t, c, 256) {
			switch {
			case e != nil && e.Status == 401:
				sent++
			case !isLocal(e) || e.RetryAfter != time.Second:
				t.Fatalf("got %+v", e)
			}
		}
		if sent != 1 || s.requests.Load() != 1 || time.Since(start) != time.Second {
			t.Errorf("%d were told the API's words, %d requests in %v", sent, s.requests.Load(), time.Since(start))
		}
	})
}

// TestAcceptedAtOnce: when the first request of a key is accepted, the others are
// sent all at once.
func TestAcceptedAtOnce(t *testing.T) {
	keyTest(t, 200, func(t *testing.T, c *Client, s *keyServer) {
		start := time.Now()
		for _, e := range readAtOnce(t, c, 256) {
			if e != nil {
				t.Fatal(e)
			}
		}
		if took := time.Since(start); took != 2*time.Second || s.top != 255 || s.requests.Load() != 256 {
			t.Errorf("%d requests in %v, %d at once", s.requests.Load(), took, s.top)
		}
	})
}

// TestUndecidedOneAtATime: an answer that says nothing about the key lets the next
// request go, alone.
func TestUndecidedOneAtATime(t *testing.T) {
	keyTest(t, 429, func(t *testing.T, c *Client, s *keyServer) {
		start := time.Now()
		for _, e := range readAtOnce(t, c, 10) {
			if e == nil || e.Kind != RateLimited {
				t.Fatalf("got %+v", e)
			}
		}
		if took := time.Since(start); took != 10*time.Second || s.top != 1 || s.requests.Load() != 10 {
			t.Errorf("%d requests in %v, %d at once", s.requests.Load(), took, s.top)
		}
	})
}

// TestRefusedKeyPauses: after each refusal nothing is sent for a pause, which doubles.
// A key that has become valid is served at the next try.
func TestRefusedKeyPauses(t *testing.T) {
	keyTest(t, 401, func(t *testing.T, c *Client, s *keyServer) {
		for i, pause := range []time.Duration{1, 2, 4, 8, 15, 15} {
			if e := readRun(t.Context(), c); e == nil || e.Status != 401 {
				t.Fatalf("try %d: %+v", i, e)
			}
			time.Sleep(pause*time.Second - 1)
			start := time.Now()
			e := readRun(t.Context(), c)
			if !isLocal(e) || e.RetryAfter != 1 || time.Since(start) != 0 {
				t.Fatalf("before %d s are over: %+v after %v", pause, e, time.Since(start))
			}
			time.Sleep(time.Nanosecond)
		}
		s.status.Store(200)
		if e := readRun(t.Context(), c); e != nil || s.requests.Load() != 7 {
			t.Errorf("valid: %v, %d requests", e, s.requests.Load())
		}
		if e := readRun(t.Context(), c); e != nil {
			t.Errorf("valid: %v", e)
		}
	})
}

// TestRevokedKeyPauses: a refused key that was accepted pauses too. After the pause
// its requests are sent at once.
func TestRevokedKeyPauses(t *testing.T) {
	keyTest(t, 200, func(t *testing.T, c *Client, s *keyServer) {
		if e := readRun(t.Context(), c); e != nil {
			t.Fatal(e)
		}
		s.status.Store(401)
		readAtOnce(t, c, 100) // whose refusals count as one
		for _, e := range readAtOnce(t, c, 100) {
			if !isLocal(e) || e.RetryAfter != time.Second {
				t.Fatalf("got %+v", e)
			}
		}
		if s.requests.Load() != 101 || !c.Accepted("k") {
			t.Errorf("%d requests, accepted %t", s.requests.Load(), c.Accepted("k"))
		}
		time.Sleep(time.Second)
		s.status.Store(200)
		start := time.Now()
		for _, e := range readAtOnce(t, c, 100) {
			if e != nil {
				t.Fatal(e)
			}
		}
		if time.Since(start) != time.Second {
			t.Errorf("took %v", time.Since(start))
		}
	})
}

// TestWaitingForTheKey: a request that waits leaves at its deadline or when it is
// canceled. Its error says that nothing was sent, and opens no breaker.
func TestWaitingForTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		c := newKeyTest(t, func(_ http.ResponseWriter, r *http.Request) {
			requests++
			<-r.Context().Done()
		})
		go readRun(t.Context(), c) // until its own deadline
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.CreateRun(ctx, Caller{Key: "k"}, CreateRunRequest{})
		e, _ := errors.AsType[*Error](err)
		if e == nil || e.Kind != Timeout || !strings.Contains(e.Message, "not sent") || e.outcome() != noOutcome || time.Since(start) != 2*time.Second {
			t.Errorf("late: %+v after %v", e, time.Since(start))
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start = time.Now()
		if err := c.AbortRun(ctx, Caller{Key: "k"}, onceRun); KindOf(err) != Canceled || time.Since(start) != time.Second {
			t.Errorf("canceled: %v after %v", err, time.Since(start))
		}
		if requests != 1 {
			t.Errorf("%d requests", requests)
		}
	})
}

// TestRefusedAfterDoubt: an abort that may have taken effect is of unknown outcome,
// also if its second try is not sent.
func TestRefusedAfterDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *Client
		c = newKeyTest(t, func(w http.ResponseWriter, _ *http.Request) {
			c.healthOf("k").key.record(time.Now(), keyRefused)
			w.WriteHeader(503)
		})
		c.retries.tries = 2
		if err := c.AbortRun(t.Context(), Caller{Key: "k"}, onceRun); KindOf(err) != OutcomeUnknown || !strings.Contains(err.Error(), "may have taken effect") {
			t.Errorf("got %v", err)
		}
		if _, err := c.CreateRun(t.Context(), Caller{Key: "k"}, CreateRunRequest{}); KindOf(err) != Unauthorized || !strings.Contains(err.Error(), "this request was not sent") {
			t.Errorf("got %v", err)
		}
	})
}

// TestStreamsWaitAlone: a stream whose answer is late holds up the next stream, but no
// read. The 401 of a stream refuses nothing else.
func TestStreamsWaitAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var streams atomic.Int64
		c := newKeyTest(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/sse") {
				streams.Add(1)
				time.Sleep(10 * time.Second)
				w.WriteHeader(401)
				return
			}
			fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING"}`, onceRun)
		})
		var opening sync.WaitGroup
		for range 2 {
			opening.Go(func() {
				if _, err := c.OpenStream(t.Context(), Caller{Key: "k"}, onceRun, ""); KindOf(err) != Unauthorized {
					t.Errorf("a stream: %v", err)
				}
			})
		}
		synctest.Wait()
		if n := streams.Load(); n != 1 {
			t.Errorf("%d streams at once", n)
		}
		start := time.Now()
		if e := readRun(t.Context(), c); e != nil || time.Since(start) != 0 {
			t.Errorf("a read: %v after %v", e, time.Since(start))
		}
		synctest.Wait()
		if n := streams.Load(); n != 2 {
			t.Errorf("%d streams after the key was accepted", n)
		}
		opening.Wait()
		if e := readRun(t.Context(), c); e != nil {
			t.Errorf("after refused streams: %v", e)
		}
	})
}

// TestLateRefusals: the refusal of a request that was sent before the newest refusal
// does not prolong the pause, and a success ends it.
func TestLateRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newKeyBreaker()
		early := time.Now()
		time.Sleep(time.Second)
		b.record(time.Now(), keyRefused)
		time.Sleep(2 * breakerBase)
		b.record(early, keyRefused)
		if wait, refused := b.refusedSince(time.Now()); refused {
			t.Errorf("refused for %v", wait)
		}
		if _, refused := b.refusedSince(early); !refused {
			t.Error("a request that waited since before the refusal does not share it after the pause")
		}
		b.record(time.Now(), keyRefused)
		b.record(early, keyAccepted)
		if wait, refused := b.refusedSince(time.Now()); refused {
			t.Errorf("accepted, and refused for %v", wait)
		}
		b.record(time.Now(), keyRefused)
		if wait, _ := b.refusedSince(time.Now()); wait != breakerBase {
			t.Errorf("refused for %v after a success", wait)
		}
	})
}
