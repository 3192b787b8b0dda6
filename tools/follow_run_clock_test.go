package tools

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/sandbox"
)

// TestFollowWaits: a call waits for news of its run, for no longer than it was told.
func TestFollowWaits(t *testing.T) {
	after := func(id int64) *int64 { return &id }
	for name, tt := range map[string]struct {
		context     string
		after       *int64
		waitSeconds int
		drainAfter  time.Duration // 0: never
		events      int
		least, most time.Duration
	}{
		"the first reading":     {"steps=2 step_ms=3600000", nil, 20, 0, 1, 0, 0},
		"known events":          {"steps=2 step_ms=3600000", after(0), 20, 0, 1, 0, time.Second},
		"nothing happens":       {"steps=2 step_ms=3600000", after(1), 20, 0, 0, 20 * time.Second, 20 * time.Second},
		"it does not wait":      {"steps=2 step_ms=3600000", after(1), 0, 0, 0, 0, 0},
		"an event":              {"steps=2 step_ms=7000 queue_ms=7000", after(1), 20, 0, 1, 6 * time.Second, 8 * time.Second},
		"the server stops":      {"steps=2 step_ms=3600000", after(1), 20, 3 * time.Second, 0, 3 * time.Second, 3 * time.Second},
		"a cursor from nowhere": {"steps=2 step_ms=3600000", after(1000), 20, 0, 0, 20 * time.Second, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				box := sandbox.New(sandbox.Options{})
				defer box.Close()
				h, c := bubble(t, box, &slowPerson{})
				run, err := h.createRun(t.Context(), c, createRunArgs{Intent: "x", Context: "sandbox: " + tt.context}, nil)
				if err != nil {
					t.Fatal(err)
				}
				c = h.again(c)
				if tt.drainAfter > 0 {
					draining := make(chan struct{})
					c.draining = draining
					time.AfterFunc(tt.drainAfter, func() { close(draining) })
				}
				began := time.Now()
				got, err := h.followRun(t.Context(), c, followRunArgs{RunID: run.RunID, AfterEventID: tt.after, WaitSeconds: tt.waitSeconds})
				if took := time.Since(began); err != nil || len(got.Events) != tt.events || took < tt.least || took > tt.most || got.Status != "QUEUED" && name != "an event" {
					t.Errorf("after %v: %d events, %s, %v", took, len(got.Events), got.Status, err)
				}
			})
		})
	}
}

// TestFollowReadsNoRun: a call that waits costs no request but the stream that it
// shares.
func TestFollowReadsNoRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := sandbox.New(sandbox.Options{})
		defer box.Close()
		counted := &countedReads{next: box}
		h, c := bubble(t, counted, &slowPerson{})
		run, err := h.createRun(t.Context(), c, createRunArgs{Intent: "x", Context: "sandbox: steps=500 step_ms=100"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		cursor, calls := int64(0), 0
		for got := (runView{}); !got.Finished; calls++ {
			if got, err = h.followRun(t.Context(), h.again(c), followRunArgs{RunID: run.RunID, AfterEventID: &cursor, WaitSeconds: 20}); err != nil {
				t.Fatal(err)
			}
			cursor = got.LastEventID
			time.Sleep(500 * time.Millisecond)
		}
		if n := counted.reads.Load(); cursor != 503 || calls < 50 || n > 5 {
			t.Errorf("%d calls up to event %d read the run %d times", calls, cursor, n)
		}
	})
}

// countedReads counts the reads of a run that pass through it.
type countedReads struct {
	next  http.Handler
	reads atomic.Int64
}

func (c *countedReads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/runs/") && !strings.HasSuffix(r.URL.Path, "/sse") {
		c.reads.Add(1)
	}
	c.next.ServeHTTP(w, r)
}

// TestFollowEnds with its client.
func TestFollowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := sandbox.New(sandbox.Options{})
		defer box.Close()
		h, c := bubble(t, box, &slowPerson{})
		run, err := h.createRun(t.Context(), c, createRunArgs{Intent: "x", Context: "sandbox: step_ms=3600000"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		one := int64(1)
		if _, err := h.followRun(ctx, h.again(c), followRunArgs{RunID: run.RunID, AfterEventID: &one, WaitSeconds: 20}); !errors.Is(err, context.Canceled) && client.KindOf(err) != client.Canceled {
			t.Errorf("got %v", err)
		}
	})
}
