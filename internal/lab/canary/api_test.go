package canary

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"runs-mcp-server/internal/lab/testbed"
)

// fakeAPI is a Run API that repeats every secret it knows (callers' keys,
// pass-through data, approval tokens) in every field and encoding. The first word
// of a run's intent is its kind; see advanceRun.
type fakeAPI struct {
	*canarySet
	*httptest.Server
	responses testbed.Buffer // the first response of each method and path

	mu         sync.Mutex // guards the fields below
	requested  map[string]bool
	runs       []*fakeRun
	usedTokens []string      // the names of the tokens that were sent; see fakeRun.token
	changed    chan struct{} // closed and replaced when a run gets an event
}

func newFakeAPI(t *testing.T) *fakeAPI {
	a := &fakeAPI{canarySet: &canarySet{}, changed: make(chan struct{}), requested: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/runs", a.createRun)
	mux.HandleFunc("GET /v1/runs", a.listRuns)
	mux.HandleFunc("GET /v1/runs/approval", a.approve)
	mux.HandleFunc("GET /v1/runs/{id}", a.getRun)
	mux.HandleFunc("DELETE /v1/runs/{id}", a.abortRun)
	mux.HandleFunc("GET /v1/runs/{id}/sse", a.streamEvents)
	mux.HandleFunc("GET /v1/execution-plans/{id}", a.getPlan)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.isFirst(r.Method + r.URL.Path) {
			w = recordingWriter{w, io.MultiWriter(w, &a.responses)}
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

// isFirst reports whether the request is the first with its method and path.
func (a *fakeAPI) isFirst(request string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.requested[request]
	a.requested[request] = true
	return !known
}

// recordingWriter copies a response body to another writer.
type recordingWriter struct {
	http.ResponseWriter
	to io.Writer
}

func (w recordingWriter) Write(p []byte) (int, error) { return w.to.Write(p) }
func (w recordingWriter) Flush()                      { w.ResponseWriter.(http.Flusher).Flush() }

// requireAllSent fails the test unless the API sent every canary. Tokens are
// exempt: not every run reaches the event that holds them.
func (a *fakeAPI) requireAllSent(t *testing.T, s *scanner) {
	found := s.scan(a.responses.String())
	for _, location := range a.locations() {
		sent := slices.ContainsFunc([]string{"plain ", "base64 ", "hex "}, func(form string) bool { return found[form+location] != "" })
		if !sent && !strings.HasPrefix(location, "token of ") {
			t.Errorf("the API never sent the canary of %s", location)
		}
	}
}

func (a *fakeAPI) createRun(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	var body struct {
		Intent      string
		PassThrough []map[string]any
	}
	if err := json.Unmarshal(data, &body); err != nil {
		panic(err)
	}
	kind, _, _ := strings.Cut(body.Intent, " ")
	// Every answer may repeat the operator's data. Only the answer to this call may
	// repeat the call's own data.
	key := r.Header.Get("x-api-key")
	operators, all := []string{key}, []string{key}
	for _, data := range body.PassThrough {
		whose, _, _ := strings.Cut(data["customerIntegrationId"].(string), "-")
		delete(data, "customerIntegrationId")
		all = append(all, secretsIn(data)...)
		if whose == "ops" && kind == "done" {
			operators = append(operators, secretsIn(data)...)
		}
	}
	if status, ok := strings.CutPrefix(kind, "fail-"); ok {
		writeError(w, status, newGenerator(0, all...))
		return
	}
	run := a.addRun(kind, operators...)
	answer := run.document(false)
	delete(answer, "result") // only GET /v1/runs/{id} returns it
	answer["plan"] = run.plan
	answer["intent"] = newGenerator(0, all...).next(1 << 17)
	answer["repeatKey"] = run.early.next(90)
	writeJSON(w, http.StatusCreated, answer)
}

// addRun adds a run of a kind. Its texts contain the secrets and the run's own
// tokens. The first secret is the caller's key.
func (a *fakeAPI) addRun(kind string, secrets ...string) *fakeRun {
	run := &fakeRun{id: uuid.NewString(), key: secrets[0], kind: kind, token: map[string]string{}}
	for _, name := range []string{"approve", "deny", "approveUrl", "href", "plan"} {
		run.token[name] = a.canaryFor("token of " + name + " " + run.id)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	round := 0
	for _, other := range a.runs {
		if other.key == run.key {
			round++
		}
	}
	run.earlyNoLinks = newGenerator(round, secrets...)
	run.early = run.earlyNoLinks.withLinks(run.token["approveUrl"])
	run.allNoLinks = newGenerator(round, append(secrets, run.token["approve"], run.token["deny"])...)
	run.all = run.allNoLinks.withLinks(run.token["href"])
	run.fixed, run.plan = run.documentFields(), run.newPlan(round)
	a.advanceRun(run)
	a.runs = append(a.runs, run)
	return run
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(data)
}

// writeError answers 4xx in JSON and 5xx as the HTML page of a proxy. 418 puts a
// secret where long messages are cut.
func writeError(w http.ResponseWriter, status string, g *generator) {
	code, err := strconv.Atoi(status)
	switch {
	case err != nil:
		panic(err)
	case code == http.StatusTeapot:
		writeJSON(w, code, map[string]any{"message": strings.Repeat("so ", 88) + g.next(1)})
	case code == http.StatusTooManyRequests:
		writeJSON(w, code, map[string]any{"message": []string{g.next(1), shortTokenLinks()}})
	case code < 500:
		writeJSON(w, code, map[string]any{"statusCode": code, "message": []string{g.next(150), g.next(150)}, "error": g.next(100)})
	default:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		fmt.Fprintf(w, "<html><body><h1>%d</h1>%s</body></html>", code, g.next(1000))
	}
}

// findRun returns the run of a request. If there is none, it writes an error with
// the secrets of the caller's newest run. The status is the end of the run's id.
func (a *fakeAPI) findRun(w http.ResponseWriter, r *http.Request) *fakeRun {
	id, newest := r.PathValue("id"), (*fakeRun)(nil)
	for _, run := range a.runs {
		if run.id == id {
			return run
		}
		if run.key == r.Header.Get("x-api-key") {
			newest = run
		}
	}
	writeError(w, cmp.Or(strings.TrimLeft(id[max(0, len(id)-3):], "0"), "404"), newest.early)
	return nil
}

func (a *fakeAPI) getRun(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if run := a.findRun(w, r); run != nil {
		writeJSON(w, http.StatusOK, run.document(r.URL.Query().Has("includeEvents")))
	}
}

func (a *fakeAPI) listRuns(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	docs := []any{}
	for _, run := range slices.Backward(a.runs) {
		if run.key != r.Header.Get("x-api-key") {
			continue
		}
		if status := r.URL.Query().Get("customerIntegrationIds"); status != "" {
			writeError(w, status, run.early)
			return
		}
		docs = append(docs, run.document(r.URL.Query().Has("includeEvents")))
	}
	writeJSON(w, http.StatusOK, docs)
}

func (a *fakeAPI) getPlan(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r.SetPathValue("id", strings.TrimPrefix(r.PathValue("id"), "plan-"))
	if run := a.findRun(w, r); run != nil {
		writeJSON(w, http.StatusOK, run.plan)
	}
}

func (a *fakeAPI) abortRun(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if run := a.findRun(w, r); run != nil {
		a.appendEvent(run, fakeEvent{name: "end", payload: map[string]any{"runStatus": "CANCELED"}})
		w.WriteHeader(http.StatusNoContent)
	}
}

// approve accepts a token.
func (a *fakeAPI) approve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, run := range a.runs {
		for name, token := range run.token {
			if token != r.URL.Query().Get("token") {
				continue
			}
			a.usedTokens = append(a.usedTokens, name)
			if status, ok := strings.CutPrefix(run.kind, "refuse-"); ok {
				writeError(w, status, run.all)
				return
			}
			a.finishRun(run)
			writeJSON(w, http.StatusOK, map[string]any{"message": run.all.next(500)})
			return
		}
	}
	writeJSON(w, http.StatusNotFound, map[string]any{"message": "no such token"})
}

// authorize does what a person's visit to the authorisation link does.
func (a *fakeAPI) authorize(link string) {
	u, err := url.Parse(link)
	if err != nil {
		panic(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, run := range a.runs {
		if run.id == strings.TrimPrefix(u.Path, "/authorize/") {
			a.appendEvent(run, fakeEvent{name: "authentication", payload: map[string]any{"runStatus": "RUNNING", "auth": map[string]any{"status": "success", "integrationName": run.early.next(100)}}}) // no event holds its tokens
			a.finishRun(run)
		}
	}
}
