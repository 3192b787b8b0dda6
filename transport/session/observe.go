package session

import (
	"context"
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
)

// Observe is called before a request is handled. The handler gets the context that it
// returns. done is called when the response is there, in another goroutine maybe.
type Observe func(ctx context.Context, r ObservedRequest) (handling context.Context, done func(ObservedResponse))

// ObservedRequest is a request that is about to be handled. Its texts are the client's,
// and may be long.
type ObservedRequest struct {
	Method    string
	Params    json.RawMessage // may be nil
	ID        string          // as the client wrote it, at most 64 bytes
	SessionID string          // "" for a stateless client
}

// ObservedResponse says what the response to a request is.
type ObservedResponse struct {
	Version   string // the revision that client and server speak, "" before it is known
	Code      int    // of an error, 0 for a result
	ToolError bool   // the result of a tool says that it failed
}

// observe tells the observer of the call. done is nil if the call is no request.
func (c *call) observe(ctx context.Context) (handling context.Context, done func(mcp.JSONRPCMessage)) {
	r := ObservedRequest{Method: c.message.Method, Params: c.message.Params, ID: c.RequestID()}
	if !c.message.IsStateless() {
		r.SessionID = c.sessionID
	}
	handling, observed := c.connection.config.Observe(ctx, r)
	return handling, func(response mcp.JSONRPCMessage) { observed(c.describeResponse(response)) }
}

// describeResponse says what the response of mcp-go becomes.
func (c *call) describeResponse(response mcp.JSONRPCMessage) ObservedResponse {
	r := ObservedResponse{Version: c.message.Version, Code: mcp.INTERNAL_ERROR}
	if !c.message.IsStateless() {
		r.Version = c.ProtocolVersion()
	}
	switch response := response.(type) {
	case mcp.JSONRPCResponse:
		r.Code = 0
		if result, ok := response.Result.(*mcp.CallToolResult); ok {
			r.ToolError = result.IsError
		}
	case mcp.JSONRPCError:
		r.Code = response.Error.Code
		if c.replacement != nil {
			r.Code = c.replacement.Code
		}
	}
	return r
}
