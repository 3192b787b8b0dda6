package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
)

// flaky answers what a test last told it to, 200 for a run otherwise, and
// counts requests by caller.
type flaky struct {
	status     atomic.Int64 // 0 serves
	retryAfter string
	takes      time.Duration
	requests   atomic.Int64
	others     atomic.Int64 // requests of any caller but the tests' usual one
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	if r.Header.Get("x-api-key") != string(caller.Key) {
		f.others.Add(1)
	}
	select {
	case <-time.After(f.takes):
	case <-r.Context().Done():
		return
	}
	if status := f.status.Load(); status != 0 {
		w.Header().Set("Retry-After", f.retryAfter)
		w.WriteHeader(int(status))
		return
	}
	fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[]}`, testRun)
}

// aRun is the id of one of two runs.
func aRun(i int) string { return testRun[:35] + fmt.Sprint(i%2) }

// TestRetryAfter: a requested wait is kept if it fits the deadline. Otherwise the
// call ends at once and reports it.
func TestRetryAfter(t *testing.T) {
	tests := []struct {
		status   int64
		header   string
		deadline time.Duration // 0: the client's own
		requests int64
		kind     client.Kind
		told     time.Duration
	}{
		{429, "2", 0, 3, client.RateLimited, 2 * time.Second},
		{503, "2", 0, 3, client.Unavailable, 2 * time.Second},
		{429, "2", time.Second, 1, client.RateLimited, 2 * time.Second},
		{503, "2", time.Second, 1, client.Unavailable, 2 * time.Second},
		{429, "20", 0, 2, client.RateLimited, 20 * time.Second},
		{429, "31", 0, 1, client.RateLimited, 31 * time.Second},
		{429, "Sat, 01 Jan 2000 00:01:00 GMT", 0, 1, client.RateLimited, time.Minute}, // a bubble begins in 2000
		{429, "Fri, 31 Dec 9999 23:59:59 GMT", 0, 1, client.RateLimited, 24 * time.Hour},
		{429, "99999999999999999999", 0, 1, client.RateLimited, 24 * time.Hour},
		{429, "-5", 0, 3, client.RateLimited, 0},
		{429, "soon", 0, 3, client.RateLimited, 0},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			f := &flaky{retryAfter: tt.header}
			f.status.Store(tt.status)
			ctx, start := t.Context(), time.Now()
			if tt.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.deadline)
				defer cancel()
			}
			_, err := newClient(t, f).GetRun(ctx, caller, testRun, false)
			e, _ := errors.AsType[*client.Error](err)
			if e == nil || e.Kind != tt.kind || e.RetryAfter != tt.told || f.requests.Load() != tt.requests {
				t.Errorf("%d, Retry-After %q: %d requests, %v (wait %v)", tt.status, tt.header, f.requests.Load(), err, e.RetryAfter)
			}
			waits := time.Duration(tt.requests-1) * tt.told
			if took := time.Since(start); took < waits || took > waits+300*time.Millisecond {
				t.Errorf("%d, Retry-After %q: took %v, want %v and the jitter", tt.status, tt.header, took, waits)
			}
		})
	}
}

// TestTriesShareTheDeadline: all tries together take at most 30 s if the caller
// sets no deadline.
func TestTriesShareTheDeadline(t *testing.T) {
	for takes, want := range map[time.Duration]int64{time.Hour: 1, 12 * time.Second: 3} {
		synctest.Test(t, func(t *testing.T) {
			f := &flaky{takes: takes}
			f.status.Store(503)
			start := time.Now()
			_, err := newClient(t, f).GetRun(t.Context(), caller, testRun, false)
			if took := time.Since(start); client.KindOf(err) != client.Timeout || took != 30*time.Second || f.requests.Load() != want {
				t.Errorf("answers after %v: %d requests, %v after %v", takes, f.requests.Load(), err, took)
			}
		})
	}
}

// TestCanceledBetweenTries: a cancelled call ends during its pause.
func TestCanceledBetweenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{retryAfter: "20"}
		f.status.Store(503)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if _, err := newClient(t, f).GetRun(ctx, caller, testRun, false); client.KindOf(err) != client.Canceled || time.Since(start) != time.Second {
			t.Errorf("a read: %v after %v", err, time.Since(start))
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := newClient(t, f).AbortRun(ctx, caller, testRun); client.KindOf(err) != client.OutcomeUnknown {
			t.Errorf("an abort that may have arrived: %v", err)
		}
	})
}

// TestFailsFast: after failures in a row no request of this caller is sent, and the
// error says for how long. Other callers are not affected.
func TestFailsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{}
		f.status.Store(503)
		c := newClient(t, f)
		for i := range 4 {
			c.GetRun(t.Context(), caller, client.RunID(aRun(i)), false)
		}
		sent := f.requests.Load()
		if sent != 10 {
			t.Errorf("%d requests before the breaker opened", sent)
		}
		start := time.Now()
		_, create := c.CreateRun(t.Context(), caller, client.CreateRunRequest{})
		_, read := c.GetRun(t.Context(), caller, testRun, false)
		for op, err := range map[string]error{"create": create, "read": read, "abort": c.AbortRun(t.Context(), caller, testRun), "approve": c.Approve(t.Context(), caller, "a-token")} {
			e, _ := errors.AsType[*client.Error](err)
			if e == nil || e.Kind != client.Unavailable || e.Status != 0 || e.RetryAfter <= 0 || e.RetryAfter > time.Second {
				t.Errorf("%s: %+v", op, e)
			}
		}
		if f.requests.Load() != sent || time.Since(start) != 0 {
			t.Errorf("%d requests more, in %v", f.requests.Load()-sent, time.Since(start))
		}
		f.status.Store(0)
		if _, err := c.GetRun(t.Context(), client.Caller{Key: "another"}, testRun, false); err != nil {
			t.Errorf("another caller: %v", err)
		}
		time.Sleep(time.Second)
		for range 3 {
			if _, err := c.CreateRun(t.Context(), caller, client.CreateRunRequest{}); err != nil {
				t.Errorf("after the pause: %v", err)
			}
		}
	})
}

// TestDayOfCalls: a call every 5 s to an API that is out of order for a day
// costs it a few requests a minute; it is used again within a quarter of a
// minute after it is back.
func TestDayOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{}
		f.status.Store(503)
		c := newClient(t, f)
		const day = 24 * 60 * 60
		for i := range day / 5 {
			if _, err := c.GetRun(t.Context(), caller, client.RunID(aRun(i)), false); client.KindOf(err) != client.Unavailable {
				t.Fatalf("got %v", err)
			}
			time.Sleep(5 * time.Second)
		}
		if n := f.requests.Load(); n < day/16 || n > day/7 {
			t.Errorf("%d requests", n)
		}
		f.status.Store(0)
		back := time.Now()
		for {
			if _, err := c.GetRun(t.Context(), caller, testRun, false); err == nil {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(back); took > 15*time.Second {
			t.Errorf("took %v to notice", took)
		}
	})
}
