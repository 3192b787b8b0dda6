package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	mcpclient "github.com/mark3labs/mcp-go/client"

	"runs-mcp-server/internal/memory"
)

// callCommand calls a tool by hand.
type callCommand struct {
	Tool string    `arg:"" enum:"${tools}" help:"The tool, such as get_run or list_runs"`
	Arg  []rawText `group:"Call" sep:"none" placeholder:"NAME=VALUE" help:"An argument of the tool; repeat it for more"`
	Args rawText   `group:"Call" placeholder:"JSON" help:"All arguments; or @FILE, or - for standard input"`
	JSON bool      `name:"json" group:"Call" help:"Print the result as JSON"`
	serverFlags
}

// Run calls the tool as a client would, and prints its result. The person at the
// terminal is asked what a client's person would be.
func (c *callCommand) Run(p *process) error {
	o, caller, err := c.localOptions(p.env)
	if err != nil {
		return err
	}
	log, err := c.newQuietLogger(o.Secrets, p, &c.apiFlags)
	if err != nil {
		return err
	}
	closeAudit, err := c.addLogs(&o, log, false)
	if err != nil {
		return err
	}
	defer closeAudit()
	s, closeAll, err := c.startServer(p.ctx, o, memory.Parts{}, log, nil)
	if err != nil {
		return err
	}
	defer closeAll()
	var person mcpclient.ElicitationHandler
	if isTerminal(p.stdin) && isTerminal(p.stdout) && c.Args != "-" {
		person = &terminalPerson{out: p.out, keyboard: newKeyboard(readLines(p.ctx, p.stdin))}
	}
	screen := newScreen(p)
	session, err := openSession(p.ctx, s, caller, log, person, c.progressOn(screen))
	if err != nil {
		return err
	}
	defer session.close()
	schema, err := session.inputSchema(c.Tool)
	if err != nil {
		return err
	}
	args, err := readArguments(schema, c.Args, c.Arg, p.stdin)
	if err != nil {
		return err
	}
	result, err := session.callTool(c.Tool, args)
	return printResult(p, screen, c.JSON, result, err)
}

// progressOn returns what shows progress on a terminal, nil for no terminal and for JSON.
func (c *callCommand) progressOn(s *screen) func(string) {
	if s.terminal == nil || c.JSON {
		return nil
	}
	return func(message string) { fmt.Fprintln(s.out, s.styled(dim, printable(message))) }
}

// printResult prints the result of a tool, or its failure, as JSON or for a person. It
// returns the error of the command.
func printResult(p *process, s *screen, asJSON bool, result json.RawMessage, err error) error {
	failed, isFailure := errors.AsType[*toolError](err)
	switch {
	case isFailure && asJSON:
		if err := printJSON(p, map[string]any{"error": failed.fields}); err != nil {
			return err
		}
		return errReported
	case err != nil:
		return err
	case asJSON:
		return printJSON(p, result)
	}
	printOutline(s.out, result, s.columns())
	return p.ctx.Err()
}

// printJSON prints a value as indented JSON.
func printJSON(p *process, value any) error {
	out := json.NewEncoder(p.out)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(value)
}
