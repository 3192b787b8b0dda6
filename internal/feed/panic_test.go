package feed_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/lab/inmem"
)

// panics is an API client's network that panics where it is told to: at a
// request, or at the body of its answer.
type panics struct {
	http.RoundTripper
	path string
	body bool
}

func (p panics) RoundTrip(r *http.Request) (*http.Response, error) {
	at := strings.HasSuffix(r.URL.Path, p.path)
	if at && !p.body {
		panic("of the network")
	}
	resp, err := p.RoundTripper.RoundTrip(r)
	if at && err == nil {
		resp.Body = panicking{resp.Body}
	}
	return resp, err
}

type panicking struct{ io.ReadCloser }

func (panicking) Read([]byte) (int, error) { panic("of the network") }

// TestPanic over one run, wherever it is read, ends the watching of that run
// alone; a receiver that panics ends for itself.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, feed.Options{})
		runID, other := b.create(t, "step_ms=60000", client.ApproveNothing), b.create(t, "step_ms=1", client.ApproveNothing)
		for _, p := range []panics{{path: runID}, {path: runID + "/sse"}, {path: runID + "/sse", body: true}} {
			var log bytes.Buffer
			p.RoundTripper = inmem.Transport(b.box)
			api, err := client.New(client.Options{URL: "http://localhost", Transport: p})
			if err != nil {
				t.Fatal(err)
			}
			hub := newHub(api, feed.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			w := hub.Watch(caller, client.RunID(runID), 0)
			for err == nil { // the stored events may come first
				_, err = w.Next(t.Context())
			}
			if client.KindOf(err) != client.Invalid {
				t.Errorf("got %v", err)
			}
			w.Close()
			told, lost := make(chan bool, 1), make(chan bool, 1)
			hub.Subscribe(caller, client.RunID(other), func(feed.News) {
				told <- true
				panic("of the receiver")
			}, func() { lost <- true })
			<-told
			<-lost
			ended, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			for w := hub.Watch(caller, client.RunID(other), 0); ; {
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
