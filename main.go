// Command runs-mcp-server is an MCP server that lets an AI agent start, watch,
// steer and stop runs of the toolregistry.ai Run API.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/view"
	"runs-mcp-server/resources"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

const (
	name    = "runs-mcp-server"
	version = "0.1.0"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
	Demo    demoCommand      `cmd:"" help:"Show the whole job on the embedded sandbox: start a run, watch it, approve, get the result."`
	Sandbox sandboxCommand   `cmd:"" help:"Serve the embedded sandbox of the Run API alone."`
	Tools   toolsCommand     `cmd:"" help:"Print what tools/list answers, as JSON."`
	Version kong.VersionFlag `help:"Print the version and exit."`
}

// serverFlags fix what the server may do. No call, header or session can widen it.
type serverFlags struct {
	APIURL     string `name:"api-url" from:"TR_API_URL" placeholder:"URL" help:"Address of the Run API [$TR_API_URL] (default ${api_url})."`
	APIKeyFile string `name:"api-key-file" placeholder:"FILE" help:"File with the API key, instead of $TR_API_KEY."`
	Sandbox    bool   `help:"Work on an embedded sandbox instead of the real API; needs no key."`

	UserID            string   `name:"user-id" from:"TR_USER_ID" placeholder:"ID" help:"The person that runs act for [$TR_USER_ID]."`
	Integrations      []string `placeholder:"ID" help:"Integrations that runs use, by customer integration id, or * for all active ones."`
	ApprovalStrategy  string   `enum:"NONE,ON_START,ON_TOOL_CALL" default:"NONE" help:"What a person must approve in every run, at least: ${enum}."`
	PassThrough       string   `placeholder:"FILE" help:"JSON file of secret pass-through data by integration id; must not be readable by others."`
	AllowPassThrough  bool     `help:"Let create_run take passThrough."`
	AllowAnyUser      bool     `help:"Let calls name another user than --user-id."`
	AllowAnyIntegrate bool     `name:"allow-any-integration" help:"Let calls name other integrations than --integrations."`

	Approvals       string `enum:"human,agent,off" default:"human" help:"Who decides what waits for approval: ${enum}."`
	AskWhileWaiting *bool  `negatable:"" help:"Let waiting calls ask the person at the client to decide and to authorise (default: to decide under --approvals=human, to authorise always)."`
	AuthLinks       string `enum:"on,off" default:"on" help:"Whether a result may hold the link with which a person authorises an integration: ${enum}."`
	ReadOnly        bool   `help:"Offer no create_run, abort_run and approve."`
	LogLevel        string `enum:"debug,info,warn,error" default:"info" help:"Least level of log lines on standard error: ${enum}."`
}

type stdioCommand struct{ serverFlags }
type toolsCommand struct{ serverFlags }
type demoCommand struct{}

type sandboxCommand struct {
	Listen string `default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Loopback address to listen on (default ${default})."`
}

// process is what a command works with besides its flags.
type process struct {
	ctx    context.Context
	env    func(string) string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

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
	p := &process{ctx: ctx, env: env, stdin: stdin, stdout: stdout, stderr: stderr}
	parser, err := kong.New(&commands{},
		kong.Name(name), kong.Description("Lets an AI agent start, watch, steer and stop runs of the toolregistry.ai Run API.\n\nThe flags of the server stand in: "+name+" stdio --help"),
		kong.Vars{"version": version, "api_url": client.DefaultURL}, kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exitCode(code)) }), kong.Bind(p), kong.Resolvers(environment(env)))
	if err != nil {
		panic(err) // the command line's definition is ours
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\nTry %s --help.\n", name, err, name)
		return 2
	}
	if err := command.Run(); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
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
		box, err := sandbox.Listen(p.ctx, "127.0.0.1:0", sandbox.Options{})
		if err != nil {
			return err
		}
		defer box.Close()
		c.useSandbox(box.URL())
		caller = client.Caller{Key: sandbox.DefaultKey, UserID: c.UserID}
		log.Info("working on the embedded sandbox: nothing real happens")
	} else if caller.Key, err = c.key(p, log); err != nil {
		return err
	}
	v.Hide(string(caller.Key))
	s, err := c.newServer(v, log)
	if err != nil {
		return err
	}
	defer s.close()
	if isTerminal(p.stdin) {
		fmt.Fprintf(p.stderr, "%s speaks MCP on standard input: an MCP client starts it. To see it work, try: %s demo\n", name, name)
	}
	return transport.ServeStdio(client.WithCaller(p.ctx, caller), s.mcp(), p.stdin, p.stdout, transport.Options{Logger: log, Watch: resources.Watch(s.resources)})
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// useSandbox points the server at the sandbox, with defaults that make an
// intent alone enough.
func (f *serverFlags) useSandbox(url string) {
	f.APIURL = url
	if f.UserID == "" {
		f.UserID = "sandbox-user"
	}
	if len(f.Integrations) == 0 {
		f.Integrations = []string{"*"}
	}
}

// key returns the operator's API key.
func (c *stdioCommand) key(p *process, log *slog.Logger) (client.Key, error) {
	key := p.env("TR_API_KEY")
	if c.APIKeyFile != "" {
		data, err := os.ReadFile(c.APIKeyFile)
		if err != nil {
			return "", unreadable("--api-key-file", err)
		}
		if readableByOthers(c.APIKeyFile) {
			log.Warn("the API key file is readable by others", "file", c.APIKeyFile)
		}
		key = string(data)
	}
	if key = strings.TrimSpace(key); key == "" {
		return "", errors.New("there is no API key: set TR_API_KEY (or --api-key-file), or try it without an account: --sandbox")
	}
	// No header can carry such a key; found out at the first call, it would
	// look like a fault of the network.
	if strings.ContainsFunc(key, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) || r == utf8.RuneError }) {
		return "", errors.New("the API key holds whitespace or characters that are not printable: give the key alone, in one line of plain text")
	}
	return client.Key(key), nil
}

// unreadable says why the file that a flag names cannot be read, and not its
// name: who mistook the flag gave it the secret itself.
func unreadable(flag string, err error) error {
	var failed *fs.PathError
	why := "its name is refused"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = "there is none of that name"
	case errors.Is(err, fs.ErrPermission):
		why = "permission denied"
	case errors.As(err, &failed):
		why = failed.Err.Error()
	}
	return fmt.Errorf("%s: the file it names cannot be read: %s. The flag takes the name of a file, not what belongs in it", flag, why)
}

// Run prints the tools.
func (c *toolsCommand) Run(p *process) error {
	v := view.New()
	s, err := c.newServer(v, c.logger(v, p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	answer, err := json.Marshal(s.mcp().HandleMessage(p.ctx, json.RawMessage(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)))
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

// Run shows the whole job.
func (demoCommand) Run(p *process) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return cli.Demo(p.ctx, self, p.stdout, isTerminal(p.stdout) && p.env("NO_COLOR") == "")
}

func (f *serverFlags) logger(v *view.View, stderr io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		panic(err) // kong checked it
	}
	return slog.New(v.LogHandler(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})))
}

// wired is what the operator's flags make: all that an MCP server needs.
type wired struct {
	tools     tools.Options
	resources resources.Options
	close     func()
}

// newServer wires client, feeds, tools and resources.
func (f *serverFlags) newServer(v *view.View, log *slog.Logger) (*wired, error) {
	if f.APIURL == "" {
		f.APIURL = client.DefaultURL
	}
	api, err := client.New(client.Options{URL: f.APIURL, UserAgent: name + "/" + version})
	if err != nil {
		return nil, err
	}
	passThrough, err := f.readPassThrough(v)
	if err != nil {
		return nil, err
	}
	desk := approval.NewDesk(api)
	feeds := feed.NewHub(api, desk, feed.Options{Logger: log})
	return &wired{
		tools: tools.Options{
			API: api, Feeds: feeds, Desk: desk, View: v, Log: log,
			Integrations: f.Integrations, LeastApproval: client.ApprovalStrategy(f.ApprovalStrategy), PassThrough: passThrough,
			Approvals: tools.Approvals(f.Approvals), AskApprovals: f.asks(f.Approvals == "human"), AskAuthorization: f.asks(true),
			AuthLinks: f.AuthLinks == "on", ReadOnly: f.ReadOnly, AllowPassThrough: f.AllowPassThrough,
			AllowAnyUser: f.AllowAnyUser, AllowAnyIntegration: f.AllowAnyIntegrate,
		},
		resources: resources.Options{API: api, Feeds: feeds, View: v, Log: log},
		close: func() {
			feeds.Close()
			api.Close()
		},
	}, nil
}

// asks reports whether waiting calls ask the person, unless the flag says it
// as a default has it.
func (f *serverFlags) asks(unsaid bool) bool {
	if f.AskWhileWaiting == nil {
		return unsaid
	}
	return *f.AskWhileWaiting
}

// mcp returns an MCP server of the wired tools and resources.
func (w *wired) mcp() *server.MCPServer {
	hooks := transport.Hooks()
	resources.AddHooks(hooks, w.resources)
	srv := server.NewMCPServer(name, version,
		server.WithTitle("Runs"), server.WithInstructions(tools.Instructions(w.tools)), server.WithHooks(hooks),
		server.WithToolCapabilities(false), server.WithResourceCapabilities(true, false),
		server.WithCompletions(), server.WithResourceCompletionProvider(resources.Completions(w.resources)))
	tools.Register(srv, w.tools)
	resources.Register(srv, w.resources)
	return srv
}

// readOnly returns the same with the reading tools alone.
func (w *wired) readOnly() *wired {
	narrowed := *w
	narrowed.tools.ReadOnly = true
	return &narrowed
}

// readPassThrough reads the operator's pass-through file and hides its values.
func (f *serverFlags) readPassThrough(v *view.View) (map[string]client.PassThrough, error) {
	if f.PassThrough == "" {
		return nil, nil
	}
	data, err := os.ReadFile(f.PassThrough)
	if err != nil {
		return nil, unreadable("--pass-through", err)
	}
	if readableByOthers(f.PassThrough) {
		return nil, fmt.Errorf("--pass-through: %s is readable by others; run: chmod 600 %s", f.PassThrough, f.PassThrough)
	}
	byID, err := client.ParsePassThrough(data)
	if err != nil {
		return nil, fmt.Errorf("--pass-through: %w", err)
	}
	for id, p := range byID {
		if len(f.Integrations) > 0 && !slices.Contains(f.Integrations, id) && !slices.Contains(f.Integrations, "*") {
			return nil, fmt.Errorf("--pass-through: %s is not among --integrations", id)
		}
		v.Hide(p.Secrets()...)
	}
	return byID, nil
}

// readableByOthers reports whether a file's group or the world can read it;
// Windows says nothing of the sort in a file's mode.
func readableByOthers(path string) bool {
	info, err := os.Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}
