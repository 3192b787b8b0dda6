package feed_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/lab/inmem"
	"runs-mcp-server/internal/redact"
)

// asking tells n events, each of which asks for an approval of its own, on the
// stream and, if stored, in the run too.
func asking(n int, stored bool) http.Handler {
	event := func(i int) string {
		return fmt.Sprintf(`"runStatus":"PAUSED","timestamp":"2026-01-01T00:00:00.%06dZ","step":{"approval":"PENDING","approvalActions":[{"action":"approve","url":"https://x.test/v1/runs/approval?token=%s"}]}}`, i, tokenOf(i))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/sse") {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := 1; i <= n; i++ {
				fmt.Fprintf(w, "id: %d\nevent: step\ndata: {%s\n\n", i, event(i))
			}
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		var events []string
		for i := 1; i <= n && stored; i++ {
			events = append(events, fmt.Sprintf(`{"id":%d,"event":"step",%s`, i, event(i)))
		}
		fmt.Fprintf(w, `{"runId":"123e4567-e89b-12d3-a456-426614174000","status":"PAUSED","events":[%s]}`, strings.Join(events, ","))
	})
}

func tokenOf(i int) string { return fmt.Sprintf("token-%06d", i) }

// TestTokensOfAllEvents: a run's state holds the tokens of all its events, also
// of those that the log dropped; of too many just enough to tell.
func TestTokensOfAllEvents(t *testing.T) {
	for n, stored := range map[int]bool{1: true, 50: false, 60: true, 2500: false} {
		synctest.Test(t, func(t *testing.T) {
			api, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(asking(n, stored))})
			if err != nil {
				t.Fatal(err)
			}
			hub := newHub(api, feed.Options{LogEvents: 4})
			defer hub.Close()
			const runID = "123e4567-e89b-12d3-a456-426614174000"
			if got := hub.Tokens(caller, runID); got != nil {
				t.Errorf("the tokens of an unwatched run: %q", got)
			}
			w := hub.Watch(caller, runID, 0)
			defer w.Close()
			time.Sleep(time.Second)
			news, err := w.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			read, err := hub.Snapshot(t.Context(), caller, runID, feed.Wanted{})
			if err != nil {
				t.Fatal(err)
			}
			all := map[string][]string{"watched": news.Tokens, "asked for": hub.Tokens(caller, runID)}
			if stored {
				all["read"] = read.Tokens
			}
			for name, got := range all {
				if len(got) != min(n, 2001) || got[0] != tokenOf(1) || !slices.Contains(got, tokenOf(min(n, 2001))) {
					t.Errorf("%s: %d tokens of %d events", name, len(got), n)
				}
				if overfull := redact.New(got...).Overfull(); overfull != (n > 2000) {
					t.Errorf("%s: overfull %t", name, overfull)
				}
			}
			if other := (client.Caller{Key: "another"}); hub.Tokens(other, runID) != nil {
				t.Error("another caller is told")
			}
		})
	}
}

// TestTokensOfAmendedEvents: a link that only the stream tells, of an event that
// is stored without it, is known from then on.
func TestTokensOfAmendedEvents(t *testing.T) {
	const event = `"runStatus":"PAUSED","timestamp":"2026-01-01T00:00:00Z","step":{"approval":"PENDING","text":"x"`
	synctest.Test(t, func(t *testing.T) {
		api, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/sse") {
				fmt.Fprintf(w, `{"runId":"123e4567-e89b-12d3-a456-426614174000","status":"PAUSED","events":[{"id":1,"event":"step",%s}}]}`, event)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			time.Sleep(time.Second)
			fmt.Fprintf(w, "id: 1\nevent: step\ndata: {%s,\"approvalActions\":[{\"action\":\"approve\",\"url\":\"https://x.test/v1/runs/approval?token=%s\"}]}}\n\n", event, tokenOf(1))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}))})
		if err != nil {
			t.Fatal(err)
		}
		hub := newHub(api, feed.Options{})
		defer hub.Close()
		w := hub.Watch(caller, "123e4567-e89b-12d3-a456-426614174000", 0)
		defer w.Close()
		for _, want := range []int{0, 1} {
			if news, err := w.Next(t.Context()); err != nil || len(news.Tokens) != want {
				t.Fatalf("%+v, %v; want %d tokens", news, err, want)
			}
		}
	})
}
