package e2e

import (
	"cmp"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
)

// TestCallersBringTheirKey holds that each request must bring its own API key: the
// operator's key never stands in, and a wrong header is refused before the API is asked.
func TestCallersBringTheirKey(t *testing.T) {
	box := startSandbox(t)
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
	reading := slices.DeleteFunc(tools.Names(), func(name string) bool { return !tools.Options{ReadOnly: true}.Offers(name) })
	slices.Sort(reading)
	if got := list(map[string]string{"X-MCP-Readonly": "true"}); !slices.Equal(got, reading) || slices.Contains(got, "create_run") {
		t.Errorf("narrowed to %v, want %v", got, reading)
	}
	if got := list(map[string]string{"X-MCP-Readonly": "false", "X-MCP-Tools": "all"}); len(got) != len(tools.Names()) {
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
