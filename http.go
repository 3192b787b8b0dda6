package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

// httpCommand serves many callers, each with a key of its own.
type httpCommand struct {
	Listen         string        `default:"127.0.0.1:8080" group:"HTTP" placeholder:"HOST:PORT" help:"Address to listen on (default ${default})"`
	PathPrefix     string        `group:"HTTP" placeholder:"PATH" help:"Path before all others, such as /runs"`
	AllowedHosts   []string      `group:"HTTP" placeholder:"HOST" help:"Hosts to answer to beside loopback, ports or not"`
	AllowedOrigins []string      `group:"HTTP" placeholder:"URL" help:"Web origins to answer to beside loopback"`
	Drain          time.Duration `default:"5s" group:"HTTP" placeholder:"DURATION" help:"How long to serve on after SIGTERM (default ${default})"`
	serverFlags
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
	log := c.logger(o.Secrets, p.stderr)
	return p.served(c.serve(p, o, prefix, log), log)
}

func (c *httpCommand) serve(p *process, o tools.Options, prefix string, log *slog.Logger) error {
	l, err := (&net.ListenConfig{}).Listen(p.ctx, "tcp", c.Listen)
	if err != nil {
		return listenError(err)
	}
	defer l.Close() // again, where it was served
	if c.Sandbox {
		box, err := c.startSandbox(p, log)
		if err != nil {
			return err
		}
		defer box.Close()
	}
	b, err := c.newBridge(o, log)
	if err != nil {
		return err
	}
	defer b.Close()
	if !isLoopback(l.Addr()) && len(c.AllowedHosts) == 0 {
		log.Warn("only requests to a loopback host are answered: name the hosts that clients use with --allowed-hosts")
	}
	log.Info("serving", "url", localURL(l.Addr(), prefix))
	if c.Sandbox {
		fmt.Fprintf(p.stderr, "Callers of the sandbox send the header x-api-key: %s\n", sandbox.DefaultKey)
	}
	return transport.ServeHTTP(p.ctx, endedByInterrupt(p.ctx, l), transport.HTTPOptions{
		Options:        transport.Options{Logger: log, Watch: b.Watch()},
		Identify:       c.identify(),
		Server:         pick(b.MCP(name, version), b.ReadOnly().MCP(name, version)),
		AllowedHosts:   c.AllowedHosts,
		AllowedOrigins: c.AllowedOrigins,
		Drain:          c.Drain,
		PathPrefix:     prefix,
	})
}

// check checks the flags of HTTP, sets the hint for callers where the operator
// set none, and returns the path prefix.
func (c *httpCommand) check() (prefix string, err error) {
	c.AllowedHosts, c.AllowedOrigins = dropEmpty(c.AllowedHosts), dropEmpty(c.AllowedOrigins)
	if c.APIKeyFile != "" {
		return "", misuse("--api-key-file is for stdio: over HTTP each caller sends a key of its own in x-api-key")
	}
	if c.Drain < 0 {
		return "", misuse("--drain is a time such as 5s or 0s, not a negative one")
	}
	if c.DecideHint == "" {
		c.DecideHint = c.hostedHint()
	}
	if c.Listen == "" {
		return "", misuse("--listen needs HOST:PORT, such as 127.0.0.1:8080")
	}
	if err := checkAllowed(c.AllowedHosts, c.AllowedOrigins); err != nil {
		return "", err
	}
	return pathPrefix(c.PathPrefix)
}

// hostedHint says where the person of a caller over HTTP decides: they have
// neither the operator's key nor a terminal on this machine.
func (f *serverFlags) hostedHint() string {
	if f.Sandbox {
		return "with an MCP client that can ask them: the sandbox has no console"
	}
	return "in the vendor's console"
}

// pathPrefix returns a prefix with one slash before it and none behind it.
func pathPrefix(flag string) (string, error) {
	prefix := strings.TrimRight("/"+strings.TrimLeft(flag, "/"), "/")
	if prefix != "" && (!prefixForm.MatchString(prefix) || path.Clean(prefix) != prefix) {
		return "", misuse("--path-prefix is a path such as /runs, of letters, digits, and . _ ~ - between slashes, not %q", flag)
	}
	return prefix, nil
}

// prefixForm is what proxies and clients write in one way only.
var prefixForm = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)

// localURL returns where a client on this machine reaches the server.
func localURL(addr net.Addr, prefix string) string {
	host := addr.String()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		host = net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return "http://" + host + prefix + "/mcp"
}

// isLoopback reports whether an address is reached from this machine alone.
func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// interruptible is a listener that an interrupt closes. What closes it is no
// failure.
type interruptible struct {
	net.Listener
	ctx context.Context
}

// endedByInterrupt returns l as one that an interrupt closes: the server drains
// while its listener is open, and who types Ctrl-C has no proxy to wait for.
func endedByInterrupt(ctx context.Context, l net.Listener) net.Listener {
	context.AfterFunc(ctx, func() {
		if !drains(ctx) {
			_ = l.Close() // the server closes it too
		}
	})
	return interruptible{l, ctx}
}

// drains reports whether the end that ctx tells of lets requests come in for a
// while: a signal other than an interrupt does.
func drains(ctx context.Context) bool {
	s := endSignal(ctx)
	return s != nil && s != os.Interrupt
}

// Accept returns the next connection.
func (l interruptible) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil && l.ctx.Err() != nil {
		err = http.ErrServerClosed
	}
	return conn, err
}

// pick chooses the server of a request: X-MCP-Readonly can narrow what the
// operator allowed, and nothing can widen it.
func pick(full, readOnly *server.MCPServer) func(*http.Request) *server.MCPServer {
	return func(r *http.Request) *server.MCPServer {
		for _, value := range r.Header.Values("X-MCP-Readonly") {
			if on, err := strconv.ParseBool(strings.TrimSpace(value)); on || err != nil {
				return readOnly // what is not plainly false narrows
			}
		}
		return full
	}
}
