package transport

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// postNew serves a message of 2026-07-28: every request stands for itself, and
// ends with its response.
func (h *endpoint) postNew(w http.ResponseWriter, r *http.Request, from caller, wants accepted, m *message) {
	switch m.kind {
	case notification: // there is none that a client could send to any effect
		h.write(w, http.StatusAccepted, nil)
		return
	case response:
		h.refuse(w, http.StatusBadRequest, "responses are not accepted in protocol version "+mcp.ProtocolVersion20260728+": the server sends no requests")
		return
	}
	srv := h.Server(r)
	if refused := mismatch(r.Header, m, srv); refused != nil {
		h.answer(w, refused)
		return
	}
	st := newStream(0)
	p := h.reply(w, st, wants)
	p.status = newStatus
	if m.listens() {
		if !wants.events {
			h.refuse(w, http.StatusNotAcceptable, "subscriptions/listen answers with an event stream: send Accept: application/json, text/event-stream")
			return
		}
		give, full := h.limits.take(from.id, streamsHeld)
		if full != "" {
			h.tooMany(w, "too many open streams: "+full)
			return
		}
		defer give()
	}
	client := newPeer(h.optionsOf(from.id), nil, nil)
	h.track(client)
	defer h.untrack(client)
	me, have := st.attach(0, nil)
	defer st.detach(me)
	d := h.dispatcher(srv, client, from.id)
	d.message(from.ctx, m, st)
	if err := p.run(r.Context(), me, have); err != nil {
		cause := ErrClientGone
		if errors.Is(err, context.Canceled) {
			cause = ErrCancelled
		}
		client.end(cause)
	}
}

// optionsOf is the options of a peer, with the limits of its caller.
func (h *endpoint) optionsOf(callerID string) Options {
	o := h.Options
	o.Watch = h.limits.watch(callerID, o.Watch)
	return o
}

// dispatcher brings the messages of a request to mcp-go.
func (h *endpoint) dispatcher(srv *server.MCPServer, client *peer, callerID string) *dispatcher {
	return &dispatcher{
		runner: runner{srv: srv, log: h.Logger},
		peer:   client,
		enter:  h.limits.entrance(callerID),
		calls:  &h.calls,
	}
}

// mismatch finds out whether the headers of a request say the same as its body
// (2026-07-28, standard headers): who looks at the one must not be told other
// than who acts on the other. mcp-go's own check needs a key that it keeps to
// itself.
func mismatch(h http.Header, m *message, srv *server.MCPServer) *refusal {
	refuse := func(code int, err error) *refusal { return &refusal{id: m.id, code: code, text: err.Error()} }
	for _, name := range []string{mcp.HeaderProtocolVersion, mcp.HeaderMethod, mcp.HeaderName} {
		if len(h.Values(name)) > 1 {
			return refuse(mcp.HEADER_MISMATCH, mcp.HeaderMismatchError{Header: name, Reason: "sent more than once"})
		}
	}
	version := h.Get(mcp.HeaderProtocolVersion)
	switch {
	case version == "":
		return refuse(mcp.HEADER_MISMATCH, mcp.HeaderMismatchError{Header: mcp.HeaderProtocolVersion, Reason: "missing required header"})
	case m.version == "":
		return refuse(mcp.INVALID_PARAMS, errors.New("missing or invalid _meta field "+mcp.MetaKeyProtocolVersion))
	case version != m.version:
		return refuse(mcp.HEADER_MISMATCH, mcp.HeaderMismatchError{Header: mcp.HeaderProtocolVersion, Reason: "does not match the _meta field " + mcp.MetaKeyProtocolVersion})
	case unknownVersion(version):
		return unsupported(m.id, version)
	}
	if err := mcp.ValidateStandardHeaders(h.Get, version, mcp.MCPMethod(m.method), m.params); err != nil {
		return refuse(mcp.HEADER_MISMATCH, err)
	}
	if err := paramMismatch(h, m, srv); err != nil {
		return refuse(mcp.HEADER_MISMATCH, err)
	}
	return nil
}

// paramMismatch does the same for the arguments that a tool wants in headers.
func paramMismatch(h http.Header, m *message, srv *server.MCPServer) error {
	var params struct {
		Name string `json:"name"`
	}
	if m.method != string(mcp.MethodToolsCall) || json.Unmarshal(m.params, &params) != nil {
		return nil
	}
	tool := srv.GetTool(params.Name)
	if tool == nil {
		return nil
	}
	return mcp.ValidateParamHeadersLookup(func(name string) (string, bool) {
		values := h.Values(name)
		if len(values) == 0 {
			return "", false
		}
		return values[0], true
	}, &tool.Tool, m.params)
}
