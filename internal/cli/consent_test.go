package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
)

// typist sits at a terminal: whenever they are asked, something happens, and
// they type a line.
type typist struct {
	text strings.Builder
	keys io.Writer
	asks func(n int) (line string)
	n    int
	wg   sync.WaitGroup
}

func (p *typist) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "y approves") {
		line := p.asks(p.n)
		p.n++
		p.wg.Go(func() { fmt.Fprintln(p.keys, line) })
	}
	return p.text.Write(b)
}

// TestTerminalConsentIsToContent: what a person types counts for what they were
// shown. They are asked anew where it changed, twice, and not where the rest did.
func TestTerminalConsentIsToContent(t *testing.T) {
	for name, tt := range map[string]struct {
		calls func(n int) string // as the API tells them after n questions
		line  func(n int) string
		asked int
		sent  string
		said  string
	}{
		"the same": {func(int) string { return `[{"toolName":"pay","toolParameters":{"a":1,"b":2}}]` }, nil, 1, "the-approve-token", "took the decision to approve"},
		"in another order, with a result": {func(n int) string {
			return []string{`[{"toolName":"pay","toolParameters":{"a":1,"b":2}}]`, `[{"toolResult":1,"toolParameters":{"b":2,"a":1},"toolName":"pay"}]`}[min(n, 1)]
		}, nil, 1, "the-approve-token", "took the decision to approve"},
		"changed once": {func(n int) string { return fmt.Sprintf(`[{"toolName":"pay","toolParameters":%d}]`, min(n, 1)) }, nil, 2, "the-approve-token", "Nothing was sent: the run asks for something else by now.\nChanged: it asks for 1 tool call"},
		"changed, then denied": {func(n int) string { return fmt.Sprintf(`[{"toolName":"pay","toolParameters":%d}]`, min(n, 1)) },
			func(n int) string { return []string{"y", "n"}[n] }, 2, "the-deny-token", "took the decision to deny"},
		"again and again": {func(n int) string { return fmt.Sprintf(`[{"toolName":"pay","toolParameters":%d}]`, n) }, nil, 3, "", "changed 3 times while you were asked; nothing was sent"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			asked, sent := 0, []string{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case strings.HasSuffix(r.URL.Path, "/sse"):
					w.WriteHeader(http.StatusNoContent)
				case strings.HasSuffix(r.URL.Path, "/approval"):
					sent = append(sent, r.URL.Query().Get("token"))
					w.WriteHeader(http.StatusCreated)
				default:
					fmt.Fprintf(w, `{"runId":%q,"status":"PAUSED","events":[{"id":1,"event":"step","runStatus":"PAUSED","step":{"approval":"PENDING","toolCalls":%s,`+
						`"approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=the-approve-token"},{"action":"deny","url":"https://x/v1/runs/approval?token=the-deny-token"}]}}]}`, runID, tt.calls(asked))
				}
			}))
			defer server.Close()
			api, err := client.New(client.Options{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer api.Close()
			decider := approval.NewDecider(api)
			feeds := feed.NewHub(api, decider, feed.Options{})
			defer feeds.Close()
			in, keys := io.Pipe()
			defer in.Close()
			who := &typist{keys: keys, asks: func(n int) string {
				mu.Lock()
				defer mu.Unlock()
				asked++
				if tt.line != nil {
					return tt.line(n)
				}
				return "y"
			}}
			err = (&approveDialog{api: api, feeds: feeds, decider: decider, caller: client.Caller{Key: "a-key-of-a-test"}, runID: runID, in: in, out: who}).run(t.Context())
			who.wg.Wait()
			said := who.text.String() + fmt.Sprint(err)
			if who.n != tt.asked || strings.Join(sent, ",") != tt.sent || !strings.Contains(said, tt.said) || (err != nil) != (tt.sent == "") {
				t.Errorf("asked %d times, %v sent: %s", who.n, sent, said)
			}
		})
	}
}

const runID = "123e4567-e89b-12d3-a456-426614174000"
