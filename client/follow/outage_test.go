package follow_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
)

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

// TestHoursOfBackoff: a watcher of a run whose API is out of order for hours
// tries again and again, neither often nor seldom, and misses nothing.
func TestHoursOfBackoff(t *testing.T) {
	for _, mode := range []string{"503", "hang up"} {
		synctest.Test(t, func(t *testing.T) {
			u := &upstream{count: 50, cut: 7, replay: true, honour: true}
			d := &down{until: time.Now().Add(8 * time.Hour), up: u, mode: mode}
			c := newClient(t, d)
			got := int64(0)
			var first time.Time
			for e, err := range follow.Events(t.Context(), c, caller, testRun, 0) {
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
			if n := d.streams.Load(); n < 8*60*60/37 || n > 8*60*60/10 || d.requests.Load() > 4*n || d.longest > 37*time.Second {
				t.Errorf("%s: %d connections, %d requests, the longest pause %v", mode, n, d.requests.Load(), d.longest)
			}
		})
	}
}

// TestWatchingSpendsNothing: however long a watched run cannot be read, its
// caller's calls are sent, and tried three times.
func TestWatchingSpendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &down{until: time.Now().Add(8 * time.Hour), mode: "503"}
		c := newClient(t, d)
		ctx, stop := context.WithCancel(t.Context())
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for range follow.Events(ctx, c, caller, testRun, 0) {
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
