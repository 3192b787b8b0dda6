package tools

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// progress sends progress notifications for one call, if it asked for them.
type progress struct {
	token mcp.ProgressToken
	out   chan<- mcp.JSONRPCNotification
	count int
}

func newProgress(session server.ClientSession, req mcp.CallToolRequest) *progress {
	p := &progress{}
	if req.Params.Meta != nil {
		p.token = req.Params.Meta.ProgressToken
	}
	if session != nil {
		p.out = session.NotificationChannel()
	}
	return p
}

// say sends one message. It blocks while the client does not read, until ctx is
// done: nobody but this call waits.
func (p *progress) say(ctx context.Context, message string) {
	if p.token == nil {
		return
	}
	p.count++
	p.send(ctx, mcp.MethodNotificationProgress, map[string]any{
		"progressToken": p.token, "progress": p.count, "message": message,
	})
}

func (p *progress) send(ctx context.Context, method mcp.MCPMethod, params map[string]any) {
	if p.out == nil {
		return
	}
	n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION, Notification: mcp.Notification{
		Method: string(method), Params: mcp.NotificationParams{AdditionalFields: params},
	}}
	select {
	case p.out <- n: // where there is room, the time does not matter
		return
	default:
	}
	select {
	case p.out <- n:
	case <-ctx.Done():
	}
}
