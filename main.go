// Command runs-mcp-server is an MCP server that lets an AI agent start, watch,
// steer and stop runs of the toolregistry.ai Run API.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/logqueue"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/view"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

const (
	name    = "runs-mcp-server"
	version = "0.1.0"
)

func main() {
	ctx, stop := untilSignal()
	signal.Ignore(syscall.SIGPIPE) // a client that went away is an error of a write, not our death
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// commands is the command line. Flags with a from tag take their value from
// that environment variable when they are not given.
type commands struct {
	Stdio   stdioCommand     `cmd:"" default:"withargs" help:"Serve MCP over standard input and output (the default)."`
	HTTP    httpCommand      `cmd:"" name:"http" help:"Serve MCP over streamable HTTP: one URL for many callers, each with a key of its own."`
	Approve approveCommand   `cmd:"" help:"Show what a run waits for and ask you, in a terminal, to approve or deny it."`
	Demo    demoCommand      `cmd:"" help:"Show the whole job on the embedded sandbox: start a run, watch it, approve, get the result."`
	Sandbox sandboxCommand   `cmd:"" help:"Serve the embedded sandbox of the Run API alone."`
	Tools   toolsCommand     `cmd:"" help:"Print what tools/list answers, as JSON."`
	Version kong.VersionFlag `help:"Print the version and exit."`
}

type stdioCommand struct{ serverFlags }
type toolsCommand struct{ serverFlags }
type demoCommand struct{}

type approveCommand struct {
	apiFlags
	RunID string `arg:"" name:"run-id" help:"The run that waits."`
}

type sandboxCommand struct {
	Listen string `default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Loopback address to listen on (default ${default})."`
}

// process is what a command works with besides its flags.
type process struct {
	ctx    context.Context
	env    func(string) string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer // never blocks
}

// served returns the error with which a server ended. One that was told to end
// has done so, whatever it left behind: that is for the log.
func (p *process) served(err error, log *slog.Logger) error {
	if err != nil && p.ctx.Err() != nil {
		log.Warn("ended with something left behind", "error", err)
		return nil
	}
	return err
}

// flushTimeout is how long the end of the program waits for standard error to
// take the last lines.
const flushTimeout = time.Second

// run is the whole program: it returns the exit code, 0 for success, 1 for a
// failure, 2 for wrong usage.
func run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer func() { // kong ends --help and --version by Exit
		if r := recover(); r != nil {
			exit, ok := r.(exitCode)
			if !ok {
				panic(r)
			}
			code = int(exit)
		}
	}()
	logs := logqueue.New(stderr)
	defer logs.Close(flushTimeout)
	p := &process{ctx: ctx, env: env, stdin: stdin, stdout: stdout, stderr: logs}
	parser, err := kong.New(&commands{},
		kong.Name(name), kong.Description("Lets an AI agent start, watch, steer and stop runs of the toolregistry.ai Run API.\n\nThe flags of the server stand in: "+name+" stdio --help"),
		kong.Vars{
			"version": version, "api_url": client.DefaultURL,
			"tools":            strings.Join(tools.Names(), ","),
			"max_result_bytes": strconv.Itoa(tools.DefaultMaxResultBytes), "min_result_bytes": strconv.Itoa(tools.MinMaxResultBytes),
		}, kong.Writers(stdout, logs),
		kong.Exit(func(code int) { panic(exitCode(code)) }), kong.Bind(p), kong.Resolvers(environment(env)))
	if err != nil {
		panic(err) // the command line's definition is ours
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(logs, "%s: %v\nTry %s --help.\n", name, err, name)
		return 2
	}
	if err := command.Run(); err != nil {
		fmt.Fprintf(logs, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

type exitCode int

// environment resolves flags from the variable that their from tag names.
func environment(env func(string) string) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if from := flag.Tag.Get("from"); from != "" && env(from) != "" {
			return env(from), nil
		}
		return nil, nil
	})
}

// Run serves MCP over stdio.
func (c *stdioCommand) Run(p *process) error {
	v := view.New()
	log := c.logger(v, p.stderr)
	caller := client.Caller{UserID: c.UserID}
	var err error
	if c.Sandbox {
		box, err := c.startSandbox(p, log)
		if err != nil {
			return err
		}
		defer box.Close()
		caller = client.Caller{Key: sandbox.DefaultKey, UserID: c.UserID}
	} else if caller.Key, err = c.key(p, log); err != nil {
		return err
	}
	v.Hide(string(caller.Key))
	b, err := c.newBridge(v, log)
	if err != nil {
		return err
	}
	defer b.Close()
	if isTerminal(p.stdin) {
		fmt.Fprintf(p.stderr, "%s speaks MCP on standard input: an MCP client starts it. To see it work, try: %s demo\n", name, name)
	}
	return p.served(transport.ServeStdio(client.WithCaller(p.ctx, caller), b.MCP(name, version), p.stdin, p.stdout, transport.Options{Logger: log, Watch: b.Watch()}), log)
}

// isTerminal reports whether a stream is a terminal, at which somebody may sit.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Run prints the tools.
func (c *toolsCommand) Run(p *process) error {
	v := view.New()
	b, err := c.newBridge(v, c.logger(v, p.stderr))
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
	out := json.NewEncoder(p.stdout)
	out.SetIndent("", "  ")
	return out.Encode(message.Result)
}

// Run serves the sandbox until the process is told to stop.
func (c *sandboxCommand) Run(p *process) error {
	box, err := sandbox.Listen(p.ctx, c.Listen, sandbox.Options{Logger: slog.New(slog.NewTextHandler(p.stderr, nil))})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "The sandbox of the Run API is at %s (x-api-key: %s). Nothing real happens here.\n", box.URL(), sandbox.DefaultKey)
	<-p.ctx.Done()
	return box.Close()
}

// Run asks the person at the terminal to decide what a run waits for.
func (c *approveCommand) Run(p *process) error {
	if !isTerminal(p.stdin) {
		return errors.New("approve asks a person: type it in a terminal, with nothing piped in")
	}
	v := view.New()
	log := c.logger(v, p.stderr)
	key, err := c.key(p, log)
	if err != nil {
		return err
	}
	v.Hide(string(key))
	api, err := c.client(v)
	if err != nil {
		return err
	}
	defer api.Close()
	desk := approval.NewDesk(api, v)
	feeds := feed.NewHub(api, desk, feed.Options{Logger: log})
	defer feeds.Close()
	return cli.Approve(p.ctx, cli.Approval{
		API: api, Feeds: feeds, Desk: desk, View: v, Caller: client.Caller{Key: key}, RunID: strings.TrimPrefix(strings.ToLower(c.RunID), "run://"), In: p.stdin, Out: p.stdout,
	})
}

// Run shows the whole job.
func (demoCommand) Run(p *process) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return cli.Demo(p.ctx, self, p.stdout, isTerminal(p.stdout) && p.env("NO_COLOR") == "")
}
