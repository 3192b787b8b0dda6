package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type getRunArgs struct {
	RunID string `json:"runId"`
}

type listRunsArgs struct {
	PageSize int `json:"pageSize"`
}

type createRunArgs struct {
	Intent       string   `json:"intent"`
	Context      string   `json:"context"`
	UserID       string   `json:"userId"`
	Integrations []string `json:"selectedCustomerIntegrationIds"`
}

// serveGoSDK serves the three tools with the official Go SDK: over stdio if the argument
// says so, else over HTTP.
func serveGoSDK(ctx context.Context, args []string) error {
	s := newGoSDK(newForwarder())
	if len(args) > 0 && args[0] == "stdio" {
		return s.Run(ctx, &mcp.StdioTransport{})
	}
	get := func(*http.Request) *mcp.Server { return s }
	return serveHTTP(
		mcp.NewStreamableHTTPHandler(get, &mcp.StreamableHTTPOptions{Stateless: true}), // 2026-07-28 needs it
		mcp.NewStreamableHTTPHandler(get, nil))
}

func newGoSDK(f *forwarder) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "go-sdk", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "get_run", Description: "Read a run."},
		func(ctx context.Context, _ *mcp.CallToolRequest, args getRunArgs) (*mcp.CallToolResult, any, error) {
			return sdkResult(f.getRun(ctx, args.RunID))
		})
	mcp.AddTool(s, &mcp.Tool{Name: "list_runs", Description: "List runs."},
		func(ctx context.Context, _ *mcp.CallToolRequest, args listRunsArgs) (*mcp.CallToolResult, any, error) {
			return sdkResult(f.listRuns(ctx, args.PageSize))
		})
	mcp.AddTool(s, &mcp.Tool{Name: "create_run", Description: "Create a run."},
		func(ctx context.Context, _ *mcp.CallToolRequest, args createRunArgs) (*mcp.CallToolResult, any, error) {
			body, err := json.Marshal(args)
			if err != nil {
				return nil, nil, err
			}
			return sdkResult(f.createRun(ctx, string(body)))
		})
	return s
}

func sdkResult(text string, err error) (*mcp.CallToolResult, any, error) {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, err
}
