package sandbox

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// action answers one operation for the owner of the key it came with. A
// returned problem becomes the error answer; nil means answered.
type action func(w http.ResponseWriter, r *http.Request, owner int) *problem

// newRoutes lists every operation. Methods are chosen by hand: the mux's own
// GET patterns also answer HEAD, and a HEAD must not spend an approval token.
func (s *Sandbox) newRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/runs", s.endpoint(map[string]action{"GET": s.listRuns, "POST": s.createRun}))
	mux.Handle("/v1/runs/approval", s.endpoint(map[string]action{"GET": s.runApproval}))
	mux.Handle("/v1/runs/{runId}", s.endpoint(map[string]action{"GET": s.getRun, "DELETE": s.abortRun}))
	mux.Handle("/v1/runs/{runId}/sse", s.endpoint(map[string]action{"GET": s.streamRun}))
	mux.Handle("/v1/execution-plans/{executionPlanId}", s.endpoint(map[string]action{"GET": s.getPlan}))
	mux.Handle("/v1/integrations", s.endpoint(map[string]action{"GET": s.listIntegrations}))
	mux.Handle("/", s.endpoint(nil))
	return mux
}

// endpoint checks the key, then the method, then acts.
func (s *Sandbox) endpoint(actions map[string]action) http.Handler {
	allow := strings.Join(slices.Sorted(maps.Keys(actions)), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.counts.requests.Add(1)
		if p := s.act(actions, allow, w, r); p != nil {
			p.write(w)
			s.log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method),
				slog.String("route", r.Pattern), slog.Int("status", p.StatusCode))
			return
		}
		s.log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("route", r.Pattern))
	})
}

func (s *Sandbox) act(actions map[string]action, allow string, w http.ResponseWriter, r *http.Request) *problem {
	owner, ok := s.owner(r)
	if !ok {
		return refuse(http.StatusUnauthorized, "Unauthorized - invalid API key")
	}
	if actions == nil {
		return refuse(http.StatusNotFound, "Cannot "+r.Method+" "+r.URL.Path)
	}
	do := actions[r.Method]
	if do == nil {
		w.Header().Set("Allow", allow)
		return refuse(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	return do(w, r, owner)
}
