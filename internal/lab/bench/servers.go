package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
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

func allServers() []string { return []string{ours, baseline, goSDK, rest} }

// mcpServer says how to start a server.
type mcpServer struct {
	name, path  string
	http, stdio []string // arguments
}

// mcpServers returns all servers, given the paths of ours and of this program.
func mcpServers(program, self string) []mcpServer {
	return []mcpServer{
		{ours, program, []string{"http", "--listen=127.0.0.1:0", "--integrations=*"}, []string{"stdio", "--integrations=*"}},
		{baseline, self, []string{"serve-mcp-go"}, []string{"serve-mcp-go", "stdio"}},
		{goSDK, self, []string{"serve-go-sdk"}, []string{"serve-go-sdk", "stdio"}},
	}
}

// environment returns the variables of a server.
func environment(api string) []string {
	return []string{"TR_API_URL=" + api, "TR_API_KEY=" + apiKey, "TR_USER_ID=" + userID}
}

// target is a server on one transport.
type target struct {
	server  string
	process *process
	url     *url.URL // over HTTP
	pipes   *pipes   // over stdio
}

// open opens a caller.
func (t *target) open(transport string, op *operation) (caller, error) {
	switch {
	case t.server == rest:
		return openRESTCaller(t.url, op)
	case transport == stdio:
		return newStdioCaller(t.pipes, op), nil
	case transport == httpStateless:
		return openHTTPCaller(t.url, statelessVersion, op)
	}
	return openHTTPCaller(t.url, statefulVersion, op)
}

// servers are the processes of a round: the sandbox, and all servers.
type servers struct {
	api       *process
	processes []*process
	targets   map[string][]*target // by transport
}

// startServers starts the sandbox and all servers. program is the path of ours.
func startServers(ctx context.Context, program string) (*servers, error) {
	s := &servers{targets: map[string][]*target{}}
	if err := s.start(ctx, program); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *servers) start(ctx context.Context, program string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if s.api, err = startHTTP(ctx, nil, self, "serve-api"); err != nil {
		return err
	}
	s.processes = append(s.processes, s.api)
	env := environment(s.api.url)
	for _, m := range mcpServers(program, self) {
		if err := s.addHTTP(ctx, env, m); err != nil {
			return err
		}
		if err := s.addStdio(ctx, env, m); err != nil {
			return err
		}
	}
	api, err := url.Parse(s.api.url)
	if err != nil {
		return err
	}
	for transport := range s.targets {
		s.targets[transport] = append(s.targets[transport], &target{server: rest, process: s.api, url: api})
	}
	return nil
}

// addHTTP starts a server over HTTP. The bare servers have a path for each era.
func (s *servers) addHTTP(ctx context.Context, env []string, m mcpServer) error {
	p, err := startHTTP(ctx, env, m.path, m.http...)
	if err != nil {
		return err
	}
	s.processes = append(s.processes, p)
	for transport, version := range map[string]string{httpStateless: statelessVersion, httpStateful: statefulVersion} {
		u, err := url.Parse(p.url)
		if err != nil {
			return err
		}
		if m.name != ours {
			u.Path = "/" + version
		}
		s.targets[transport] = append(s.targets[transport], &target{server: m.name, process: p, url: u})
	}
	return nil
}

// addStdio starts a server over stdio and opens its session.
func (s *servers) addStdio(ctx context.Context, env []string, m mcpServer) error {
	p, err := startStdio(ctx, env, m.path, m.stdio...)
	if err != nil {
		return err
	}
	s.processes = append(s.processes, p)
	session, err := openPipes(p.in, p.out)
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	s.targets[stdio] = append(s.targets[stdio], &target{server: m.name, process: p, pipes: session})
	return nil
}

// warmUp sends one call to each target. It makes the key known to our server, which
// allows an unknown one only a few sessions.
func (s *servers) warmUp(op *operation) error {
	for transport, targets := range s.targets {
		for _, t := range targets {
			if err := t.warmUp(transport, op); err != nil {
				return fmt.Errorf("%s over %s: %w", t.server, transport, err)
			}
		}
	}
	return nil
}

func (t *target) warmUp(transport string, op *operation) error {
	c, err := t.open(transport, op)
	if err != nil {
		return err
	}
	defer c.close()
	_, err = c.call()
	return err
}

// stop ends all processes.
func (s *servers) stop() {
	for _, p := range s.processes {
		p.kill()
	}
}
