package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"runs-mcp-server/internal/memory"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/server"
	"runs-mcp-server/internal/telemetry"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

// httpCommand serves many callers, each with an API key of its own.
type httpCommand struct {
	Listen         string        `default:"127.0.0.1:8080" group:"HTTP" placeholder:"HOST:PORT" help:"Address to listen on (default ${default})" doc:"address; beyond loopback, name the hosts with '--allowed-hosts'"`
	PathPrefix     string        `group:"HTTP" placeholder:"PATH" help:"Path before all others, such as /runs" doc:"path before all others, such as '/runs'"`
	PublicURL      string        `name:"public-url" group:"HTTP" placeholder:"URL" help:"Where clients reach /mcp: serve a server card" doc:"the URL at which clients reach '/mcp': a [server card](#one-url-for-many-callers) is served at its '/server-card'"`
	AllowedHosts   []string      `group:"HTTP" placeholder:"HOST" help:"Hosts to answer to beside loopback, ports or not" doc:"accepted Host headers beside loopback"`
	AllowedOrigins []string      `group:"HTTP" placeholder:"URL" help:"Web origins to answer to beside loopback" doc:"accepted web origins beside loopback"`
	Drain          time.Duration `default:"5s" group:"HTTP" placeholder:"DURATION" help:"How long to serve on after SIGTERM (default ${default})" doc:"time to serve on after SIGTERM or SIGHUP. Ctrl-C does not wait; a second signal ends the server at once"`
	Memory         memorySize    `default:"1GiB" group:"HTTP" placeholder:"SIZE" help:"Most memory to take (default ${default})" doc:"what the process should take at most, such as '512MiB'; at least '128MiB' ([how it is divided](docs/limits.md#memory)). 'GOMEMLIMIT', if set, is kept"`
	serverFlags
	metricsFlags
}

// Run serves MCP over streamable HTTP until the process is told to stop.
func (c *httpCommand) Run(p *process) error {
	prefix, err := c.check()
	if err != nil {
		return err
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	log, err := c.newLogger(o.Secrets, p)
	if err != nil {
		return err
	}
	closeAudit, err := c.addLogs(&o, log, true)
	if err != nil {
		return err
	}
	defer closeAudit()
	return p.serverError(c.serve(p, o, prefix, log), log)
}

func (c *httpCommand) serve(p *process, o tools.Options, prefix string, log *slog.Logger) error {
	l, err := (&net.ListenConfig{}).Listen(p.ctx, "tcp", c.Listen)
	if err != nil {
		return listenError("--listen", err)
	}
	defer l.Close() // for the returns before ServeHTTP, which closes it too
	parts := memory.Divide(int64(c.Memory))
	limitGarbage(parts.GCLimit)
	t, stopTelemetry, err := c.startTelemetry(p, log, false)
	if err != nil {
		return err
	}
	defer stopTelemetry()
	s, closeAll, err := c.startServer(p.ctx, o, parts, log, t)
	if err != nil {
		return err
	}
	defer closeAll()
	if !isLoopback(l.Addr()) && len(c.AllowedHosts) == 0 {
		log.Warn("only requests to a loopback host are answered: name the hosts that clients use with --allowed-hosts")
	}
	log.Info("serving", "url", localURL(l.Addr(), prefix))
	if c.Sandbox {
		fmt.Fprintf(p.stderr, "Callers of the sandbox send the header x-api-key: %s\n", sandbox.DefaultKey)
	}
	card, err := c.card(p.ctx, s)
	if err != nil {
		return err
	}
	options := transport.HTTPOptions{
		Options:        transport.Options{Logger: log, Watch: s.Watch(), Tasks: s.Tasks(Name, Version), Skills: s.Skills(Name, Version)},
		IsKnown:        s.IsKnown,
		Introduce:      s.Introduce,
		Ready:          s.Ready,
		Identify:       server.IdentifyCaller(server.CallerOptions{UserID: c.UserID, AllowAnyUser: c.AllowAnyUser, Sandbox: c.Sandbox}),
		Server:         server.NarrowedByHeader(s.MCP(Name, Version), s.ReadOnly().MCP(Name, Version)),
		AllowedHosts:   c.AllowedHosts,
		AllowedOrigins: c.AllowedOrigins,
		Drain:          c.Drain,
		PathPrefix:     prefix,
		Card:           card,

		Bytes: parts.Bytes, BytesPerCaller: parts.BytesPerCaller, StrangerBytes: parts.StrangerBytes,
		Connections: parts.Connections, StrangerConnections: parts.StrangerConnections, Watches: parts.Watches,
	}
	if err := p.observeServer(t, s, o.Audit, &options.Options); err != nil {
		return err
	}
	if t != nil {
		options.Wrap, options.Identify = t.WrapHandler(l.Addr().String(), prefix+"/mcp"), telemetry.Identify(options.Identify)
	}
	return transport.ServeHTTP(p.ctx, closeOnInterrupt(p.ctx, l), options)
}

// card returns the server card, nil without --public-url.
func (c *httpCommand) card(ctx context.Context, s *server.Server) ([]byte, error) {
	if c.PublicURL == "" {
		return nil, nil
	}
	public, err := url.Parse(c.PublicURL)
	if err != nil {
		return nil, err
	}
	return s.Card(ctx, Name, Version, public)
}

// memorySize is the value of --memory in bytes.
type memorySize int64

// UnmarshalText reads a size such as 512MiB.
func (s *memorySize) UnmarshalText(text []byte) error {
	size, err := memory.ParseSize(string(text))
	*s = memorySize(size)
	return err
}

// limitGarbage has the garbage collector work harder near a limit in bytes, unless
// GOMEMLIMIT has set one: the operator's word stands.
func limitGarbage(limit int64) {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(limit)
	}
}

// check checks the flags of HTTP, sets the default of --decide-hint, and returns
// the path prefix.
func (c *httpCommand) check() (prefix string, err error) {
	c.AllowedHosts, c.AllowedOrigins = dropEmpty(c.AllowedHosts), dropEmpty(c.AllowedOrigins)
	if c.APIKeyFile != "" {
		return "", usageErrorf("--api-key-file is for stdio: over HTTP each caller sends a key of its own in x-api-key")
	}
	if c.Drain < 0 {
		return "", usageErrorf("--drain is a time such as 5s or 0s, not a negative one")
	}
	if c.DecideHint == "" {
		c.DecideHint = c.httpDecideHint()
	}
	if c.Listen == "" {
		return "", usageErrorf("--listen needs HOST:PORT, such as 127.0.0.1:8080")
	}
	if err := cmp.Or(checkAllowed(c.AllowedHosts, c.AllowedOrigins), checkPublicURL(c.PublicURL)); err != nil {
		return "", err
	}
	return pathPrefix(c.PathPrefix)
}

// pathPrefix returns --path-prefix with one slash before it and none after it.
func pathPrefix(flag string) (string, error) {
	prefix := strings.TrimRight("/"+strings.TrimLeft(flag, "/"), "/")
	if prefix != "" && (!prefixForm.MatchString(prefix) || path.Clean(prefix) != prefix) {
		return "", usageErrorf("--path-prefix is a path such as /runs, of letters, digits, and . _ ~ - between slashes, not %q", flag)
	}
	return prefix, nil
}

// prefixForm matches prefixes that no proxy and no client spells in another way.
var prefixForm = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)

// localURL returns the URL at which a client on this machine reaches the server.
func localURL(addr net.Addr, prefix string) string {
	host := addr.String()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		host = net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return "http://" + host + prefix + "/mcp"
}

// isLoopback reports whether only this machine can reach an address.
func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// interruptibleListener is a listener that SIGINT closes. Accept then returns
// [http.ErrServerClosed], which is no failure.
type interruptibleListener struct {
	net.Listener
	ctx context.Context
}

// closeOnInterrupt returns l as a listener that SIGINT closes. The server drains
// as long as its listener is open, and a person who types Ctrl-C does not wait for
// a proxy to notice.
func closeOnInterrupt(ctx context.Context, l net.Listener) net.Listener {
	context.AfterFunc(ctx, func() {
		if !drains(ctx) {
			_ = l.Close() // the server closes it too
		}
	})
	return interruptibleListener{l, ctx}
}

// drains reports whether the server accepts requests for a while after the end of
// ctx: it does after any signal but SIGINT.
func drains(ctx context.Context) bool {
	s := receivedSignal(ctx)
	return s != nil && s != os.Interrupt
}

// Accept returns the next connection.
func (l interruptibleListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if errors.Is(err, net.ErrClosed) && l.ctx.Err() != nil {
		err = http.ErrServerClosed
	}
	return conn, err
}
