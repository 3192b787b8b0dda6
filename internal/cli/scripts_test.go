package cli_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// TestScripts runs the scripts of testdata, which type what a person types. Each script
// has a sandbox at $API_URL with two commands of its own: paused VAR [DIRECTIVE...]
// creates a run that waits for approval and puts its id into VAR, and decided RUN-ID
// [DECISION...] fails unless these are the decisions that the sandbox got.
func TestScripts(t *testing.T) {
	type boxKey struct{}
	path := program.Path(t)
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
			env.Setenv("PATH", path)
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
					ts.Fatalf("the sandbox got the decisions %q, want %q", got, args[1:])
				}
			},
		},
	})
}

// pausedRun creates a run in a script's sandbox, waits until it needs an approval, and
// returns its id. With no behaviour the whole run needs it, else its tool calls do.
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
