package cli

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/clients"
	"runs-mcp-server/internal/setting"
	"runs-mcp-server/tools"
)

// commands is the command line. A flag with a from tag takes its value from that
// environment variable if it is not given.
type commands struct {
	serverCommands
	Approve     approveCommand    `cmd:"" help:"Show what a run waits for, and approve or deny it in a terminal."`
	Runs        runsCommand       `cmd:"" help:"List, show, watch and abort runs."`
	Call        callCommand       `cmd:"" help:"Call a tool by hand, as an agent would."`
	Install     installCommand    `cmd:"" help:"Add this server to an MCP client's configuration."`
	Doctor      doctorCommand     `cmd:"" help:"Check settings, key, API, event stream and MCP clients."`
	Demo        demoCommand       `cmd:"" help:"Show the whole job on the embedded sandbox."`
	Sandbox     sandboxCommand    `cmd:"" help:"Serve the embedded sandbox of the Run API alone."`
	Health      healthCommand     `cmd:"" help:"Ask an HTTP server whether it works."`
	Tools       toolsCommand      `cmd:"" help:"Print what tools/list answers, as JSON."`
	Completion  completionCommand `cmd:"" help:"Print the completion of commands for a shell."`
	Complete    completeCommand   `cmd:"" name:"__complete" hidden:""`
	Help        helpCommand       `cmd:"" help:"Print the help of a command."`
	Version     versionCommand    `cmd:"" help:"Print version, commit, Go version and MCP revisions."`
	VersionFlag kong.VersionFlag  `name:"version" help:"Print the version alone."`
}

// serverCommands are the commands that serve. They are parsed alone: to define all the
// others takes as long as half of the start of a server.
type serverCommands struct {
	Stdio stdioCommand `cmd:"" help:"Serve MCP over standard input and output (the default)."`
	HTTP  httpCommand  `cmd:"" name:"http" help:"Serve MCP over streamable HTTP to many callers, each with a key."`
}

// execute parses the arguments and runs the command that they name.
func (p *process) execute(args []string) error {
	command, err := p.parse(args)
	if err != nil || command == nil {
		return err
	}
	return command.Run()
}

// helpCommand prints the help of a command, or of the program.
type helpCommand struct {
	Command []string `arg:"" optional:"" name:"command" help:"The command"`
}

// Run prints the help.
func (c *helpCommand) Run(p *process) error {
	return p.execute(append(slices.Clone(c.Command), "--help"))
}

// errPrinted is what kong's exit panics with after --help and --version.
var errPrinted = errors.New("printed")

// parse reads the command line. The command is nil after --help and --version,
// which have printed all there is.
func (p *process) parse(args []string) (command *kong.Context, err error) {
	defer func() {
		if r := recover(); r == errPrinted {
			command, err = nil, nil
		} else if r != nil {
			panic(r)
		}
	}()
	rootFlags := []string{"-h", "--help", "--version"}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") && !slices.Contains(rootFlags, args[0]) {
		args = slices.Insert(slices.Clone(args), 0, "stdio")
	}
	var grammar any = &commands{}
	if args[0] == "stdio" || args[0] == "http" {
		grammar = &serverCommands{}
	}
	parser := p.newParser(grammar)
	if command, err = parser.Parse(args); err != nil {
		help := programCommand() + " --help"
		if slices.ContainsFunc(parser.Model.Children, func(c *kong.Node) bool { return c.Name == args[0] }) {
			help = programCommand() + " " + args[0] + " --help"
		}
		return nil, usageErrorf("%s\nTry %s.", plainUsage(err), help)
	}
	return command, nil
}

// newParser returns the parser of some commands.
func (p *process) newParser(grammar any) *kong.Kong {
	parser, err := kong.New(grammar, kong.Name(Name),
		textVariables(), kong.Writers(p.out, p.stderr), kong.Help(printHelp),
		kong.Exit(func(int) { panic(errPrinted) }), kong.Bind(p), kong.Resolvers(environmentResolver(p.env)),
		kong.KindMapper(reflect.String, kong.MapperFunc(decodeText)))
	if err != nil {
		panic(err) // the command line's definition is ours
	}
	return parser
}

// textVariables are the values that stand in the texts about flags, as ${name}.
func textVariables() kong.Vars {
	return kong.Vars{
		"version": Version, "api_url": client.DefaultURL,
		"tools":            strings.Join(tools.Names(), ","),
		"clients":          strings.Join(clients.IDs(), ","),
		"max_result_bytes": strconv.Itoa(tools.DefaultMaxResultBytes), "min_result_bytes": strconv.Itoa(tools.MinMaxResultBytes),
	}
}

var (
	lacksValue    = regexp.MustCompile(`^(--[\w-]+): (?:expected .* value but got .*|missing value.*)$`)
	lacksArgument = regexp.MustCompile(`^expected "<([\w-]+)>"$`)
)

// plainUsage returns an error of kong without the terms of its scanner.
func plainUsage(err error) string {
	text := lacksValue.ReplaceAllString(err.Error(), "$1 needs a value")
	return lacksArgument.ReplaceAllString(text, "<$1> is missing")
}

// environmentResolver takes a flag's value from the variable that its from tag
// names.
func environmentResolver(env func(string) string) kong.Resolver {
	return kong.ResolverFunc(func(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		from := flag.Tag.Get("from")
		if from == "" || strings.TrimSpace(env(from)) == "" {
			return nil, nil
		}
		if problem := setting.Problem(strings.TrimSpace(env(from))); problem != "" {
			if node := ctx.Selected(); node != nil && node.Name == "doctor" {
				return nil, nil // which reports it
			}
			return nil, fmt.Errorf("%s %s", from, problem)
		}
		return env(from), nil
	})
}

// decodeText reads a text value of a flag or argument, or one item of a list,
// without the white space around it.
func decodeText(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("string", &text); err != nil {
		return err
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "--") { // kong would take the next flag as an item of a list
		return errors.New("missing value")
	}
	if problem := setting.Problem(text); problem != "" {
		return fmt.Errorf("the value %s", problem)
	}
	target.SetString(text)
	return nil
}
