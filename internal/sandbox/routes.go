package sandbox

import (
	"crypto/subtle"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// operation answers one request of the API for the owner of its key. It either
// writes the answer itself, or returns a problem to answer with.
type operation func(w http.ResponseWriter, r *http.Request, owner int) *problem

// newRoutes lists every operation. It does not use the mux's "GET" patterns: they
// also answer HEAD, and a HEAD must not spend an approval token.
func (s *Sandbox) newRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/runs", s.endpoint(map[string]operation{"GET": s.listRuns, "POST": s.createRun}))
	mux.Handle("/v1/runs/approval", s.endpoint(map[string]operation{"GET": s.approveRun}))
	mux.Handle("/v1/runs/{runId}", s.endpoint(map[string]operation{"GET": s.getRun, "DELETE": s.abortRun}))
	mux.Handle("/v1/runs/{runId}/sse", s.endpoint(map[string]operation{"GET": s.streamRun}))
	mux.Handle("/v1/execution-plans/{executionPlanId}", s.endpoint(map[string]operation{"GET": s.getPlan}))
	mux.Handle("/v1/integrations", s.endpoint(map[string]operation{"GET": s.listIntegrations}))
	mux.Handle("/", s.endpoint(nil))
	return mux
}

// endpoint handles the requests of one path, given its operations by method.
func (s *Sandbox) endpoint(operations map[string]operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.counts.requests.Add(1)
		line := []slog.Attr{slog.String("method", r.Method), slog.String("route", r.Pattern)}
		if trace := r.Header.Get("traceparent"); trace != "" {
			line = append(line, slog.String("traceparent", trace))
		}
		if p := s.serveOperation(operations, w, r); p != nil {
			writeJSON(w, p.StatusCode, p)
			line = append(line, slog.Int("status", p.StatusCode))
		}
		s.log.LogAttrs(r.Context(), slog.LevelInfo, "request", line...)
	})
}

// serveOperation checks the key, then the path, then the method.
func (s *Sandbox) serveOperation(operations map[string]operation, w http.ResponseWriter, r *http.Request) *problem {
	owner, ok := s.ownerOf(r)
	if !ok {
		return newProblem(http.StatusUnauthorized, "Unauthorized - invalid API key")
	}
	if operations == nil {
		return newProblem(http.StatusNotFound, "Cannot "+r.Method+" "+r.URL.Path)
	}
	serve := operations[r.Method]
	if serve == nil {
		w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(operations)), ", "))
		return newProblem(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	return serve(w, r, owner)
}

// ownerOf returns the index of the request's API key. Runs hold this number
// instead of the key, so no answer or log can show a key.
func (s *Sandbox) ownerOf(r *http.Request) (int, bool) {
	given, found := []byte(r.Header.Get("x-api-key")), -1
	for i, key := range s.keys {
		if subtle.ConstantTimeCompare([]byte(key), given) == 1 {
			found = i
		}
	}
	return found, found >= 0
}
