package resources

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/capability"
	"runs-mcp-server/internal/runview"
)

// runViewMeta tells a host how to show the page of a run's live view: no domains, for it
// loads nothing, and with a border around it.
func runViewMeta() map[string]any {
	return map[string]any{"ui": map[string]any{
		"csp":           map[string]any{"connectDomains": []string{}, "resourceDomains": []string{}, "frameDomains": []string{}, "baseUriDomains": []string{}},
		"prefersBorder": true,
	}}
}

// runViewResource is the entry of the page in resources/list. It is for the host, which
// may read pages beforehand.
func runViewResource() mcp.Resource {
	r := mcp.NewResource(runview.URI, "run_view", mcp.WithMIMEType(capability.AppsMIMEType),
		mcp.WithResourceDescription("The live view of a run, for hosts that show it."), mcp.WithAnnotations([]mcp.Role{mcp.RoleUser}, 0, ""))
	r.Meta = &mcp.Meta{AdditionalFields: runViewMeta()}
	return r
}

// registerRunView adds the page. Only clients with MCP Apps can read it.
func registerRunView(srv *server.MCPServer) {
	page := mcp.TextResourceContents{URI: runview.URI, MIMEType: capability.AppsMIMEType, Text: runview.Page(), Meta: runViewMeta()}
	srv.AddResource(runViewResource(), func(ctx context.Context, _ mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		if !capability.HasApps(ctx) {
			return nil, server.ErrResourceNotFound
		}
		return []mcp.ResourceContents{page}, nil
	})
}
