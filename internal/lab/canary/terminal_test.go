package canary

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
)

// TestCanariesInTerminal holds that the commands for a person print no secret.
func TestCanariesInTerminal(t *testing.T) {
	a := newFakeAPI(t)
	path := program.Path(t)
	script := filepath.Join(t.TempDir(), "approve.txtar")
	lines := "" // the testscript
	for _, kind := range []string{"step", "start", "quiet", "refuse-401", "refuse-429", "refuse-503", "done"} {
		not := ""
		if strings.HasPrefix(kind, "refuse") {
			not = "! " // the command fails
		}
		lines += "waiting-run " + kind + "\nttyin -stdin yes\n" + not + "exec runs-mcp-server approve --log-level=debug $RUN\nrecord\n"
		for _, command := range []string{"runs show", "runs show --json", "runs list --json --user=", "call get_run --arg includeToolCalls=true --arg includeContext=true --arg runId=", "__complete -- runs show", "doctor --stream-wait=0 --user-id="} {
			lines += anyCode(command)
		}
	}
	lines += anyCode("runs watch --log-level=debug") // the last run is done
	if err := os.WriteFile(script, []byte(lines+"-- yes --\ny\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	printed := &testbed.Buffer{}
	params := testscript.Params{
		Files: []string{script},
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", path)
			env.Setenv("TR_API_URL", a.URL)
			env.Setenv("TR_API_KEY", a.canaryFor("key in the terminal"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waiting-run": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv("RUN", a.addRun(args[0], a.canaryFor("key in the terminal")).id)
			},
			"record": func(ts *testscript.TestScript, _ bool, _ []string) {
				io.WriteString(printed, ts.ReadFile("ttyout")+ts.ReadFile("stdout")+ts.ReadFile("stderr"))
			},
		},
	}
	t.Run("go", func(t *testing.T) { testscript.Run(t, params) }) // a subtest: testscript runs scripts in parallel, and the subtest waits for them
	if n := strings.Count(printed.String(), "The API took the decision to approve"); n != 3 || !strings.Contains(printed.String(), "[removed]") {
		t.Errorf("%d decisions were taken: %s", n, printed.String())
	}
	newScanner(a.canarySet).requireNone(t, "the terminal", printed.String())
}

// anyCode returns lines of a script that run a command about the run, whatever its exit
// code.
func anyCode(command string) string {
	if !strings.HasSuffix(command, "=") {
		command += " "
	}
	return "env HOME=$WORK\nexec sh -c '( runs-mcp-server " + command + "$0 ) || true' $RUN\nrecord\n"
}
