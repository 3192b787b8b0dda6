package cli

import (
	"cmp"
	"context"
	"log/slog"
	"slices"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/memory"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/server"
	"runs-mcp-server/internal/telemetry"
	"runs-mcp-server/tools"
)

// apiFlags choose the Run API and the key.
//
// The tags of a flag are all that is written about it. help is its line in the help. For
// the table in the README (TestConfigurationTable), doc is its meaning if help is too
// short for that, unset its default if there is no default tag, and variables are its
// variables if from does not name them; 'x' becomes code.
type apiFlags struct {
	APIURL     string `name:"api-url" from:"TR_API_URL" group:"API" placeholder:"URL" help:"Address of the Run API [$TR_API_URL]" unset:"'${api_url}'" doc:"address of the Run API: https, or http on loopback"`
	APIKeyFile string `name:"api-key-file" group:"API" placeholder:"FILE" help:"File with the API key, instead of $TR_API_KEY" variables:"TR_API_KEY_FILE,TR_API_KEY" doc:"the API key, in a file or in the environment; a file counts more"`
}

// serverFlags set what the server may do. A call, a header or a session can allow
// less, never more.
type serverFlags struct {
	apiFlags
	Sandbox bool `group:"API" help:"Work on an embedded sandbox instead; needs no key" doc:"use an embedded sandbox, with 'sandbox-user' and all integrations; needs no key"`

	UserID            string   `name:"user-id" from:"TR_USER_ID" group:"Runs" placeholder:"ID" help:"The person that runs act for [$TR_USER_ID]" doc:"the person that runs act for"`
	Integrations      []string `group:"Runs" placeholder:"ID" help:"Integrations that runs use; * is all active ones" doc:"integrations that runs use: ids, or '*' for all active ones"`
	ApprovalStrategy  string   `enum:"NONE,ON_START,ON_TOOL_CALL" default:"NONE" group:"Runs" placeholder:"WHAT" help:"Least approvals: NONE, ON_START or ON_TOOL_CALL" doc:"the minimum that a person must approve in every run: 'NONE', 'ON_START', 'ON_TOOL_CALL'"`
	PassThrough       string   `group:"Runs" placeholder:"FILE" help:"Secret data: a file; also by calls" doc:"JSON file with secret headers, query and credentials by integration id; mode 600"`
	AllowPassThrough  bool     `group:"Runs" help:"Secret data: a file; also by calls" doc:"'create_run' accepts the API's 'passThrough' argument"`
	AllowAnyUser      bool     `group:"Runs" help:"Let calls name other ones" doc:"calls may name other users than '--user-id'"`
	AllowAnyIntegrate bool     `name:"allow-any-integration" group:"Runs" help:"Let calls name other ones" doc:"calls may name other integrations than '--integrations'"`

	Approvals       string `enum:"human,agent,off" default:"human" group:"People" placeholder:"WHO" help:"Who decides: human (the default), agent or off" doc:"who decides: 'human' (a person; see below), 'agent' (the model), 'off' (no 'approve' tool)"`
	AskWhileWaiting *bool  `negatable:"" group:"People" help:"Let waiting calls ask the person at the client" unset:"see right" doc:"waiting calls ask the person. By default they ask for decisions under '--approvals=human', and always for authorisations"`
	DecideHint      string `group:"People" placeholder:"TEXT" help:"Where to decide if the client cannot ask" unset:"terminal command; 'http': the vendor's console" doc:"where a person decides if the client cannot ask. The text continues \"Tell the user to decide\"; 'RUN_ID' stands for the run"`
	AuthLinks       string `enum:"on,off" default:"on" group:"People" placeholder:"on|off" help:"Show links to authorise an integration, or not" doc:"with 'off', no result holds the link to authorise an integration"`

	ReadOnly       bool     `group:"Tools" help:"Offer only tools that read" doc:"offer only the tools that read"`
	Tools          []string `enum:"${tools}" group:"Tools" placeholder:"NAME" help:"Offer these, or all but these" unset:"all" doc:"offer only some tools"`
	ExcludeTools   []string `enum:"${tools}" group:"Tools" placeholder:"NAME" help:"Offer these, or all but these" doc:"offer all tools except some"`
	RunsAsTasks    string   `name:"tasks" enum:"auto,off" default:"auto" group:"Tools" placeholder:"auto|off" help:"Runs as tasks, for clients that have them" doc:"runs are [tasks](#tasks) for clients that have tasks; 'off': they are not"`
	MaxResultBytes int      `default:"${max_result_bytes}" group:"Tools" placeholder:"BYTES" help:"Largest result, ${min_result_bytes} at least (default ${default})" doc:"maximum size of a tool's result, at least ${min_result_bytes}; the result marks what is left out"`

	logFlags
	callLogFlags
	auditFlags
}

// localOptions returns the options of a server for the one caller that is on this
// machine, and that caller.
func (f *serverFlags) localOptions(env func(string) string) (o tools.Options, caller client.Caller, err error) {
	if o, err = f.options(); err != nil {
		return o, caller, err
	}
	caller = client.Caller{Key: sandbox.DefaultKey, UserID: f.UserID}
	if !f.Sandbox {
		if caller.Key, err = f.key(env); err != nil {
			return o, caller, err
		}
	}
	o.Local, o.Secrets = true, o.Secrets.With(string(caller.Key))
	return o, caller, nil
}

// options checks the flags and returns the options of the tools that follow from
// them. [serverFlags.newServer] fills in the API and the log.
func (f *serverFlags) options() (tools.Options, error) {
	if f.Sandbox {
		if err := f.sandboxDefaults(); err != nil {
			return tools.Options{}, err
		}
	}
	f.Integrations = dropEmpty(f.Integrations)
	if f.MaxResultBytes < tools.MinMaxResultBytes {
		return tools.Options{}, usageErrorf("--max-result-bytes must be at least %d", tools.MinMaxResultBytes)
	}
	if err := cmp.Or(checkURL(f.APIURL), checkIntegrations(f.Integrations), checkHint(f.DecideHint)); err != nil {
		return tools.Options{}, err
	}
	passThrough, err := f.readPassThrough()
	if err != nil {
		return tools.Options{}, usageError{err}
	}
	var secrets []string
	for _, p := range passThrough {
		secrets = append(secrets, p.Secrets()...)
	}
	if redact.New(secrets...).Overfull() {
		return tools.Options{}, usageErrorf("--pass-through holds more than can be kept secret: 2,000 values, or 256 KiB of them, at most")
	}
	o := tools.Options{
		Secrets: redact.New(secrets...), Integrations: f.Integrations, LeastApproval: client.ApprovalStrategy(f.ApprovalStrategy), PassThrough: passThrough,
		Approvals: tools.Approvals(f.Approvals), AskApprovals: f.asksPerson(f.Approvals == "human"), AskAuthorization: f.asksPerson(true),
		AuthLinks: f.AuthLinks == "on", Tasks: f.RunsAsTasks == "auto", MaxResultBytes: f.MaxResultBytes,
		ReadOnly: f.ReadOnly, Tools: f.Tools, ExcludeTools: f.ExcludeTools, AllowPassThrough: f.AllowPassThrough,
		AllowAnyUser: f.AllowAnyUser, AllowAnyIntegration: f.AllowAnyIntegrate,
	}
	if !slices.ContainsFunc(tools.Names(), o.Offers) {
		return o, usageErrorf("--tools, --exclude-tools, --approvals and --read-only leave no tool")
	}
	return o, nil
}

// sandboxDefaults fills in a user and the integrations, so that an intent alone
// creates a run on the sandbox.
func (f *serverFlags) sandboxDefaults() error {
	if f.APIURL != "" || f.APIKeyFile != "" {
		return usageErrorf("--sandbox works on no other API: leave out --api-url (TR_API_URL) and --api-key-file")
	}
	if f.UserID == "" {
		f.UserID, f.AllowAnyUser = "sandbox-user", true
	}
	if len(f.Integrations) == 0 {
		f.Integrations = []string{"*"}
	}
	return nil
}

// startServer returns the server of the flags, with the embedded sandbox as its API
// if the flags say so. Of parts it takes what limits the API's answers and the logs of
// runs; 0 is the default. closeAll closes both.
func (f *serverFlags) startServer(ctx context.Context, o tools.Options, parts memory.Parts, log *slog.Logger, t *telemetry.Telemetry) (s *server.Server, closeAll func(), err error) {
	closeSandbox := func() {}
	if f.Sandbox {
		box, err := sandbox.Listen(ctx, "127.0.0.1:0", sandbox.Options{})
		if err != nil {
			return nil, nil, err
		}
		f.APIURL = box.URL()
		closeSandbox = func() { _ = box.Close() }
		log.Info("working on the embedded sandbox: nothing real happens")
	}
	if s, err = f.newServer(o, parts, log, t); err != nil {
		closeSandbox()
		return nil, nil, err
	}
	return s, func() {
		s.Close()
		closeSandbox()
	}, nil
}

// decideCommand returns the command with which a person decides in a terminal. It
// is "" if there is a --decide-hint. Over HTTP there always is one, because callers
// cannot run this program where it runs.
func (f *serverFlags) decideCommand() string {
	if f.DecideHint != "" {
		return ""
	}
	command := f.approveCommand()
	if f.Sandbox {
		command = "TR_API_KEY=" + sandbox.DefaultKey + " " + command
	}
	return command + " RUN_ID"
}

// approveCommand returns the command with which a person decides in a terminal, without
// the run's id.
func (f *apiFlags) approveCommand() string {
	command := programCommand() + " approve"
	if f.APIURL != "" {
		command += " --api-url " + f.APIURL
	}
	return command
}

// newClient returns a client of the API that reads so many large answers at a time; 0 is
// the default. t may be nil. The caller closes it.
func (f *apiFlags) newClient(largeAnswers int, t *telemetry.Telemetry) (*client.Client, error) {
	if err := checkURL(f.APIURL); err != nil {
		return nil, err
	}
	options := client.Options{URL: cmp.Or(f.APIURL, client.DefaultURL), UserAgent: Name + "/" + Version, LargeAnswers: largeAnswers}
	if t != nil {
		options.Wrap = t.WrapTransport
	}
	api, err := client.New(options)
	if err != nil {
		return nil, usageErrorf("--api-url (TR_API_URL): %w", err)
	}
	return api, nil
}

// newServer returns the server of the flags. o is what options returned. t may be nil.
func (f *serverFlags) newServer(o tools.Options, parts memory.Parts, log *slog.Logger, t *telemetry.Telemetry) (*server.Server, error) {
	api, err := f.newClient(parts.LargeAnswers, t)
	if err != nil {
		return nil, err
	}
	if t != nil {
		o.Observe = t.ObserveCall
	}
	o.API, o.Log, o.DecideHint, o.DecideCommand = api, log, f.DecideHint, f.decideCommand()
	if o.DecideHint == "" && f.Sandbox {
		o.DecideHint = f.httpDecideHint() // the sandbox has no console
	}
	return server.New(o, feed.Options{LogBytesInAll: parts.LogBytesInAll}, attend.Options{}), nil
}

// httpDecideHint returns the default of --decide-hint over HTTP, where a caller's
// person has neither the operator's key nor a terminal on this machine.
func (f *serverFlags) httpDecideHint() string {
	if f.Sandbox {
		return "with an MCP client that can ask them: the sandbox has no console"
	}
	return "in the vendor's console"
}

// asksPerson reports whether waiting calls ask the person: what the flag says, or
// unset if it is not given.
func (f *serverFlags) asksPerson(unset bool) bool {
	if f.AskWhileWaiting == nil {
		return unset
	}
	return *f.AskWhileWaiting
}
