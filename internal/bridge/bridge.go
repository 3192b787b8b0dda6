// Package bridge puts the rooms together: on one client of the Run API its
// approvals and feeds, and on those the tools, resources and prompts of an MCP
// server. The program, the soak and the tests all serve what it makes.
package bridge

import (
	"cmp"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/prompts"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/resources"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

// Bridge is all that an MCP server needs. It owns the client of its options.
type Bridge struct {
	tools     tools.Options
	resources resources.Options
}

// New returns a Bridge by what the operator allows. The Decider and the Feeds of
// o, where they are not set, are made here.
func New(o tools.Options, f feed.Options, a attend.Options) *Bridge {
	o.Secrets = cmp.Or(o.Secrets, redact.New())
	if o.Decider == nil {
		o.Decider = approval.NewDecider(o.API)
	}
	if o.Feeds == nil {
		f.Logger = o.Log
		o.Feeds = feed.NewHub(o.API, o.Decider, f)
	}
	a.Feeds, a.Decider, a.Secrets, a.Log = o.Feeds, o.Decider, o.Secrets, o.Log
	o.Attend = attend.New(a)
	return &Bridge{o, resources.Options{
		API: o.API, Feeds: o.Feeds, Decider: o.Decider, Log: o.Log, Secrets: o.Secrets,
		Integrations: o.Integrations, AllowAnyIntegration: o.AllowAnyIntegration,
	}}
}

// ReadOnly returns the same with the reading tools alone.
func (b *Bridge) ReadOnly() *Bridge {
	narrowed := *b
	narrowed.tools.ReadOnly = true
	return &narrowed
}

// MCP returns an MCP server of the bridge's tools, resources and prompts.
func (b *Bridge) MCP(name, version string) *server.MCPServer {
	hooks := transport.Hooks()
	resources.AddHooks(hooks, b.resources)
	completer := resources.Completions(b.resources)
	menu := prompts.Options{Options: b.tools, Complete: completer}
	srv := server.NewMCPServer(name, version,
		server.WithTitle("Runs"), server.WithInstructions(tools.Instructions(b.tools)), server.WithHooks(hooks),
		server.WithToolCapabilities(false), server.WithResourceCapabilities(true, false), server.WithPromptCapabilities(false),
		server.WithCompletions(), server.WithResourceCompletionProvider(completer), server.WithPromptCompletionProvider(prompts.Completions(menu)))
	tools.Register(srv, b.tools)
	resources.Register(srv, b.resources)
	prompts.Register(srv, menu)
	return srv
}

// Watch returns how the transport watches the bridge's resources.
func (b *Bridge) Watch() transport.Watch { return resources.Watch(b.resources) }

// Close withdraws all questions, ends all feeds, waits for them, and releases the
// client's connections.
func (b *Bridge) Close() {
	b.tools.Attend.Close()
	b.tools.Feeds.Close()
	b.tools.API.Close()
}
