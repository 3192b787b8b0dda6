package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"
)

// endpoint answers HTTP requests.
type endpoint struct {
	HTTPOptions
	door     *door
	limits   *limits
	sessions sessions
	calls    sync.WaitGroup // goroutines of calls
	leaving  atomic.Bool    // the server is about to stop: clients are to go elsewhere

	mu      sync.Mutex         // guards all below
	closing bool               // no more requests are taken
	peers   map[*peer]struct{} // of new-era requests being served
	serving int                // requests to /mcp being served
	served  chan struct{}      // closed when closing, and none is
}

// newEndpoint is ready to serve.
func newEndpoint(o HTTPOptions) (*endpoint, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	door, err := newDoor(o.AllowedHosts, o.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	return &endpoint{
		HTTPOptions: o,
		door:        door,
		limits:      o.limits(),
		sessions:    sessions{byID: make(map[string]*session)},
		peers:       make(map[*peer]struct{}),
		served:      make(chan struct{}),
	}, nil
}

// ServeHTTP implements http.Handler.
func (h *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if h.leaving.Load() {
		w.Header().Set("Connection", "close")
	}
	if text := h.door.refuses(r); text != "" {
		h.refuse(w, http.StatusForbidden, text)
		return
	}
	if cors(w, r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch path := strings.TrimSuffix(r.URL.Path, "/"); path {
	case h.PathPrefix + "/mcp":
		if !h.enter() {
			h.stopping(w)
			return
		}
		defer h.leave()
		h.mcp(w, r)
	case "/healthz", h.PathPrefix + "/healthz":
		h.health(w, r, func() error { return nil })
	case "/readyz", h.PathPrefix + "/readyz":
		h.health(w, r, h.ready)
	default:
		h.refuse(w, http.StatusNotFound, "there is nothing at this path. MCP is at "+h.PathPrefix+"/mcp.")
	}
}

// caller is who sent a request, and the values its calls get.
type caller struct {
	id  string
	ctx context.Context
}

// mcp serves the MCP endpoint.
func (h *endpoint) mcp(w http.ResponseWriter, r *http.Request) {
	id, ctx, err := h.Identify(r)
	switch {
	case errors.Is(err, ErrForbidden):
		h.refuse(w, http.StatusForbidden, err.Error())
		return
	case err != nil:
		h.refuse(w, http.StatusUnauthorized, err.Error())
		return
	}
	// Calls end by the client's or our word and with a cause, not with the
	// connection: in the old era they outlive it.
	from := caller{id: id, ctx: context.WithoutCancel(ctx)}
	switch r.Method {
	case http.MethodPost:
		h.post(w, r, from)
	case http.MethodGet, http.MethodDelete:
		h.ofSession(w, r, from)
	case http.MethodOptions:
		w.Header().Set("Allow", "GET, POST, DELETE, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, POST, DELETE, OPTIONS")
		h.refuse(w, http.StatusMethodNotAllowed, "use POST with one JSON-RPC message")
	}
}

// post serves one message or, in 2025-03-26, an array of them.
func (h *endpoint) post(w http.ResponseWriter, r *http.Request, from caller) {
	wants := accepts(r.Header)
	if text := notJSON(r.Header); text != "" {
		h.refuse(w, http.StatusUnsupportedMediaType, text)
		return
	}
	if !wants.json && !wants.events {
		h.refuse(w, http.StatusNotAcceptable, "send Accept: application/json, text/event-stream")
		return
	}
	give, full := h.limits.take(from.id, postsHeld)
	if full != "" {
		h.tooMany(w, "too many requests at the same time: "+full)
		return
	}
	defer give()
	body, ok := h.body(w, r)
	if !ok {
		return
	}
	version := r.Header.Get(mcp.HeaderProtocolVersion)
	if isBatch(body) {
		if unknownVersion(version) {
			h.answer(w, unsupported(nil, version))
			return
		}
		if mcp.IsModernProtocol(version) {
			h.refuse(w, http.StatusBadRequest, "an array of messages is accepted in protocol version 2025-03-26 only. Send one message at a time.")
			return
		}
		h.postOld(w, r, from, wants, nil, body)
		return
	}
	m, refused := parse(body)
	switch {
	case refused != nil:
		h.answer(w, refused)
	case m.initializes(): // it settles the revision, whatever the header says
		h.initialize(w, r, from, wants, m)
	case m.version == "" && unknownVersion(version):
		h.answer(w, unsupported(m.requestID(), version))
	case mcp.IsModernProtocol(version), m.modern(), unknownVersion(m.version):
		h.postNew(w, r, from, wants, m)
	default:
		h.postOld(w, r, from, wants, m, nil)
	}
}

// body reads the body; false: the request is answered.
func (h *endpoint) body(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	tooLong := func() ([]byte, bool) {
		w.Header().Set("Connection", "close") // who sends that much is not worth reading to the end
		h.refuse(w, http.StatusRequestEntityTooLarge, "the body is too long: the limit is "+size(h.BodyLimit))
		return nil, false
	}
	if r.ContentLength > h.BodyLimit {
		return tooLong()
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, h.BodyLimit), r.ContentLength, h.BodyLimit)
	if err != nil {
		if _, is := errors.AsType[*http.MaxBytesError](err); is {
			return tooLong()
		}
		w.Header().Set("Connection", "close")
		h.refuse(w, http.StatusRequestTimeout, "the body did not come to its end in time")
		return nil, false
	}
	return bytes.TrimPrefix(body, byteOrderMark), true
}

// readAll reads to the end. It takes memory as bytes come, for a length that is
// only announced costs the client nothing, and in large steps, for every step
// copies.
func readAll(in io.Reader, announced, limit int64) ([]byte, error) {
	body := make([]byte, 0, min(max(announced+1, 4<<10), 64<<10))
	for {
		if len(body) == cap(body) {
			body = append(make([]byte, 0, min(4*int64(cap(body)), max(limit+1, int64(cap(body))+512))), body...)
		}
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// health answers probes.
func (h *endpoint) health(w http.ResponseWriter, r *http.Request, check func() error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.refuse(w, http.StatusMethodNotAllowed, "use GET")
		return
	}
	status, text := http.StatusOK, "ok\n"
	if err := check(); err != nil {
		status, text = http.StatusServiceUnavailable, err.Error()+"\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// ready asks the owner, until the server is about to stop.
func (h *endpoint) ready() error {
	if h.leaving.Load() {
		return ErrShutdown
	}
	return h.Ready()
}

// answer answers a message that was refused.
func (h *endpoint) answer(w http.ResponseWriter, r *refusal) {
	h.Logger.Info("message refused", "id", short(r.id), "code", r.code, "reason", r.text)
	h.write(w, newStatus(r.answer()), r.answer().line)
}

// refuse answers a request that was not taken, as a JSON-RPC error of no
// request, which is what MCP clients read.
func (h *endpoint) refuse(w http.ResponseWriter, status int, text string) {
	h.Logger.Info("request refused", "status", status, "reason", text)
	h.write(w, status, errorAnswer(nil, mcp.INVALID_REQUEST, text, nil))
}

// tooMany answers a request beyond a limit.
func (h *endpoint) tooMany(w http.ResponseWriter, text string) {
	h.Logger.Info("request refused", "status", http.StatusTooManyRequests, "reason", text)
	w.Header().Set("Retry-After", "1")
	h.write(w, http.StatusTooManyRequests, errorAnswer(nil, overloaded, text+". End some, then send this again.", nil))
}

// stopping answers a request that came during the shutdown.
func (h *endpoint) stopping(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	w.Header().Set("Retry-After", "1")
	h.refuse(w, http.StatusServiceUnavailable, ErrShutdown.Error())
}

// write writes a whole response.
func (h *endpoint) write(w http.ResponseWriter, status int, body []byte) {
	p := reply{w: w, timeout: h.WriteTimeout}
	_ = p.finish(status, body) // the client is gone; net/http sees that too
}

// reply makes the response for a stream.
func (h *endpoint) reply(w http.ResponseWriter, st *stream, wants accepted) *reply {
	return &reply{
		w: w, stream: st, wants: wants, status: oldStatus,
		first: h.KeepAlive, keepAlive: h.KeepAlive, timeout: h.WriteTimeout,
	}
}

// size is a limit as a client reads it.
func size(n int64) string {
	units := []string{" bytes", " KiB", " MiB", " GiB"}
	i := 0
	for ; i < len(units)-1 && n >= 1024 && n%1024 == 0; i++ {
		n /= 1024
	}
	return strconv.FormatInt(n, 10) + units[i]
}
