package streamable

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"
)

// serveCard serves the server card. Its headers are those of the draft of SEP-2127: the
// pages of all origins may read it, and caches may keep it for an hour.
func (e *endpoint) serveCard(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET")
	h.Set("Access-Control-Allow-Headers", "Content-Type, If-None-Match")
	h.Set("Access-Control-Expose-Headers", "ETag")
	switch r.Method {
	case http.MethodGet:
	case http.MethodOptions:
		h.Set("Allow", "GET, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		h.Set("Allow", "GET, OPTIONS")
		e.refuse(w, http.StatusMethodNotAllowed, "use GET")
		return
	}
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Content-Type", "application/mcp-server-card+json")
	h.Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(e.Card)))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(e.Card))
}
