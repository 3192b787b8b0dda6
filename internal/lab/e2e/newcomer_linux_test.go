package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"runs-mcp-server/internal/clients"
	"runs-mcp-server/internal/lab/otlp"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// newcomer is a person with an empty home who follows the README.
type newcomer struct {
	t         *testing.T
	home      string
	program   string
	env       map[string]string
	collector *otlp.Receiver
	metrics   string // the address of the page of metrics
}

// TestNewcomer goes a newcomer's way: build, doctor without a key, with a wrong one and
// with the right one, a proxy that holds streams back, a client's configuration, a run
// that the client starts and the person watches and approves in a terminal; and looks at
// the metrics, the trace and the audit log of it.
func TestNewcomer(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a heartbeat of the API")
	}
	n := &newcomer{t: t, home: t.TempDir(), program: program.Executable(t), collector: otlp.New(t), env: map[string]string{"PATH": os.Getenv("PATH"), "TERM": "xterm"}}
	t.Parallel() // from here on it waits more than it works
	box, apiLog := tracedSandbox(t)
	n.env["HOME"], n.env["TR_API_URL"] = n.home, box.URL()

	n.doctor(1, "failed   key: there is no API key", "ok       answer: a Run API answers", "skipped  key accepted", "warning  configured: no client")
	n.env["TR_API_KEY"] = "a-wrong-key-0123456789"
	n.doctor(1, "ok       key: there is one", "failed   key accepted: the API refuses the key (401)")
	n.env["TR_API_KEY"] = sandbox.DefaultKey
	n.doctor(0, "ok       key accepted", "skipped  event stream: no run goes on now")
	n.testProxy(box.URL())

	n.configureCursor(box.URL())
	n.doctorWith([]string{"--stream-wait=0"}, 0, "ok       Cursor: ", `"runs" starts this program`)
	var runIDs []string
	for _, columns := range []int{80, 40} {
		runID := n.runJob()
		n.watch(columns, runID)
		if got := box.Sandbox().Decisions(runID); !slices.Equal(got, []sandbox.Decision{sandbox.Approve}) {
			t.Errorf("the sandbox got the decisions %q", got)
		}
		runIDs = append(runIDs, runID)
	}
	n.checkTraces(apiLog.String(), runIDs)
	n.checkAudit(runIDs)
}

// configureCursor configures Cursor to start this program, which can be looked into.
func (n *newcomer) configureCursor(api string) {
	n.metrics = freeAddress(n.t)
	args, _ := json.Marshal([]string{"--user-id", "you@example.com", "--integrations", "*", "--metrics", n.metrics, "--audit-log", n.auditLog()})
	env := n.collector.Env()
	env["TR_API_KEY"], env["TR_API_URL"] = "${env:TR_API_KEY}", api
	vars, _ := json.Marshal(env)
	n.writeFile(".cursor/mcp.json", fmt.Sprintf(`{ // what the README says
		"mcpServers": { "runs": { "command": %q, "args": %s, "env": %s } } }`, n.program, args, vars))
}

func (n *newcomer) auditLog() string { return filepath.Join(n.home, "audit.log") }

// command returns a command of the program, in the newcomer's environment.
func (n *newcomer) command(args ...string) *exec.Cmd {
	command := exec.Command(n.program, args...)
	command.Dir = n.home
	for name, value := range n.env {
		command.Env = append(command.Env, name+"="+value)
	}
	return command
}

// doctor runs doctor. It must exit with a code and print the texts, and no key.
func (n *newcomer) doctor(code int, want ...string) {
	n.t.Helper()
	n.doctorWith(nil, code, want...)
}

func (n *newcomer) doctorWith(args []string, code int, want ...string) {
	n.t.Helper()
	command := n.command(append([]string{"doctor"}, args...)...)
	out, _ := command.CombinedOutput()
	if got := command.ProcessState.ExitCode(); got != code {
		n.t.Errorf("doctor %q: exit code %d, want %d:\n%s", args, got, code, out)
	}
	text := strings.Join(strings.Fields(string(out)), " ") // it breaks lines
	for _, w := range want {
		if !strings.Contains(text, strings.Join(strings.Fields(w), " ")) {
			n.t.Errorf("doctor %q does not say %q:\n%s", args, w, out)
		}
	}
	if key := n.env["TR_API_KEY"]; key != "" && strings.Contains(string(out), key) {
		n.t.Errorf("doctor %q prints the key:\n%s", args, out)
	}
}

// testProxy holds that doctor tells a proxy that holds streams back from the way without
// it.
func (n *newcomer) testProxy(api string) {
	n.t.Helper()
	proxy := httptest.NewServer(bufferingProxy(api))
	defer proxy.Close()
	out, err := n.command("call", "create_run", "--user-id=you@example.com", "--integrations=*", "--arg", "intent=Wait", "--arg", "approvalStrategy=ON_START",
		"--arg", "context=sandbox: step_ms=1", "--arg", "waitSeconds=20").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "waitEnded: needs_person") {
		n.t.Fatalf("%v: %s", err, out)
	}
	var wg sync.WaitGroup
	wg.Go(func() { n.doctor(0, "ok event stream: first byte after", "nothing holds it back") })
	wg.Go(func() {
		n.doctorWith([]string{"--api-url=" + proxy.URL, "--stream-wait=22s"}, 1, "ok key accepted", "failed event stream: not one byte within 22 s", "proxy_buffering off")
	})
	wg.Wait()
}

// bufferingProxy passes each response on when it has all of it.
func bufferingProxy(api string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := http.NewRequestWithContext(r.Context(), r.Method, api+r.URL.RequestURI(), r.Body)
		if err != nil {
			return
		}
		out.Header = r.Header
		resp, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		for name, values := range resp.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(body)
	})
}

func (n *newcomer) writeFile(path, content string) {
	n.t.Helper()
	path = filepath.Join(n.home, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// runJob starts the server as the client's configuration says, and a run with it. It
// returns the run's id.
func (n *newcomer) runJob() string {
	n.t.Helper()
	machine := clients.Machine{OS: "linux", Home: n.home, Env: func(string) string { return "" }}
	files := machine.Files()
	entries, err := files[slices.IndexFunc(files, func(f clients.File) bool { return f.Client == "Cursor" })].Read()
	if err != nil || len(entries) != 1 {
		n.t.Fatal(entries, err)
	}
	command := exec.Command(entries[0].Command, entries[0].Args...)
	for name, value := range entries[0].Env {
		command.Env = append(command.Env, name+"="+strings.ReplaceAll(value, "${env:TR_API_KEY}", n.env["TR_API_KEY"]))
	}
	in, out := program.StartPiped(n.t, command)
	fmt.Fprintf(in, "%s\n%s\n", program.Initialize, program.ToolCall("create_run", map[string]any{
		"intent": "Find overdue invoices", "approvalStrategy": "ON_TOOL_CALL", "context": "sandbox: steps=1 step_ms=300",
	}))
	var answer struct {
		ID     int
		Result struct{ StructuredContent struct{ RunID string } }
	}
	for lines := bufio.NewScanner(out); answer.ID != 1; {
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &answer) != nil {
			n.t.Fatal("no answer")
		}
	}
	if page := scrape(n.t, "http://"+n.metrics+"/metrics"); !strings.Contains(page, "\n"+`runs_mcp_tool_calls_total{outcome="ok",tool="create_run"} 1`+"\n") {
		n.t.Errorf("the page of metrics does not count the call:\n%s", page)
	}
	in.Close()
	if code := program.WaitExit(n.t, command); code != 0 {
		n.t.Errorf("exit code %d", code)
	}
	return answer.Result.StructuredContent.RunID
}

// watch watches a run in a terminal of so many columns, approves what it waits for, and
// sees it end: in tmux if there is one, for that shows the screen as a person sees it.
func (n *newcomer) watch(columns int, runID string) {
	n.t.Helper()
	question, end := "anything else leaves it waiting:", "The run ended with SUCCESS."
	if _, err := exec.LookPath("tmux"); err != nil {
		term := program.StartInTerminal(n.t, uint16(columns), 24, n.command("runs", "watch", runID, "--audit-log", n.auditLog()))
		at := term.Await(0, question)
		term.Type("y\n")
		term.Await(at, end)
		if code := term.WaitExit(); code != 0 {
			n.t.Errorf("exit code %d", code)
		}
		return
	}
	screen := n.startTmux(columns, "runs", "watch", runID, "--audit-log", n.auditLog())
	screen.await(question)
	screen.run("send-keys", "-t", "0", "y", "Enter")
	text := screen.await(end)
	for _, want := range []string{"It would call", "a decision was made", "ended: SUCCESS"} {
		if !strings.Contains(strings.ReplaceAll(text, "\n", ""), want) {
			n.t.Errorf("%d columns: %q is not on the screen:\n%s", columns, want, text)
		}
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, "Ctrl-C stops watching") {
			n.t.Errorf("%d columns: the last line was left behind:\n%s", columns, text)
		}
	}
}

// checkTraces holds that each run has a trace from the tool call to the API, whose log is
// given.
func (n *newcomer) checkTraces(apiLog string, runIDs []string) {
	n.t.Helper()
	for _, runID := range runIDs {
		var call otlp.Span
		for _, s := range n.collector.Spans() {
			if s.Name == "tools/call create_run" && s.Attributes["runs_mcp.run.id"] == runID {
				call = s
			}
		}
		if call.ID == "" || !strings.Contains(apiLog, "method=POST route=/v1/runs traceparent=00-"+call.TraceID+"-") {
			n.t.Errorf("run %s: no trace reaches the API: %+v\n%s", runID, call, apiLog)
		}
	}
}

// checkAudit holds what the audit log has of each run: the model's create, and the
// decision in the terminal.
func (n *newcomer) checkAudit(runIDs []string) {
	n.t.Helper()
	text, err := os.ReadFile(n.auditLog())
	if err != nil {
		n.t.Fatal(err)
	}
	var got, want []string
	for line := range strings.Lines(string(text)) {
		var l struct{ Event, Action, Channel, Run, Decision, Outcome string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			n.t.Fatalf("%v: %s", err, line)
		}
		got = append(got, fmt.Sprint(l))
	}
	for _, runID := range runIDs {
		want = append(want, "{attempt create tool   }", "{outcome create tool "+runID+"  ok}",
			"{attempt decide terminal "+runID+" approve }", "{outcome decide terminal "+runID+" approve ok}")
	}
	if !slices.Equal(got, want) {
		n.t.Errorf("the audit log holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// tmuxScreen is a terminal in tmux.
type tmuxScreen struct {
	t      *testing.T
	socket string
	env    []string
}

// startTmux starts the program in a tmux of its own, whose window stays when it ends.
func (n *newcomer) startTmux(columns int, args ...string) *tmuxScreen {
	n.t.Helper()
	command := n.command(args...)
	s := &tmuxScreen{t: n.t, socket: filepath.Join(n.t.TempDir(), "tmux"), env: command.Env}
	s.run(append([]string{"-f", os.DevNull, "new-session", "-d", "-x", fmt.Sprint(columns), "-y", "40", "sh", "-c", `"$@"; sleep 60`, "sh", n.program}, args...)...)
	n.t.Cleanup(func() { s.run("kill-server") })
	return s
}

// run runs a command of tmux.
func (s *tmuxScreen) run(args ...string) string {
	s.t.Helper()
	command := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...)
	command.Env = s.env
	out, err := command.CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

// await waits until the screen shows a text, in however many lines. It returns the screen.
// tmux tells nobody when the screen changes, so it is asked again and again.
func (s *tmuxScreen) await(text string) string {
	s.t.Helper()
	var shown string
	for deadline := time.Now().Add(program.ExitTimeout / 2); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		shown = s.run("capture-pane", "-p")
		if strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(shown, "\n", "")), " "), text) {
			return shown
		}
	}
	s.t.Fatalf("the screen does not show %q:\n%s", text, shown)
	return ""
}
