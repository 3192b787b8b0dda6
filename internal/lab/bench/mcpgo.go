package main

import (
	"context"
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// serveMCPGo serves the three tools with mcp-go's own transports: over stdio if the
// argument says so, else over HTTP.
func serveMCPGo(_ context.Context, args []string) error {
	s := newMCPGo(newForwarder())
	if len(args) > 0 && args[0] == "stdio" {
		return server.ServeStdio(s)
	}
	return serveHTTP(
		server.NewStreamableHTTPServer(s, server.WithStateLess(true)),
		server.NewStreamableHTTPServer(s, server.WithStateful(true)))
}

func newMCPGo(f *forwarder) *server.MCPServer {
	s := server.NewMCPServer("mcp-go", "1")
	s.AddTool(mcp.NewTool("get_run", mcp.WithDescription("Read a run."), mcp.WithString("runId", mcp.Required())),
		func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return textResult(f.getRun(ctx, r.GetString("runId", "")))
		})
	s.AddTool(mcp.NewTool("list_runs", mcp.WithDescription("List runs."), mcp.WithNumber("pageSize")),
		func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return textResult(f.listRuns(ctx, r.GetInt("pageSize", 10)))
		})
	s.AddTool(mcp.NewTool("create_run", mcp.WithDescription("Create a run."),
		mcp.WithString("intent", mcp.Required()), mcp.WithString("context"), mcp.WithString("userId", mcp.Required()),
		mcp.WithArray("selectedCustomerIntegrationIds", mcp.Required(), mcp.WithStringItems())),
		func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			body, err := json.Marshal(r.GetArguments())
			if err != nil {
				return nil, err
			}
			return textResult(f.createRun(ctx, string(body)))
		})
	return s
}

func textResult(text string, err error) (*mcp.CallToolResult, error) {
	if err != nil {
		return mcp.NewToolResultError(err.Error()), nil
	}
	return mcp.NewToolResultText(text), nil
}
