package cli

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/clients"
	"runs-mcp-server/internal/doctor"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/setting"
	"runs-mcp-server/internal/view"
)

// doctorCommand checks whether the server can work here.
type doctorCommand struct {
	JSON       bool          `name:"json" group:"Doctor" help:"Print the report as JSON"`
	StreamWait time.Duration `default:"25s" group:"Doctor" placeholder:"DURATION" help:"Longest look at an event stream (default ${default})"`
	CreateRun  bool          `group:"Doctor" help:"Create a run for that if none goes on; abort it"`
	ForHTTP    bool          `name:"for-http" group:"Doctor" help:"Check for an http server, whose callers bring keys"`
	httpCommand
}

const areaConfiguration = "Configuration"

// Run checks everything and prints what it found. The exit code is 1 if a check failed.
func (c *doctorCommand) Run(p *process, parsed *kong.Context) error {
	if c.CreateRun && !c.Sandbox && (c.UserID == "" || len(dropEmpty(c.Integrations)) == 0) {
		return usageErrorf("--create-run needs --user-id (TR_USER_ID) and --integrations: the API makes no run without")
	}
	key, keyError := client.Key(sandbox.DefaultKey), error(nil)
	if !c.Sandbox {
		key, keyError = c.key(p.env)
	}
	report := &doctor.Report{Version: Version, Hide: hideSecrets(string(key), p.env(keyVariable))}
	c.checkSettings(p.env, report, parsed)
	c.checkKey(p.env, report, keyError)
	if c.Sandbox {
		box, err := sandbox.Listen(p.ctx, "127.0.0.1:0", sandbox.Options{})
		if err != nil {
			return err
		}
		defer box.Close()
		c.APIURL = box.URL()
	}
	o := c.examination(p, key)
	if c.CreateRun {
		recorded, _, closeAudit, err := c.openAudit(slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer closeAudit()
		o.Audit = recorded
	}
	if o.API != nil {
		defer o.API.Close()
	}
	doctor.Examine(p.ctx, report, o)
	if p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	if err := c.print(p, report); err != nil {
		return err
	}
	if report.Status == doctor.Failed {
		return errReported
	}
	return nil
}

// hideSecrets returns what takes secrets out of a text.
func hideSecrets(secrets ...string) func(string) string {
	v := view.New(redact.New(secrets...))
	return func(text string) string { return v.Line(text, maxDetail) }
}

// maxDetail bounds what a report says of one check, in bytes.
const maxDetail = 1_000

// checkSettings checks the flags and variables, and whether they contradict each other.
func (c *doctorCommand) checkSettings(env func(string) string, report *doctor.Report, parsed *kong.Context) {
	const name, help = "settings", "Correct it; the README lists all flags and variables under Configuration."
	faults := 0
	add := func(status doctor.Status, detail, fix string) {
		faults++
		report.Add(areaConfiguration, name, status, detail, fix)
	}
	for _, flag := range parsed.Selected().Flags {
		from := flag.Tag.Get("from")
		if problem := setting.Problem(strings.TrimSpace(env(from))); from != "" && problem != "" {
			add(doctor.Failed, from+" "+problem, help)
		}
	}
	if c.ForHTTP {
		if _, err := c.check(); err != nil {
			add(doctor.Failed, err.Error(), help)
		}
	}
	if _, err := c.options(); err != nil {
		add(doctor.Failed, err.Error(), help)
	} else if _, err := c.newClient(0, nil); err != nil {
		add(doctor.Failed, err.Error(), help)
	}
	for _, wrong := range misspelled() {
		if env(wrong.name) != "" && env(wrong.meant) == "" {
			add(doctor.Warning, wrong.name+" is set, which nothing reads", "Did you mean "+wrong.meant+"?")
		}
	}
	if faults == 0 {
		report.Add(areaConfiguration, name, doctor.OK, "the flags and variables are right and agree", "")
	}
}

// misspelling is a variable that people set in the place of another.
type misspelling struct{ name, meant string }

func misspelled() []misspelling {
	return []misspelling{
		{"TR_KEY", keyVariable}, {"TR_APIKEY", keyVariable}, {"TR_API_TOKEN", keyVariable}, {"TR_TOKEN", keyVariable},
		{"TOOLREGISTRY_API_KEY", keyVariable}, {"TR_KEY_FILE", keyFileVariable}, {"TR_APIKEY_FILE", keyFileVariable},
		{"TR_URL", "TR_API_URL"}, {"TR_BASE_URL", "TR_API_URL"}, {"TR_API_BASE_URL", "TR_API_URL"}, {"TR_USER", "TR_USER_ID"}, {"TR_USERID", "TR_USER_ID"},
	}
}

// checkKey checks that there is a key of the right form, and how it is kept. err is that
// of reading it.
func (c *doctorCommand) checkKey(env func(string) string, report *doctor.Report, err error) {
	const name = "key"
	path, from := c.keyFile(env)
	switch {
	case c.Sandbox:
		report.Add(areaConfiguration, name, doctor.OK, "the sandbox's own", "")
	case err != nil && c.ForHTTP:
		report.Add(areaConfiguration, name, doctor.Skipped, "each caller of an http server sends its own; what needs a key is not checked without one", "")
	case err != nil && path == "" && strings.TrimSpace(env(keyVariable)) == "":
		report.Add(areaConfiguration, name, doctor.Failed, "there is no API key",
			"Set TR_API_KEY, or TR_API_KEY_FILE or --api-key-file to a file that holds it. Without an account, try: "+programCommand()+" doctor --sandbox. For an http server: doctor --for-http.")
	case err != nil:
		report.Add(areaConfiguration, name, doctor.Failed, err.Error(), "Put your toolregistry.ai API key there, alone and in one line.")
	case readableByOthers(path):
		report.Add(areaConfiguration, name, doctor.Warning, "the file that "+from+" names is readable by others", "Run chmod 600 on it.")
	case path != "" && env(keyVariable) != "":
		report.Add(areaConfiguration, name, doctor.Warning, "there is a key in TR_API_KEY and another in a file; the one in the file is used", "Unset one of TR_API_KEY and "+from+".")
	case path != "":
		report.Add(areaConfiguration, name, doctor.OK, "there is one, in the file that "+from+" names", "")
	default:
		report.Add(areaConfiguration, name, doctor.OK, "there is one, in TR_API_KEY", "")
	}
}

// examination returns what the other checks work with.
func (c *doctorCommand) examination(p *process, key client.Key) doctor.Options {
	self, _ := os.Executable()
	o := doctor.Options{
		Caller: client.Caller{Key: key, UserID: c.UserID}, StreamWait: c.StreamWait, Self: self, Machine: p.machine(),
		CheckArgs: func(args []string, env func(string) string) error { return checkArgs(p, args, env) },
		Announce: func(what string) {
			if isTerminal(p.stdout) {
				fmt.Fprintf(p.stderr, "%s ...\n", what)
			}
		},
	}
	if c.CreateRun {
		o.CreateRun = &client.CreateRunRequest{
			Intent: "Check of the connection by " + Name + " doctor: do nothing.", UserID: c.UserID, Integrations: c.Integrations, ApprovalStrategy: client.ApproveStart,
		}
	}
	if api, err := c.newClient(0, nil); err == nil {
		o.API = api
		o.URL, _ = url.Parse(cmp.Or(c.APIURL, client.DefaultURL))
	}
	return o
}

// machine returns where the configuration files of clients are looked for.
func (p *process) machine() clients.Machine {
	dir, _ := os.Getwd() // without one there is no project
	return clients.Machine{OS: runtime.GOOS, Home: homeFolder(p.env), Dir: dir, Env: p.env}
}

// homeFolder returns the person's folder, "" if the environment does not tell.
func homeFolder(env func(string) string) string {
	if runtime.GOOS == "windows" {
		return env("USERPROFILE")
	}
	return env("HOME")
}

// checkArgs returns what is wrong with arguments of this program, in an environment.
func checkArgs(p *process, args []string, env func(string) string) error {
	other := &process{ctx: p.ctx, env: env, stdin: strings.NewReader(""), stdout: io.Discard, out: io.Discard, stderr: io.Discard}
	parsed, err := other.parse(args)
	if err != nil || parsed == nil {
		return err
	}
	switch command := parsed.Selected().Target.Addr().Interface().(type) {
	case *stdioCommand:
		_, err = command.options()
	case *httpCommand:
		if _, err = command.check(); err == nil {
			_, err = command.options()
		}
	}
	return err
}

// print prints a report, as JSON or for a person.
func (c *doctorCommand) print(p *process, report *doctor.Report) error {
	if c.JSON {
		return printJSON(p, report)
	}
	printReport(newScreen(p), report)
	return nil
}

// statusWidth and detailColumn are columns of a printed report.
const (
	statusWidth  = 8
	detailColumn = 2 + statusWidth + 1
)

// printReport prints a report for a person.
func printReport(s *screen, report *doctor.Report) {
	colors := map[doctor.Status]style{doctor.OK: green, doctor.Warning: gold, doctor.Failed: red, doctor.Skipped: dim}
	area := ""
	for _, c := range report.Checks {
		if c.Area != area {
			fmt.Fprintln(s.out, s.styled(bold, c.Area))
			area = c.Area
		}
		lines := wrapText(c.Name+": "+c.Detail, s.columns()-detailColumn)
		if c.Fix != "" {
			lines = append(lines, wrapText("Fix: "+c.Fix, s.columns()-detailColumn)...)
		}
		fmt.Fprintf(s.out, "  %s %s\n", s.styled(colors[c.Status], fmt.Sprintf("%-*s", statusWidth, c.Status)), lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintf(s.out, "%*s%s\n", detailColumn, "", line)
		}
	}
	fmt.Fprintf(s.out, "%d ok, %d warning, %d failed, %d skipped\n",
		report.Count(doctor.OK), report.Count(doctor.Warning), report.Count(doctor.Failed), report.Count(doctor.Skipped))
}
