package feed_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/lab/inmem"
)

// holding keeps back what is written until a time: then the next write brings it all.
type holding struct {
	http.ResponseWriter
	until time.Time
	held  bytes.Buffer
}

func (h *holding) Write(p []byte) (int, error) {
	h.held.Write(p)
	if time.Now().Before(h.until) {
		return len(p), nil
	}
	_, err := h.held.WriteTo(h.ResponseWriter)
	return len(p), err
}

func (h *holding) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// TestMuteStream: behind a proxy that holds the stream back, everybody who
// watches a run sees its pause by the polls of one reader, and the link that
// only the stream says when it comes through.
func TestMuteStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{})
		start := time.Now()
		var reads atomic.Int64
		api, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/sse") {
				w = &holding{ResponseWriter: w, until: start.Add(30 * time.Second)}
			} else {
				reads.Add(1)
			}
			b.box.ServeHTTP(w, r)
		}))})
		if err != nil {
			t.Fatal(err)
		}
		hub := newHub(api, feed.Options{})
		defer hub.Close()
		runID := b.create(t, "links=stream-only queue_ms=2000 step_ms=4000", client.ApproveToolCall) // pauses after 6 s
		hub.Pin(caller, client.RunID(runID))
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				w := hub.Watch(caller, client.RunID(runID), 0)
				defer w.Close()
				var paused, linked time.Duration
				for linked == 0 {
					news, err := w.Next(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					if paused == 0 && news.Status == client.Paused {
						paused = time.Since(start)
					}
					if len(news.Pending) > 0 {
						linked = time.Since(start)
					}
				}
				if paused > 11*time.Second || linked != 40*time.Second { // a heartbeat comes through
					t.Errorf("paused after %v, linked after %v", paused, linked)
				}
			})
		}
		wg.Wait()
		muted := reads.Load()
		time.Sleep(time.Hour) // of heartbeats
		// A stream that tells nothing else is opened again every 5 minutes.
		if all := reads.Load(); muted > 12 || all > muted+12 || b.box.Stats().StreamsOpened > 13 {
			t.Errorf("%d and %d reads, %d streams", muted, all, b.box.Stats().StreamsOpened)
		}
	})
}
