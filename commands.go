package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/mark3labs/mcp-go/mcp"
	"golang.org/x/term"

	"runs-mcp-server/client"
	"runs-mcp-server/tools"
)

// commands is the command line. Flags with a from tag take their value from
// that environment variable when they are not given.
type commands struct {
	Stdio       stdioCommand     `cmd:"" help:"Serve MCP over standard input and output (the default)."`
	HTTP        httpCommand      `cmd:"" name:"http" help:"Serve MCP over streamable HTTP to many callers, each with a key."`
	Approve     approveCommand   `cmd:"" help:"Show what a run waits for, and approve or deny it in a terminal."`
	Demo        demoCommand      `cmd:"" help:"Show the whole job on the embedded sandbox."`
	Sandbox     sandboxCommand   `cmd:"" help:"Serve the embedded sandbox of the Run API alone."`
	Tools       toolsCommand     `cmd:"" help:"Print what tools/list answers, as JSON."`
	Help        helpCommand      `cmd:"" help:"Print the help of a command."`
	Version     versionCommand   `cmd:"" help:"Print version, commit, Go version and MCP revisions."`
	VersionFlag kong.VersionFlag `name:"version" help:"Print the version alone."`
}

type stdioCommand struct{ serverFlags }
type toolsCommand struct{ serverFlags }
type demoCommand struct{}
type versionCommand struct{}

type helpCommand struct {
	Command []string `arg:"" optional:"" name:"command" help:"The command"`
}

type approveCommand struct {
	apiFlags
	RunID string `arg:"" name:"run-id" help:"The run that waits"`
}

type sandboxCommand struct {
	Listen string `default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Loopback address (default ${default})"`
}

// execute does what the arguments say.
func (p *process) execute(args []string) error {
	command, err := p.parse(args)
	if err != nil || command == nil {
		return err
	}
	return command.Run()
}

// parse reads the command line. Its command is nil where --help or --version
// has said everything.
func (p *process) parse(args []string) (command *kong.Context, err error) {
	said := errors.New("said")
	defer func() { // kong ends --help and --version by Exit
		if r := recover(); r == said {
			command, err = nil, nil
		} else if r != nil {
			panic(r)
		}
	}()
	parser, err := kong.New(&commands{}, kong.Name(name),
		kong.Vars{
			"version": version, "api_url": client.DefaultURL,
			"tools":            strings.Join(tools.Names(), ","),
			"max_result_bytes": strconv.Itoa(tools.DefaultMaxResultBytes), "min_result_bytes": strconv.Itoa(tools.MinMaxResultBytes),
		}, kong.Writers(p.out, p.stderr), kong.Help(printHelp),
		kong.Exit(func(int) { panic(said) }), kong.Bind(p), kong.Resolvers(environment(p.env)), kong.KindMapper(reflect.String, kong.MapperFunc(decodeText)))
	if err != nil {
		panic(err) // the command line's definition is ours
	}
	root := []string{"-h", "--help", "--version"}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") && !slices.Contains(root, args[0]) {
		args = slices.Insert(slices.Clone(args), 0, "stdio")
	}
	if command, err = parser.Parse(args); err != nil {
		try := program() + " --help"
		if slices.ContainsFunc(parser.Model.Children, func(c *kong.Node) bool { return c.Name == args[0] }) {
			try = program() + " " + args[0] + " --help"
		}
		return nil, misuse("%s\nTry %s.", plainUsage(err), try)
	}
	return command, nil
}

var (
	lacksValue    = regexp.MustCompile(`^(--[\w-]+): (?:expected .* value but got .*|missing value.*)$`)
	lacksArgument = regexp.MustCompile(`^expected "<([\w-]+)>"$`)
)

// plainUsage returns what kong finds wrong, without the words of its scanner.
func plainUsage(err error) string {
	text := lacksValue.ReplaceAllString(err.Error(), "$1 needs a value")
	return lacksArgument.ReplaceAllString(text, "<$1> is missing")
}

// environment resolves flags from the variable that their from tag names.
func environment(env func(string) string) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		from := flag.Tag.Get("from")
		if from == "" || strings.TrimSpace(env(from)) == "" {
			return nil, nil
		}
		if fault := settingFault(strings.TrimSpace(env(from))); fault != "" {
			return nil, fmt.Errorf("%s %s", from, fault)
		}
		return env(from), nil
	})
}

// decodeText reads the value of a flag or argument that is a text, or one item
// of a list, without the blanks around it.
func decodeText(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("string", &text); err != nil {
		return err
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "--") { // a list takes the next flag for its value
		return errors.New("missing value")
	}
	if fault := settingFault(text); fault != "" {
		return fmt.Errorf("the value %s", fault)
	}
	target.SetString(text)
	return nil
}

// isTerminal reports whether a stream is a terminal, at which somebody may sit.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Run prints the tools.
func (c *toolsCommand) Run(p *process) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	b, err := c.newBridge(o, c.logger(o.Secrets, p.stderr))
	if err != nil {
		return err
	}
	defer b.Close()
	answer, err := json.Marshal(b.MCP(name, version).HandleMessage(p.ctx, json.RawMessage(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)))
	if err != nil {
		return err
	}
	var message struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(answer, &message); err != nil {
		return err
	}
	out := json.NewEncoder(p.out)
	out.SetIndent("", "  ")
	return out.Encode(message.Result)
}

// Run prints the help of a command, or of the program.
func (c *helpCommand) Run(p *process) error {
	return p.execute(append(slices.Clone(c.Command), "--help"))
}

// Run prints which build this is.
func (versionCommand) Run(p *process) error {
	revisions := slices.Sorted(slices.Values(mcp.ValidProtocolVersions))
	_, err := fmt.Fprintf(p.out, "%s %s\ncommit %s\n%s %s/%s\nMCP %s\n", name, version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.Join(revisions, ", "))
	return err
}

// commit returns the commit that the program was built from, "unknown" where
// the build did not note it.
func commit() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return "unknown"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	switch revision := settings["vcs.revision"]; {
	case revision == "":
		return "unknown"
	case settings["vcs.modified"] == "true":
		return revision + ", modified"
	default:
		return revision
	}
}
