package cli_test

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// watchedRun is a run that a person watches in a terminal.
type watchedRun struct {
	*program.Terminal
	box *sandbox.Server
	id  string
}

// watchRun creates a run and watches it in a terminal of so many columns.
func watchRun(t *testing.T, columns uint16, strategy client.ApprovalStrategy, behaviour string, env ...string) *watchedRun {
	t.Helper()
	return startWithRun(t, columns, strategy, behaviour, env, "runs", "watch", "RUN_ID")
}

// startWithRun creates a run and starts the program in a terminal. RUN_ID in an argument
// stands for the run.
func startWithRun(t *testing.T, columns uint16, strategy client.ApprovalStrategy, behaviour string, env []string, args ...string) *watchedRun {
	t.Helper()
	executable := program.Executable(t) // before the run begins: it may have to be built
	box, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	api, err := client.New(client.Options{URL: box.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	run, err := api.CreateRun(t.Context(), client.Caller{Key: sandbox.DefaultKey}, client.CreateRunRequest{
		Intent: "Find overdue invoices", Integrations: []string{"*"}, UserID: "u", ApprovalStrategy: strategy, Context: "sandbox: " + behaviour,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "RUN_ID", string(run.RunID))
	}
	command := exec.Command(executable, args...)
	command.Dir = t.TempDir()
	command.Env = append([]string{"TERM=xterm", "TR_API_KEY=" + sandbox.DefaultKey, "TR_API_URL=" + box.URL()}, env...)
	return &watchedRun{program.StartInTerminal(t, columns, 24, command), box, string(run.RunID)}
}

// decisions are those that the sandbox got.
func (w *watchedRun) decisions() (list []string) {
	for _, d := range w.box.Sandbox().Decisions(w.id) {
		list = append(list, string(d))
	}
	return list
}

// control matches the control sequences of a terminal.
var control = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]|\r`)

// TestWatchDecides holds that a person who watches a run is asked, that only what they
// type after the question counts, and that they see the run go on to its end.
func TestWatchDecides(t *testing.T) {
	t.Parallel()
	w := watchRun(t, 80, client.ApproveToolCall, "step_ms=300 steps=2")
	w.Type("n\nn\n") // typed ahead: no decision
	at := w.Await(0, "y approves, n denies")
	w.Type("y\n")
	at = w.Await(at, "y approves, n denies")
	w.Type("y\n")
	at = w.Await(at, "ended: SUCCESS")
	w.Await(at, "text: This is the sandbox")
	if code := w.WaitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := w.decisions(); !slices.Equal(got, []string{"approve", "approve"}) {
		t.Errorf("the sandbox got the decisions %q", got)
	}
	text := control.ReplaceAllString(w.Printed(), "")
	for _, want := range []string{"QUEUED\n", `It would call "`, "a decision was made\n", "step: Look up overdue invoices in Salesforce\n", "The run ended with SUCCESS."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// TestWatchLeavesWaiting holds that any other answer leaves the run waiting, that the last
// line says what it waits for, and that Ctrl-C lets it go on.
func TestWatchLeavesWaiting(t *testing.T) {
	t.Parallel()
	w := watchRun(t, 80, client.ApproveStart, "step_ms=1")
	at := w.Await(0, "y approves, n denies")
	w.Type("later\n")
	at = w.Await(at, "Nothing was sent; the run waits on.")
	w.Await(at, "| PAUSED, waits for a decision | Ctrl-C stops watching")
	w.Type("\x03")
	if code := w.WaitExit(); code != 130 || !strings.Contains(w.Printed(), "stopped watching; the run goes on") {
		t.Errorf("exit code %d:\n%s", code, w.Printed())
	}
	for _, once := range []string{"0.0s  QUEUED\n", "y approves", "Nothing was sent"} {
		if n := strings.Count(control.ReplaceAllString(w.Printed(), ""), once); n != 1 {
			t.Errorf("%q was printed %d times", once, n)
		}
	}
	if got := w.decisions(); len(got) > 0 {
		t.Errorf("the sandbox got the decisions %q", got)
	}
}

// TestWatchNarrow holds that lines fit a narrow terminal, that the last line follows a
// change of its size, and that NO_COLOR leaves no colors.
func TestWatchNarrow(t *testing.T) {
	t.Parallel()
	w := watchRun(t, 40, client.ApproveNothing, "step_ms=700 steps=3", "NO_COLOR=1")
	at := w.Await(0, "started")
	at = w.Await(at, "| RUNNING | 1 step\r")
	narrow := w.Printed()[:at]
	w.Resize(100, 24)
	w.Await(at, "steps | Ctrl-C stops watching")
	w.Resize(40, 24)
	if code := w.WaitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	text := w.Printed()
	if strings.Contains(text, "\x1b[3") || strings.Contains(text, "\x1b[2m") {
		t.Errorf("there are colors: %q", text)
	}
	for line := range strings.Lines(control.ReplaceAllString(strings.ReplaceAll(narrow, "\r\x1b[K", "\n"), "")) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 40 {
			t.Errorf("a line has %d columns: %q", n, line)
		}
	}
}

// TestWatchAuthorization holds that a person who watches a run gets the link to authorise
// an integration.
func TestWatchAuthorization(t *testing.T) {
	t.Parallel()
	w := watchRun(t, 80, client.ApproveNothing, "step_ms=100 steps=1 auth=required auth_ms=4000")
	at := w.Await(0, "https://auth.sandbox.invalid/")
	at = w.Await(at, "Type y when you have")
	w.Type("y\n")
	w.Await(at, "ended: SUCCESS")
	if code := w.WaitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestCallAsks holds that a person who calls a tool in a terminal sees its progress, and is
// asked what a client's person would be: for a decision, and to open a link.
func TestCallAsks(t *testing.T) {
	t.Parallel()
	getRun := []string{"call", "get_run", "--arg=runId=RUN_ID", "--arg=waitSeconds=30"}
	w := startWithRun(t, 80, client.ApproveToolCall, "step_ms=2000 steps=1", nil, slices.Clone(getRun)...)
	at := w.Await(0, "QUEUED")
	w.Type("n\nn\n") // typed ahead: no decision
	at = w.Await(at, "y approves, n denies")
	w.Type("y\n")
	at = w.Await(at, "summary: ")
	if w.Await(at, "status: SUCCESS"); w.WaitExit() != 0 || !slices.Equal(w.decisions(), []string{"approve"}) {
		t.Errorf("the sandbox got the decisions %q:\n%s", w.decisions(), w.Printed())
	}
	w = startWithRun(t, 80, client.ApproveStart, "step_ms=1", nil, slices.Clone(getRun)...)
	at = w.Await(0, "y approves, n denies")
	w.Type("later\n")
	at = w.Await(at, "status: PAUSED")
	if w.Await(at, "waitEnded: needs_person"); w.WaitExit() != 0 || len(w.decisions()) > 0 {
		t.Errorf("the sandbox got the decisions %q:\n%s", w.decisions(), w.Printed())
	}
	w = startWithRun(t, 80, client.ApproveNothing, "step_ms=100 steps=1 auth=required auth_ms=4000", nil, slices.Clone(getRun)...)
	at = w.Await(0, "https://auth.sandbox.invalid/")
	at = w.Await(at, "Type y when you have")
	w.Type("y\n")
	if w.Await(at, "status: SUCCESS"); w.WaitExit() != 0 {
		t.Error(w.Printed())
	}
}

// TestInterruptedCall holds that a call that a person interrupts says how the run stands.
func TestInterruptedCall(t *testing.T) {
	t.Parallel()
	w := startWithRun(t, 80, client.ApproveNothing, "step_ms=60000 steps=1", nil, "call", "get_run", "--arg=runId=RUN_ID", "--arg=waitSeconds=45")
	w.Await(0, "QUEUED")
	w.Type("\x03")
	if code := w.WaitExit(); code != 130 || !strings.Contains(w.Printed(), "this server is stopping") || !strings.Contains(w.Printed(), "status: QUEUED") {
		t.Errorf("exit code %d:\n%s", code, w.Printed())
	}
}

// TestListInTerminal holds that a terminal gets a table that fits it.
func TestListInTerminal(t *testing.T) {
	t.Parallel()
	w := startWithRun(t, 60, client.ApproveStart, "step_ms=1", nil, "runs", "list")
	w.Await(0, w.id+"\r\n")
	if code := w.WaitExit(); code != 0 || !strings.Contains(w.Printed(), "Find overdue invoices\r\n") {
		t.Errorf("exit code %d:\n%s", code, w.Printed())
	}
}
