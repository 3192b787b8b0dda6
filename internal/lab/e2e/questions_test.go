package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// initializeWithElicitation is the initialize message of a client that can ask its
// person.
const initializeWithElicitation = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{}},"clientInfo":{"name":"raw","version":"1"}}}`

// startElicitationSession starts a session whose person can be asked.
func startElicitationSession(t *testing.T, c *program.Tenant) {
	_, _, header := c.Send(t, "", initializeWithElicitation, nil)
	c.Session = header.Get("Mcp-Session-Id")
}

// getRunMessage returns a call of get_run with a message id and a wait in seconds.
func getRunMessage(runID string, id, wait int) string {
	call := program.ToolCall("get_run", map[string]any{"runId": runID, "waitSeconds": wait})
	return strings.Replace(call, `"id":1`, fmt.Sprintf(`"id":%d`, id), 1)
}

// acceptMessage returns the client's response to a question: the person approves.
func acceptMessage(questionID string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"result":{"action":"accept","content":{"decision":"approve"}}}`, questionID)
}

// TestQuestionOverHTTP holds that a question outlives the response that carried it. A
// later request can answer it, and it is withdrawn on any stream that is open.
func TestQuestionOverHTTP(t *testing.T) {
	for name, tt := range map[string]struct {
		wait  int // seconds of the call that asks
		check func(*testing.T, *openQuestion)
	}{
		"answered":                                {1, checkAnswered},
		"withdrawn on the stream of GET":          {1, checkWithdrawnOnGET},
		"withdrawn on the call's own response":    {30, checkWithdrawnOnOwnResponse},
		"withdrawn on another call's response":    {1, checkWithdrawnOnOtherResponse},
		"asked again in the client's new session": {1, checkAskedAgain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := startSandbox(t)
			url := program.ServeHTTP(t, io.Discard, nil, "--api-url", box.URL(), "--integrations=*", "--approval-strategy=ON_START")
			me := &program.Tenant{URL: url, Key: sandbox.DefaultKey}
			startElicitationSession(t, me)
			me.CreateRun(t, "steps=1 queue_ms=0")
			q := &openQuestion{me: me, runID: me.Runs[0], wait: tt.wait}
			tt.check(t, q)
		})
	}
}

// openQuestion is a question about a run that waits for approval.
type openQuestion struct {
	me    *program.Tenant
	runID string
	wait  int // seconds of the call that asks
}

// ask calls get_run and returns the question's id and the rest of the response. If the
// wait is short, the call has ended when ask returns.
func (q *openQuestion) ask(t *testing.T) (id string, next func() string) {
	t.Helper()
	next = q.me.Stream(t, getRunMessage(q.runID, 1, q.wait), nil)
	question := next()
	var request struct{ ID, Method string }
	if json.Unmarshal([]byte(question), &request) != nil || request.Method != "elicitation/create" {
		t.Fatalf("got no question: %s", question)
	}
	if q.wait == 1 {
		if answer := next(); !strings.Contains(answer, "the question stays open") {
			t.Fatalf("the call did not end: %s", answer)
		}
	}
	return request.ID, next
}

// abort aborts the run in another session.
func (q *openQuestion) abort(t *testing.T) {
	other := program.NewTenant(t, q.me.URL, q.me.Key)
	other.Send(t, other.Session, program.ToolCall("abort_run", map[string]any{"runId": q.runID}), nil)
}

func checkAnswered(t *testing.T, q *openQuestion) {
	id, _ := q.ask(t)
	status, _, _ := q.me.Send(t, q.me.Session, acceptMessage(id), nil)
	// The run may end before the API's answer to the decision is back: then the next call
	// tells it.
	told := ""
	for range 10 {
		_, result, _ := q.me.Send(t, q.me.Session, getRunMessage(q.runID, 1, 30), nil)
		if told += result; strings.Contains(told, "SUCCESS") && strings.Contains(told, "The decision to approve was accepted by the API.") {
			break
		}
	}
	if status != http.StatusAccepted || strings.Count(told, "The decision to approve was accepted by the API.") != 2 { // in the text and the structure
		t.Errorf("status %d: %s", status, told)
	}
}

func checkWithdrawnOnGET(t *testing.T, q *openQuestion) {
	next := q.me.Stream(t, "", nil)
	id, _ := q.ask(t)
	q.abort(t)
	requireWithdrawn(t, next(), id)
}

func checkWithdrawnOnOwnResponse(t *testing.T, q *openQuestion) {
	id, next := q.ask(t)
	q.abort(t)
	requireWithdrawn(t, next(), id)
}

func checkWithdrawnOnOtherResponse(t *testing.T, q *openQuestion) {
	id, _ := q.ask(t)
	// Progress opens the stream of the response at once; a keep-alive would do so after
	// 15 s only.
	call := strings.Replace(getRunMessage(q.runID, 2, 30), `"arguments"`, `"_meta":{"progressToken":2},"arguments"`, 1)
	next := q.me.Stream(t, call, nil)
	q.abort(t)
	message := next()
	for strings.Contains(message, "notifications/progress") {
		message = next()
	}
	requireWithdrawn(t, message, id)
}

func requireWithdrawn(t *testing.T, message, questionID string) {
	t.Helper()
	if !strings.Contains(message, "notifications/cancelled") || !strings.Contains(message, questionID) {
		t.Errorf("not withdrawn: %s", message)
	}
}

// checkAskedAgain ends the session: its questions end with it, and the client's next
// session is asked again.
func checkAskedAgain(t *testing.T, q *openQuestion) {
	id, _ := q.ask(t)
	resp := q.me.Do(t.Context(), t, http.MethodDelete, q.me.Session, "", nil)
	resp.Body.Close()
	if status, _, _ := q.me.Send(t, q.me.Session, acceptMessage(id), nil); status != http.StatusNotFound {
		t.Errorf("an answer in the ended session: status %d", status)
	}
	startElicitationSession(t, q.me)
	next := q.me.Stream(t, getRunMessage(q.runID, 1, 30), nil)
	if question := next(); !strings.Contains(question, "elicitation/create") || !strings.Contains(question, `"server-1"`) {
		t.Fatalf("not asked again: %s", question)
	}
	q.me.Send(t, q.me.Session, acceptMessage(id), nil)
	if result := next(); !strings.Contains(result, "The decision to approve was accepted by the API. The run ended with SUCCESS") {
		t.Error(result)
	}
}

// TestDecideHintOverHTTP holds that a result says where a person can decide if the
// client cannot ask. It never names a way that works on the operator's machine only.
func TestDecideHintOverHTTP(t *testing.T) {
	box := startSandbox(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--api-url", box.URL(), "--integrations=*"}, "Tell the user to decide in the vendor's console."},
		{[]string{"--sandbox"}, "Tell the user to decide with an MCP client that can ask them: the sandbox has no console."},
		{[]string{"--sandbox", "--decide-hint", "at https://ops.example.com/RUN_ID"}, "Tell the user to decide at https://ops.example.com/{id}."},
	} {
		url := program.ServeHTTP(t, io.Discard, nil, append(tt.args, "--approval-strategy=ON_START")...)
		me := program.NewTenant(t, url, sandbox.DefaultKey)
		answer, id := approveWithoutElicitation(t, me)
		if !strings.Contains(answer, strings.ReplaceAll(tt.want, "{id}", id)) {
			t.Errorf("%s: got %s", tt.args, answer)
		}
	}
}

// approveWithoutElicitation creates a run that waits for approval and calls approve
// from a session that cannot ask. It returns the answer and the run's id.
func approveWithoutElicitation(t *testing.T, me *program.Tenant) (answer, runID string) {
	me.CreateRun(t, "steps=1")
	runID = me.Runs[len(me.Runs)-1]
	if _, body, _ := me.Send(t, me.Session, getRunMessage(runID, 1, 30), nil); !strings.Contains(body, "PAUSED") {
		t.Fatal(body)
	}
	_, answer, _ = me.Send(t, me.Session, program.ToolCall("approve", map[string]any{"runId": runID}), nil)
	return answer, runID
}
