package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/bridge"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/view"
	"runs-mcp-server/tools"
)

// apiFlags say which API to speak to, and with which key.
type apiFlags struct {
	APIURL     string `name:"api-url" from:"TR_API_URL" group:"API" placeholder:"URL" help:"Address of the Run API [$TR_API_URL]"`
	APIKeyFile string `name:"api-key-file" group:"API" placeholder:"FILE" help:"File with the API key, instead of $TR_API_KEY"`
	LogLevel   string `enum:"debug,info,warn,error" default:"info" group:"API" placeholder:"LEVEL" help:"Least level of the log: debug, info, warn or error"`
}

// serverFlags fix what the server may do. No call, header or session can widen it.
type serverFlags struct {
	apiFlags
	Sandbox bool `group:"API" help:"Work on an embedded sandbox instead; needs no key"`

	UserID            string   `name:"user-id" from:"TR_USER_ID" group:"Runs" placeholder:"ID" help:"The person that runs act for [$TR_USER_ID]"`
	Integrations      []string `group:"Runs" placeholder:"ID" help:"Integrations that runs use; * is all active ones"`
	ApprovalStrategy  string   `enum:"NONE,ON_START,ON_TOOL_CALL" default:"NONE" group:"Runs" placeholder:"WHAT" help:"Least approvals: NONE, ON_START or ON_TOOL_CALL"`
	PassThrough       string   `group:"Runs" placeholder:"FILE" help:"JSON of secret pass-through data, mode 600"`
	AllowPassThrough  bool     `group:"Runs" help:"Let create_run take pass-through data"`
	AllowAnyUser      bool     `group:"Runs" help:"Let calls name other ones"`
	AllowAnyIntegrate bool     `name:"allow-any-integration" group:"Runs" help:"Let calls name other ones"`

	Approvals       string `enum:"human,agent,off" default:"human" group:"People" placeholder:"WHO" help:"Who decides: human (the default), agent or off"`
	AskWhileWaiting *bool  `negatable:"" group:"People" help:"Let waiting calls ask the person at the client"`
	DecideHint      string `group:"People" placeholder:"TEXT" help:"Where to decide if the client cannot ask"`
	AuthLinks       string `enum:"on,off" default:"on" group:"People" placeholder:"on|off" help:"Show links to authorise an integration, or not"`

	ReadOnly       bool     `group:"Tools" help:"Offer no create_run, abort_run and approve"`
	Tools          []string `enum:"${tools}" group:"Tools" placeholder:"NAME" help:"Offer these, or all but these"`
	ExcludeTools   []string `enum:"${tools}" group:"Tools" placeholder:"NAME" help:"Offer these, or all but these"`
	MaxResultBytes int      `default:"${max_result_bytes}" group:"Tools" placeholder:"BYTES" help:"Largest result, ${min_result_bytes} at least (default ${default})"`
}

// options checks the flags and returns what they allow, without the API.
func (f *serverFlags) options() (tools.Options, error) {
	if f.Sandbox {
		if err := f.sandboxDefaults(); err != nil {
			return tools.Options{}, err
		}
	}
	f.Integrations = dropEmpty(f.Integrations)
	if f.MaxResultBytes < tools.MinMaxResultBytes {
		return tools.Options{}, misuse("--max-result-bytes must be at least %d", tools.MinMaxResultBytes)
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
		return tools.Options{}, misuse("--pass-through holds more than can be kept secret: 2,000 values, or 256 KiB of them, at most")
	}
	o := tools.Options{
		Secrets: redact.New(secrets...), Integrations: f.Integrations, LeastApproval: client.ApprovalStrategy(f.ApprovalStrategy), PassThrough: passThrough,
		Approvals: tools.Approvals(f.Approvals), AskApprovals: f.asks(f.Approvals == "human"), AskAuthorization: f.asks(true),
		AuthLinks: f.AuthLinks == "on", MaxResultBytes: f.MaxResultBytes,
		ReadOnly: f.ReadOnly, Tools: f.Tools, ExcludeTools: f.ExcludeTools, AllowPassThrough: f.AllowPassThrough,
		AllowAnyUser: f.AllowAnyUser, AllowAnyIntegration: f.AllowAnyIntegrate,
	}
	if !slices.ContainsFunc(tools.Names(), o.Offers) {
		return o, misuse("--tools, --exclude-tools, --approvals and --read-only leave no tool")
	}
	return o, nil
}

// sandboxDefaults makes an intent alone enough on the sandbox.
func (f *serverFlags) sandboxDefaults() error {
	if f.APIURL != "" || f.APIKeyFile != "" {
		return misuse("--sandbox works on no other API: leave out --api-url (TR_API_URL) and --api-key-file")
	}
	if f.UserID == "" {
		f.UserID, f.AllowAnyUser = "sandbox-user", true
	}
	if len(f.Integrations) == 0 {
		f.Integrations = []string{"*"}
	}
	return nil
}

// startSandbox starts the embedded sandbox and points the server at it. The
// caller closes it.
func (f *serverFlags) startSandbox(p *process, log *slog.Logger) (io.Closer, error) {
	box, err := sandbox.Listen(p.ctx, "127.0.0.1:0", sandbox.Options{})
	if err != nil {
		return nil, err
	}
	f.APIURL = box.URL()
	log.Info("working on the embedded sandbox: nothing real happens")
	return box, nil
}

// decideCommand returns the command that asks a person in a terminal to decide,
// "" where the operator says otherwise where they decide: over HTTP always, for
// callers have no terminal with this program.
func (f *serverFlags) decideCommand() string {
	if f.DecideHint != "" {
		return ""
	}
	command := program() + " approve"
	if f.APIURL != "" {
		command += " --api-url " + f.APIURL
	}
	if f.Sandbox {
		command = "TR_API_KEY=" + sandbox.DefaultKey + " " + command
	}
	return command + " RUN_ID"
}

// key returns the operator's API key.
func (c *apiFlags) key(p *process) (client.Key, error) {
	key, from := p.env("TR_API_KEY"), "TR_API_KEY"
	if c.APIKeyFile != "" {
		data, err := readFile(c.APIKeyFile)
		if err != nil {
			return "", usageError{unreadable("--api-key-file", err)}
		}
		key, from = string(data), "--api-key-file"
	}
	if key = trimKey(key); key == "" {
		return "", misuse("there is no API key: set TR_API_KEY (or --api-key-file), or try it without an account: --sandbox")
	}
	if fault := keyFault(key); fault != "" {
		return "", misuse("%s: the API key %s", from, fault)
	}
	return client.Key(key), nil
}

// maxFile bounds a file of secrets, in bytes.
const maxFile = 1 << 20

// readFile reads a file of secrets.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("larger than 1 MiB")
	}
	return data, err
}

// warnOfKeyFile warns where others can read the API key.
func (c *apiFlags) warnOfKeyFile(log *slog.Logger) {
	if c.APIKeyFile != "" && readableByOthers(c.APIKeyFile) {
		log.Warn("the API key file is readable by others", "file", c.APIKeyFile)
	}
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
	case err != nil:
		why = err.Error()
	}
	return fmt.Errorf("%s: the file it names cannot be read: %s. The flag takes the name of a file, not what belongs in it", flag, why)
}

// logger returns the log of the process, without the operator's secrets. It is
// the default one too, for net/http and mcp-go log there by themselves.
func (f *apiFlags) logger(secrets *redact.Set, stderr io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		panic(err) // kong checked it
	}
	log := slog.New(view.LogHandler(secrets, slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})))
	slog.SetDefault(log)
	return log
}

// client returns a client of the API that the flags name.
func (f *apiFlags) client() (*client.Client, error) {
	if err := checkURL(f.APIURL); err != nil {
		return nil, err
	}
	api, err := client.New(client.Options{URL: cmp.Or(f.APIURL, client.DefaultURL), UserAgent: name + "/" + version})
	if err != nil {
		return nil, misuse("--api-url (TR_API_URL): %w", err)
	}
	return api, nil
}

// newBridge wires the server to the API as the flags say; o is what [options]
// returned.
func (f *serverFlags) newBridge(o tools.Options, log *slog.Logger) (*bridge.Bridge, error) {
	api, err := f.client()
	if err != nil {
		return nil, err
	}
	o.API, o.Log, o.DecideHint, o.DecideCommand = api, log, f.DecideHint, f.decideCommand()
	if o.DecideHint == "" && f.Sandbox {
		o.DecideHint = f.hostedHint() // it has no console
	}
	return bridge.New(o, feed.Options{}, attend.Options{}), nil
}

// asks reports whether waiting calls ask the person, unless the flag says it
// as a default has it.
func (f *serverFlags) asks(unsaid bool) bool {
	if f.AskWhileWaiting == nil {
		return unsaid
	}
	return *f.AskWhileWaiting
}

// readPassThrough reads the operator's pass-through file.
func (f *serverFlags) readPassThrough() (map[string]client.PassThrough, error) {
	if f.PassThrough == "" {
		return nil, nil
	}
	data, err := readFile(f.PassThrough)
	if err != nil {
		return nil, unreadable("--pass-through", err)
	}
	if readableByOthers(f.PassThrough) {
		return nil, fmt.Errorf("--pass-through: %s is readable by others; run: chmod 600 %s", f.PassThrough, f.PassThrough)
	}
	byID, err := client.ParsePassThrough(bytes.TrimPrefix(data, []byte("\ufeff")))
	if err != nil {
		return nil, fmt.Errorf("--pass-through: %w", err)
	}
	for id := range byID {
		if len(f.Integrations) > 0 && !slices.Contains(f.Integrations, id) && !slices.Contains(f.Integrations, "*") {
			return nil, fmt.Errorf("--pass-through: %s is not among --integrations", id)
		}
	}
	return byID, nil
}

// readableByOthers reports whether a file's group or the world can read it;
// Windows says nothing of the sort in a file's mode.
func readableByOthers(path string) bool {
	info, err := os.Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}
