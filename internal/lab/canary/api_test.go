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

// leakyAPI is a Run API that says the secrets it knows (callers' keys,
// pass-through data, approval tokens) in every place and disguise: what a run's
// texts repeat, what an integration echoes, what a proxy prints. The first word
// of an intent chooses the run; see eventsOf.
type leakyAPI struct {
	*canaries
	*httptest.Server
	said testbed.Buffer // the first answer of each address

	mu      sync.Mutex // guards all below
	asked   map[string]bool
	runs    []*leakyRun
	taken   []string // what the tokens that were sent decide
	changed chan struct{}
}

func newLeakyAPI(t *testing.T) *leakyAPI {
	a := &leakyAPI{canaries: &canaries{}, changed: make(chan struct{}), asked: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/runs", a.create)
	mux.HandleFunc("GET /v1/runs", a.list)
	mux.HandleFunc("GET /v1/runs/approval", a.approve)
	mux.HandleFunc("GET /v1/runs/{id}", a.read)
	mux.HandleFunc("DELETE /v1/runs/{id}", a.abort)
	mux.HandleFunc("GET /v1/runs/{id}/sse", a.stream)
	mux.HandleFunc("GET /v1/execution-plans/{id}", a.plan)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.first(r.Method + r.URL.Path) {
			w = spoken{w, io.MultiWriter(w, &a.said)}
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

// first reports whether nothing like this was asked before.
func (a *leakyAPI) first(asked string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.asked[asked]
	a.asked[asked] = true
	return !known
}

// spoken keeps what is answered.
type spoken struct {
	http.ResponseWriter
	to io.Writer
}

func (s spoken) Write(p []byte) (int, error) { return s.to.Write(p) }
func (s spoken) Flush()                      { s.ResponseWriter.(http.Flusher).Flush() }

// saidAll fails the test unless the API said every canary but the tokens of
// runs that never came so far.
func (a *leakyAPI) saidAll(t *testing.T, s *scanner) {
	found := s.find(a.said.String())
	for _, place := range a.places() {
		said := slices.ContainsFunc([]string{"plain ", "base64 ", "hex "}, func(form string) bool { return found[form+place] != "" })
		if !said && !strings.HasPrefix(place, "token of ") {
			t.Errorf("the API never said the canary of %s", place)
		}
	}
}

func (a *leakyAPI) create(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	var body struct {
		Intent      string
		PassThrough []map[string]any
	}
	if err := json.Unmarshal(data, &body); err != nil {
		panic(err)
	}
	kind, _, _ := strings.Cut(body.Intent, " ")
	// The operator's data may be repeated for good, the call's in its answer alone.
	key := r.Header.Get("x-api-key")
	operators, all := []string{key}, []string{key}
	for _, data := range body.PassThrough {
		whose, _, _ := strings.Cut(data["customerIntegrationId"].(string), "-")
		delete(data, "customerIntegrationId")
		all = append(all, passedThrough(data)...)
		if whose == "ops" && kind == "done" {
			operators = append(operators, passedThrough(data)...)
		}
	}
	if status, ok := strings.CutPrefix(kind, "fail-"); ok {
		fail(w, status, voiceOf(0, all...))
		return
	}
	run := a.add(kind, operators...)
	answer := run.document(false)
	delete(answer, "result") // which only a run that is read has
	answer["plan"] = run.plan
	answer["intent"] = voiceOf(0, all...).say(1 << 17)
	answer["repeatKey"] = run.early.say(90)
	answerJSON(w, http.StatusCreated, answer)
}

// add makes a run of a kind that says these secrets, the first of which is its
// caller's key, and its tokens.
func (a *leakyAPI) add(kind string, secrets ...string) *leakyRun {
	run := &leakyRun{id: uuid.NewString(), key: secrets[0], kind: kind, token: map[string]string{}}
	for _, name := range []string{"approve", "deny", "approveUrl", "href", "plan"} {
		run.token[name] = a.canary("token of " + name + " " + run.id)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	turn := 0
	for _, other := range a.runs {
		if other.key == run.key {
			turn++
		}
	}
	run.plain = voiceOf(turn, secrets...)
	run.early = run.plain.withLinks(run.token["approveUrl"])
	run.asked = voiceOf(turn, append(secrets, run.token["approve"], run.token["deny"])...)
	run.voice = run.asked.withLinks(run.token["href"])
	run.fixed, run.plan = run.texts(), run.planSaying(turn)
	a.eventsOf(run)
	a.runs = append(a.runs, run)
	return run
}

func answerJSON(w http.ResponseWriter, status int, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(data)
}

// fail answers an error: 4xx in JSON, 5xx as a proxy's page. 418 puts a secret
// where long messages are cut.
func fail(w http.ResponseWriter, status string, v *voice) {
	code, err := strconv.Atoi(status)
	switch {
	case err != nil:
		panic(err)
	case code == http.StatusTeapot:
		answerJSON(w, code, map[string]any{"message": strings.Repeat("so ", 88) + v.say(1)})
	case code == http.StatusTooManyRequests:
		answerJSON(w, code, map[string]any{"message": []string{v.say(1), briefLinks()}})
	case code < 500:
		answerJSON(w, code, map[string]any{"statusCode": code, "message": []string{v.say(150), v.say(150)}, "error": v.say(100)})
	default:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		fmt.Fprintf(w, "<html><body><h1>%d</h1>%s</body></html>", code, v.say(1000))
	}
}

// find returns the run of a request. One whose id begins with zeros is an
// error, whose status the id ends with, and speaks of the caller's newest run.
func (a *leakyAPI) find(w http.ResponseWriter, r *http.Request) *leakyRun {
	id, newest := r.PathValue("id"), (*leakyRun)(nil)
	for _, run := range a.runs {
		if run.id == id {
			return run
		}
		if run.key == r.Header.Get("x-api-key") {
			newest = run
		}
	}
	fail(w, cmp.Or(strings.TrimLeft(id[max(0, len(id)-3):], "0"), "404"), newest.early)
	return nil
}

func (a *leakyAPI) read(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if run := a.find(w, r); run != nil {
		answerJSON(w, http.StatusOK, run.document(r.URL.Query().Has("includeEvents")))
	}
}

func (a *leakyAPI) list(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	docs := []any{}
	for _, run := range slices.Backward(a.runs) {
		if run.key != r.Header.Get("x-api-key") {
			continue
		}
		if status := r.URL.Query().Get("customerIntegrationIds"); status != "" {
			fail(w, status, run.early)
			return
		}
		docs = append(docs, run.document(r.URL.Query().Has("includeEvents")))
	}
	answerJSON(w, http.StatusOK, docs)
}

func (a *leakyAPI) plan(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r.SetPathValue("id", strings.TrimPrefix(r.PathValue("id"), "plan-"))
	if run := a.find(w, r); run != nil {
		answerJSON(w, http.StatusOK, run.plan)
	}
}

func (a *leakyAPI) abort(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if run := a.find(w, r); run != nil {
		a.move(run, leakyEvent{name: "end", payload: map[string]any{"runStatus": "CANCELED"}})
		w.WriteHeader(http.StatusNoContent)
	}
}

// approve takes a token.
func (a *leakyAPI) approve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, run := range a.runs {
		for name, token := range run.token {
			if token != r.URL.Query().Get("token") {
				continue
			}
			a.taken = append(a.taken, name)
			if status, ok := strings.CutPrefix(run.kind, "refuse-"); ok {
				fail(w, status, run.voice)
				return
			}
			a.finish(run)
			answerJSON(w, http.StatusOK, map[string]any{"message": run.voice.say(500)})
			return
		}
	}
	answerJSON(w, http.StatusNotFound, map[string]any{"message": "no such token"})
}

// authorize is what the person's visit to the authorisation link does.
func (a *leakyAPI) authorize(link string) {
	u, err := url.Parse(link)
	if err != nil {
		panic(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, run := range a.runs {
		if run.id == strings.TrimPrefix(u.Path, "/authorize/") {
			a.move(run, leakyEvent{name: "authentication", payload: map[string]any{"runStatus": "RUNNING", "auth": map[string]any{"status": "success", "integrationName": run.voice.say(100)}}})
			a.finish(run)
		}
	}
}
