// Package server builds an MCP server out of the rooms: the client of the Run API,
// its feeds and approvals, and the tools, resources and prompts on top of them. It
// also tells who calls over HTTP.
package server

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/prompts"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/resources"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

// Server holds what its MCP servers share. It owns the client of the Run API.
type Server struct {
	tools     tools.Options
	resources resources.Options
	readiness *readiness
}

// New returns a Server for the operator's options. It makes the Decider and the
// Feeds of o if they are nil, and the rest of f and a.
func New(o tools.Options, f feed.Options, a attend.Options) *Server {
	o.Secrets = cmp.Or(o.Secrets, redact.New())
	if o.Decider == nil {
		o.Decider = approval.NewDecider(o.API)
	}
	o.Decider.Audit = o.Audit
	if o.Feeds == nil {
		f.Logger = o.Log
		o.Feeds = feed.NewHub(o.API, o.Decider, f)
	}
	a.Feeds, a.Decider, a.Secrets, a.Log = o.Feeds, o.Decider, o.Secrets, o.Log
	o.Attend = attend.New(a)
	probe := func(ctx context.Context) error {
		_, err := o.API.ProbeAddress(ctx)
		return err
	}
	return &Server{o, resources.Options{
		API: o.API, Feeds: o.Feeds, Decider: o.Decider, Log: o.Log, Secrets: o.Secrets,
		Integrations: o.Integrations, AllowAnyIntegration: o.AllowAnyIntegration,
	}, newReadiness(probe, o.Log)}
}

// ReadOnly returns a server that shares everything with s and offers only the tools
// that read. Close s, not the returned one.
func (s *Server) ReadOnly() *Server {
	narrowed := *s
	narrowed.tools.ReadOnly = true
	return &narrowed
}

// title is the name of the server for people.
const title = "Runs"

// MCP returns a new MCP server with the tools, resources and prompts.
func (s *Server) MCP(name, version string) *mcpserver.MCPServer {
	hooks := transport.Hooks()
	tools.AddHooks(hooks, s.tools)
	resources.AddHooks(hooks, s.resources)
	completer := resources.Completions(s.resources)
	menu := prompts.Options{Options: s.tools, Complete: completer}
	srv := mcpserver.NewMCPServer(name, version,
		mcpserver.WithTitle(title), mcpserver.WithInstructions(tools.Instructions(s.tools)), mcpserver.WithHooks(hooks),
		mcpserver.WithToolCapabilities(false), mcpserver.WithResourceCapabilities(true, false), mcpserver.WithPromptCapabilities(false),
		mcpserver.WithCompletions(), mcpserver.WithResourceCompletionProvider(completer), mcpserver.WithPromptCompletionProvider(prompts.Completions(menu)))
	tools.Register(srv, s.tools)
	resources.Register(srv, s.resources)
	prompts.Register(srv, menu)
	return srv
}

// Watch returns how the transport watches the resources for subscribers. A caller
// whose key the API refuses can watch nothing.
func (s *Server) Watch() transport.Watch {
	return refuseCaller(resources.Watch(s.resources))
}

// refuseCaller returns a watch whose error says so if the API refuses the caller's key.
func refuseCaller(watch transport.Watch) transport.Watch {
	return func(ctx context.Context, name string, changed func(meta map[string]any)) (stop func(), err error) {
		stop, err = watch(ctx, name, changed)
		if client.KindOf(err) == client.Unauthorized {
			err = &transport.RefusedCallerError{Err: err}
		}
		return stop, err
	}
}

// Tasks returns what serves the runs as tasks, nil if the operator wants none. name and
// version are those of MCP.
func (s *Server) Tasks(name, version string) transport.Tasks {
	if !s.tools.Tasks {
		return nil
	}
	return tasks{tools.NewTasks(s.tools), mcp.Implementation{Name: name, Version: version, Title: title}}
}

// tasks are the tasks of the transport.
type tasks struct {
	*tools.Tasks
	serverInfo mcp.Implementation
}

// Offer implements [transport.Tasks]: what the tools of a server allow. A request that
// may only read has no tasks.
func (t tasks) Offer(srv *mcpserver.MCPServer) (offer transport.TaskOffer) {
	for _, name := range tools.CreatingNames() {
		if srv.GetTool(name) != nil {
			offer.Tools = append(offer.Tools, name)
		}
	}
	offer.Cancel = srv.GetTool("abort_run") != nil
	offer.ServerInfo = t.serverInfo
	return offer
}

// WatchTask implements [transport.Tasks].
func (t tasks) WatchTask(ctx context.Context, taskID string, changed func(meta map[string]any)) (stop func(), err error) {
	return refuseCaller(t.Tasks.WatchTask)(ctx, taskID, changed)
}

// Skills returns the prompts as skills. name and version are those of MCP.
func (s *Server) Skills(name, version string) *transport.Skills {
	list := func(ctx context.Context, srv *mcpserver.MCPServer) (skills []transport.Skill) {
		o := s.tools
		o.ReadOnly = o.ReadOnly || !slices.ContainsFunc(tools.CreatingNames(), func(name string) bool { return srv.GetTool(name) != nil })
		for _, skill := range prompts.Skills(ctx, prompts.Options{Options: o}) {
			skills = append(skills, transport.Skill(skill))
		}
		return skills
	}
	return &transport.Skills{ServerInfo: mcp.Implementation{Name: name, Version: version, Title: title}, List: list}
}

// IsKnown reports whether the API has accepted the key of a context's caller.
func (s *Server) IsKnown(ctx context.Context) bool {
	return s.tools.API.Accepted(client.CallerFrom(ctx).Key)
}

// introduceTimeout bounds how long the API may take to tell whether it accepts a key.
const introduceTimeout = 5 * time.Second

// Introduce asks the API for one run with the key of a context's caller, so that IsKnown
// reports whether it accepts the key. A key that it refused lately is not sent again.
func (s *Server) Introduce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, introduceTimeout)
	defer cancel()
	_, _ = s.tools.API.ListRuns(ctx, client.CallerFrom(ctx), client.ListRunsQuery{PageSize: 1})
}

// Ready returns why the API does not answer, nil if it does. It asks the API without a
// key, once in 5 s at most, and answers within a second.
func (s *Server) Ready() error { return s.readiness.check() }

// Stats are numbers of all callers together.
type Stats struct {
	API       client.Stats
	Feeds     feed.Stats
	Questions attend.Stats
	Decisions map[approval.DecisionCount]int64
}

// Stats returns the numbers. They are read one after the other.
func (s *Server) Stats() Stats {
	return Stats{s.tools.API.Stats(), s.tools.Feeds.Stats(), s.tools.Attend.Stats(), s.tools.Decider.Stats()}
}

// Close withdraws all questions, ends all feeds, waits for both, and closes the
// client.
func (s *Server) Close() {
	s.readiness.close()
	s.tools.Attend.Close()
	s.tools.Feeds.Close()
	s.tools.API.Close()
}
