package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/bridge"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/view"
	"runs-mcp-server/tools"
)

// apiFlags say which API to speak to, and with which key.
type apiFlags struct {
	APIURL     string `name:"api-url" from:"TR_API_URL" placeholder:"URL" help:"Address of the Run API [$TR_API_URL] (default ${api_url})."`
	APIKeyFile string `name:"api-key-file" placeholder:"FILE" help:"File with the API key, instead of $TR_API_KEY."`
	LogLevel   string `enum:"debug,info,warn,error" default:"info" help:"Least level of log lines on standard error: ${enum}."`
}

// serverFlags fix what the server may do. No call, header or session can widen it.
type serverFlags struct {
	apiFlags
	Sandbox bool `help:"Work on an embedded sandbox instead of the real API; needs no key."`

	UserID            string   `name:"user-id" from:"TR_USER_ID" placeholder:"ID" help:"The person that runs act for [$TR_USER_ID]."`
	Integrations      []string `placeholder:"ID" help:"Integrations that runs use, by customer integration id, or * for all active ones."`
	ApprovalStrategy  string   `enum:"NONE,ON_START,ON_TOOL_CALL" default:"NONE" help:"What a person must approve in every run, at least: ${enum}."`
	PassThrough       string   `placeholder:"FILE" help:"JSON file of secret pass-through data by integration id; must not be readable by others."`
	AllowPassThrough  bool     `help:"Let create_run take passThrough."`
	AllowAnyUser      bool     `help:"Let calls name another user than --user-id."`
	AllowAnyIntegrate bool     `name:"allow-any-integration" help:"Let calls name other integrations than --integrations."`

	Approvals       string   `enum:"human,agent,off" default:"human" help:"Who decides what waits for approval: ${enum}."`
	DecideHint      string   `placeholder:"TEXT" help:"Where a person decides whom the client cannot ask, in the words of 'Tell the user to decide TEXT'; RUN_ID stands for the run."`
	AskWhileWaiting *bool    `negatable:"" help:"Let waiting calls ask the person at the client to decide and to authorise (default: to decide under --approvals=human, to authorise always)."`
	AuthLinks       string   `enum:"on,off" default:"on" help:"Whether a result may hold the link with which a person authorises an integration: ${enum}."`
	ReadOnly        bool     `help:"Offer no create_run, abort_run and approve."`
	Tools           []string `enum:"${tools}" placeholder:"NAME" help:"Offer these tools alone: ${enum}."`
	ExcludeTools    []string `enum:"${tools}" placeholder:"NAME" help:"Offer all but these."`
	MaxResultBytes  int      `default:"${max_result_bytes}" placeholder:"BYTES" help:"How large a result of a tool may be, at least ${min_result_bytes} (default ${max_result_bytes})."`
}

// startSandbox starts the embedded sandbox and points the server at it, with
// defaults that make an intent alone enough. The caller closes it.
func (f *serverFlags) startSandbox(p *process, log *slog.Logger) (io.Closer, error) {
	if f.APIURL != "" || f.APIKeyFile != "" {
		return nil, errors.New("--sandbox works on no other API: leave out --api-url (TR_API_URL) and --api-key-file")
	}
	box, err := sandbox.Listen(p.ctx, "127.0.0.1:0", sandbox.Options{})
	if err != nil {
		return nil, err
	}
	f.APIURL = box.URL()
	if f.UserID == "" {
		f.UserID, f.AllowAnyUser = "sandbox-user", true
	}
	if len(f.Integrations) == 0 {
		f.Integrations = []string{"*"}
	}
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
	command := name + " approve"
	if f.APIURL != "" {
		command += " --api-url " + f.APIURL
	}
	if f.Sandbox {
		command = "TR_API_KEY=" + sandbox.DefaultKey + " " + command
	}
	return command + " RUN_ID"
}

// key returns the operator's API key.
func (c *apiFlags) key(p *process, log *slog.Logger) (client.Key, error) {
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

// logger returns the log of the process, without the secrets that v knows. It is
// the default one too, for net/http and mcp-go log there by themselves.
func (f *apiFlags) logger(v *view.View, stderr io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		panic(err) // kong checked it
	}
	log := slog.New(v.LogHandler(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})))
	slog.SetDefault(log)
	return log
}

func (f *apiFlags) client(v *view.View) (*client.Client, error) {
	return client.New(client.Options{URL: cmp.Or(f.APIURL, client.DefaultURL), UserAgent: name + "/" + version, Learner: v})
}

// newBridge wires the server as the operator's flags say.
func (f *serverFlags) newBridge(v *view.View, log *slog.Logger) (*bridge.Bridge, error) {
	if f.MaxResultBytes < tools.MinMaxResultBytes {
		return nil, fmt.Errorf("--max-result-bytes must be at least %d", tools.MinMaxResultBytes)
	}
	api, err := f.client(v)
	if err != nil {
		return nil, err
	}
	passThrough, err := f.readPassThrough(v)
	if err != nil {
		return nil, err
	}
	o := tools.Options{
		API: api, View: v, Log: log,
		Integrations: f.Integrations, LeastApproval: client.ApprovalStrategy(f.ApprovalStrategy), PassThrough: passThrough,
		Approvals: tools.Approvals(f.Approvals), DecideHint: f.DecideHint, DecideCommand: f.decideCommand(), AskApprovals: f.asks(f.Approvals == "human"), AskAuthorization: f.asks(true),
		AuthLinks: f.AuthLinks == "on", MaxResultBytes: f.MaxResultBytes,
		ReadOnly: f.ReadOnly, Tools: f.Tools, ExcludeTools: f.ExcludeTools, AllowPassThrough: f.AllowPassThrough,
		AllowAnyUser: f.AllowAnyUser, AllowAnyIntegration: f.AllowAnyIntegrate,
	}
	if !slices.ContainsFunc(tools.Names(), o.Offers) {
		return nil, errors.New("--tools, --exclude-tools, --approvals and --read-only leave no tool")
	}
	return bridge.New(o, feed.Options{}), nil
}

// asks reports whether waiting calls ask the person, unless the flag says it
// as a default has it.
func (f *serverFlags) asks(unsaid bool) bool {
	if f.AskWhileWaiting == nil {
		return unsaid
	}
	return *f.AskWhileWaiting
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
