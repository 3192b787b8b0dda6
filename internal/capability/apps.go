package capability

import (
	"context"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const (
	// AppsExtension is what a client declares that shows views beside a tool's result
	// (MCP Apps).
	AppsExtension = "io.modelcontextprotocol/ui"
	// AppsMIMEType is the type of such a view.
	AppsMIMEType = "text/html;profile=mcp-app"
)

// HasApps reports whether the client of a request shows views.
func HasApps(ctx context.Context) bool { return DeclaresApps(declared(ctx)) }

// DeclaresApps reports whether a client declares that it shows views. One that lists no
// MIME types shows HTML: the extension has no other type.
func DeclaresApps(c mcp.ClientCapabilities) bool {
	settings, has := c.Extensions[AppsExtension]
	if !has {
		return false
	}
	fields, _ := settings.(map[string]any)
	types, _ := fields["mimeTypes"].([]any)
	return len(types) == 0 || slices.Contains(types, any(AppsMIMEType))
}

// declared returns what the client of a request can do: by the request itself in
// 2026-07-28, by its session before.
func declared(ctx context.Context) mcp.ClientCapabilities {
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		return *info.ClientCapabilities
	}
	if session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo); ok {
		return session.GetClientCapabilities()
	}
	return mcp.ClientCapabilities{}
}
