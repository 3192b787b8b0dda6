package tools_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
)

// pays is a step that waits; its token is in its own text, too.
const pays = `{"id":%d,"event":"step","runStatus":"PAUSED","step":{"approval":"PENDING","reason":"send tok_of_the_link_1",` +
	`"toolCalls":%s,"approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=tok_of_the_link_1"},{"action":"deny","url":"https://x/v1/runs/approval?token=tok_of_the_link_2"}]}}`

// TestNothingSaidHidesTheQuestion: whoever calls words tokens beforehand, the
// model in an intent, the run in a text, a stranger as their key, makes none of
// them disappear from what the person is asked. The link's own token does.
func TestNothingSaidHidesTheQuestion(t *testing.T) {
	words := []string{"drop_database", "production-db", "DE89370400440532013000", "attacker@evil.example"}
	var links []string
	for _, w := range words {
		links = append(links, "https://x.test/v1/runs/approval?token="+w)
	}
	said := strings.Join(links, " ")
	events := fmt.Sprintf(`[{"id":1,"event":"step","runStatus":"RUNNING","step":{"text":%q,"toolCalls":[{"toolName":"look","toolResult":{"approvalActions":[{"action":"approve","url":%q}]}}]}},`+pays+`]`,
		said, links[0], 2, fmt.Sprintf(`[{"toolCallId":"1","toolName":%q,"toolParameters":{"name":%q,"iban":%q,"to":%q,"note":"by tok_of_the_link_1"}}]`, words[0], words[1], words[2], words[3]))
	eachAskingRevision(t, func(t *testing.T, version string) {
		bed := testbed.New(t, human, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Header.Get("x-api-key") != sandbox.DefaultKey:
					w.WriteHeader(http.StatusUnauthorized)
				case strings.HasSuffix(r.URL.Path, "/sse"):
					w.WriteHeader(http.StatusNoContent)
				case isRead(r):
					fmt.Fprintf(w, `{"runId":%q,"status":"PAUSED","intent":%q,"context":%[2]q,"result":{"note":%[2]q},"events":%s}`, unknownRun, said, events)
				}
			})
		})
		for _, w := range words { // strangers
			stranger := bed.Caller
			stranger.Key = client.Key(w)
			if _, err := bed.API.GetRun(t.Context(), stranger, unknownRun, true); err == nil {
				t.Error("a stranger was served")
			}
		}
		who := &person{}
		s := bed.ConnectWith(version, who.options())
		testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": unknownRun})
		testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": unknownRun})
		question := unbroken(who.questions()[0].Message)
		for _, w := range words {
			if !strings.Contains(question, `"`+w+`"`) {
				t.Errorf("%s does not stand in: %s", w, question)
			}
		}
		if strings.Contains(question, "tok_of_the_link") {
			t.Errorf("the link's token stands in: %s", question)
		}
	})
}

// unbroken returns a question with each of its statements on one line.
func unbroken(question string) string { return strings.ReplaceAll(question, "\n  ", "") }

// TestQuestionThatChangesMeanwhile: a person answered what the run did not tell
// whole. Their answer decides nothing; they are asked again.
func TestQuestionThatChangesMeanwhile(t *testing.T) {
	t.Parallel()
	eachAskingRevision(t, func(t *testing.T, version string) {
		more := make(chan string, 1) // what the stream says later
		var sent atomic.Int64
		bed := testbed.New(t, human, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/sse"):
					w.Header().Set("Content-Type", "text/event-stream")
					w.(http.Flusher).Flush()
					for {
						select {
						case frame := <-more:
							fmt.Fprint(w, frame)
							w.(http.Flusher).Flush()
						case <-r.Context().Done():
							return
						}
					}
				case strings.HasSuffix(r.URL.Path, "/approval"):
					sent.Add(1)
				case isRead(r):
					fmt.Fprintf(w, `{"runId":%q,"status":"PAUSED","intent":"x","events":[%s]}`, unknownRun, fmt.Sprintf(pays, 1, "[]"))
				}
			})
		})
		watcher := bed.Connect(testbed.Newest, nil)
		tells := func() {
			more <- "id: 1\nevent: step\ndata: " + fmt.Sprintf(pays, 1, `[{"toolCallId":"1","toolName":"delete_everything"}]`) + "\n\n"
			for known := false; !known; {
				got, err := watcher.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://" + unknownRun + "/events"})
				if err != nil {
					t.Error(err)
					return
				}
				known = strings.Contains(got.Contents[0].Text, "delete_everything")
			}
		}
		who := &person{answers: []answer{first(tells, chooses("approve")), does("decline")}}
		text, failed := testbed.Raw(t, bed.ConnectWith(version, who.options()), "approve", map[string]any{"runId": unknownRun})
		asked := who.questions()
		if failed || sent.Load() != 0 || len(asked) != 2 || !strings.Contains(asked[0].Message, "does not say which tools") || !strings.Contains(asked[1].Message, "delete_everything") {
			t.Errorf("%d sent, %d questions, the last %+v: %s", sent.Load(), len(asked), asked[len(asked)-1], text)
		}
	})
}

// TestOneTokenForBothDecisions: which of them it sends nobody can tell, so it
// is no link.
func TestOneTokenForBothDecisions(t *testing.T) {
	t.Parallel()
	bed := testbed.New(t, nil, scripted("PAUSED", `[{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":[`+
		`{"action":"approve","url":"https://x/v1/runs/approval?token=one-for-both&decision=approve"},{"action":"deny","url":"https://x/v1/runs/approval?token=one-for-both&decision=deny"}]}]`))
	s := bed.Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": unknownRun})
	f := testbed.Fail(t, s, "approve", map[string]any{"runId": unknownRun, "decision": "deny"})
	if len(got.PendingApprovals) != 0 || f.Code != "approval_link_unavailable" {
		t.Errorf("got %+v, %+v", got.PendingApprovals, f)
	}
}
