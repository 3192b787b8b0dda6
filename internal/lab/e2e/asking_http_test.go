package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

const helloAsking = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{}},"clientInfo":{"name":"raw","version":"1"}}}`

// openStream posts one message, or opens the stream of GET where it is "", and
// returns the messages that come.
func openStream(t *testing.T, c *program.Tenant, message string) (next func() string) {
	t.Helper()
	method := http.MethodPost
	if message == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("x-api-key", c.Key)
	req.Header.Set("Mcp-Session-Id", c.Session)
	if message == "" {
		req.Body = http.NoBody
		req.ContentLength = 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		body, _ := io.ReadAll(resp.Body)
		return func() string { return string(body) }
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && data != "" {
				return data
			}
		}
		return ""
	}
}

// TestQuestionOverHTTP outlives the response that carried it: it is answered by a
// later request, or withdrawn on whatever stream there is.
func TestQuestionOverHTTP(t *testing.T) {
	for _, tt := range []string{"answered", "withdrawn on the stream of GET", "withdrawn on the call's own response", "withdrawn on another call's response", "client gone and back"} {
		t.Run(tt, func(t *testing.T) {
			t.Parallel()
			box, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer box.Close()
			me := &program.Tenant{URL: program.ServeHTTP(t, io.Discard, nil, "--api-url", box.URL(), "--integrations=*", "--approval-strategy=ON_START"), Key: sandbox.DefaultKey}
			_, _, header := me.Send(t, "", helloAsking, nil)
			me.Session = header.Get("Mcp-Session-Id")
			me.CreateRun(t, "steps=1 queue_ms=0")
			runID := me.Runs[0]
			get := func() string { return "" }
			if tt == "withdrawn on the stream of GET" {
				get = openStream(t, me, "")
			}
			wait := 1
			if tt == "withdrawn on the call's own response" {
				wait = 30
			}
			own := openStream(t, me, program.ToolCall("get_run", map[string]any{"runId": runID, "waitSeconds": wait}))
			question := own()
			var asked struct{ ID, Method string }
			if json.Unmarshal([]byte(question), &asked) != nil || asked.Method != "elicitation/create" {
				t.Fatalf("not asked: %s", question)
			}
			if wait == 1 {
				if answer := own(); !strings.Contains(answer, "the question stays open") {
					t.Fatalf("the call did not end: %s", answer)
				}
			}
			switch tt {
			case "answered":
				status, _, _ := me.Send(t, me.Session, fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"result":{"action":"accept","content":{"decision":"approve"}}}`, asked.ID), nil)
				var result string
				for result = ""; !strings.Contains(result, "SUCCESS"); {
					_, result, _ = me.Send(t, me.Session, program.ToolCall("get_run", map[string]any{"runId": runID, "waitSeconds": 30}), nil)
				}
				if status != http.StatusAccepted || !strings.Contains(result, "The decision to approve was accepted by the API.") {
					t.Errorf("status %d: %s", status, result)
				}
				return
			case "client gone and back": // what it was asked goes with the session
				yes := fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"result":{"action":"accept","content":{"decision":"approve"}}}`, asked.ID)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, me.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header = http.Header{"X-Api-Key": {me.Key}, "Mcp-Session-Id": {me.Session}}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if status, _, _ := me.Send(t, me.Session, yes, nil); status != http.StatusNotFound {
					t.Errorf("the answer of a session that ended: status %d", status)
				}
				_, _, header := me.Send(t, "", helloAsking, nil)
				me.Session = header.Get("Mcp-Session-Id")
				own = openStream(t, me, program.ToolCall("get_run", map[string]any{"runId": runID, "waitSeconds": 30}))
				if again := own(); !strings.Contains(again, "elicitation/create") || !strings.Contains(again, `"server-1"`) {
					t.Fatalf("not asked anew: %s", again)
				}
				me.Send(t, me.Session, yes, nil)
				if result := own(); !strings.Contains(result, "The decision to approve was accepted by the API. The run ended with SUCCESS") {
					t.Error(result)
				}
				return
			case "withdrawn on another call's response":
				own = openStream(t, me, strings.Replace(program.ToolCall("get_run", map[string]any{"runId": runID, "waitSeconds": 30}), `"id":1`, `"id":2`, 1))
			case "withdrawn on the stream of GET":
				own = get
			}
			elsewhere := program.NewTenant(t, me.URL, me.Key)
			elsewhere.Send(t, elsewhere.Session, program.ToolCall("abort_run", map[string]any{"runId": runID}), nil)
			if got := own(); !strings.Contains(got, "notifications/cancelled") || !strings.Contains(got, asked.ID) {
				t.Errorf("not withdrawn: %s", got)
			}
		})
	}
}
