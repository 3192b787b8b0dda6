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

// Carriers: how callers reach a server.
const (
	httpStateless = "HTTP " + statelessVersion
	httpStateful  = "HTTP " + statefulVersion
	stdio         = "stdio"
)

func carriers() []string { return []string{httpStateless, httpStateful, stdio} }

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

// target is a server on one carrier.
type target struct {
	server  string
	process *process
	url     *url.URL // over HTTP
	pipes   *pipes   // over stdio
}

// open opens a caller.
func (t *target) open(carrier string, op *operation) (caller, error) {
	switch {
	case t.server == rest:
		return openRESTCaller(t.url, op)
	case carrier == stdio:
		return newStdioCaller(t.pipes, op), nil
	case carrier == httpStateless:
		return openHTTPCaller(t.url, statelessVersion, op)
	}
	return openHTTPCaller(t.url, statefulVersion, op)
}

// fleet is the sandbox and all servers of a round.
type fleet struct {
	api       *process
	processes []*process
	targets   map[string][]*target // by carrier
}

// startFleet starts the sandbox and all servers. program is the path of ours.
func startFleet(ctx context.Context, program string) (*fleet, error) {
	f := &fleet{targets: map[string][]*target{}}
	if err := f.start(ctx, program); err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

func (f *fleet) start(ctx context.Context, program string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if f.api, err = startHTTP(ctx, nil, self, "serve-api"); err != nil {
		return err
	}
	f.processes = append(f.processes, f.api)
	env := environment(f.api.url)
	for _, s := range mcpServers(program, self) {
		if err := f.addHTTP(ctx, env, s); err != nil {
			return err
		}
		if err := f.addStdio(ctx, env, s); err != nil {
			return err
		}
	}
	api, err := url.Parse(f.api.url)
	if err != nil {
		return err
	}
	for carrier := range f.targets {
		f.targets[carrier] = append(f.targets[carrier], &target{server: rest, process: f.api, url: api})
	}
	return nil
}

// addHTTP starts a server over HTTP. The bare servers have a path for each era.
func (f *fleet) addHTTP(ctx context.Context, env []string, s mcpServer) error {
	p, err := startHTTP(ctx, env, s.path, s.http...)
	if err != nil {
		return err
	}
	f.processes = append(f.processes, p)
	for carrier, version := range map[string]string{httpStateless: statelessVersion, httpStateful: statefulVersion} {
		u, err := url.Parse(p.url)
		if err != nil {
			return err
		}
		if s.name != ours {
			u.Path = "/" + version
		}
		f.targets[carrier] = append(f.targets[carrier], &target{server: s.name, process: p, url: u})
	}
	return nil
}

// addStdio starts a server over stdio and opens its session.
func (f *fleet) addStdio(ctx context.Context, env []string, s mcpServer) error {
	p, err := startStdio(ctx, env, s.path, s.stdio...)
	if err != nil {
		return err
	}
	f.processes = append(f.processes, p)
	session, err := openPipes(p.in, p.out)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	f.targets[stdio] = append(f.targets[stdio], &target{server: s.name, process: p, pipes: session})
	return nil
}

// warmUp sends one call to each target. It makes the key known to our server, which
// allows an unknown one only a few sessions.
func (f *fleet) warmUp(op *operation) error {
	for carrier, targets := range f.targets {
		for _, t := range targets {
			if err := t.warmUp(carrier, op); err != nil {
				return fmt.Errorf("%s over %s: %w", t.server, carrier, err)
			}
		}
	}
	return nil
}

func (t *target) warmUp(carrier string, op *operation) error {
	c, err := t.open(carrier, op)
	if err != nil {
		return err
	}
	defer c.close()
	_, err = c.call()
	return err
}

// stop ends all processes.
func (f *fleet) stop() {
	for _, p := range f.processes {
		p.kill()
	}
}
