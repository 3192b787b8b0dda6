package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
)

const pausedRunID = "123e4567-e89b-12d3-a456-426614174000"

// autoTerminal is a terminal that types a line after each question.
type autoTerminal struct {
	text      strings.Builder // what was printed
	keyboard  io.Writer
	answer    func(question int) (line string)
	questions int
	typing    sync.WaitGroup
}

func (a *autoTerminal) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "y approves") {
		line := a.answer(a.questions)
		a.questions++
		a.typing.Go(func() { fmt.Fprintln(a.keyboard, line) })
	}
	return a.text.Write(p)
}

// changingAPI is a Run API with one run that waits for the approval of tool calls. The
// calls depend on the number of questions so far.
type changingAPI struct {
	toolCalls func(questions int) string

	mu        sync.Mutex // guards the fields below
	questions int
	tokens    []string // the approval tokens it got
}

func (a *changingAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/sse"):
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "/approval"):
		a.tokens = append(a.tokens, r.URL.Query().Get("token"))
		w.WriteHeader(http.StatusCreated)
	default:
		fmt.Fprintf(w, `{"runId":%q,"status":"PAUSED","events":[{"id":1,"event":"step","runStatus":"PAUSED","step":{"approval":"PENDING","toolCalls":%s,`+
			`"approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=the-approve-token"},{"action":"deny","url":"https://x/v1/runs/approval?token=the-deny-token"}]}}]}`, pausedRunID, a.toolCalls(a.questions))
	}
}

// countQuestion changes the tool calls to those after one more question.
func (a *changingAPI) countQuestion() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.questions++
}

// TestTerminalConsentIsToContent holds that an answer counts for the content that the
// person was shown. If the content has changed they are asked again, at most twice. A
// change of anything else asks nobody again.
func TestTerminalConsentIsToContent(t *testing.T) {
	changesOnce := func(n int) string { return fmt.Sprintf(`[{"toolName":"pay","toolParameters":%d}]`, min(n, 1)) }
	for name, tt := range map[string]struct {
		toolCalls func(questions int) string
		answers   []string
		token     string // the one that is sent; "" is none
		want      string // in the output
	}{
		"the same": {
			func(int) string { return `[{"toolName":"pay","toolParameters":{"a":1,"b":2}}]` },
			[]string{"y"}, "the-approve-token", "took the decision to approve",
		},
		"in another order, with a result": {
			func(n int) string {
				return []string{`[{"toolName":"pay","toolParameters":{"a":1,"b":2}}]`, `[{"toolResult":1,"toolParameters":{"b":2,"a":1},"toolName":"pay"}]`}[min(n, 1)]
			},
			[]string{"y"}, "the-approve-token", "took the decision to approve",
		},
		"changed once": {
			changesOnce, []string{"y", "y"}, "the-approve-token",
			"Nothing was sent: the run asks for something else by now.\nChanged: it asks for 1 tool call",
		},
		"changed, then denied": {changesOnce, []string{"y", "n"}, "the-deny-token", "took the decision to deny"},
		"again and again": {
			func(n int) string { return fmt.Sprintf(`[{"toolName":"pay","toolParameters":%d}]`, n) },
			[]string{"y", "y", "y"}, "", "changed 3 times while you were asked; nothing was sent",
		},
	} {
		t.Run(name, func(t *testing.T) {
			stub := &changingAPI{toolCalls: tt.toolCalls}
			server := httptest.NewServer(stub)
			defer server.Close()
			api, err := client.New(client.Options{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer api.Close()
			decider := approval.NewDecider(api)
			feeds := feed.NewHub(api, decider, feed.Options{})
			defer feeds.Close()
			in, keyboard := io.Pipe()
			defer in.Close()
			terminal := &autoTerminal{keyboard: keyboard, answer: func(question int) string {
				stub.countQuestion()
				return tt.answers[min(question, len(tt.answers)-1)]
			}}
			err = (&approveDialog{api: api, feeds: feeds, decider: decider, caller: client.Caller{Key: "a-key-of-a-test"}, runID: pausedRunID, in: in, out: terminal}).run(t.Context())
			terminal.typing.Wait()
			output := terminal.text.String() + fmt.Sprint(err)
			var tokens []string
			if tt.token != "" {
				tokens = []string{tt.token}
			}
			if terminal.questions != len(tt.answers) || !slices.Equal(stub.tokens, tokens) || !strings.Contains(output, tt.want) || (err != nil) != (tt.token == "") {
				t.Errorf("asked %d times, %v sent: %s", terminal.questions, stub.tokens, output)
			}
		})
	}
}
