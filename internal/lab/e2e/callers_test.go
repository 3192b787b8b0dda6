package e2e

import (
	"cmp"
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
)

const unknownRun = "123e4567-e89b-12d3-a456-426614174000"

// TestTenantsKeptApart holds that a caller's requests about another caller's runs and
// sessions are answered like requests about unknown ones, over 10,000 random steps.
func TestTenantsKeptApart(t *testing.T) {
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
	unknown := map[string]string{} // status and body of the answer, by message
	for _, message := range append(messagesAbout(unknownRun), approveMessages(unknownRun)...) {
		status, body, _ := tenants[0].Send(t, tenants[0].Session, message, nil)
		unknown[message] = fmt.Sprint(status, body)
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 100 {
			i := rapid.IntRange(0, 1).Draw(t, "caller")
			me, other := tenants[i], tenants[1-i]
			foreign := rapid.SampledFrom(other.Runs).Draw(t, "foreign run")
			switch rapid.SampledFrom([]string{"run", "run", "run", "session", "list", "cancel"}).Draw(t, "step") {
			case "run":
				message := rapid.SampledFrom(messagesAbout(foreign)).Draw(t, "message")
				requireLikeUnknownRun(t, me, foreign, message, unknown)
			case "session":
				requireLikeUnknownSession(t, me, other, messagesAbout(foreign)[0])
			case "list":
				requireOwnRunsOnly(t, me, other, foreign)
			case "cancel":
				me.Send(t, me.Session, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, nil)
			}
		}
	})
	for i, c := range tenants {
		foreign := tenants[1-i].Runs[0]
		for _, message := range approveMessages(foreign) {
			requireLikeUnknownRun(t, c, foreign, message, unknown)
		}
		if status, body, _ := c.Send(t, c.Session, program.ToolCall("get_run", map[string]any{"runId": c.Runs[0]}), nil); status != 200 || !strings.Contains(body, "SUCCESS") {
			t.Errorf("own run: %d %s", status, body)
		}
	}
}

// messagesAbout returns one message of each kind about a run, but for approve.
func messagesAbout(runID string) []string {
	return []string{
		program.ToolCall("get_run", map[string]any{"runId": runID}),
		program.ToolCall("get_run", map[string]any{"runId": runID, "afterEventId": 0, "includeToolCalls": true}),
		program.ToolCall("abort_run", map[string]any{"runId": runID}),
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `/events"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"run://` + runID + `"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"run://` + runID + `/events"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `/plan"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `/result?offset=1"}}`,
	}
}

// approveMessages returns calls of approve. They are not among [messagesAbout], because
// approve looks for an unknown run for some time before it fails.
func approveMessages(runID string) []string {
	return []string{
		program.ToolCall("approve", map[string]any{"runId": runID, "decision": "approve"}),
		program.ToolCall("approve", map[string]any{"runId": runID, "decision": "deny", "token": "some-token-0123456789"}),
	}
}

// requireLikeUnknownRun fails the test unless a message about another caller's run is
// answered like the same message about an unknown run, to the byte.
func requireLikeUnknownRun(t program.Fataler, me *program.Tenant, foreign, message string, unknown map[string]string) {
	status, body, _ := me.Send(t, me.Session, message, nil)
	got := strings.ReplaceAll(fmt.Sprint(status, body), foreign, unknownRun)
	want, ok := unknown[strings.ReplaceAll(message, foreign, unknownRun)]
	if !ok || got != want {
		t.Fatal(message, "\ngot", got, "\nfor an unknown run", want)
	}
}

// requireLikeUnknownSession fails the test unless a message in another caller's session
// is answered like one in an unknown session.
func requireLikeUnknownSession(t program.Fataler, me, other *program.Tenant, message string) {
	status, foreign, _ := me.Send(t, other.Session, message, nil)
	_, unknown, _ := me.Send(t, "NOSUCHSESSION", message, nil)
	if status != http.StatusNotFound || foreign != unknown {
		t.Fatal("another caller's session:", status, foreign, "\nan unknown session:", unknown)
	}
}

// requireOwnRunsOnly fails the test if a list that a caller gets holds another's run.
func requireOwnRunsOnly(t program.Fataler, me, other *program.Tenant, foreign string) {
	_, runs, _ := me.Send(t, me.Session, program.ToolCall("list_runs", map[string]any{"pageSize": 100}), nil)
	_, resources, _ := me.Send(t, me.Session, `{"jsonrpc":"2.0","id":1,"method":"resources/list"}`, nil)
	_, completed, _ := me.Send(t, me.Session, `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"diagnose_run"},"argument":{"name":"runId","value":""}}}`, nil)
	all := runs + resources + completed
	if strings.Contains(all, foreign) || strings.Contains(all, other.Key) || !strings.Contains(runs, me.Runs[0]) || !strings.Contains(completed, me.Runs[0]) {
		t.Fatal("listed", runs, resources, completed)
	}
}

// TestCallersBringTheirKey holds that each request must bring its own API key: the
// operator's key never stands in, and a wrong header is refused before the API is asked.
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
		want    string
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
		{"another user", [][2]string{{"x-api-key", sandbox.DefaultKey}, {"x-user-id", "somebody"}}, 403, "x-user-id may not name"}, // not 401: another key would not help
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
		if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
			t.Errorf("%s: status %d, %s", tt.name, resp.StatusCode, body)
		}
		if resp.Header.Get("WWW-Authenticate") != "" { // it would start OAuth discovery
			t.Errorf("%s: WWW-Authenticate is set", tt.name)
		}
	}
	if n := box.Sandbox().Stats().Requests; n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestHeadersOnlyNarrow holds that a header can narrow the tools of a request and can
// never widen them.
func TestHeadersOnlyNarrow(t *testing.T) {
	url := program.ServeHTTP(t, io.Discard, nil, "--sandbox")
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

// TestOperatorLimitsOverHTTP holds that prompts, resources and completion show only
// what the flags and the request's headers allow.
func TestOperatorLimitsOverHTTP(t *testing.T) {
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
			completed, err := s.Complete(t.Context(), &sdk.CompleteParams{Ref: &sdk.CompleteReference{Type: "ref/prompt", Name: "run_and_watch"}, Argument: sdk.CompleteParamsArgument{Name: "integrations"}})
			if err != nil || !slices.Equal(completed.Completion.Values, []string{"slack_ijkl9012", "jira_mnop3456"}) {
				t.Errorf("got %+v, %v", completed, err)
			}
		}
	}
}

// TestAnswersHideOperatorSettings holds that no answer over HTTP contains the API's
// address, the operator's key or the name of a setting. The answers include refusals
// and those of an API that is down.
func TestAnswersHideOperatorSettings(t *testing.T) {
	t.Parallel()
	for _, upstream := range []string{"an API", "a sandbox"} {
		t.Run(upstream, func(t *testing.T) {
			box, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer box.Close()
			args := []string{"--approval-strategy=ON_START", "--sandbox"}
			if upstream == "an API" {
				args = []string{"--approval-strategy=ON_START", "--integrations=*", "--api-url", box.URL()}
			}
			url := program.ServeHTTP(t, io.Discard, map[string]string{"TR_API_KEY": "operators-key-0123"}, args...)
			answers := &testbed.Buffer{}
			me := program.NewTenant(t, url, sandbox.DefaultKey)
			send := func(message string, headers map[string]string) {
				session := me.Session
				if message == program.Initialize { // in a session it would end the session
					session = ""
				}
				_, body, _ := me.Send(t, session, message, headers)
				answers.Write([]byte(body + "\n"))
			}
			answer, runID := approveWithoutElicitation(t, me)
			answers.Write([]byte(answer))
			for _, tool := range []string{"get_run", "abort_run", "approve", "list_runs"} {
				send(program.ToolCall(tool, map[string]any{"runId": runID}), nil)
				send(program.ToolCall(tool, map[string]any{"runId": "123e4567-e89b-12d3-a456-426614174000"}), nil)
				send(program.ToolCall(tool, map[string]any{"no": "such"}), nil)
			}
			stranger := program.NewTenant(t, url, "another-key-0123")
			_, refused, _ := stranger.Send(t, stranger.Session, program.ToolCall("list_runs", nil), nil)
			if !strings.Contains(refused, "unauthorized") {
				t.Error(refused)
			}
			answers.Write([]byte(refused))
			send(program.ToolCall("create_run", map[string]any{"intent": "x", "userId": "u"}), nil)
			for _, uri := range []string{"run://" + runID, "run://" + runID + "/events", "run://x/plan", "integrations://active"} {
				send(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"`+uri+`"}}`, nil)
			}
			send(`{"jsonrpc":"2.0","id":1,"method":"resources/list"}`, nil)
			send(program.Initialize, nil)
			send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, nil)
			for _, prompt := range []string{"review_approvals", "diagnose_run", "run_and_watch"} {
				send(`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"`+prompt+`","arguments":{"runId":"`+runID+`","intent":"x"}}}`, nil)
			}
			for _, headers := range []map[string]string{
				{"x-api-key": ""}, {"Authorization": "Basic x"}, {"Origin": "https://evil.example"}, {"Content-Type": "text/plain"}, {"Mcp-Session-Id": "none"},
			} {
				send(program.Initialize, headers)
			}
			if upstream == "an API" { // now the API is down
				box.Close()
				send(program.ToolCall("get_run", map[string]any{"runId": runID}), nil)
				send(program.ToolCall("list_runs", nil), nil)
				send(program.ToolCall("create_run", map[string]any{"intent": "x", "userId": "u"}), nil)
				send(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"integrations://active"}}`, nil)
			}
			for _, secret := range []string{strings.TrimPrefix(box.URL(), "http://"), "127.0.0.1", "localhost", "TR_API", "terminal", "approve --", "--api", "operators-key"} {
				if i := strings.Index(answers.String(), secret); i >= 0 {
					t.Errorf("an answer holds %q: …%s…", secret, answers.String()[max(0, i-200):min(len(answers.String()), i+200)])
				}
			}
			if !strings.Contains(answers.String(), "not_found") || upstream == "an API" && !strings.Contains(answers.String(), "upstream_unavailable") {
				t.Error("the expected failures did not happen")
			}
		})
	}
}
