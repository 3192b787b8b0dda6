package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
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

// TestRetryAfter is honoured where it fits the deadline, else told at once.
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

// TestTriesShareTheDeadline of the call, 30 s where its caller set none.
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

// TestCanceledBetweenTries ends the call at once.
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

// TestFailsFast: after failures in a row nothing of this caller's is sent, and
// the error says for how long; other callers do not notice.
func TestFailsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{}
		f.status.Store(503)
		c := newClient(t, f)
		for i := range 4 {
			c.GetRun(t.Context(), caller, aRun(i), false)
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
			if _, err := c.GetRun(t.Context(), caller, aRun(i), false); client.KindOf(err) != client.Unavailable {
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

// down is an API that serves nothing until a time.
type down struct {
	until    time.Time
	up       http.Handler
	mode     string // how it is down: "503" or "hang up"
	streams  atomic.Int64
	requests atomic.Int64
	plain    atomic.Int64 // of them, those that are none of a watcher's
	last     time.Time    // of the stream
	longest  time.Duration
}

func (d *down) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if time.Now().After(d.until) {
		d.up.ServeHTTP(w, r)
		return
	}
	d.requests.Add(1)
	if r.URL.RawQuery == "" {
		d.plain.Add(1)
	}
	if strings.HasSuffix(r.URL.Path, "/sse") {
		if d.streams.Add(1) > 1 {
			d.longest = max(d.longest, time.Since(d.last))
		}
		d.last = time.Now()
	}
	if d.mode == "503" {
		w.WriteHeader(503)
		return
	}
	panic(http.ErrAbortHandler)
}

// TestDayOfBackoff: a watcher of a run whose API is out of order for a day
// tries again and again, neither often nor seldom, and misses nothing.
func TestDayOfBackoff(t *testing.T) {
	for _, mode := range []string{"503", "hang up"} {
		synctest.Test(t, func(t *testing.T) {
			u := &upstream{count: 50, cut: 7, replay: true, honour: true}
			d := &down{until: time.Now().Add(24 * time.Hour), up: u, mode: mode}
			c := newClient(t, d)
			got := int64(0)
			var first time.Time
			for e, err := range c.Events(t.Context(), caller, testRun, 0) {
				if err != nil || e.ID != got+1 {
					t.Fatalf("event %d, %v; want %d", e.ID, err, got+1)
				}
				if got++; first.IsZero() {
					first = time.Now()
				}
			}
			if late := first.Sub(d.until); got != 50 || late > 35*time.Second {
				t.Errorf("%s: %d events, the first %v after the API was back", mode, got, late)
			}
			// A connection is a stream and three reads, half a minute apart at most.
			if n := d.streams.Load(); n < 24*60*60/37 || n > 24*60*60/10 || d.requests.Load() > 4*n || d.longest > 37*time.Second {
				t.Errorf("%s: %d connections, %d requests, the longest pause %v", mode, n, d.requests.Load(), d.longest)
			}
		})
	}
}

// TestWatchingSpendsNothing: however long a watched run cannot be read, its
// caller's calls are sent, and tried three times.
func TestWatchingSpendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &down{until: time.Now().Add(24 * time.Hour), mode: "503"}
		c := newClient(t, d)
		ctx, stop := context.WithCancel(t.Context())
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for range c.Events(ctx, caller, testRun, 0) {
			}
		}()
		time.Sleep(time.Hour)
		if _, err := c.GetRun(t.Context(), caller, testRun, false); client.KindOf(err) != client.Unavailable || d.plain.Load() != 3 {
			t.Errorf("a read was tried %d times: %v", d.plain.Load(), err)
		}
		stop()
		<-watched
	})
}
