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

// leakyRun is a run of the leaky API.
type leakyRun struct {
	id, key, kind string
	status        string
	fixed, plan   map[string]any // of its document; a person is not asked again for what was not changed
	events        []leakyEvent
	result        any
	voice         *voice // knows all its secrets, and links
	asked         *voice // the same without links, for what a person is asked
	early         *voice // only those that need no event to be known, and links
	plain         *voice // the same without links
	token         map[string]string
}

// leakyEvent is an event as the stream tells it.
type leakyEvent struct {
	name    string
	payload map[string]any
	hidden  bool // the stored events say nothing of its content
}

// texts are what a run's document says besides how the run stands.
func (run *leakyRun) texts() map[string]any {
	return map[string]any{
		"runId": run.id, "executionPlanId": "plan-" + run.id, "intent": run.plain.say(1500), "context": run.early.say(1500), "createdAt": run.early.say(90), "updatedAt": run.early.say(90),
		"repeatRunId": run.early.say(90), "approveUrl": approvalLink(run.token["approveUrl"]), "nested": map[string]any{"links": []any{map[string]any{"href": approvalLink(run.token["href"])}}},
	}
}

// document is a run as it is read.
func (run *leakyRun) document(events bool) map[string]any {
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

func (run *leakyRun) planSaying(turn int) map[string]any {
	v, link := voiceOf(turn, run.key), approvalLink(run.token["plan"])
	if run.kind == "start" { // then a person is asked about it
		link = ""
	}
	step := map[string]any{"id": v.say(90), "description": "see " + link + " " + v.say(250), "dependsOnSteps": []string{v.say(90)}}
	return map[string]any{"planType": "json", "plan": map[string]any{"title": v.say(1000), "description": v.say(1500), "steps": []any{step, step}}, "decideUrl": approvalLink(run.token["plan"])}
}

// eventsOf lets a run come as far as its kind does by itself:
//
//	done       ended, with an event of no known type
//	step       waits for a step's approval, after steps that say everything
//	start      waits for its own approval
//	strange    goes on, with a call that it says nothing of and a status of its own
//	quiet      waits for a step's approval that the stream alone tells of
//	auth       waits for an authorisation
//	refuse-401 as step, but the token is refused with that status
func (a *leakyAPI) eventsOf(run *leakyRun) {
	kind, _, _ := strings.Cut(run.kind, "-")
	a.move(run, leakyEvent{name: "status", payload: map[string]any{"runStatus": "QUEUED"}})
	a.move(run, leakyEvent{name: "step", payload: map[string]any{"runStatus": "RUNNING", "step": map[string]any{"text": briefLinks(), "reason": run.early.say(1)}}})
	a.move(run, leakyEvent{name: "start", payload: map[string]any{"runStatus": "RUNNING", "approveUrl": approvalLink(run.token["approveUrl"])}})
	for run.early.at < len(run.early.phrases) && (kind == "done" || kind == "step") {
		a.move(run, leakyEvent{name: "step", payload: map[string]any{"runStatus": "RUNNING", "step": a.stepOf(run, run.early, "NOT_REQUIRED")}})
	}
	switch kind {
	case "strange":
		calls := []any{map[string]any{"toolName": run.early.say(100)}}
		a.move(run, leakyEvent{name: "step", payload: map[string]any{"runStatus": "RUNNING", "step": map[string]any{"toolCalls": calls}}})
		a.move(run, leakyEvent{name: "odd", payload: map[string]any{"runStatus": run.early.say(90)}})
	case "done":
		a.move(run, leakyEvent{name: "step", payload: map[string]any{"runStatus": "RUNNING", "step": a.pendingStep(run)}})
		odd := map[string]any{"runStatus": run.voice.say(90), "step": map[string]any{"text": 7}, "nested": map[string]any{"links": []any{map[string]any{"href": approvalLink(run.token["href"])}}}}
		a.move(run, leakyEvent{name: "it is " + approvalLink(run.token["approve"]) + " " + run.key, payload: odd})
		a.finish(run)
	case "step", "refuse", "quiet":
		a.move(run, leakyEvent{name: "step", payload: map[string]any{"runStatus": "PAUSED", "step": a.pendingStep(run)}, hidden: kind == "quiet"})
	case "start":
		a.move(run, leakyEvent{name: "run_approval", payload: map[string]any{"runStatus": "PAUSED", "approvalActions": actions(run)}})
	case "auth":
		a.move(run, leakyEvent{name: "authentication", payload: map[string]any{"runStatus": "AUTH_REQUIRED", "auth": map[string]any{
			"status": "required", "integrationName": run.plain.say(100), "url": a.authorizationLink(run)}}})
	}
}

// authorizationLink is the one link that the person at the client is to see.
func (a *leakyAPI) authorizationLink(run *leakyRun) string {
	return "https://auth.test/authorize/" + run.id + "?state=" + url.QueryEscape(a.canary("authorization of "+run.id))
}

// finish ends a run as if it had been approved.
func (a *leakyAPI) finish(run *leakyRun) {
	a.move(run, leakyEvent{name: "run_action", payload: map[string]any{"runStatus": "RUNNING", "by": approvalLink(run.token["approve"]), "not": []any{approvalLink(run.token["deny"])}}})
	for i := range run.events {
		run.events[i].hidden = false // what is stored has caught up
	}
	v, token := run.voice, run.token["approve"]
	if run.kind == "auth" { // nothing told its tokens
		v, token = run.early, ""
	}
	for approval := "APPROVED"; ; approval = "NOT_REQUIRED" {
		a.move(run, leakyEvent{name: "step", payload: map[string]any{"runStatus": "RUNNING", "step": a.stepOf(run, v, approval)}})
		if v.at >= len(v.phrases) {
			break
		}
	}
	run.result = map[string]any{
		"says": []any{v.say(3000), v.say(3000)}, v.say(90): v.say(200), "token": token,
		"approveUrl": approvalLink(run.token["approve"]), "nested": map[string]any{"links": []any{map[string]any{"href": approvalLink(run.token["deny"])}}},
	}
	a.move(run, leakyEvent{name: "end", payload: map[string]any{"runStatus": "SUCCESS", "message": v.say(200)}})
}

// move adds an event to a run, and lets its streams know.
func (a *leakyAPI) move(run *leakyRun, e leakyEvent) {
	e.payload["runId"] = run.id
	e.payload["timestamp"] = time.Unix(1.8e9, 0).Add(time.Duration(len(run.events)) * 1001 * time.Millisecond).UTC().Format(time.RFC3339Nano)
	run.events = append(run.events, e)
	if status := e.payload["runStatus"].(string); !strings.Contains(status, " ") {
		run.status = status
	}
	close(a.changed)
	a.changed = make(chan struct{})
}

func actions(run *leakyRun) []map[string]string {
	return []map[string]string{{"action": "approve", "url": approvalLink(run.token["approve"])}, {"action": "deny", "url": approvalLink(run.token["deny"])}}
}

func (a *leakyAPI) pendingStep(run *leakyRun) map[string]any {
	v := run.asked
	return map[string]any{
		"approval": "PENDING", "approvalActions": actions(run), "text": v.say(1200), "reason": v.say(450) + run.token["approve"] + " " + run.token["deny"],
		"toolCalls": []any{map[string]any{"toolCallId": fmt.Sprint(len(run.events), " ", v.say(80)), "toolName": v.say(100), "toolParameters": map[string]any{"says": v.say(1200)}}},
	}
}

// stepOf is a step that says secrets wherever it can.
func (a *leakyAPI) stepOf(run *leakyRun, v *voice, approval string) map[string]any {
	parameters := map[string]any{"says": v.say(1200), "request": a.strangers(), "number": json.Number("12345678901234567890")}
	result := map[string]any{"approvalResult": map[string]any{"status": approval, "text": v.say(300)}, "executionResult": v.say(1500)}
	return map[string]any{
		"approval": approval, "text": v.say(1200) + briefLinks(), "reason": v.say(450),
		"toolCalls": []any{map[string]any{"toolCallId": fmt.Sprint(len(run.events), " ", v.say(80)), "toolName": v.say(100), "toolParameters": parameters, "toolResult": result}},
	}
}

// strangers are secrets of a tool call that nobody knows but by their
// surroundings.
func (a *leakyAPI) strangers() map[string]any {
	basic := func(place string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+a.canary(place)))
	}
	inside, err := json.Marshal(map[string]any{"headers": map[string]any{"Authorization": "Bearer " + a.canary("JSON bearer"), "Cookie": "sid=" + a.canary("JSON cookie")}})
	if err != nil {
		panic(err)
	}
	return map[string]any{
		"headers": map[string]any{
			"Authorization": "Bearer " + a.canary("bearer"), "Proxy-Authorization": basic("proxy"),
			"Cookie": "a=b; sid=" + a.canary("cookie"), "set-cookie": []any{"sid=" + a.canary("set-cookie") + "; Secure"},
		},
		"lines":   "POST / HTTP/1.1\r\nAuthorization: ApiKey " + a.canary("line authorization") + "\r\nCookie: a=b; sid=" + a.canary("line cookie"),
		"command": "curl -H 'Authorization: " + basic("curl basic") + "' 'https://x.test/?a=1'",
		"body":    string(inside),
		"key":     "-----BEGIN RSA PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString([]byte(a.canary("private key"))) + "\n-----END RSA PRIVATE KEY-----",
	}
}

// stream tells a run's events from the first on, and stays until it has ended.
// Every other one has its tokens written in JSON escapes, on the wire.
func (a *leakyAPI) stream(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	run := a.find(w, r)
	a.mu.Unlock()
	if run == nil {
		return
	}
	var escapes []string
	for _, token := range run.token {
		escapes = append(escapes, token, disguises()["JSON escapes"](token))
	}
	escape := strings.NewReplacer(escapes...)
	w.Header().Set("Content-Type", "text/event-stream")
	for told := 0; ; {
		a.mu.Lock()
		events, changed := run.events[told:], a.changed
		a.mu.Unlock()
		for _, e := range events {
			told++
			data, err := json.Marshal(e.payload)
			if err != nil {
				panic(err)
			}
			text := string(data)
			if told%2 == 0 {
				text = escape.Replace(text)
			}
			id := fmt.Sprint(told)
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
