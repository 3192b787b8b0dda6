package tools

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAskedOnceTheCallsAreKnown: a step's tool calls may come on the stream a
// little later than its links. Within a second they are waited for; after it the
// person is asked without them, and anew if they come while they think.
func TestAskedOnceTheCallsAreKnown(t *testing.T) {
	const runID = "123e4567-e89b-12d3-a456-426614174000"
	asks := func(calls string) string {
		return `{"id":1,"event":"step","runStatus":"PAUSED","step":{"approval":"PENDING","toolCalls":` + calls + `,"approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=the-approve-token"}]}}`
	}
	for later, questions := range map[time.Duration][]string{
		0:                      {"1 tool call"},
		900 * time.Millisecond: {"1 tool call"},
		4 * time.Second:        {"It does not say which tools it would call.", "Changed: it asks for 1 tool call"},
	} {
		for name, call := range map[string]func(context.Context, *handlers, *call) error{
			"approve": func(ctx context.Context, s *handlers, c *call) error {
				_, err := s.askApproval(ctx, c, askArgs{RunID: runID})
				return err
			},
			"get_run": func(ctx context.Context, s *handlers, c *call) error {
				_, err := s.getRun(ctx, c, getRunArgs{RunID: runID, WaitSeconds: 45})
				return err
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				who := &slowPerson{takes: 10 * time.Second, decision: "approve"}
				s, c := bubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch {
					case strings.HasSuffix(r.URL.Path, "/approval"):
						sent++
						w.WriteHeader(http.StatusCreated)
					case !strings.HasSuffix(r.URL.Path, "/sse"):
						fmt.Fprintf(w, `{"runId":%q,"status":"PAUSED","events":[%s]}`, runID, asks("[]"))
					default:
						w.Header().Set("Content-Type", "text/event-stream")
						w.(http.Flusher).Flush()
						time.Sleep(later)
						fmt.Fprintf(w, "id: 1\nevent: step\ndata: %s\n\n", asks(`[{"toolName":"pay"}]`))
						w.(http.Flusher).Flush()
						<-r.Context().Done()
					}
				}), who)
				if err := call(t.Context(), s, c); err != nil {
					t.Errorf("%s, %v later: %v", name, later, err)
				}
				said := strings.Join(who.messages, "\n\n")
				if len(who.messages) != len(questions) || sent != 1 {
					t.Errorf("%s, %v later: %d sent, asked\n%s", name, later, sent, said)
				}
				for i, want := range questions {
					if i < len(who.messages) && !strings.Contains(who.messages[i], want) {
						t.Errorf("%s, %v later: %q does not stand in\n%s", name, later, want, who.messages[i])
					}
				}
			})
		}
	}
}
