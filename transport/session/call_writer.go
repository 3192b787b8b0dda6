package session

import (
	"context"
	"errors"
	"log/slog"
	"maps"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/transport/jsonrpc"
)

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
