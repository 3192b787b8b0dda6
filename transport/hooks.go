package transport

import (
	"context"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Hooks are what the MCPServer must be made with (server.WithHooks) for resource
// handlers to be able to say "not found": by returning an error that wraps
// server.ErrResourceNotFound. mcp-go makes -32603 with the raw text of it, as of
// any error. The answer becomes what the client's revision says: -32002 before
// 2026-07-28, -32602 since, both with data.uri. More hooks may be added.
func Hooks() *server.Hooks {
	h := &server.Hooks{}
	h.AddOnError(noteNotFound)
	return h
}

// noteNotFound marks the call; its answer is made when mcp-go's is there.
func noteNotFound(ctx context.Context, _ any, _ mcp.MCPMethod, message any, err error) {
	c, ok := server.ClientSessionFromContext(ctx).(*call)
	if !ok || !errors.Is(err, server.ErrResourceNotFound) {
		return
	}
	switch m := message.(type) {
	case *mcp.ReadResourceRequest:
		c.missing = &m.Params.URI
	case *mcp.SubscribeRequest:
		c.missing = &m.Params.URI
	}
}

// notFound is the answer for a resource that isn't there.
func (c *call) notFound() []byte {
	code := mcp.RESOURCE_NOT_FOUND
	if c.msg.modern() {
		code = mcp.INVALID_PARAMS
	}
	return errorAnswer(c.msg.id, code, server.ErrResourceNotFound.Error(), map[string]string{"uri": *c.missing})
}
