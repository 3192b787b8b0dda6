package streamable

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/transport/jsonrpc"
	"runs-mcp-server/transport/session"
)

// endpoint answers HTTP requests.
type endpoint struct {
	Options
	guard       *originGuard
	connections *connections
	quota       *session.Quota
	sessions    *sessions
	requests    *requests
	calls       sync.WaitGroup // goroutines of calls
	leaving     atomic.Bool    // the server is about to stop: clients are to go elsewhere
}

// newEndpoint returns an endpoint that is ready to serve.
func newEndpoint(options Options) (*endpoint, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	guard, err := newOriginGuard(options.AllowedHosts, options.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	return &endpoint{
		Options:     options,
		guard:       guard,
		connections: newConnections(&options, descriptorLimit()),
		quota:       options.newQuota(),
		sessions:    newSessions(&options.Counts.Sessions),
		requests:    newRequests(),
	}, nil
}

// ServeHTTP implements http.Handler.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if e.leaving.Load() {
		w.Header().Set("Connection", "close")
	}
	if len(e.Card) > 0 && r.URL.Path == e.PathPrefix+"/mcp/server-card" {
		e.serveCard(w, r)
		return
	}
	if text := e.guard.refusal(r); text != "" {
		e.refuse(w, http.StatusForbidden, text)
		return
	}
	if writeCORS(w, r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch path := strings.TrimSuffix(r.URL.Path, "/"); path {
	case e.PathPrefix + "/mcp":
		if !e.requests.startRequest() {
			e.refuseStopping(w)
			return
		}
		defer e.requests.finishRequest()
		e.serveMCP(w, r)
	case "/healthz", e.PathPrefix + "/healthz":
		e.serveProbe(w, r, nil)
	case "/readyz", e.PathPrefix + "/readyz":
		e.serveProbe(w, r, e.readiness())
	default:
		e.refuse(w, http.StatusNotFound, "there is nothing at this path. MCP is at "+e.PathPrefix+"/mcp.")
	}
}

// serveMCP identifies the caller of a request and serves its method.
func (e *endpoint) serveMCP(w http.ResponseWriter, r *http.Request) {
	caller, ctx, err := e.Identify(r)
	switch {
	case errors.Is(err, ErrForbidden):
		e.refuse(w, http.StatusForbidden, err.Error())
		return
	case err != nil:
		e.refuse(w, http.StatusUnauthorized, err.Error())
		return
	}
	e.connections.noteCaller(r.Context(), func() bool { return e.IsKnown(ctx) })
	// The end of the connection alone does not cancel a call: a stateful client may
	// come back. Every end of a call has a cause.
	x := &exchange{w: w, r: r, caller: caller, account: e.accountOf(ctx, caller), ctx: context.WithoutCancel(ctx), accepts: acceptedTypes(r.Header)}
	switch r.Method {
	case http.MethodPost:
		e.servePost(x)
	case http.MethodGet, http.MethodDelete:
		e.serveSession(x)
	case http.MethodOptions:
		w.Header().Set("Allow", "GET, POST, DELETE, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, POST, DELETE, OPTIONS")
		e.refuse(w, http.StatusMethodNotAllowed, "use POST with one JSON-RPC message")
	}
}

// servePost serves one message or, in 2025-03-26, an array of them.
func (e *endpoint) servePost(x *exchange) {
	if text := wrongContentType(x.r.Header); text != "" {
		e.refuse(x.w, http.StatusUnsupportedMediaType, text)
		return
	}
	if !x.accepts.json && !x.accepts.events {
		e.refuse(x.w, http.StatusNotAcceptable, "send Accept: application/json, text/event-stream")
		return
	}
	place, short := e.quota.Reserve(x.account, session.Requests)
	if short != nil {
		e.refuseLimit(x.w, "too many requests at the same time: "+short.String())
		return
	}
	defer place.Release()
	if !e.admitBody(x, place) {
		return
	}
	x.held = e.quota.NewHold(x.account, session.Bytes)
	defer func() { x.held.Release() }() // unless its call goes on
	body, ok := e.readBody(x)
	switch {
	case !ok:
	case jsonrpc.IsBatch(body):
		e.serveBatch(x, body)
	default:
		e.serveMessage(x, body)
	}
}

// serveBatch serves an array of messages.
func (e *endpoint) serveBatch(x *exchange, body []byte) {
	version := x.r.Header.Get(mcp.HeaderProtocolVersion)
	switch {
	case jsonrpc.UnknownVersion(version):
		e.refuseMessage(x.w, jsonrpc.UnsupportedVersion(nil, version))
	case mcp.IsModernProtocol(version):
		e.refuse(x.w, http.StatusBadRequest, jsonrpc.NoBatches)
	default:
		e.serveStateful(x, false, func(d *session.Dispatcher, out session.Sink) { d.Dispatch(x.ctx, body, out) })
	}
}

// serveMessage serves one message by its revision: the body says it, else the
// header. initialize negotiates one, whatever the header says.
func (e *endpoint) serveMessage(x *exchange, body []byte) {
	version := x.r.Header.Get(mcp.HeaderProtocolVersion)
	m, refused := jsonrpc.Parse(body)
	switch {
	case refused != nil:
		e.refuseMessage(x.w, refused)
	case m.IsInitialize():
		e.serveInitialize(x, m)
	case m.Version == "" && jsonrpc.UnknownVersion(version):
		e.refuseMessage(x.w, jsonrpc.UnsupportedVersion(m.RequestID(), version))
	case mcp.IsModernProtocol(version), m.IsStateless(), jsonrpc.UnknownVersion(m.Version):
		e.serveStateless(x, m)
	default:
		e.serveStateful(x, session.WaitsWithoutLimit(m.Method), func(d *session.Dispatcher, out session.Sink) { d.DispatchMessage(x.ctx, m, out) })
	}
}

// serveProbe answers a probe of the server's health; problem is nil if all is
// well.
func (e *endpoint) serveProbe(w http.ResponseWriter, r *http.Request, problem error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		e.refuse(w, http.StatusMethodNotAllowed, "use GET")
		return
	}
	status, text := http.StatusOK, "ok\n"
	if problem != nil {
		status, text = http.StatusServiceUnavailable, problem.Error()+"\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// readiness returns why the server is not ready; nil: it is.
func (e *endpoint) readiness() error {
	if e.leaving.Load() {
		return session.ErrShutdown
	}
	return e.Ready()
}
