package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/rogpeppe/go-internal/testscript"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
)

// TestMain runs the program where a test starts it under its own name.
func TestMain(m *testing.M) { program.Main(m) }

// TestScripts types what a person types. A script may work on a sandbox of its
// own, at $TR_API_URL: paused VAR [CONTEXT] creates a run there that waits for
// approval, decided VAR [DECISION...] says what the API took.
func TestScripts(t *testing.T) {
	type boxKey struct{}
	box := func(ts *testscript.TestScript) *sandbox.Sandbox { return ts.Value(boxKey{}).(*sandbox.Sandbox) }
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			box := sandbox.New(sandbox.Options{})
			api := httptest.NewServer(box)
			env.Defer(func() {
				box.Close()
				api.Close()
			})
			env.Values[boxKey{}] = box
			env.Setenv("API_URL", api.URL)
			env.Setenv("API_KEY", sandbox.DefaultKey)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"paused": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv(args[0], pausedRun(ts, strings.Join(args[1:], " ")))
			},
			"decided": func(ts *testscript.TestScript, _ bool, args []string) {
				var got []string
				for _, d := range box(ts).Decisions(args[0]) {
					got = append(got, string(d))
				}
				if !slices.Equal(got, args[1:]) {
					ts.Fatalf("the API took %q, want %q", got, args[1:])
				}
			},
		},
	})
}

// pausedRun creates a run in a script's sandbox and returns its id once it waits.
func pausedRun(ts *testscript.TestScript, behaviour string) string {
	api, err := client.New(client.Options{URL: ts.Getenv("API_URL")})
	ts.Check(err)
	defer api.Close()
	caller := client.Caller{Key: sandbox.DefaultKey}
	strategy := client.ApproveToolCall
	if behaviour == "" {
		strategy = client.ApproveStart
	}
	run, err := api.CreateRun(context.Background(), caller, client.CreateRunRequest{
		Intent: "Find overdue invoices", Integrations: []string{"*"}, UserID: "u", ApprovalStrategy: strategy, Context: "sandbox: step_ms=1 " + behaviour})
	ts.Check(err)
	for run.Status != client.Paused {
		run, err = api.GetRun(context.Background(), caller, run.RunID, true)
		ts.Check(err)
	}
	return string(run.RunID)
}

// TestOfficialClient does the whole job through the official Go client and
// the program as a subprocess, in the newest and the oldest revision it speaks.
func TestOfficialClient(t *testing.T) {
	for _, version := range []string{testbed.Oldest, testbed.Newest} {
		t.Run(version, func(t *testing.T) {
			progress := make(chan string, 100)
			c := sdk.NewClient(&sdk.Implementation{Name: "official", Version: "1"}, &sdk.ClientOptions{
				ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { progress <- r.Params.Message },
			})
			command := exec.Command(program.Executable(t), "--sandbox", "--approvals=agent")
			s, err := c.Connect(t.Context(), &sdk.CommandTransport{Command: command}, &sdk.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if got := s.InitializeResult().ProtocolVersion; got != version {
				t.Fatalf("negotiated %s", got)
			}
			run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{
				"intent": "Find overdue invoices", "context": "sandbox: steps=2 step_ms=5", "approvalStrategy": "ON_START", "waitSeconds": 30,
			})
			testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": run.RunID, "decision": "approve", "approvalId": run.PendingApprovals[0].ApprovalID})
			ended := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": run.RunID, "afterEventId": run.LastEventID, "waitSeconds": 30})
			if ended.Status != "SUCCESS" || ended.Result == nil {
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
			read, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: string("run://" + string(run.RunID) + "/events?afterEventId=1&limit=2")})
			if err != nil || !strings.Contains(read.Contents[0].Text, `"lastEventId":3,"more":true`) {
				t.Errorf("read %+v, %v", read, err)
			}
			_, err = s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://123e4567-e89b-12d3-a456-426614174000"})
			if err == nil || !strings.Contains(strings.ToLower(err.Error()), "resource not found") {
				t.Errorf("reading an unknown run: %v", err)
			}
		})
	}
}

// message is what the raw client reads.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		ProgressToken int    `json:"progressToken"`
		Progress      int    `json:"progress"`
		Message       string `json:"message"`
	} `json:"params"`
	Result *struct {
		IsError           bool            `json:"isError"`
		StructuredContent tools.RunResult `json:"structuredContent"`
	} `json:"result"`
}

// TestThousandWaitingCalls lets a thousand calls wait for one run, each with
// progress: none is lost, none comes after its answer, each in order.
func TestThousandWaitingCalls(t *testing.T) {
	const calls, steps = 1000, 20
	const events = steps + 3 // status, start, steps, end
	in, out, ended := program.ServeStdio(t, "--sandbox")
	send := func(format string, args ...any) {
		if _, err := fmt.Fprintf(in, format+"\n", args...); err != nil {
			t.Error(err)
		}
	}
	go func() {
		send(`{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`)
		send(`{"jsonrpc":"2.0","id":"create","method":"tools/call","params":{"name":"create_run","arguments":{"intent":"x","context":"sandbox: steps=%d step_ms=100"}}}`, steps)
	}()
	progress, told := make([]int, calls), make([]int, calls) // notifications, and events in them
	answered := 0
	for answered < calls && out.Scan() {
		var m message
		if err := json.Unmarshal(out.Bytes(), &m); err != nil {
			t.Fatalf("%v: %s", err, out.Bytes())
		}
		switch {
		case string(m.ID) == `"create"`:
			go func() {
				for i := range calls {
					send(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_run","arguments":{"runId":%q,"afterEventId":0,"waitSeconds":45},"_meta":{"progressToken":%d}}}`, i, m.Result.StructuredContent.RunID, i)
				}
			}()
		case m.Method == "notifications/progress":
			token := m.Params.ProgressToken
			progress[token]++
			heartbeat := m.Params.Message == "waiting for the run" || strings.HasPrefix(m.Params.Message, "still ") // of a slow machine
			if !heartbeat {
				told[token]++
			}
			if m.Params.Progress != progress[token] || !heartbeat && !strings.HasPrefix(m.Params.Message, fmt.Sprint(told[token])+": ") {
				t.Fatalf("call %d: progress %d (%s), want number %d of event %d", token, m.Params.Progress, m.Params.Message, progress[token], told[token])
			}
		case m.Result != nil && string(m.ID) != `"hello"`:
			var i int
			if err := json.Unmarshal(m.ID, &i); err != nil || m.Result.IsError || !m.Result.StructuredContent.Finished {
				t.Fatalf("got %s", out.Bytes())
			}
			if told[i] != events {
				t.Fatalf("call %d was answered after %d of %d events", i, told[i], events)
			}
			answered++
		}
	}
	if answered != calls || slices.Min(told) != events {
		t.Errorf("%d answers, at least %d events each; %v", answered, slices.Min(told), out.Err())
	}
	in.Close() // it would end the waits
	for out.Scan() {
	}
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestSIGTERM ends the program within 5 s although a call waits and nobody
// reads what it writes.
func TestSIGTERM(t *testing.T) {
	command := exec.Command(program.Executable(t), "--sandbox")
	var log bytes.Buffer
	command.Stderr = &log
	in, out := program.StartPiped(t, command)
	fmt.Fprintln(in, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`)
	if _, err := out.Read(make([]byte, 1)); err != nil { // it serves
		t.Fatal(err)
	}
	go func() { // fill the pipe until it blocks
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(in, `{"jsonrpc":"2.0","id":%d,"method":"tools/list"}`+"\n", i+2); err != nil {
				return
			}
		}
	}()
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if code := program.WaitEnd(t, command); code != 0 || time.Since(started) > 5*time.Second {
		t.Errorf("exit code %d after %s; log: %s", code, time.Since(started), log.String())
	}
	in.Close()
}
