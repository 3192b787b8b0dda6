package tools_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// repeating is a Run API that repeats what a create says in its answer and in
// all later ones, and whose runs wait for a tool call with these parameters.
func repeating(t *testing.T, parameters string) func(http.Handler) http.Handler {
	var last atomic.Value
	last.Store("nothing yet")
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			said := last.Load().(string)
			run := fmt.Sprintf(`"runId":%q,"status":"PAUSED","intent":%q,"context":%[2]q,"repeatKey":%[2]q`, unknownRun, said)
			switch {
			case r.Method == http.MethodPost:
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				last.Store(string(body))
				w.WriteHeader(http.StatusCreated)
				fmt.Fprintf(w, `{"runId":%q,"status":"PAUSED","repeatKey":%q}`, unknownRun, body)
			case strings.HasSuffix(r.URL.Path, "/sse"):
				w.WriteHeader(http.StatusNoContent)
			case strings.HasSuffix(r.URL.Path, "/runs"):
				fmt.Fprintf(w, `[{%s}]`, run)
			case strings.HasSuffix(r.URL.Path, "/integrations"):
				fmt.Fprintf(w, `[{"customerIntegrationId":"one","name":%q}]`, parameters)
			default:
				fmt.Fprintf(w, `{%s,"events":[`+pays+`]}`, run, 1, fmt.Sprintf(`[{"toolCallId":"1","toolName":"pay","toolParameters":%s}]`, parameters))
			}
		})
	}
}

// TestWordsStayReadable: whoever names words before, as the token of a link in an
// intent, as JSON in a repeatKey, as pass-through data or as the token of an
// approve, none of them disappears from a question, and none from what another
// tenant is shown; nor does what only looks like a secret.
func TestWordsStayReadable(t *testing.T) {
	words := []string{
		"production-db", "DE89370400440532013000", "attacker@evil.example", "Transfer-all-funds", "q7Rz0XkT9-wLm2Ve",
		"https://shop.example/v1/runs/approval", "https://shop.example/v1/runs/approval?item=7", "sig=Q3-invoices", "api_key=the-front-door",
	}
	parameters := map[string]any{"name": "token", "value": "DE89370400440532013000", "password": "Correct-Horse", "note": "Authorization: someone@example.com", "all": words}
	data, err := json.Marshal(parameters)
	if err != nil {
		t.Fatal(err)
	}
	eachAskingRevision(t, func(t *testing.T, version string) {
		bed := testbed.New(t, func(o *tools.Options) {
			o.AllowPassThrough, o.AskApprovals = true, true
		}, repeating(t, string(data)))
		bed.Caller.Key = "the-key-of-one-tenant"
		sayAsSecrets(t, bed.Connect(version, nil), words)
		for _, key := range []client.Key{"the-key-of-one-tenant", "the-key-of-another"} {
			bed.Caller.Key = key
			who := &person{}
			s := bed.ConnectWith(version, who.options())
			shown, _ := testbed.Raw(t, s, "get_run", map[string]any{"runId": unknownRun, "includeToolCalls": true})
			testbed.Raw(t, s, "get_run", map[string]any{"runId": unknownRun, "waitSeconds": 1})
			asked := who.questions()
			if len(asked) != 1 {
				t.Fatalf("%d questions", len(asked))
			}
			integrations, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "integrations://active"})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range append(words, "Correct-Horse") {
				if !strings.Contains(asked[0].Message, `"`+w+`"`) {
					t.Errorf("%s: %q is not in the question: %s", key, w, asked[0].Message)
				}
				if !strings.Contains(shown, `"`+w+`"`) {
					t.Errorf("%s: %q is not in the result: %s", key, w, shown)
				}
			}
			if !strings.Contains(asked[0].Message, "Authorization: someone@example.com") {
				t.Errorf("%s: asked %s", key, asked[0].Message)
			}
			if text := integrations.Contents[0].Text; !strings.Contains(text, "DE89370400440532013000") || !strings.Contains(text, "production-db") {
				t.Errorf("%s: integrations %s", key, text)
			}
			if strings.Contains(shown+asked[0].Message, "tok_of_the_link") {
				t.Errorf("%s: a token is shown", key)
			}
		}
	})
}

// sayAsSecrets names words as secrets in all the ways that a caller has.
func sayAsSecrets(t *testing.T, s *sdk.ClientSession, words []string) {
	t.Helper()
	for _, w := range words {
		link := "https://x.test/v1/runs/approval?token=" + w
		testbed.Raw(t, s, "create_run", map[string]any{
			"intent": "open " + link, "context": "the token is " + w, "repeatKey": fmt.Sprintf(`{"approvalActions":[{"action":"approve","url":%q}]}`, link),
			"passThrough": []any{map[string]any{"customerIntegrationId": "one", "headers": map[string]any{"Authorization": w}, "query": map[string]any{"q": w}}},
		})
		testbed.Raw(t, s, "approve", map[string]any{"runId": unknownRun, "decision": "approve", "token": w})
	}
}

// TestCallsOwnSecrets: within the call that brought them, pass-through data and
// a token argument are taken out of what the model is shown, and not of what the
// person is asked: a model could name the recipient one.
func TestCallsOwnSecrets(t *testing.T) {
	bed := testbed.New(t, func(o *tools.Options) { o.AllowPassThrough, o.AskApprovals = true, true }, repeating(t, `{"to":"the-secret-of-this-call"}`))
	who := &person{}
	s := bed.ConnectWith(testbed.Oldest, who.options())
	created, _ := testbed.Raw(t, s, "create_run", map[string]any{"intent": "say the-secret-of-this-call", "waitSeconds": 1,
		"passThrough": []any{map[string]any{"customerIntegrationId": "one", "query": map[string]any{"q": "the-secret-of-this-call"}}}})
	if strings.Contains(created, "the-secret-of-this-call") || !strings.Contains(created, "say [removed]") {
		t.Errorf("the call shows %s", created)
	}
	if asked := who.questions(); len(asked) != 1 || !strings.Contains(asked[0].Message, `{"to":"the-secret-of-this-call"}`) {
		t.Errorf("asked %+v", asked)
	}
	// Later echoes are shown: nothing is remembered beyond the call.
	if later, _ := testbed.Raw(t, s, "list_runs", nil); !strings.Contains(later, "the-secret-of-this-call") {
		t.Errorf("a later call shows %s", later)
	}
}

// TestTooManyTokens: of a run that names more than can be searched for, no text
// is shown, and the answer says so; another run is as ever.
func TestTooManyTokens(t *testing.T) {
	const other = "123e4567-e89b-12d3-a456-426614174001"
	bed := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, other) {
				fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","intent":"an intent","events":[]}`, other)
				return
			}
			fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","intent":"an intent","result":{"n":12345678,"text":"a text"},"events":[%s]}`, unknownRun, links(2001, func(i int) string { return fmt.Sprintf("token-%05d", i) }))
		})
	})
	s := bed.Connect(testbed.Newest, nil)
	got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": unknownRun})
	text, _ := testbed.Raw(t, s, "get_run", map[string]any{"runId": unknownRun})
	if got.RunID != unknownRun || got.Status != "RUNNING" || !strings.Contains(got.Summary, "Its texts are withheld") || strings.Contains(text, "an intent") || strings.Contains(text, "a text") || strings.Contains(text, "token-0") {
		t.Errorf("got %s", text)
	}
	if got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": other}); got.Intent != "an intent" || strings.Contains(got.Summary, "withheld") {
		t.Errorf("got %+v", got)
	}
}

// links are one event with so many approval links.
func links(n int, token func(i int) string) string {
	var actions []string
	for i := range n {
		actions = append(actions, fmt.Sprintf(`{"action":"approve","url":"https://x.test/v1/runs/approval?token=%s"}`, token(i)))
	}
	return `{"id":1,"event":"run_approval","runStatus":"RUNNING","approvalActions":[` + strings.Join(actions, ",") + `]}`
}

// TestOthersAreNotDelayed by a tenant whose run has 1,400 tokens of one letter
// and a result of 200 KB of it.
func TestOthersAreNotDelayed(t *testing.T) {
	t.Parallel()
	slow := fmt.Sprintf(`{"runId":%q,"status":"RUNNING","result":%q,"events":[%s]}`, unknownRun, strings.Repeat("a", 200<<10),
		links(1400, func(i int) string { return strings.Repeat("a", 40+i/40) + "b" + strings.Repeat("a", 40+i%40) }))
	bed := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("x-api-key") == "the-key-of-one-tenant" {
				io.WriteString(w, slow)
				return
			}
			fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","intent":"an intent"}`, unknownRun)
		})
	})
	bed.Caller.Key = "the-key-of-one-tenant"
	busy := bed.Connect(testbed.Newest, nil)
	bed.Caller.Key = "the-key-of-another"
	other := bed.Connect(testbed.Newest, nil)
	args := map[string]any{"runId": unknownRun, "part": "result"}
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for range 10 {
			testbed.Raw(t, busy, "get_run", args)
		}
	}()
	longest, calls := time.Duration(0), 0
	for running := true; running; calls++ {
		asked := time.Now()
		testbed.Raw(t, other, "get_run", args)
		longest = max(longest, time.Since(asked))
		select {
		case <-ended:
			running = false
		default:
		}
	}
	if longest > time.Second || calls < 10 {
		t.Errorf("one of %d calls took %v", calls, longest)
	}
}

// TestReadingsWithoutEvents: lists, plans and integrations hide keys by value and
// links by their form; a bare token stays, for nothing tells that it is one. A list
// with events hides the tokens of each run.
func TestReadingsWithoutEvents(t *testing.T) {
	const key, token = "the-key-of-one-tenant", "tok_of_the_link_1"
	said := token + " or https://x/v1/runs/approval?token=" + token + " or " + key
	const want = token + " or [removed] or [removed]"
	bed := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			run := fmt.Sprintf(`{"runId":%q,"status":"PAUSED","intent":%q,"executionPlanId":"p"}`, unknownRun, said)
			switch {
			case strings.Contains(r.URL.Path, "/execution-plans/"):
				fmt.Fprintf(w, `{"plan":{"title":%q,"steps":[{"id":"1","description":%[1]q}]}}`, said)
			case strings.HasSuffix(r.URL.Path, "/integrations"):
				fmt.Fprintf(w, `[{"customerIntegrationId":"one","name":%q,"description":%[1]q}]`, said)
			case strings.HasSuffix(r.URL.Path, "/runs") && r.URL.Query().Has("includeEvents"):
				fmt.Fprintf(w, `[%s,"events":[`+pays+`]}]`, strings.TrimSuffix(run, "}"), 1, "[]")
			case strings.HasSuffix(r.URL.Path, "/runs"):
				fmt.Fprintf(w, "[%s]", run)
			default:
				io.WriteString(w, run)
			}
		})
	})
	bed.Caller.Key = key
	s := bed.Connect(testbed.Newest, nil)
	listed, _ := testbed.Raw(t, s, "list_runs", nil)
	if full, _ := testbed.Raw(t, s, "list_runs", map[string]any{"includeEvents": true}); strings.Contains(full, token) || !strings.Contains(full, "send [removed]") {
		t.Errorf("with events: %s", full)
	}
	texts := map[string]string{"list_runs": listed}
	for _, uri := range []string{"integrations://active", "run://" + unknownRun + "/plan"} {
		read, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
		if err != nil {
			t.Fatal(err)
		}
		texts[uri] = read.Contents[0].Text
	}
	for name, text := range texts {
		if !strings.Contains(text, `"`+want+`"`) || strings.Contains(text, key) || strings.Contains(text, "runs/approval") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestTokenBeforeItsPlace: progress tells an event as it comes, and what only a
// later one calls a token is not known yet; the result knows it.
func TestTokenBeforeItsPlace(t *testing.T) {
	t.Parallel()
	told := make(chan struct{})
	bed := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/sse") {
				fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[]}`, unknownRun)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "id: 1\nevent: step\ndata: {\"runStatus\":\"RUNNING\",\"step\":{\"text\":\"keep tok_of_the_link_1\"}}\n\n")
			w.(http.Flusher).Flush()
			<-told
			fmt.Fprintf(w, "id: 2\nevent: step\ndata: %s\n\n", fmt.Sprintf(pays, 2, "[]"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
	})
	var heard testbed.Buffer
	s := bed.Connect(testbed.Newest, func(_ any, message string) {
		io.WriteString(&heard, message+"\n")
		if strings.HasPrefix(message, "1: ") {
			close(told)
		}
	})
	text, _ := testbed.Raw(t, s, "get_run", map[string]any{"runId": unknownRun, "afterEventId": 0, "waitSeconds": 20})
	if strings.Contains(text, "tok_of_the_link") || !strings.Contains(text, "keep [removed]") {
		t.Errorf("the result says %s", text)
	}
	if said := heard.String(); strings.Count(said, "tok_of_the_link") != 1 || !strings.Contains(said, "keep tok_of_the_link_1") || !strings.Contains(said, "send [removed]") {
		t.Errorf("progress says %s", said)
	}
}

// TestTokensOfACreatedRun: those of the events in the answer to a create.
func TestTokensOfACreatedRun(t *testing.T) {
	bed := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"runId":%q,"status":"PAUSED","intent":"by tok_of_the_link_1","plan":{"plan":"by tok_of_the_link_2"},"events":[`+pays+`]}`, unknownRun, 1, "[]")
		})
	})
	created, _ := testbed.Raw(t, bed.Connect(testbed.Newest, nil), "create_run", map[string]any{"intent": "x"})
	if strings.Contains(created, "tok_of_the_link") || strings.Count(created, "by [removed]") != 2 {
		t.Errorf("got %s", created)
	}
}
