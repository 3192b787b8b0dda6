package streamable

import (
	"io"
	"net/http"

	"runs-mcp-server/transport/session"
)

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
	if e.draining.Load() {
		return session.ErrShutdown
	}
	return e.Ready()
}
