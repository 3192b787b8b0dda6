package tools

import (
	"context"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/capability"
	"runs-mcp-server/internal/runview"
)

// AddHooks shows clients with MCP Apps the live view of a run: tools/list links the
// view from the tools that return a run, and has the tools that only the view calls.
// All other clients get what they would get without the view.
func AddHooks(hooks *server.Hooks, o Options) {
	hasView := o.Offers("follow_run")
	hooks.AddAfterListTools(func(ctx context.Context, _ any, _ *mcp.ListToolsRequest, result *mcp.ListToolsResult) {
		if !capability.HasApps(ctx) {
			result.Tools = slices.DeleteFunc(result.Tools, func(t mcp.Tool) bool { return isAppOnly(t.Name) })
		} else if hasView {
			linkView(result.Tools)
		}
	})
	if !hasView {
		return
	}
	hooks.AddAfterInitialize(func(_ context.Context, _ any, request *mcp.InitializeRequest, result *mcp.InitializeResult) {
		if capability.DeclaresApps(request.Params.Capabilities) {
			advertiseApps(&result.Capabilities)
		}
	})
	hooks.AddAfterDiscover(func(ctx context.Context, _ any, _ *mcp.DiscoverRequest, result *mcp.DiscoverResult) {
		if capability.HasApps(ctx) {
			advertiseApps(&result.Capabilities)
		}
	})
}

// isAppOnly reports whether only the live view calls the tool of this name.
func isAppOnly(name string) bool {
	return slices.ContainsFunc(allTools(), func(t tool) bool { return t.name == name && t.appOnly })
}

// linkView adds to the tools, which are a copy of mcp-go's, what a host must know of
// them: which page shows their result, and which ones it keeps from its model.
func linkView(tools []mcp.Tool) {
	for i := range tools {
		switch name := tools[i].Name; {
		case isAppOnly(name):
			tools[i].Meta = uiMeta(map[string]any{"visibility": []string{"app"}})
		case name == "create_run", name == "get_run":
			tools[i].Meta = uiMeta(map[string]any{"resourceUri": runview.URI})
		}
	}
}

func uiMeta(ui map[string]any) *mcp.Meta {
	return &mcp.Meta{AdditionalFields: map[string]any{"ui": ui}}
}

// advertiseApps says that the server has views.
func advertiseApps(c *mcp.ServerCapabilities) {
	extensions := map[string]any{capability.AppsExtension: struct{}{}}
	for name, settings := range c.Extensions {
		extensions[name] = settings
	}
	c.Extensions = extensions
}
