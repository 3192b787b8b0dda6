package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/view"
	"runs-mcp-server/transport"
)

// httpCommand serves many callers, each with a key of its own.
type httpCommand struct {
	serverFlags
	Listen         string        `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to listen on (default ${default})."`
	AllowedHosts   []string      `placeholder:"HOST" help:"Host headers to accept beside loopback: a name, or name:port."`
	Drain          time.Duration `default:"5s" placeholder:"DURATION" help:"After SIGTERM, how long to take requests on while /readyz says that the server ends (default ${default})."`
	AllowedOrigins []string      `placeholder:"ORIGIN" help:"Web origins to accept beside loopback, such as https://app.example.com."`
}

// Run serves MCP over streamable HTTP until the process is told to stop.
func (c *httpCommand) Run(p *process) error {
	v := view.New()
	log := c.logger(v, p.stderr)
	if c.APIKeyFile != "" {
		return errors.New("--api-key-file is for stdio: over HTTP each caller sends a key of its own in x-api-key")
	}
	if c.Sandbox {
		box, err := c.startSandbox(p, log)
		if err != nil {
			return err
		}
		defer box.Close()
	}
	b, err := c.newBridge(v, log)
	if err != nil {
		return err
	}
	defer b.Close()
	l, err := (&net.ListenConfig{}).Listen(p.ctx, "tcp", c.Listen)
	if err != nil {
		return err
	}
	log.Info("serving", "url", "http://"+l.Addr().String()+"/mcp")
	if c.Sandbox {
		fmt.Fprintf(p.stderr, "Callers of the sandbox send the header x-api-key: %s\n", sandbox.DefaultKey)
	}
	return p.served(transport.ServeHTTP(p.ctx, endedByInterrupt(p.ctx, l), transport.HTTPOptions{
		Options:        transport.Options{Logger: log, Watch: b.Watch()},
		Identify:       c.identify(),
		Server:         pick(b.MCP(name, version), b.ReadOnly().MCP(name, version)),
		AllowedHosts:   c.AllowedHosts,
		AllowedOrigins: c.AllowedOrigins,
		Drain:          c.Drain,
	}), log)
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

// identify knows a caller by its API key. Nothing else of a request, and
// nothing of the environment, can stand in for it.
func (f *serverFlags) identify() func(*http.Request) (string, context.Context, error) {
	return func(r *http.Request) (string, context.Context, error) {
		keys, users := r.Header.Values("x-api-key"), r.Header.Values("x-user-id")
		if len(keys) != 1 || strings.TrimSpace(keys[0]) == "" {
			if f.Sandbox {
				return "", nil, errors.New("send the sandbox's API key in one x-api-key header: " + sandbox.DefaultKey)
			}
			return "", nil, errors.New("send your toolregistry.ai API key in one x-api-key header")
		}
		caller := client.Caller{Key: client.Key(strings.TrimSpace(keys[0])), UserID: f.UserID}
		if len(users) > 1 {
			return "", nil, fmt.Errorf("%w: send at most one x-user-id header", transport.ErrForbidden)
		}
		if len(users) == 1 && users[0] != "" {
			if f.UserID != "" && users[0] != f.UserID && !f.AllowAnyUser {
				return "", nil, fmt.Errorf("%w: x-user-id may not name another user than the operator's; leave it out", transport.ErrForbidden)
			}
			caller.UserID = users[0]
		}
		id := sha256.Sum256([]byte(caller.Key))
		return hex.EncodeToString(id[:]), client.WithCaller(context.Background(), caller), nil
	}
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
