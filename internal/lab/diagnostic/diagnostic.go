//go:build diagnostic

// Package diagnostic is the server that the MCP conformance suite expects, with the
// suite's tools, resources and prompts. With it the suite tests what the product
// does not use of the transports: sampling, logging, lists that change, all kinds of
// input rounds. It is built with the tag "diagnostic" only; .ci/conformance/run runs
// it.
package diagnostic

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport"
)

// How the server identifies itself.
const (
	serverName    = "diagnostic-server"
	serverVersion = "0.0.0"
)

// New returns the server. tasks are those of its tools.
func New(tasks *Tasks) *server.MCPServer {
	s := server.NewMCPServer(serverName, serverVersion,
		server.WithHooks(transport.Hooks()),
		server.WithToolCapabilities(true), server.WithResourceCapabilities(true, true), server.WithPromptCapabilities(true),
		server.WithCompletions(), server.WithLogging())
	addTools(s)
	addInputTools(s)
	addTaskTools(s, tasks)
	addResources(s)
	addPrompts(s)
	return s
}

// notify sends a notification to the client of the call. It waits for room in the
// queue, where mcp-go's own senders drop the notification.
func notify(ctx context.Context, method mcp.MCPMethod, params map[string]any) error {
	n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION}
	n.Method = string(method)
	n.Params.AdditionalFields = params
	select {
	case server.ClientSessionFromContext(ctx).NotificationChannel() <- n:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// wantsLog reports whether the client wants log messages of a level. Since 2026-07-28
// the request says so; before, logging/setLevel did.
func wantsLog(ctx context.Context, level mcp.LoggingLevel) bool {
	if server.IsModernRequest(ctx) {
		return level.ShouldSendTo(server.RequestProtocolInfoFromContext(ctx).LogLevel)
	}
	s, ok := server.ClientSessionFromContext(ctx).(server.SessionWithLogging)
	return ok && level.ShouldSendTo(s.GetLogLevel())
}
