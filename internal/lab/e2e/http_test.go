package e2e

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"pgregory.net/rapid"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
)

// TestOfficialClientOverHTTP does the whole job in both eras.
func TestOfficialClientOverHTTP(t *testing.T) {
	url := program.ServeHTTP(t, io.Discard, nil, "--sandbox", "--approvals=agent")
	for _, version := range []string{"2025-03-26", "2025-11-25", testbed.Newest} {
		t.Run(version, func(t *testing.T) {
			progress := make(chan string, 100)
			c := sdk.NewClient(&sdk.Implementation{Name: "official", Version: "1"}, &sdk.ClientOptions{
				ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { progress <- r.Params.Message },
			})
			s, err := c.Connect(t.Context(), &sdk.StreamableClientTransport{
				Endpoint: url, HTTPClient: &http.Client{Transport: program.Headers{"x-api-key": sandbox.DefaultKey}},
			}, &sdk.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{
				"intent": "Find overdue invoices", "context": "sandbox: steps=2 step_ms=5", "approvalStrategy": "ON_START", "waitSeconds": 30,
			})
			testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": run.RunID, "decision": "approve", "approvalId": run.PendingApprovals[0].ApprovalID})
			ended := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": run.RunID, "afterEventId": run.LastEventID, "waitSeconds": 30})
			if ended.Status != "SUCCESS" {
				t.Fatalf("got %+v", ended)
			}
			if message := <-progress; message != "run "+string(run.RunID)+" was created" {
				t.Errorf("progress first said %q", message)
			}
			for id := range ended.LastEventID {
				if message := <-progress; !strings.HasPrefix(message, fmt.Sprintf("%d: ", id+1)) {
					t.Errorf("progress said %q, want event %d", message, id+1)
				}
			}
			if _, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: string("run://" + string(run.RunID) + "/events?limit=2")}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOperatorsCeilingOverHTTP: prompts, resources and completion show what the
// flags and the request's headers leave.
func TestOperatorsCeilingOverHTTP(t *testing.T) {
	url := program.ServeHTTP(t, io.Discard, nil, "--sandbox", "--integrations=slack_ijkl9012,jira_mnop3456", "--approvals=off")
	for readOnly, prompts := range map[string]int{"": 3, "true": 2} {
		s, err := sdk.NewClient(&sdk.Implementation{Name: "official", Version: "1"}, nil).Connect(t.Context(), &sdk.StreamableClientTransport{
			Endpoint: url, HTTPClient: &http.Client{Transport: program.Headers{"x-api-key": sandbox.DefaultKey, "X-MCP-Readonly": cmp.Or(readOnly, "false")}},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if list, err := s.ListPrompts(t.Context(), nil); err != nil || len(list.Prompts) != prompts {
			t.Errorf("read-only %q: got %+v, %v", readOnly, list, err)
		}
		review, err := s.GetPrompt(t.Context(), &sdk.GetPromptParams{Name: "review_approvals"})
		if err != nil || !strings.Contains(review.Messages[0].Content.(*sdk.TextContent).Text, "Nobody can decide here") {
			t.Errorf("got %+v, %v", review, err)
		}
		got, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "integrations://active"})
		if err != nil || !strings.Contains(got.Contents[0].Text, "A run may use 2 active integrations.") {
			t.Errorf("got %+v, %v", got, err)
		}
		if readOnly == "" {
			done, err := s.Complete(t.Context(), &sdk.CompleteParams{Ref: &sdk.CompleteReference{Type: "ref/prompt", Name: "run_and_watch"}, Argument: sdk.CompleteParamsArgument{Name: "integrations"}})
			if err != nil || !slices.Equal(done.Completion.Values, []string{"slack_ijkl9012", "jira_mnop3456"}) {
				t.Errorf("got %+v, %v", done, err)
			}
		}
	}
}

// TestTenantsKeptApart: whatever one caller does with what is another's, over
// 10,000 steps, it answers as for something that never was.
func TestTenantsKeptApart(t *testing.T) {
	const unknown = "123e4567-e89b-12d3-a456-426614174000"
	box, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Options{Keys: []string{"key-of-tenant-a", "key-of-tenant-b"}})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	url := program.ServeHTTP(t, io.Discard, nil, "--api-url", box.URL(), "--approvals=agent")
	tenants := []*program.Tenant{program.NewTenant(t, url, "key-of-tenant-a"), program.NewTenant(t, url, "key-of-tenant-b")}
	for _, c := range tenants {
		c.CreateRun(t, "")
		c.CreateRun(t, "steps=1")
	}
	messages := func(runID string) []string {
		return []string{
			program.ToolCall("get_run", map[string]any{"runId": runID}),
			program.ToolCall("get_run", map[string]any{"runId": runID, "afterEventId": 0, "includeToolCalls": true}),
			program.ToolCall("abort_run", map[string]any{"runId": runID}),
			program.ToolCall("approve", map[string]any{"runId": runID, "decision": "approve"}),
			program.ToolCall("approve", map[string]any{"runId": runID, "decision": "deny", "token": "some-token-0123456789"}),
			`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `"}}`,
			`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `/events"}}`,
			`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"run://` + runID + `"}}`,
			`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"run://` + runID + `/events"}}`,
			`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `/plan"}}`,
			`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `/result?offset=1"}}`,
		}
	}
	// What an unknown run answers, once for each message: foreign runs must
	// answer the same, to the byte.
	var baseline []string
	for _, m := range messages(unknown) {
		status, body, _ := tenants[0].Send(t, tenants[0].Session, m, nil)
		baseline = append(baseline, fmt.Sprint(status, body))
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 100 {
			i := rapid.IntRange(0, 1).Draw(t, "caller")
			me, other := tenants[i], tenants[1-i]
			foreign := rapid.SampledFrom(other.Runs).Draw(t, "foreign run")
			switch rapid.SampledFrom([]string{"run", "run", "run", "session", "list", "cancel"}).Draw(t, "step") {
			case "run":
				// The two approve calls look for the run for a while; they are
				// compared once, below.
				n := rapid.SampledFrom([]int{0, 1, 2, 5, 6, 7, 8, 9, 10}).Draw(t, "message")
				status, body, _ := me.Send(t, me.Session, messages(foreign)[n], nil)
				if got := strings.ReplaceAll(fmt.Sprint(status, body), foreign, unknown); got != baseline[n] {
					t.Fatalf("%s answered\n%s, for an unknown run\n%s", messages(foreign)[n], got, baseline[n])
				}
			case "session":
				known, _, _ := me.Send(t, other.Session, messages(foreign)[0], nil)
				_, mine, _ := me.Send(t, other.Session, messages(foreign)[0], nil)
				_, none, _ := me.Send(t, "NOSUCHSESSION", messages(foreign)[0], nil)
				if known != http.StatusNotFound || mine != none {
					t.Fatalf("another's session: %d %s; none: %s", known, mine, none)
				}
			case "list":
				_, body, _ := me.Send(t, me.Session, program.ToolCall("list_runs", map[string]any{"pageSize": 100}), nil)
				_, resources, _ := me.Send(t, me.Session, `{"jsonrpc":"2.0","id":1,"method":"resources/list"}`, nil)
				_, completed, _ := me.Send(t, me.Session, `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"diagnose_run"},"argument":{"name":"runId","value":""}}}`, nil)
				all := body + resources + completed
				if strings.Contains(all, foreign) || strings.Contains(all, other.Key) || !strings.Contains(body, me.Runs[0]) || !strings.Contains(completed, me.Runs[0]) {
					t.Fatalf("listed %s %s %s", body, resources, completed)
				}
			case "cancel":
				me.Send(t, me.Session, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, nil)
			}
		}
	})
	for i, c := range tenants {
		foreign := tenants[1-i].Runs[0]
		for _, n := range []int{3, 4} {
			status, body, _ := c.Send(t, c.Session, messages(foreign)[n], nil)
			if got := strings.ReplaceAll(fmt.Sprint(status, body), foreign, unknown); got != baseline[n] {
				t.Errorf("%s answered\n%s, for an unknown run\n%s", messages(foreign)[n], got, baseline[n])
			}
		}
		if status, body, _ := c.Send(t, c.Session, program.ToolCall("get_run", map[string]any{"runId": c.Runs[0]}), nil); status != 200 || !strings.Contains(body, "SUCCESS") {
			t.Errorf("own run: %d %s", status, body)
		}
	}
}

// TestCallersBringTheirKey: nothing stands in for it, and nothing a request
// carries widens what the operator allowed.
func TestCallersBringTheirKey(t *testing.T) {
	box, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	url := program.ServeHTTP(t, io.Discard, map[string]string{"TR_API_KEY": sandbox.DefaultKey}, "--api-url", box.URL(), "--user-id", "operators-user", "--integrations", "*")
	for _, tt := range []struct {
		name    string
		headers [][2]string
		status  int
		says    string
	}{
		{"no key", nil, 401, "in the header x-api-key, or as Authorization: Bearer KEY"},
		{"an empty key", [][2]string{{"x-api-key", ""}}, 401, "in the header x-api-key"},
		{"two keys", [][2]string{{"x-api-key", "a"}, {"x-api-key", "b"}}, 401, "one x-api-key header"},
		{"a bearer of nothing", [][2]string{{"Authorization", "Bearer "}}, 401, "Authorization must be Bearer KEY"},
		{"a scheme alone", [][2]string{{"Authorization", "Bearer"}}, 401, "Authorization must be Bearer KEY"},
		{"a key without a scheme", [][2]string{{"Authorization", sandbox.DefaultKey}}, 401, "Authorization must be Bearer KEY"},
		{"another scheme", [][2]string{{"Authorization", "Basic " + sandbox.DefaultKey}}, 401, "send the key in x-api-key"},
		{"another scheme beside a key", [][2]string{{"Authorization", "Basic eDp5"}, {"x-api-key", sandbox.DefaultKey}}, 200, ""},
		{"two bearers", [][2]string{{"Authorization", "Bearer a"}, {"Authorization", "Bearer a"}}, 401, "one Authorization header"},
		{"keys that differ", [][2]string{{"Authorization", "Bearer a"}, {"x-api-key", "b"}}, 401, "x-api-key and Authorization hold different"},
		{"a placeholder", [][2]string{{"x-api-key", "your-key"}}, 401, "x-api-key or Authorization is a placeholder"},
		{"a variable", [][2]string{{"Authorization", "Bearer ${TR_API_KEY}"}}, 401, "is the name of a variable"},
		{"another user", [][2]string{{"x-api-key", sandbox.DefaultKey}, {"x-user-id", "somebody"}}, 403, "x-user-id may not name"}, // another key would not help
		{"two users", [][2]string{{"x-api-key", sandbox.DefaultKey}, {"x-user-id", "a"}, {"x-user-id", "b"}}, 403, "one x-user-id header"},
		{"a bearer", [][2]string{{"Authorization", "Bearer " + sandbox.DefaultKey}}, 200, `"result"`},
		{"a bearer in other letters", [][2]string{{"Authorization", "bEARER  " + sandbox.DefaultKey}}, 200, `"result"`},
		{"the same key twice", [][2]string{{"Authorization", "Bearer " + sandbox.DefaultKey}, {"x-api-key", sandbox.DefaultKey}}, 200, `"result"`},
		{"a bearer beside an empty key", [][2]string{{"Authorization", "Bearer " + sandbox.DefaultKey}, {"x-api-key", ""}}, 200, `"result"`},
	} {
		req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(program.Initialize))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		for _, h := range tt.headers {
			req.Header.Add(h[0], h[1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.says) {
			t.Errorf("%s: status %d, %s", tt.name, resp.StatusCode, body)
		}
		if resp.Header.Get("WWW-Authenticate") != "" { // it would start OAuth discovery
			t.Errorf("%s: WWW-Authenticate is set", tt.name)
		}
	}
	if n := box.Sandbox().Stats().Requests; n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
	me := program.NewTenant(t, url, sandbox.DefaultKey)
	list := func(headers map[string]string) (names []string) {
		_, body, _ := me.Send(t, me.Session, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, headers)
		for _, m := range regexp.MustCompile(`"name":"(\w+)"`).FindAllStringSubmatch(body, -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return names
	}
	if got := list(map[string]string{"X-MCP-Readonly": "true"}); !slices.Equal(got, []string{"get_run", "list_runs"}) {
		t.Errorf("narrowed to %v", got)
	}
	if got := list(map[string]string{"X-MCP-Readonly": "false", "X-MCP-Tools": "all"}); len(got) != 5 {
		t.Errorf("got %v", got)
	}
	if _, body, _ := me.Send(t, me.Session, program.ToolCall("create_run", map[string]any{"intent": "x"}), map[string]string{"X-MCP-Readonly": "yes"}); !strings.Contains(body, "there is no tool of that name") {
		t.Errorf("a read-only call created: %s", body)
	}
}
