package canary

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// fakeRun is a run of [fakeAPI].
type fakeRun struct {
	id, key, kind string
	status        string
	fixed, plan   map[string]any // fixed holds the fields that never change: a change would ask a person again
	events        []fakeEvent
	result        any
	all           *generator        // all secrets, and links
	allNoLinks    *generator        // the same without links, for what a person is asked
	early         *generator        // only the secrets that are known without any event, and links
	earlyNoLinks  *generator        // the same without links
	token         map[string]string // by what it is for: approve, deny, approveUrl, href, plan
}

// fakeEvent is one event of the stream.
type fakeEvent struct {
	name    string
	payload map[string]any
	hidden  bool // the stored event lacks its content
}

// documentFields returns the fields of a run's document that never change.
func (run *fakeRun) documentFields() map[string]any {
	return map[string]any{
		"runId": run.id, "executionPlanId": "plan-" + run.id, "intent": run.earlyNoLinks.next(1500), "context": run.early.next(1500), "createdAt": run.early.next(90), "updatedAt": run.early.next(90),
		"repeatRunId": run.early.next(90), "approveUrl": approvalLink(run.token["approveUrl"]), "nested": map[string]any{"links": []any{map[string]any{"href": approvalLink(run.token["href"])}}},
	}
}

// document returns a run as GET /v1/runs/{id} does.
func (run *fakeRun) document(events bool) map[string]any {
	doc := maps.Clone(run.fixed)
	doc["status"] = run.status
	if run.status == "SUCCESS" {
		doc["result"] = run.result
	}
	if !events {
		return doc
	}
	var items []any
	for i, e := range run.events {
		item := map[string]any{"id": i + 1, "event": e.name, "data": e.payload}
		if e.hidden {
			item["data"] = map[string]any{"runStatus": e.payload["runStatus"], "timestamp": e.payload["timestamp"], "step": map[string]any{"approval": "PENDING"}}
		}
		items = append(items, item)
	}
	doc["events"] = items
	return doc
}

func (run *fakeRun) newPlan(round int) map[string]any {
	g, link := newGenerator(round, run.key), approvalLink(run.token["plan"])
	if run.kind == "start" { // then a person is asked about it
		link = ""
	}
	step := map[string]any{"id": g.next(90), "description": "see " + link + " " + g.next(250), "dependsOnSteps": []string{g.next(90)}}
	return map[string]any{"planType": "json", "plan": map[string]any{"title": g.next(1000), "description": g.next(1500), "steps": []any{step, step}}, "decideUrl": approvalLink(run.token["plan"])}
}

// advanceRun appends the events that a new run has without a person. The kinds of
// runs end up so:
//
//	done       ended, with an event of an unknown type
//	step       waits for a step's approval, after steps that contain every fragment
//	start      waits for the approval of the run
//	strange    runs, with a tool call that has a name only, and an unknown status
//	quiet      waits for a step's approval that only the stream contains
//	auth       waits for an authorisation
//	refuse-401 as step, but the API refuses the token with that status
func (a *fakeAPI) advanceRun(run *fakeRun) {
	kind, _, _ := strings.Cut(run.kind, "-")
	a.appendEvent(run, fakeEvent{name: "status", payload: map[string]any{"runStatus": "QUEUED"}})
	a.appendEvent(run, fakeEvent{name: "step", payload: map[string]any{"runStatus": "RUNNING", "step": map[string]any{"text": shortTokenLinks(), "reason": run.early.next(1)}}})
	a.appendEvent(run, fakeEvent{name: "start", payload: map[string]any{"runStatus": "RUNNING", "approveUrl": approvalLink(run.token["approveUrl"])}})
	for run.early.at < len(run.early.fragments) && (kind == "done" || kind == "step") {
		a.appendEvent(run, fakeEvent{name: "step", payload: map[string]any{"runStatus": "RUNNING", "step": a.newStep(run, run.early, "NOT_REQUIRED")}})
	}
	switch kind {
	case "strange":
		calls := []any{map[string]any{"toolName": run.early.next(100)}}
		a.appendEvent(run, fakeEvent{name: "step", payload: map[string]any{"runStatus": "RUNNING", "step": map[string]any{"toolCalls": calls}}})
		a.appendEvent(run, fakeEvent{name: "odd", payload: map[string]any{"runStatus": run.early.next(90)}})
	case "done":
		a.appendEvent(run, fakeEvent{name: "step", payload: map[string]any{"runStatus": "RUNNING", "step": a.newPendingStep(run)}})
		odd := map[string]any{"runStatus": run.all.next(90), "step": map[string]any{"text": 7}, "nested": map[string]any{"links": []any{map[string]any{"href": approvalLink(run.token["href"])}}}}
		a.appendEvent(run, fakeEvent{name: "it is " + approvalLink(run.token["approve"]) + " " + run.key, payload: odd})
		a.finishRun(run)
	case "step", "refuse", "quiet":
		a.appendEvent(run, fakeEvent{name: "step", payload: map[string]any{"runStatus": "PAUSED", "step": a.newPendingStep(run)}, hidden: kind == "quiet"})
	case "start":
		a.appendEvent(run, fakeEvent{name: "run_approval", payload: map[string]any{"runStatus": "PAUSED", "approvalActions": approvalActions(run)}})
	case "auth":
		a.appendEvent(run, fakeEvent{name: "authentication", payload: map[string]any{"runStatus": "AUTH_REQUIRED", "auth": map[string]any{
			"status": "required", "integrationName": run.earlyNoLinks.next(100), "url": a.authorizationLink(run)}}})
	}
}

// authorizationLink returns the only link that a person may see.
func (a *fakeAPI) authorizationLink(run *fakeRun) string {
	return "https://auth.test/authorize/" + run.id + "?state=" + url.QueryEscape(a.canaryFor("authorization of "+run.id))
}

// finishRun appends the events of an approved run up to its end.
func (a *fakeAPI) finishRun(run *fakeRun) {
	a.appendEvent(run, fakeEvent{name: "run_action", payload: map[string]any{"runStatus": "RUNNING", "by": approvalLink(run.token["approve"]), "not": []any{approvalLink(run.token["deny"])}}})
	for i := range run.events {
		run.events[i].hidden = false // the stored events are complete now
	}
	g, token := run.all, run.token["approve"]
	if run.kind == "auth" { // no event holds its tokens
		g, token = run.early, ""
	}
	for approval := "APPROVED"; ; approval = "NOT_REQUIRED" {
		a.appendEvent(run, fakeEvent{name: "step", payload: map[string]any{"runStatus": "RUNNING", "step": a.newStep(run, g, approval)}})
		if g.at >= len(g.fragments) {
			break
		}
	}
	run.result = map[string]any{
		"text": []any{g.next(3000), g.next(3000)}, g.next(90): g.next(200), "token": token,
		"approveUrl": approvalLink(run.token["approve"]), "nested": map[string]any{"links": []any{map[string]any{"href": approvalLink(run.token["deny"])}}},
	}
	a.appendEvent(run, fakeEvent{name: "end", payload: map[string]any{"runStatus": "SUCCESS", "message": g.next(200)}})
}

// appendEvent appends an event to a run and wakes the run's streams.
func (a *fakeAPI) appendEvent(run *fakeRun, e fakeEvent) {
	e.payload["runId"] = run.id
	e.payload["timestamp"] = time.Unix(1.8e9, 0).Add(time.Duration(len(run.events)) * 1001 * time.Millisecond).UTC().Format(time.RFC3339Nano)
	run.events = append(run.events, e)
	if status := e.payload["runStatus"].(string); !strings.Contains(status, " ") {
		run.status = status
	}
	close(a.changed)
	a.changed = make(chan struct{})
}

func approvalActions(run *fakeRun) []map[string]string {
	return []map[string]string{{"action": "approve", "url": approvalLink(run.token["approve"])}, {"action": "deny", "url": approvalLink(run.token["deny"])}}
}

func (a *fakeAPI) newPendingStep(run *fakeRun) map[string]any {
	g := run.allNoLinks
	return map[string]any{
		"approval": "PENDING", "approvalActions": approvalActions(run), "text": g.next(1200), "reason": g.next(450) + run.token["approve"] + " " + run.token["deny"],
		"toolCalls": []any{map[string]any{"toolCallId": fmt.Sprint(len(run.events), " ", g.next(80)), "toolName": g.next(100), "toolParameters": map[string]any{"text": g.next(1200)}}},
	}
}

// newStep returns a step with secrets in every field.
func (a *fakeAPI) newStep(run *fakeRun, g *generator, approval string) map[string]any {
	parameters := map[string]any{"text": g.next(1200), "request": a.unknownSecrets(), "number": json.Number("12345678901234567890")}
	result := map[string]any{"approvalResult": map[string]any{"status": approval, "text": g.next(300)}, "executionResult": g.next(1500)}
	return map[string]any{
		"approval": approval, "text": g.next(1200) + shortTokenLinks(), "reason": g.next(450),
		"toolCalls": []any{map[string]any{"toolCallId": fmt.Sprint(len(run.events), " ", g.next(80)), "toolName": g.next(100), "toolParameters": parameters, "toolResult": result}},
	}
}

// unknownSecrets returns the request of a tool call with secrets that the server
// does not know. Only their context (a header's name, a PEM block) shows them.
func (a *fakeAPI) unknownSecrets() map[string]any {
	basic := func(location string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+a.canaryFor(location)))
	}
	inside, err := json.Marshal(map[string]any{"headers": map[string]any{"Authorization": "Bearer " + a.canaryFor("JSON bearer"), "Cookie": "sid=" + a.canaryFor("JSON cookie")}})
	if err != nil {
		panic(err)
	}
	return map[string]any{
		"headers": map[string]any{
			"Authorization": "Bearer " + a.canaryFor("bearer"), "Proxy-Authorization": basic("proxy"),
			"Cookie": "a=b; sid=" + a.canaryFor("cookie"), "set-cookie": []any{"sid=" + a.canaryFor("set-cookie") + "; Secure"},
		},
		"lines":   "POST / HTTP/1.1\r\nAuthorization: ApiKey " + a.canaryFor("line authorization") + "\r\nCookie: a=b; sid=" + a.canaryFor("line cookie"),
		"command": "curl -H 'Authorization: " + basic("curl basic") + "' 'https://x.test/?a=1'",
		"body":    string(inside),
		"key":     "-----BEGIN RSA PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString([]byte(a.canaryFor("private key"))) + "\n-----END RSA PRIVATE KEY-----",
	}
}

// streamEvents sends a run's events from the first on, until the run ends. Every
// second event has its tokens in JSON escapes.
func (a *fakeAPI) streamEvents(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	run := a.findRun(w, r)
	a.mu.Unlock()
	if run == nil {
		return
	}
	var escapes []string
	for _, token := range run.token {
		escapes = append(escapes, token, encodings()["JSON escapes"](token))
	}
	escape := strings.NewReplacer(escapes...)
	w.Header().Set("Content-Type", "text/event-stream")
	for sent := 0; ; {
		a.mu.Lock()
		events, changed := run.events[sent:], a.changed
		a.mu.Unlock()
		for _, e := range events {
			sent++
			data, err := json.Marshal(e.payload)
			if err != nil {
				panic(err)
			}
			text := string(data)
			if sent%2 == 0 {
				text = escape.Replace(text)
			}
			id := fmt.Sprint(sent)
			if strings.HasPrefix(e.name, "it is") {
				id = e.name
			}
			fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", id, e.name, text)
			w.(http.Flusher).Flush()
			if e.name == "end" {
				return
			}
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}
