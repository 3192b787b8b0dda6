package resources

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/capability"
	"runs-mcp-server/internal/runview"
)

// registerRunView adds the page of a run's live view. Only clients with MCP Apps can
// read it, and no list has it: hosts find it by the tools that name it.
func registerRunView(srv *server.MCPServer) {
	page := mcp.TextResourceContents{
		URI: runview.URI, MIMEType: capability.AppsMIMEType, Text: runview.Page(),
		// No domains: the page loads nothing. A host draws a border around it.
		Meta: map[string]any{"ui": map[string]any{
			"csp":           map[string]any{"connectDomains": []string{}, "resourceDomains": []string{}, "frameDomains": []string{}, "baseUriDomains": []string{}},
			"prefersBorder": true,
		}},
	}
	srv.AddResource(mcp.NewResource(runview.URI, "run_view", mcp.WithMIMEType(capability.AppsMIMEType)),
		func(ctx context.Context, _ mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			if !capability.HasApps(ctx) {
				return nil, server.ErrResourceNotFound
			}
			return []mcp.ResourceContents{page}, nil
		})
}
