package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/server"
	"runs-mcp-server/tools"
)

// runsCommand is what a person does with runs.
type runsCommand struct {
	List  listCommand  `cmd:"" help:"List the newest runs."`
	Show  showCommand  `cmd:"" help:"Show a run, its result and its newest events."`
	Watch watchCommand `cmd:"" help:"Watch a run live, and decide what it waits for."`
	Abort abortCommand `cmd:"" help:"Stop a run for good."`
}

// personResultBytes is the largest result for a person, in bytes: a model has less room.
const personResultBytes = 1 << 20

// consoleFlags are the flags of the commands about runs.
type consoleFlags struct {
	apiFlags
	logFlags
	auditFlags
}

// console is what the commands about runs work with: one client of the API, and an MCP
// server on top of it.
type console struct {
	api        *client.Client
	feeds      *feed.Hub
	decider    *approval.Decider
	caller     client.Caller
	server     *server.Server
	log        *slog.Logger
	closeAudit func()
}

// close ends the server, and then what it is recorded in.
func (d *console) close() {
	d.server.Close()
	d.closeAudit()
}

// openConsole returns what a command about runs works with. The caller closes it.
func (f *consoleFlags) openConsole(p *process) (*console, error) {
	key, err := f.key(p.env)
	if err != nil {
		return nil, err
	}
	secrets := redact.New(string(key))
	d := &console{caller: client.Caller{Key: key}}
	if d.log, err = f.newQuietLogger(secrets, p, &f.apiFlags); err != nil {
		return nil, err
	}
	if d.api, err = f.newClient(0, nil); err != nil {
		return nil, err
	}
	recorded, nameCaller, closeAudit, err := f.openAudit(d.log)
	if err != nil {
		return nil, err
	}
	d.closeAudit = closeAudit
	d.decider = approval.NewDecider(d.api)
	d.decider.Audit = recorded
	d.feeds = feed.NewHub(d.api, d.decider, feed.Options{Logger: d.log})
	d.server = server.New(tools.Options{
		API: d.api, Feeds: d.feeds, Decider: d.decider, Log: d.log, Secrets: secrets, Local: true, Audit: recorded, NameCaller: nameCaller,
		Approvals: tools.ApprovalsHuman, AuthLinks: true, MaxResultBytes: personResultBytes, AllowAnyUser: true,
		DecideCommand: f.approveCommand() + " RUN_ID",
	}, feed.Options{}, attend.Options{})
	return d, nil
}

// callTool calls one tool.
func (d *console) callTool(p *process, tool string, args map[string]any) (json.RawMessage, error) {
	s, err := openSession(p.ctx, d.server, d.caller, d.log, nil, nil)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.callTool(tool, args)
}

// callOnce calls one tool on a console of its own.
func (f *consoleFlags) callOnce(p *process, tool string, args map[string]any) (json.RawMessage, error) {
	d, err := f.openConsole(p)
	if err != nil {
		return nil, err
	}
	defer d.close()
	return d.callTool(p, tool, args)
}

// parseRunID returns the run that a person named, by its id or its address.
func parseRunID(typed string) (client.RunID, error) {
	id, valid := client.ParseRunID(strings.TrimPrefix(strings.ToLower(typed), "run://"))
	if !valid {
		return "", usageErrorf("a run's id is a UUID such as 123e4567-e89b-12d3-a456-426614174000")
	}
	return id, nil
}

// listCommand lists runs.
type listCommand struct {
	Status string `group:"List" placeholder:"STATUS" help:"Only runs of this status, such as PAUSED"`
	User   string `group:"List" placeholder:"ID" help:"Only runs of this person"`
	Limit  int    `group:"List" default:"20" placeholder:"NUMBER" help:"How many, 100 at most (default ${default})"`
	JSON   bool   `name:"json" group:"List" help:"Print the result as JSON"`
	consoleFlags
}

// Run prints the runs as a table. Without a terminal it prints a line per run with tabs
// between status, time, id and intent.
func (c *listCommand) Run(p *process) error {
	if c.Limit < 1 || c.Limit > 100 {
		return usageErrorf("--limit is a number from 1 to 100")
	}
	args := map[string]any{"pageSize": c.Limit}
	if c.Status != "" {
		args["status"] = strings.ToUpper(c.Status)
	}
	if c.User != "" {
		args["userId"] = c.User
	}
	result, err := c.callOnce(p, "list_runs", args)
	screen := newScreen(p)
	if err != nil || c.JSON {
		return printResult(p, screen, c.JSON, result, err)
	}
	var list tools.RunList
	if err := json.Unmarshal(result, &list); err != nil {
		return err
	}
	if screen.terminal == nil {
		for _, r := range list.Runs {
			fmt.Fprintf(screen.out, "%s\t%s\t%s\t%s\n", printable(r.Status), printable(r.CreatedAt), r.RunID, printable(r.Intent))
		}
		return nil
	}
	printRuns(screen, list, time.Now())
	return nil
}

// printRuns prints a table of runs. On a narrow screen each has two lines.
func printRuns(s *screen, list tools.RunList, now time.Time) {
	if len(list.Runs) == 0 {
		fmt.Fprintln(s.out, "There are no runs.")
		return
	}
	for _, r := range list.Runs {
		status := s.styled(statusStyle(client.Status(r.Status)), fmt.Sprintf("%-15s", printable(r.Status)))
		age := fmt.Sprintf("%5s", ageOf(r.CreatedAt, now))
		intent := printable(r.Intent)
		if left := s.columns() - len("PARTIAL_SUCCESS 00:00 00000000-0000-0000-0000-000000000000 ") - 1; left >= minColumns {
			fmt.Fprintf(s.out, "%s %s %s %s\n", status, age, r.RunID, cutLine(intent, left))
			continue
		}
		fmt.Fprintf(s.out, "%s\n  %s %s %s\n", r.RunID, status, age, cutLine(intent, max(0, s.columns()-25)))
	}
	if list.More {
		fmt.Fprintln(s.out, s.styled(dim, "There are more: --limit shows up to 100."))
	}
}

// cutLine cuts a text to so many columns.
func cutLine(text string, columns int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= columns {
		return string(runes)
	}
	if columns < 4 {
		return ""
	}
	return string(runes[:columns-3]) + "..."
}

// statusStyle returns how a status is shown.
func statusStyle(status client.Status) style {
	switch status {
	case client.Success, client.PartialSuccess:
		return green
	case client.Failed, client.NoSuccess, client.CanceledRun:
		return red
	case client.Paused, client.AuthRequired:
		return gold
	}
	return blue
}

// ageOf returns how long ago a time was, in at most 5 columns.
func ageOf(timestamp string, now time.Time) string {
	at, err := time.Parse(time.RFC3339, timestamp)
	if err != nil {
		return "?"
	}
	switch age := now.Sub(at); {
	case age < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(age.Seconds())))
	case age < time.Hour:
		return fmt.Sprintf("%d m", int(age.Minutes()))
	case age < 48*time.Hour:
		return fmt.Sprintf("%d h", int(age.Hours()))
	default:
		return fmt.Sprintf("%d d", int(age.Hours()/24))
	}
}

// showCommand shows a run.
type showCommand struct {
	RunID  string `arg:"" name:"run-id" help:"The run"`
	Events int    `group:"Show" default:"20" placeholder:"NUMBER" help:"How many of the newest events, 200 at most"`
	JSON   bool   `name:"json" group:"Show" help:"Print the result as JSON"`
	consoleFlags
}

// Run prints the run.
func (c *showCommand) Run(p *process) error {
	id, err := parseRunID(c.RunID)
	if err != nil {
		return err
	}
	if c.Events < 0 || c.Events > 200 {
		return usageErrorf("--events is a number from 0 to 200")
	}
	args := map[string]any{"runId": id, "includeContext": true, "includeEvents": c.Events > 0}
	if c.Events > 0 {
		args["limit"] = c.Events
	}
	result, err := c.callOnce(p, "get_run", args)
	return printResult(p, newScreen(p), c.JSON, result, err)
}

// abortCommand stops a run.
type abortCommand struct {
	RunID string `arg:"" name:"run-id" help:"The run"`
	Yes   bool   `group:"Abort" help:"Do not ask"`
	JSON  bool   `name:"json" group:"Abort" help:"Print the result as JSON"`
	consoleFlags
}

// Run asks the person and stops the run.
func (c *abortCommand) Run(p *process) error {
	id, err := parseRunID(c.RunID)
	if err != nil {
		return err
	}
	if !c.Yes {
		if !isTerminal(p.stdin) {
			return usageErrorf("abort asks a person: type it in a terminal, or say --yes")
		}
		fmt.Fprintf(p.out, "Stop the run %s for good? What it did stays done. y stops it: ", id)
		line, err := nextLine(p.ctx, readLines(p.ctx, p.stdin))
		if err != nil {
			fmt.Fprintln(p.out)
			return errors.New("interrupted; nothing was sent, the run goes on")
		}
		if parseDecision(line) != approval.Approve {
			fmt.Fprintln(p.out, "Nothing was sent; the run goes on.")
			return nil
		}
	}
	result, err := c.callOnce(p, "abort_run", map[string]any{"runId": id})
	return printResult(p, newScreen(p), c.JSON, result, err)
}
