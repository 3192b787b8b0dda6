package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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

// callWriter writes what one call sends before its answer.
type callWriter struct {
	call *call
	out  Sink
	log  *slog.Logger
}

// writeUntil writes what the call sends until its response comes.
func (w *callWriter) writeUntil(responses <-chan mcp.JSONRPCMessage) mcp.JSONRPCMessage {
	for {
		select {
		case n := <-w.call.notifications:
			w.writeNotification(n)
		case r := <-w.call.requests:
			w.writeBuffered() // what the handler sent before it asked
			r.sent <- w.out.WriteRequest(r.line)
		case response := <-responses:
			return response
		}
	}
}

// writeBuffered writes the notifications that are buffered now.
func (w *callWriter) writeBuffered() {
	for range len(w.call.notifications) {
		w.writeNotification(<-w.call.notifications)
	}
}

// writeNotification writes one notification, unless the client cancelled the
// call. Updates of a listen wait for its acknowledgement (call.sendUpdate).
func (w *callWriter) writeNotification(n mcp.JSONRPCNotification) {
	if !errors.Is(context.Cause(w.call.ctx), ErrCancelled) {
		w.sendNotification(n)
	}
	if w.call.acknowledged != nil && n.Method == mcp.MethodNotificationSubscriptionsAcknowledged {
		close(w.call.acknowledged)
	}
}

func (w *callWriter) sendNotification(n mcp.JSONRPCNotification) {
	line, err := encodeNotification(n, w.call.message)
	if err != nil {
		w.log.Error("notification is not JSON", "id", w.call.RequestID(), "method", jsonrpc.Shorten(n.Method), "error", err)
		return
	}
	if err := w.out.WriteNotification(line); err != nil {
		w.abandonCall(err)
	}
}

// abandonCall cancels the call when its client can't be written to.
func (w *callWriter) abandonCall(err error) {
	if w.call.ctx.Err() == nil {
		w.log.Debug("client can't be written to", "id", w.call.RequestID(), "method", jsonrpc.Shorten(w.call.message.Method), "error", err)
	}
	w.call.cancel(ErrClientGone)
}

// encodeNotification encodes a notification of a call. Progress gets the token
// as the client wrote it, because mcp-go's float64 may have changed it. On a
// listen everything gets the id of the listen, by which the client tells its
// streams apart (2026-07-28, subscriptions).
func encodeNotification(n mcp.JSONRPCNotification, m *jsonrpc.Message) ([]byte, error) {
	params := make(map[string]any, len(n.Params.AdditionalFields)+1)
	maps.Copy(params, n.Params.AdditionalFields)
	delete(params, "_meta") // as NotificationParams.MarshalJSON does
	if _, has := params["progressToken"]; has && m.ProgressToken != nil && n.Method == "notifications/progress" {
		params["progressToken"] = m.ProgressToken
	}
	meta := n.Params.Meta
	if m.IsListen() {
		meta = make(map[string]any, len(n.Params.Meta)+1)
		maps.Copy(meta, n.Params.Meta)
		meta[mcp.MetaKeySubscriptionID] = m.ID
	}
	if meta != nil {
		params["_meta"] = meta
	}
	return jsonrpc.EncodeNotification(n.Method, params)
}
