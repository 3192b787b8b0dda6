package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
)

// undecided makes a run wait, has a client that cannot ask call approve, and
// returns the answer and the run's id.
func undecided(t *testing.T, me *program.Tenant) (answer, runID string) {
	me.CreateRun(t, "steps=1")
	runID = me.Runs[len(me.Runs)-1]
	if _, body, _ := me.Send(t, me.Session, program.ToolCall("get_run", map[string]any{"runId": runID, "waitSeconds": 30}), nil); !strings.Contains(body, "PAUSED") {
		t.Fatal(body)
	}
	_, answer, _ = me.Send(t, me.Session, program.ToolCall("approve", map[string]any{"runId": runID}), nil)
	return answer, runID
}

// TestWhereAPersonDecides over HTTP: never by what works on the operator's
// machine alone.
func TestWhereAPersonDecides(t *testing.T) {
	box, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"--api-url", box.URL(), "--integrations=*"}, "Tell the user to decide in the vendor's console."},
		{[]string{"--sandbox"}, "Tell the user to decide with an MCP client that can ask them: the sandbox has no console."},
		{[]string{"--sandbox", "--decide-hint", "at https://ops.example.com/RUN_ID"}, "Tell the user to decide at https://ops.example.com/{id}."},
	} {
		url := program.ServeHTTP(t, io.Discard, nil, append(tt.args, "--approval-strategy=ON_START")...)
		me := program.NewTenant(t, url, sandbox.DefaultKey)
		answer, id := undecided(t, me)
		if !strings.Contains(answer, strings.ReplaceAll(tt.says, "{id}", id)) {
			t.Errorf("%s: got %s", tt.args, answer)
		}
	}
}

// TestCallersLearnNothingOfTheOperator collects all kinds of answers over HTTP,
// refusals and an API that is down among them, and looks for the address and
// the settings of the operator in it.
func TestCallersLearnNothingOfTheOperator(t *testing.T) {
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
			seen := &testbed.Buffer{}
			me := program.NewTenant(t, url, sandbox.DefaultKey)
			say := func(message string, headers map[string]string) {
				session := me.Session
				if message == program.Initialize { // it would end the session
					session = ""
				}
				_, body, _ := me.Send(t, session, message, headers)
				seen.Write([]byte(body + "\n"))
			}
			answer, runID := undecided(t, me)
			seen.Write([]byte(answer))
			for _, tool := range []string{"get_run", "abort_run", "approve", "list_runs"} {
				say(program.ToolCall(tool, map[string]any{"runId": runID}), nil)
				say(program.ToolCall(tool, map[string]any{"runId": "123e4567-e89b-12d3-a456-426614174000"}), nil)
				say(program.ToolCall(tool, map[string]any{"no": "such"}), nil)
			}
			stranger := program.NewTenant(t, url, "another-key-0123")
			_, refused, _ := stranger.Send(t, stranger.Session, program.ToolCall("list_runs", nil), nil)
			if !strings.Contains(refused, "unauthorized") {
				t.Error(refused)
			}
			seen.Write([]byte(refused))
			say(program.ToolCall("create_run", map[string]any{"intent": "x", "userId": "u"}), nil)
			for _, uri := range []string{"run://" + runID, "run://" + runID + "/events", "run://x/plan", "integrations://active"} {
				say(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"`+uri+`"}}`, nil)
			}
			say(`{"jsonrpc":"2.0","id":1,"method":"resources/list"}`, nil)
			say(program.Initialize, nil)
			say(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, nil)
			for _, prompt := range []string{"review_approvals", "diagnose_run", "run_and_watch"} {
				say(`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"`+prompt+`","arguments":{"runId":"`+runID+`","intent":"x"}}}`, nil)
			}
			for _, headers := range []map[string]string{
				{"x-api-key": ""}, {"Authorization": "Basic x"}, {"Origin": "https://evil.example"}, {"Content-Type": "text/plain"}, {"Mcp-Session-Id": "none"},
			} {
				say(program.Initialize, headers)
			}
			if upstream == "an API" { // and then it is down
				box.Close()
				say(program.ToolCall("get_run", map[string]any{"runId": runID}), nil)
				say(program.ToolCall("list_runs", nil), nil)
				say(program.ToolCall("create_run", map[string]any{"intent": "x", "userId": "u"}), nil)
				say(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"integrations://active"}}`, nil)
			}
			for _, secret := range []string{strings.TrimPrefix(box.URL(), "http://"), "127.0.0.1", "localhost", "TR_API", "terminal", "approve --", "--api", "operators-key"} {
				if i := strings.Index(seen.String(), secret); i >= 0 {
					t.Errorf("an answer holds %q: …%s…", secret, seen.String()[max(0, i-200):min(len(seen.String()), i+200)])
				}
			}
			if !strings.Contains(seen.String(), "not_found") || upstream == "an API" && !strings.Contains(seen.String(), "upstream_unavailable") {
				t.Error("the failures that were meant did not happen")
			}
		})
	}
}

// TestPrintedURL is one that works, whatever the server listens on, and what
// clients elsewhere need is said.
func TestPrintedURL(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		prefix string
		warns  bool
	}{
		{[]string{"--listen=127.0.0.1:0"}, "http://127.0.0.1:", false},
		{[]string{"--listen=localhost:0"}, "http://", false},
		{[]string{"--listen=[::1]:0"}, "http://[::1]:", false},
		{[]string{"--listen=:0"}, "http://localhost:", true},
		{[]string{"--listen=0.0.0.0:0"}, "http://localhost:", true},
		{[]string{"--listen=[::]:0"}, "http://localhost:", true},
		{[]string{"--listen=0.0.0.0:0", "--allowed-hosts=mcp.example.com"}, "http://localhost:", false},
	} {
		address := strings.TrimPrefix(tt.args[0], "--listen=")
		if l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address); err == nil {
			l.Close()
		} else { // no IPv6 here
			continue
		}
		log := &testbed.Buffer{}
		url := program.ServeHTTP(t, log, nil, append(tt.args, "--sandbox")...)
		program.NewTenant(t, url, sandbox.DefaultKey)
		if !strings.HasPrefix(url, tt.prefix) || !strings.HasSuffix(url, "/mcp") {
			t.Errorf("%s: it printed %s", tt.args, url)
		}
		if warns := strings.Contains(log.String(), "--allowed-hosts"); warns != tt.warns {
			t.Errorf("%s: warned %t: %s", tt.args, warns, log.String())
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestPathPrefix is in the printed URL, however it is written.
func TestPathPrefix(t *testing.T) {
	for _, prefix := range []string{"/team/runs", "team/runs", "/team/runs/"} {
		if url := program.ServeHTTP(t, io.Discard, nil, "--sandbox", "--path-prefix="+prefix); !strings.HasSuffix(url, "/team/runs/mcp") {
			t.Errorf("%s: it printed %s", prefix, url)
		}
	}
}
