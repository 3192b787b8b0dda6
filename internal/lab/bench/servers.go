package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
)

const maxCallers = 256

// Names of the servers. Ratios compare with baseline.
const (
	ours     = "runs-mcp-server"
	baseline = "mcp-go"
	goSDK    = "go-sdk"
	rest     = "API"
)

// Transports: how callers reach a server.
const (
	httpStateless = "HTTP " + statelessVersion
	httpStateful  = "HTTP " + statefulVersion
	stdio         = "stdio"
)

func transports() []string { return []string{httpStateless, httpStateful, stdio} }

func allServers() []string { return []string{ours, baseline, goSDK, bridge, generated, rest} }

// mcpServer says how to start a server.
type mcpServer struct {
	name, path  string
	http, stdio []string // arguments
	eras        []string // the transports over HTTP
	env         []string // variables that it needs beside those of environment
	port        int      // where it serves HTTP, if its log does not say so
	isBridge    bool
	onStream    bool                                    // it answers calls on the stream of a GET
	words       func(op *operation) (tool, args string) // what an operation is called there; nil: the same
}

// mcpServers returns all servers of an API, given the paths of ours and of this program.
func mcpServers(program, self, api string, b *bridges) ([]mcpServer, error) {
	eras := []string{httpStateless, httpStateful}
	more, err := b.servers(api)
	return append([]mcpServer{
		{name: ours, path: program, eras: eras, http: []string{"http", "--listen=127.0.0.1:0", "--integrations=*"}, stdio: []string{"stdio", "--integrations=*"}},
		{name: baseline, path: self, eras: eras, http: []string{"serve-mcp-go"}, stdio: []string{"serve-mcp-go", "stdio"}},
		{name: goSDK, path: self, eras: eras, http: []string{"serve-go-sdk"}, stdio: []string{"serve-go-sdk", "stdio"}},
	}, more...), err
}

// environment returns the variables of a server.
func (m mcpServer) environment(api string) []string {
	return append([]string{"TR_API_URL=" + api, "TR_API_KEY=" + apiKey, "TR_USER_ID=" + userID}, m.env...)
}

// start starts a server over HTTP.
func (m mcpServer) start(ctx context.Context, api string) (*process, error) {
	if m.port > 0 {
		return startOnPort(ctx, m.port, m.environment(api), m.path, m.http...)
	}
	return startHTTP(ctx, m.environment(api), m.path, m.http...)
}

// endpoint returns where a server over HTTP serves a transport. The bare servers have a
// path for each era.
func (m mcpServer) endpoint(p *process, transport string) (*url.URL, error) {
	u, err := url.Parse(p.url)
	if err != nil {
		return nil, err
	}
	switch {
	case m.isBridge:
		u.Path = "/mcp"
	case m.name != ours && transport == httpStateless:
		u.Path = "/" + statelessVersion
	case m.name != ours:
		u.Path = "/" + statefulVersion
	}
	return u, nil
}

// target is a server on one transport.
type target struct {
	mcpServer
	process *process
	url     *url.URL // over HTTP
	pipes   *pipes   // over stdio
	broken  error    // why a bridge gave no first answer
}

// open opens a caller. Callers of one server have different numbers.
func (t *target) open(transport string, op *operation, number int) (caller, error) {
	op = op.forCaller(number)
	if t.words != nil {
		renamed := *op
		renamed.tool, renamed.args = t.words(op)
		op = &renamed
	}
	switch {
	case t.name == rest:
		return openRESTCaller(t.url, op)
	case transport == stdio:
		return newStdioCaller(t.pipes, op), nil
	case t.onStream:
		return openStreamCaller(t.url, op, number)
	case transport == httpStateless:
		return openHTTPCaller(t.url, statelessVersion, op, number)
	}
	return openHTTPCaller(t.url, statefulVersion, op, number)
}

// servers are the processes of a round: the sandbox, and all servers.
type servers struct {
	api       *process
	processes []*process
	targets   map[string][]*target // by transport
}

// startServers starts the sandbox and all servers. program is the path of ours.
func startServers(ctx context.Context, program string, b *bridges) (*servers, error) {
	s := &servers{targets: map[string][]*target{}}
	if err := s.start(ctx, program, b); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *servers) start(ctx context.Context, program string, b *bridges) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if s.api, err = startHTTP(ctx, nil, self, "serve-api"); err != nil {
		return err
	}
	s.processes = append(s.processes, s.api)
	all, err := mcpServers(program, self, s.api.url, b)
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := cmp.Or(s.addHTTP(ctx, m), s.addStdio(ctx, m)); err != nil {
			return err
		}
	}
	api, err := url.Parse(s.api.url)
	if err != nil {
		return err
	}
	for transport := range s.targets {
		s.targets[transport] = append(s.targets[transport], &target{mcpServer: mcpServer{name: rest}, process: s.api, url: api})
	}
	return nil
}

// addHTTP starts a server over HTTP, if it has any.
func (s *servers) addHTTP(ctx context.Context, m mcpServer) error {
	if len(m.eras) == 0 {
		return nil
	}
	p, err := m.start(ctx, s.api.url)
	if err != nil {
		return err
	}
	s.processes = append(s.processes, p)
	for _, transport := range m.eras {
		u, err := m.endpoint(p, transport)
		if err != nil {
			return err
		}
		s.targets[transport] = append(s.targets[transport], &target{mcpServer: m, process: p, url: u})
	}
	return nil
}

// addStdio starts a server over stdio and opens its session.
func (s *servers) addStdio(ctx context.Context, m mcpServer) error {
	p, err := startStdio(ctx, m.environment(s.api.url), m.path, m.stdio...)
	if err != nil {
		return err
	}
	s.processes = append(s.processes, p)
	session, err := openPipes(p.in, p.out)
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	s.targets[stdio] = append(s.targets[stdio], &target{mcpServer: m, process: p, pipes: session})
	return nil
}

// warmUp sends one call to each target. It makes the key known to our server, which
// allows an unknown one only a few sessions.
func (s *servers) warmUp(op *operation) error {
	for transport, targets := range s.targets {
		for _, t := range targets {
			err := t.warmUp(transport, op)
			if err != nil && !t.isBridge {
				return fmt.Errorf("%s over %s: %w", t.name, transport, err)
			}
			t.broken = err
		}
	}
	return nil
}

func (t *target) warmUp(transport string, op *operation) error {
	c, err := t.open(transport, op, 0)
	if err != nil {
		return err
	}
	defer c.close()
	_, err = c.call()
	return err
}

// stop ends all processes, the last one first.
func (s *servers) stop() {
	for _, p := range slices.Backward(s.processes) {
		p.kill()
	}
}
