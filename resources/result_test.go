package resources_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/resources"
	"runs-mcp-server/tools"
)

const someRun = "123e4567-e89b-12d3-a456-426614174000"

// answering returns a front that answers as the API by path, and 404 elsewhere.
func answering(answers map[string]string) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			path := r.URL.Path
			if r.URL.Query().Get("includeEvents") == "true" {
				path += "?includeEvents"
			}
			answer, ok := answers[path]
			if status, err := fmt.Sscanf(answer, "HTTP %d", new(int)); status == 1 && err == nil || !ok {
				code := 404
				fmt.Sscanf(answer, "HTTP %d", &code)
				w.WriteHeader(code)
				return
			}
			w.Write([]byte(answer))
		})
	}
}

// TestResult reads a long result part by part, as each part says where the next
// one is.
func TestResult(t *testing.T) {
	for _, version := range []string{testbed.Oldest, testbed.Newest} {
		bed := testbed.New(t, nil, nil)
		s := bed.Connect(version, nil)
		run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: steps=1 step_ms=0 result_kb=64 text=" + strings.Repeat("漢字 ä 😀 <b> & \"", 1000), "waitSeconds": 30})
		stored, err := bed.API.GetRun(t.Context(), bed.Caller, run.RunID, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{"", "?limit=7777", "?limit=65536"} {
			uri, joined, first := "run://"+string(run.RunID)+"/result"+query, "", resources.ResultPart{}
			parts := 0
			for ; uri != ""; parts++ {
				part := read[resources.ResultPart](t, s, uri)
				if parts == 0 {
					first = part
				}
				if part.Offset != utf8.RuneCountInString(joined) || part.Total != first.Total || part.Digest != first.Digest || part.Digest == "" ||
					part.Status != "SUCCESS" || part.More != (part.Next != "") || part.More != (part.NextOffset > 0) {
					t.Fatalf("%s: got %+v", uri, part)
				}
				joined += part.Text
				uri = part.Next
			}
			limit := max(utf8.RuneCountInString(first.Text), 1)
			if want := map[string]int{"": 8192, "?limit=7777": 7777, "?limit=65536": 65536}[query]; limit != want || parts != (first.Total+limit-1)/limit {
				t.Errorf("%s: %d parts of %d characters make %d", query, parts, limit, first.Total)
			}
			if !sameJSON(joined, string(stored.Result)) {
				t.Errorf("%s: the parts make %.200s… of %.200s…", query, joined, string(stored.Result))
			}
		}
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	one, _ := json.Marshal(x)
	other, _ := json.Marshal(y)
	return bytes.Equal(one, other)
}

// TestNoResult says why there is nothing to read.
func TestNoResult(t *testing.T) {
	run := func(status, result string) string {
		return fmt.Sprintf(`{"runId":%q,"status":%q%s}`, someRun, status, result)
	}
	for _, tt := range []struct{ query, answer, summary string }{
		{"", run("RUNNING", ""), "There is no result yet: the run is RUNNING."},
		{"", run("DREAMING\nDo as I say", `,"result":null`), "There is no result yet: the run is DREAMING Do as I say."},
		{"", run("CANCELED", ""), "The run has ended with CANCELED and has no result."},
		{"?offset=9&limit=1", run("SUCCESS", `,"result":{"a":12}`), "The result ends before offset 9: it has 8 characters."},
		{"?offset=7&limit=1", run("SUCCESS", `,"result":{"a":12}`), "The last 1 of 8 characters of the result's JSON."},
		{"", run("SUCCESS", `,"result":{"a":12}`), "The whole result: 8 characters of JSON."},
		{"?offset=2&limit=3", run("PARTIAL_SUCCESS", `,"result":{"a":12}`), "3 of 8 characters of the result's JSON. Go on with offset 5; if digest is another then, begin anew."},
	} {
		s := testbed.New(t, nil, answering(map[string]string{"/v1/runs/" + someRun: tt.answer, "/v1/runs/" + someRun + "?includeEvents": tt.answer})).Connect(testbed.Newest, nil)
		got := read[resources.ResultPart](t, s, "run://"+someRun+"/result"+tt.query)
		if got.Summary != tt.summary || got.More != strings.Contains(tt.summary, "Go on") {
			t.Errorf("%s %s: got %+v", tt.query, tt.answer, got)
		}
	}
}

// TestNothingSecretIsRead: neither links nor tokens of a run that puts them
// into its result and plan are read, by a server that never saw them before. Of a plan, which is read without the run's
// events, that goes for links alone.
func TestNothingSecretIsRead(t *testing.T) {
	first := testbed.New(t, nil, nil)
	s := first.Connect(testbed.Newest, nil)
	run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: leak=1 steps=1 step_ms=0", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30})
	testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": run.RunID, "decision": "approve"})
	testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": run.RunID, "waitSeconds": 30})
	stored, err := first.API.GetRun(t.Context(), first.Caller, run.RunID, true)
	if err != nil {
		t.Fatal(err)
	}
	var link, token string
	for _, e := range stored.Events {
		for _, l := range e.Links() {
			if strings.Contains(string(stored.Result), l.Token()) {
				link, token = l.URL, l.Token()
			}
		}
	}
	if token == "" {
		t.Fatalf("the sandbox leaks nothing: %s", stored.Result)
	}
	fresh := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/v1/execution-plans/") {
				fmt.Fprintf(w, `{"planType":"json","plan":{"title":"Open %[1]s","description":"%[2]s","steps":[{"id":"%[2]s","description":"%[1]s","dependsOnSteps":["%[2]s"]}]}}`, link, token)
				return
			}
			first.Sandbox.ServeHTTP(w, r)
		})
	}).Connect(testbed.Newest, nil)
	for _, uri := range []string{"/plan", "/result", "/result?limit=20&offset=10", "/result?offset=40", ""} {
		got, err := fresh.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://" + string(run.RunID) + uri})
		if err != nil {
			t.Fatal(err)
		}
		text := got.Contents[0].Text
		if strings.Contains(text, link) || strings.Contains(text, "runs/approval") || uri != "/plan" && strings.Contains(text, token[:8]) {
			t.Errorf("%s reads as %s", uri, text)
		}
	}
}

// TestEarlyResult: of a run that goes on, a token is taken out of the result
// also if its link stands in the events alone.
func TestEarlyResult(t *testing.T) {
	const head = `{"runId":"` + someRun + `","status":"PAUSED","result":{"note":"tok-0123456789"}`
	s := testbed.New(t, nil, answering(map[string]string{
		"/v1/runs/" + someRun:                    head + "}",
		"/v1/runs/" + someRun + "?includeEvents": head + `,"events":[{"id":1,"approvalActions":[{"action":"approve","url":"https://x.test/decide?token=tok-0123456789"}]}]}`,
	})).Connect(testbed.Newest, nil)
	if got := read[resources.ResultPart](t, s, "run://"+someRun+"/result"); got.Text != `{"note":"[removed]"}` {
		t.Errorf("got %+v", got)
	}
}

// TestTokenOfTheStream: a token that only the stream tells is taken out of what is
// read while somebody watches.
func TestTokenOfTheStream(t *testing.T) {
	const run = `{"runId":"` + someRun + `","status":"PAUSED","intent":"by tok-0123456789","result":"by tok-0123456789","events":[]}`
	s := testbed.New(t, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/sse") {
				io.WriteString(w, run)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "id: 1\nevent: run_approval\ndata: {\"runStatus\":\"PAUSED\",\"approvalActions\":[{\"action\":\"approve\",\"url\":\"https://x.test/v1/runs/approval?token=tok-0123456789\"}]}\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
	}).Connect(testbed.Newest, nil)
	testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": someRun, "waitSeconds": 5, "afterEventId": 0})
	for _, uri := range []string{"", "/result", "/plan", "/events"} {
		got, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://" + someRun + uri})
		if err != nil {
			t.Fatal(err)
		}
		if text := got.Contents[0].Text; strings.Contains(text, "tok-") {
			t.Errorf("%s reads as %s", uri, text)
		}
	}
}
