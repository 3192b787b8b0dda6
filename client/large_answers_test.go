package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/inmem"
)

// TestLargeAnswersTakeTurns holds that a large answer waits while as many as may be are
// being read, that small ones do not, and that a wait ends with the call's deadline.
func TestLargeAnswersTakeTurns(t *testing.T) {
	for name, announced := range map[string]bool{"announced": true, "of unknown length": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rest := make(chan struct{})
				c, err := client.New(client.Options{URL: "http://localhost", LargeAnswers: 1, Transport: inmem.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					beginning, end := `{"runId":"`+testRun+`","intent":"`, `"}`
					if r.Header.Get("X-Api-Key") == "small" {
						fmt.Fprint(w, beginning+end)
						return
					}
					text := strings.Repeat("x", 2<<20)
					if announced {
						w.Header().Set("Content-Length", strconv.Itoa(len(beginning)+len(text)+len(end)))
					}
					io.WriteString(w, beginning+text)
					w.(http.Flusher).Flush()
					if r.Header.Get("X-Api-Key") == "slow" {
						select {
						case <-rest:
						case <-r.Context().Done():
						}
					}
					io.WriteString(w, end)
				}))})
				if err != nil {
					t.Fatal(err)
				}
				read := func(key string, within time.Duration) error {
					ctx, cancel := context.WithTimeout(t.Context(), within)
					defer cancel()
					_, err := c.GetRun(ctx, client.Caller{Key: client.Key(key)}, testRun, false)
					return err
				}
				slow := make(chan error)
				go func() { slow <- read("slow", time.Minute) }()
				synctest.Wait()
				if err := read("small", time.Second); err != nil {
					t.Errorf("a small answer: %v", err)
				}
				if err := read("large", time.Second); client.KindOf(err) != client.Timeout {
					t.Errorf("a second large answer: %v, want a time-out", err)
				}
				close(rest)
				if err := <-slow; err != nil {
					t.Errorf("the first large answer: %v", err)
				}
				for range 3 { // each gives its place back
					if err := read("large", time.Second); err != nil {
						t.Errorf("a later large answer: %v", err)
					}
				}
			})
		})
	}
}
