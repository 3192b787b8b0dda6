package client_test

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"runs-mcp-server/client"
)

// TestStats holds what is counted of requests and streams. A rare status counts as its
// class, and no answer as an error.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		statuses := []int{200, 404, 418, 599}
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/sse"):
				w.Header().Set("Content-Type", "text/event-stream")
				w.(http.Flusher).Flush()
			case len(statuses) == 0:
				panic(http.ErrAbortHandler)
			default:
				w.WriteHeader(statuses[0])
				statuses = statuses[1:]
				io.WriteString(w, `{"runId":"`+string(testRun)+`","message":"m"}`)
			}
		}))
		for range 5 {
			_, _ = c.ReadRun(t.Context(), caller, testRun) // tried once
		}
		_, _ = c.GetRun(t.Context(), client.Caller{}, testRun, false) // sends nothing
		s, err := c.OpenStream(t.Context(), caller, testRun, "")
		if err != nil {
			t.Fatal(err)
		}
		c.NoteReconnect()
		got := c.Stats()
		want := map[client.RequestCount]int64{
			{Operation: "get_run", Status: "200"}: 1, {Operation: "get_run", Status: "404"}: 1, {Operation: "get_run", Status: "4xx"}: 1,
			{Operation: "get_run", Status: "5xx"}: 1, {Operation: "get_run", Status: "error"}: 1, {Operation: "stream", Status: "200"}: 1,
		}
		if !maps.Equal(got.Requests, want) || got.OpenStreams != 1 || got.Reconnects != 1 {
			t.Errorf("got %+v", got)
		}
		s.Close()
		if n := c.Stats().OpenStreams; n != 0 {
			t.Errorf("%d streams are open", n)
		}
	})
}
