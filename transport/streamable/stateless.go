package streamable

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport/jsonrpc"
	"runs-mcp-server/transport/session"
)

// serveStateless serves a POST of 2026-07-28. Each request stands for itself and
// ends with its response.
func (e *endpoint) serveStateless(x *exchange, m *jsonrpc.Message) {
	switch m.Kind {
	case jsonrpc.Notification: // none has an effect in this revision
		e.writeResponse(x.w, http.StatusAccepted, nil)
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
	ctx := x.r.Context()
	if m.IsListen() {
		place := e.reserveListen(x)
		if place == nil {
			return
		}
		defer place.Release()
		var cancel context.CancelFunc
		ctx, cancel = e.streamContext(x, place)
		defer cancel()
	}
	connection := session.NewConnection(e.connectionConfig(x))
	e.requests.addConnection(connection)
	defer e.requests.removeConnection(connection)
	st := newStream(0)
	st.held = e.quota.NewHold(x.account, session.Bytes)
	defer st.forget()
	response := e.newStreamResponse(x, st)
	response.status = statelessStatus
	response.attach(0)
	defer response.detach()
	e.newDispatcher(x, srv, connection).DispatchMessage(x.ctx, m, st)
	if err := response.writeStream(ctx); err != nil {
		cause := session.ErrClientGone
		if errors.Is(err, context.Canceled) { // the client closed the response
			cause = session.ErrCancelled
		}
		connection.End(cause)
	}
}

// reserveListen reserves a stream for a listen; nil: the request is answered.
func (e *endpoint) reserveListen(x *exchange) (place *session.Hold) {
	if !x.accepts.events {
		e.refuse(x.w, http.StatusNotAcceptable, "subscriptions/listen answers with an event stream: send Accept: application/json, text/event-stream")
		return nil
	}
	place, short := e.quota.Reserve(x.account, session.Streams)
	if short != nil {
		e.refuseLimit(x.w, "too many open streams: "+short.String())
		return nil
	}
	return place
}

// checkHeaders refuses a request whose headers do not say the same as its body
// (2026-07-28, standard headers): a proxy that reads the headers and a server
// that reads the body must see the same request. mcp-go's own check needs a
// context key that it does not export.
func checkHeaders(h http.Header, m *jsonrpc.Message, srv *server.MCPServer) *jsonrpc.Error {
	refuse := func(code int, err error) *jsonrpc.Error {
		return &jsonrpc.Error{ID: m.ID, Code: code, Text: err.Error()}
	}
	for _, name := range []string{mcp.HeaderProtocolVersion, mcp.HeaderMethod, mcp.HeaderName} {
		if len(h.Values(name)) > 1 {
			return refuse(mcp.HEADER_MISMATCH, mcp.HeaderMismatchError{Header: name, Reason: "sent more than once"})
		}
	}
	version := h.Get(mcp.HeaderProtocolVersion)
	switch {
	case version == "":
		return refuse(mcp.HEADER_MISMATCH, mcp.HeaderMismatchError{Header: mcp.HeaderProtocolVersion, Reason: "missing required header"})
	case m.Version == "":
		return refuse(mcp.INVALID_PARAMS, errors.New("missing or invalid _meta field "+mcp.MetaKeyProtocolVersion))
	case version != m.Version:
		return refuse(mcp.HEADER_MISMATCH, mcp.HeaderMismatchError{Header: mcp.HeaderProtocolVersion, Reason: "does not match the _meta field " + mcp.MetaKeyProtocolVersion})
	case jsonrpc.UnknownVersion(version):
		return jsonrpc.UnsupportedVersion(m.ID, version)
	}
	if err := mcp.ValidateStandardHeaders(h.Get, version, mcp.MCPMethod(m.Method), m.Params); err != nil {
		return refuse(mcp.HEADER_MISMATCH, err)
	}
	if err := checkTaskName(h, m); err != nil {
		return refuse(mcp.HEADER_MISMATCH, err)
	}
	if err := checkArgumentHeaders(h, m, srv); err != nil {
		return refuse(mcp.HEADER_MISMATCH, err)
	}
	return nil
}

// checkTaskName does the same for the task that a request names, which mcp-go does not
// know (the tasks extension, routing headers).
func checkTaskName(h http.Header, m *jsonrpc.Message) error {
	if !session.NamesTask(m.Method) {
		return nil
	}
	var params struct {
		TaskID string `json:"taskId"`
	}
	name, ok := mcp.DecodeHeaderValue(h.Get(mcp.HeaderName))
	if !ok || json.Unmarshal(m.Params, &params) != nil || name != params.TaskID {
		return mcp.HeaderMismatchError{Header: mcp.HeaderName, Reason: "does not match params.taskId"}
	}
	return nil
}

// paramHeader marks an argument in a tool's schema that is sent in a header, too.
const paramHeader = "x-mcp-header"

// checkArgumentHeaders does the same for the arguments that a tool wants in
// headers.
func checkArgumentHeaders(h http.Header, m *jsonrpc.Message, srv *server.MCPServer) error {
	var params struct {
		Name string `json:"name"`
	}
	if m.Method != string(mcp.MethodToolsCall) || json.Unmarshal(m.Params, &params) != nil {
		return nil
	}
	tool := srv.GetTool(params.Name)
	if tool == nil || !bytes.Contains(tool.Tool.RawInputSchema, []byte(paramHeader)) && tool.Tool.RawInputSchema != nil {
		return nil // mcp-go would encode and decode the schema to find that out
	}
	return mcp.ValidateParamHeadersLookup(func(name string) (string, bool) {
		values := h.Values(name)
		if len(values) == 0 {
			return "", false
		}
		return values[0], true
	}, &tool.Tool, m.Params)
}
