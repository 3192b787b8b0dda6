package feed_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/inmem"
)

// panics is an API client's network that panics where it is told to.
type panics struct {
	http.RoundTripper
	path string
}

func (p panics) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, p.path) {
		panic("of the network")
	}
	return p.RoundTripper.RoundTrip(r)
}

// TestPanic over one run, wherever it is read, ends the watching of that run
// alone; a receiver that panics ends for itself.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{})
		runID, other := b.create(t, "step_ms=60000", client.ApproveNothing), b.create(t, "step_ms=1", client.ApproveNothing)
		for _, path := range []string{runID, runID + "/sse"} {
			var log bytes.Buffer
			api, err := client.New(client.Options{URL: "http://localhost", Transport: panics{inmem.Transport(b.box), path}})
			if err != nil {
				t.Fatal(err)
			}
			hub := newHub(api, feed.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			w := hub.Watch(caller, runID, 0)
			if _, err := w.Next(t.Context()); client.KindOf(err) != client.Invalid {
				t.Errorf("got %v", err)
			}
			w.Close()
			told, lost := make(chan bool, 1), make(chan bool, 1)
			hub.Follow(t.Context(), caller, other, func(feed.News) {
				told <- true
				panic("of the receiver")
			}, func() { lost <- true })
			<-told
			<-lost
			ended, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			for w := hub.Watch(caller, other, 0); ; {
				news, err := w.Next(ended)
				if err != nil {
					t.Fatal(err)
				}
				if news.Ended {
					w.Close()
					break
				}
			}
			hub.Close()
			if s := log.String(); strings.Contains(s, "of the") || strings.Count(s, "panic=string") != 2 {
				t.Errorf("log: %s", s)
			}
		}
	})
}
