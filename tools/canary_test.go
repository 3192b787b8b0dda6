package tools_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
)

// TestTokensStayHere, though the run repeats them in the texts of this approval
// and of another, and whoever tells of them first: neither the person's question
// nor any result holds one.
func TestTokensStayHere(t *testing.T) {
	const token = "CaNaRy-tok-0123456789"
	step := func(n int) string {
		return fmt.Sprintf(`"runId":%q,"runStatus":"PAUSED","timestamp":"2026-01-01T00:00:0%dZ","step":{"approval":"PENDING","reason":"use %s1",`+
			`"approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=%[3]s%[2]d"},{"action":"deny","url":"https://x/v1/runs/approval?token=%[3]s%[2]d-deny"}],`+
			`"toolCalls":[{"toolCallId":"%[2]d","toolName":"t","toolParameters":{"a":"%[3]s1-deny"}}]}}`, unknownRun, n, token)
	}
	front := func(stored bool) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/sse"):
					w.Header().Set("Content-Type", "text/event-stream")
					if !stored {
						fmt.Fprintf(w, "id: 1\nevent: step\ndata: {%s\n\nid: 2\nevent: step\ndata: {%s\n\n", step(1), step(2))
					}
					w.(http.Flusher).Flush()
					<-r.Context().Done()
				case isRead(r):
					events := "[]"
					if stored {
						events = fmt.Sprintf(`[{"id":1,"event":"step",%s,{"id":2,"event":"step",%s]`, step(1), step(2))
					}
					fmt.Fprintf(w, `{"runId":%q,"status":"PAUSED","events":%s}`, unknownRun, events)
				}
			})
		}
	}
	eachRevision(t, func(t *testing.T, version string) {
		for _, stored := range []bool{true, false} {
			bed := testbed.New(t, human, front(stored))
			who := &person{answers: []answer{does("decline"), does("decline")}}
			s := bed.ConnectWith(version, who.options())
			for _, tool := range []string{"approve", "get_run"} { // the first one tells of them first
				text, failed := testbed.Raw(t, s, tool, map[string]any{"runId": unknownRun})
				if failed || strings.Contains(text, token) || !strings.Contains(text, "use [removed]") {
					t.Errorf("stored %t: %s: %s", stored, tool, text)
				}
			}
			if asked := who.questions(); len(asked) != 1 || strings.Contains(asked[0].Message, token) || !strings.Contains(asked[0].Message, "[removed]") {
				t.Errorf("stored %t: asked %+v", stored, asked)
			}
			if strings.Contains(bed.Log.String(), token) {
				t.Errorf("stored %t: logged %s", stored, bed.Log)
			}
		}
	})
}
