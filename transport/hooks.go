package transport

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Hooks are what the MCPServer must be made with (server.WithHooks). More hooks
// may be added. They let
//
//   - resource handlers say "not found", by returning an error that wraps
//     server.ErrResourceNotFound. mcp-go makes -32603 with the raw text of it,
//     as of any error. The answer becomes what the client's revision says:
//     -32002 before 2026-07-28, -32602 since, both with data.uri;
//   - any handler say that the parameters are wrong, by an error that wraps
//     mcp.ErrInvalidParams: -32602 with its text. mcp-go answers -32600 where
//     it can't read them, and names types of its own: that becomes the same;
//   - a client learn where the names of tools and prompts are that it got wrong,
//     or that its cursor is made up;
//   - any handler say that the client can't do what the call needs, by an error
//     that wraps mcp.MissingRequiredClientCapabilityError: -32021;
//   - a listen be acknowledged only with the resources that Options.Watch
//     watches for it.
func Hooks() *server.Hooks {
	h := &server.Hooks{}
	h.AddOnError(noteSpecial)
	h.AddBeforeSubscriptionsListen(trimListen)
	return h
}

// noteSpecial makes the call's answer for errors that mcp-go has no code for.
func noteSpecial(ctx context.Context, _ any, _ mcp.MCPMethod, message any, err error) {
	c, ok := server.ClientSessionFromContext(ctx).(*call)
	if !ok {
		return
	}
	if lacks, ok := errors.AsType[mcp.MissingRequiredClientCapabilityError](err); ok {
		c.answerSpecially(mcp.MISSING_REQUIRED_CLIENT_CAPABILITY, lacks.Error(),
			map[string]any{"requiredCapabilities": map[string]any{lacks.Capability: struct{}{}}})
	}
	switch {
	case errors.Is(err, server.ErrToolNotFound):
		c.answerSpecially(mcp.INVALID_PARAMS, "there is no tool of that name; tools/list has those there are", nil)
	case errors.Is(err, server.ErrPromptNotFound):
		c.answerSpecially(mcp.INVALID_PARAMS, "there is no prompt of that name; prompts/list has those there are", nil)
	}
	if _, ok := errors.AsType[base64.CorruptInputError](err); ok {
		c.answerSpecially(mcp.INVALID_PARAMS, "the cursor is none of this server's: begin without one", nil)
	}
	if errors.Is(err, mcp.ErrInvalidParams) {
		c.answerSpecially(mcp.INVALID_PARAMS, strings.TrimPrefix(err.Error(), "request error: "), nil) // mcp-go's own words
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		c.answerSpecially(mcp.INVALID_PARAMS, "invalid params: "+wrong.Field+" takes no "+wrong.Value, nil)
	}
	if !errors.Is(err, server.ErrResourceNotFound) {
		return
	}
	switch m := message.(type) {
	case *mcp.ReadResourceRequest:
		c.notFound(m.Params.URI)
	case *mcp.SubscribeRequest:
		c.notFound(m.Params.URI)
	}
}

// notFound answers for a resource that isn't there.
func (c *call) notFound(uri string) {
	code := mcp.RESOURCE_NOT_FOUND
	if c.msg.modern() {
		code = mcp.INVALID_PARAMS
	}
	c.answerSpecially(code, server.ErrResourceNotFound.Error(), map[string]string{"uri": uri})
}

// answerSpecially sets the answer that replaces mcp-go's error.
func (c *call) answerSpecially(code int, text string, data any) {
	a := c.failure(code, text, data)
	c.special = &a
}
