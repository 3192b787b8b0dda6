package streamable

import (
	"context"
	"errors"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/transport/jsonrpc"
	"runs-mcp-server/transport/session"
)

// serveStateless serves a POST of 2026-07-28. Each request stands for itself and
// ends with its response.
func (e *endpoint) serveStateless(x *exchange, m *jsonrpc.Message) {
	switch m.Kind {
	case jsonrpc.Notification: // none has an effect in this revision
		e.writeWhole(x.w, http.StatusAccepted, nil)
		return
	case jsonrpc.Response:
		e.refuse(x.w, http.StatusBadRequest, "responses are not accepted in protocol version "+mcp.ProtocolVersion20260728+": the server sends no requests")
		return
	}
	srv := e.Server(x.r)
	if refused := checkHeaders(x.r.Header, m, srv); refused != nil {
		e.refuseMessage(x.w, refused)
		return
	}
	if m.IsListen() {
		release := e.reserveListen(x)
		if release == nil {
			return
		}
		defer release()
	}
	connection := session.NewConnection(e.connectionConfig(x.caller))
	defer e.requests.addConnection(connection)()
	st := newStream(0)
	response := e.newStreamResponse(x, st)
	response.status = statelessStatus
	defer response.attach(0)()
	e.newDispatcher(srv, connection, x.caller).DispatchMessage(x.ctx, m, st)
	if err := response.writeStream(x.r.Context()); err != nil {
		cause := session.ErrClientGone
		if errors.Is(err, context.Canceled) { // the client closed the response
			cause = session.ErrCancelled
		}
		connection.End(cause)
	}
}

// reserveListen reserves a stream for a listen; nil: the request is answered.
func (e *endpoint) reserveListen(x *exchange) (release func()) {
	if !x.accepts.events {
		e.refuse(x.w, http.StatusNotAcceptable, "subscriptions/listen answers with an event stream: send Accept: application/json, text/event-stream")
		return nil
	}
	release, limitReached := e.quota.Reserve(x.caller, session.Streams)
	if limitReached != "" {
		e.refuseLimit(x.w, "too many open streams: "+limitReached)
		return nil
	}
	return release
}
