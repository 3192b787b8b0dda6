//go:build diagnostic

// Package diagnostic is the server that the MCP conformance suite asks for: its
// tools, resources and prompts, by the names it calls them. With it the suite
// sees the transports where the product never goes: sampling, logging, lists
// that change, input rounds of every kind.
//
// It is built with the tag diagnostic only and is no part of the product.
package diagnostic

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport"
)

// New makes the server.
func New() *server.MCPServer {
	s := server.NewMCPServer("diagnostic-server", "0.0.0",
		server.WithHooks(transport.Hooks()),
		server.WithToolCapabilities(true), server.WithResourceCapabilities(true, true), server.WithPromptCapabilities(true),
		server.WithCompletions(), server.WithLogging())
	addTools(s)
	addInquiries(s)
	addResources(s)
	addPrompts(s)
	return s
}

// notify sends a notification to the client of the call and waits until there
// is room for it. mcp-go's own senders drop it instead.
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

// logs reports whether the client wants log messages of a level: since
// 2026-07-28 the request says so, before that logging/setLevel did.
func logs(ctx context.Context, level mcp.LoggingLevel) bool {
	if server.IsModernRequest(ctx) {
		return level.ShouldSendTo(server.RequestProtocolInfoFromContext(ctx).LogLevel)
	}
	s, ok := server.ClientSessionFromContext(ctx).(server.SessionWithLogging)
	return ok && level.ShouldSendTo(s.GetLogLevel())
}
