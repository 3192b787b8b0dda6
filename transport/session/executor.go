package session

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport/jsonrpc"
)

// executor runs calls against the server.
type executor struct {
	server *server.MCPServer
	log    *slog.Logger
}

// execute answers one call. It writes the call's notifications until the handler
// has returned, then those that are left, then the answer: mcp-go's own loops
// let the answer overtake them.
func (e executor) execute(c *call, out Sink) {
	answered := false
	defer func() {
		if v := recover(); v != nil { // of a handler's values, which panic when they are encoded
			e.logPanic(c, v)
			c.connection.finishCall(c)
			c.cancel(nil)
			c.closeFinished()
			if !answered {
				_ = out.WriteAnswer(c.internalError())
			}
		}
	}()
	w := callWriter{call: c, out: out, log: e.log}
	responses := make(chan mcp.JSONRPCMessage, 1)
	go e.callServer(c, responses)
	response := w.writeUntil(responses)
	if c.message.IsStateless() { // else the subscriptions are the connection's
		c.subscriptions.close()
	}
	w.writeBuffered() // what the handler sent before it returned
	c.closeFinished()
	var a Answer
	if c.connection.finishCall(c) {
		a = e.buildAnswer(c, response)
	}
	c.cancel(nil)
	answered = true
	if err := out.WriteAnswer(a); err != nil {
		w.abandonCall(err)
	}
}

// callServer lets mcp-go answer, and survives whatever a handler does.
func (e executor) callServer(c *call, responses chan<- mcp.JSONRPCMessage) {
	var response mcp.JSONRPCMessage // stays nil when the handler panics or ends its goroutine
	defer func() {
		if v := recover(); v != nil {
			e.logPanic(c, v)
			response = nil
		}
		responses <- response
	}()
	response = e.server.HandleMessage(e.server.WithContext(c.ctx, c), c.message.WithID(c.innerID))
}

// buildAnswer returns the answer as it goes out.
func (e executor) buildAnswer(c *call, response mcp.JSONRPCMessage) Answer {
	switch response := response.(type) {
	case mcp.JSONRPCResponse:
		line, err := jsonrpc.EncodeResult(c.message.ID, tagListenResult(c, response.Result))
		if err == nil {
			return Answer{Line: line}
		}
		e.log.Error("result is not JSON", "id", c.RequestID(), "method", jsonrpc.Shorten(c.message.Method), "error", err)
	case mcp.JSONRPCError:
		if c.replacement != nil {
			return *c.replacement
		}
		return c.errorAnswer(response.Error.Code, response.Error.Message, response.Error.Data)
	}
	return c.internalError()
}

// tagListenResult sets the id of a listen in its result as the client wrote it.
func tagListenResult(c *call, result any) any {
	if end, ok := result.(mcp.SubscriptionsListenResult); ok {
		end.EnsureResultMeta().SetSubscriptionID(c.message.ID)
		return end
	}
	return result
}

// logPanic logs a panic from a deferred function, with its stack. Of its value
// the log gets the type alone: the value may hold what a client sent.
func (e executor) logPanic(c *call, v any) {
	e.log.Error("panic in a handler", "id", c.RequestID(), "method", jsonrpc.Shorten(c.message.Method),
		"panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
}
