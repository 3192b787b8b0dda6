package tools_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

const (
	withTasks  = `{"extensions":{"io.modelcontextprotocol/tasks":{}},"elicitation":{"form":{},"url":{}}}`
	onlyTasks  = `{"extensions":{"io.modelcontextprotocol/tasks":{}}}`
	stateful   = "2025-11-25"
	canBeAsked = `{"elicitation":{"form":{},"url":{}}}`
)

// asTasks is a server on which a person decides and runs are tasks.
func asTasks(o *tools.Options) {
	human(o)
	o.Tasks = true
}

// taskOf is a task of either revision.
type taskOf struct {
	ResultType                               string
	TaskID, Status, StatusMessage            string
	CreatedAt, LastUpdatedAt                 string
	TTLMs, TTL                               json.RawMessage
	PollIntervalMs, PollInterval             int64
	InputRequests                            map[string]inputRequest
	Result                                   json.RawMessage
	Error                                    json.RawMessage
	Content, StructuredContent, RequestState json.RawMessage
}

type inputRequest struct {
	Method string
	Params struct {
		Mode, Message, URL, ElicitationID string
		RequestedSchema                   json.RawMessage
	}
}

// createTask calls create_run with a context for the sandbox, and more arguments.
func createTask(w *testbed.Wire, context, more string) taskOf {
	return testbed.Result[taskOf](w, "tools/call", fmt.Sprintf(`"name":"create_run","arguments":{"intent":"x","context":"sandbox: %s"%s}`, context, more))
}

// getTask reads a task until it has a status, or any that is not "" nor working.
func getTask(t *testing.T, w *testbed.Wire, id, status string) taskOf {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		got := testbed.Result[taskOf](w, "tasks/get", fmt.Sprintf(`"taskId":%q`, id))
		if got.Status == status {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("not %s: %+v", status, got)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// updateTask answers the input requests of a task with an action, and a decision if it is
// not "".
func updateTask(w *testbed.Wire, id, key, action, decision string) {
	testbed.Result[taskOf](w, "tasks/update", fmt.Sprintf(`"taskId":%q,"inputResponses":{%q:{"action":%q,"content":{"decision":%q}}}`, id, key, action, decision))
}

// only returns the one input request of a task.
func only(t *testing.T, got taskOf) (key string, request inputRequest) {
	t.Helper()
	if len(got.InputRequests) != 1 {
		t.Fatalf("%d input requests: %+v", len(got.InputRequests), got)
	}
	for key, request = range got.InputRequests {
	}
	return key, request
}

// TestTask: a create becomes a task, which goes from working over input_required to
// completed, with the result that get_run gives.
func TestTask(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(testbed.Newest, withTasks)
	created := createTask(w, "step_ms=1 steps=2", `,"approvalStrategy":"ON_START"`)
	if created.ResultType != "task" || created.Status != "working" || string(created.TTLMs) != "null" || created.PollIntervalMs != 3000 ||
		created.CreatedAt == "" || created.LastUpdatedAt == "" || created.Content != nil || created.StructuredContent != nil || created.Result != nil || created.InputRequests != nil {
		t.Fatalf("created: %+v", created)
	}
	waiting := getTask(t, w, created.TaskID, "input_required")
	key, question := only(t, waiting)
	if waiting.ResultType != "complete" || question.Method != "elicitation/create" || !strings.HasPrefix(question.Params.Message, "A run asks to start: the whole run") ||
		!strings.Contains(string(question.Params.RequestedSchema), `"deny","approve"`) {
		t.Errorf("waiting: %+v", waiting)
	}
	updateTask(w, created.TaskID, key, "accept", "approve")
	ended := getTask(t, w, created.TaskID, "completed")
	var result struct {
		ResultType        string
		Content           []struct{ Type, Text string }
		StructuredContent any
	}
	if err := json.Unmarshal(ended.Result, &result); err != nil {
		t.Fatal(err)
	}
	plain := testbed.Result[struct{ StructuredContent any }](w, "tools/call", fmt.Sprintf(`"name":"get_run","arguments":{"runId":%q}`, created.TaskID))
	if result.ResultType != "complete" || len(result.Content) != 1 || !reflect.DeepEqual(result.StructuredContent, plain.StructuredContent) {
		t.Errorf("the result is %s, but get_run gives %v", ended.Result, plain.StructuredContent)
	}
	if n := bed.Sandbox.Stats().ApprovalCalls; n != 1 {
		t.Errorf("%d decisions were sent", n)
	}
}

// TestNoTask: who does not declare the extension, or waits, gets what all get.
func TestNoTask(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	for name, w := range map[string]*testbed.Wire{
		"not declared": bed.ConnectWire(testbed.Newest, canBeAsked),
		"stateful":     bed.ConnectWire(stateful, canBeAsked),
	} {
		if got := createTask(w, "step_ms=1", ""); got.StructuredContent == nil || got.TaskID != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	w := bed.ConnectWire(testbed.Newest, withTasks)
	if got := createTask(w, "step_ms=1", `,"waitSeconds":10`); got.StructuredContent == nil || got.TaskID != "" || got.ResultType != "complete" {
		t.Errorf("waiting: %+v", got)
	}
	for _, method := range []string{"tasks/get", "tasks/update", "tasks/cancel", "subscriptions/listen"} {
		m := bed.ConnectWire(testbed.Newest, canBeAsked).Call(method, `"taskId":"x","inputResponses":{},"notifications":{"taskIds":["x"]}`)
		if m.Error == nil || m.Error.Code != -32021 || !strings.Contains(string(m.Error.Data), `"extensions":{"io.modelcontextprotocol/tasks":{}}`) {
			t.Errorf("%s: %+v", method, m)
		}
	}
	for _, method := range []string{"tasks/result", "tasks/list"} {
		if m := w.Call(method, `"taskId":"x"`); m.Error == nil || m.Error.Code != -32601 {
			t.Errorf("%s: %+v", method, m)
		}
	}
}

// TestUnknownTasks: ids that are made up, altered or another caller's are answered alike.
func TestUnknownTasks(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	id := createTask(bed.ConnectWire(testbed.Newest, withTasks), "step_ms=60000", "").TaskID
	theirs := *bed
	theirs.Caller = client.Caller{Key: "another-key-another-key", UserID: bed.Caller.UserID}
	answers := map[string]bool{}
	for _, tt := range []struct {
		bed *testbed.Bed
		id  string
	}{
		{bed, unknownRun}, {bed, strings.ToUpper(id)}, {bed, id + " "}, {bed, "run://" + id}, {bed, ""}, {bed, "../" + id}, {bed, id[:35] + "g"},
	} {
		w := tt.bed.ConnectWire(testbed.Newest, withTasks)
		for _, method := range []string{"tasks/get", "tasks/update", "tasks/cancel"} {
			m := w.Call(method, fmt.Sprintf(`"taskId":%q,"inputResponses":{}`, tt.id))
			if m.Error == nil || m.Error.Code != -32602 {
				t.Errorf("%s of %q: %+v", method, tt.id, m)
				continue
			}
			answers[m.Error.Message+string(m.Error.Data)] = true
		}
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
}

// TestRefusedTask: a task whose question was refused is working, and says why.
func TestRefusedTask(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(testbed.Newest, withTasks)
	for action, says := range map[string]string{"decline": "they declined to answer", "cancel": "they dismissed the question", "accept": "without a choice"} {
		id := createTask(w, "step_ms=1 steps=1", `,"approvalStrategy":"ON_START"`).TaskID
		key, _ := only(t, getTask(t, w, id, "input_required"))
		updateTask(w, id, key, action, "perhaps")
		got := testbed.Result[taskOf](w, "tasks/get", fmt.Sprintf(`"taskId":%q`, id))
		if got.Status != "working" || got.InputRequests != nil || !strings.Contains(got.StatusMessage, says) || !strings.Contains(got.StatusMessage, "The user can decide ") {
			t.Errorf("%s: %+v", action, got)
		}
		updateTask(w, id, key, "accept", "approve") // a used key
		if got := testbed.Result[taskOf](w, "tasks/get", fmt.Sprintf(`"taskId":%q`, id)); got.Status != "working" {
			t.Errorf("%s: a used key counts: %+v", action, got)
		}
	}
	if n := bed.Sandbox.Stats().ApprovalCalls; n != 0 {
		t.Errorf("%d decisions were sent", n)
	}
}

// TestForgedKeys: keys of another run, of another user, altered ones and old ones count
// for nothing.
func TestForgedKeys(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(testbed.Newest, withTasks)
	const waits = `,"approvalStrategy":"ON_TOOL_CALL"`
	one, other := createTask(w, "step_ms=1 steps=2", waits).TaskID, createTask(w, "step_ms=1 steps=2", waits).TaskID
	key, _ := only(t, getTask(t, w, one, "input_required"))
	otherKey, _ := only(t, getTask(t, w, other, "input_required"))
	theirs := *bed
	theirs.Caller.UserID = "user-2"
	theirKey, _ := only(t, getTask(t, theirs.ConnectWire(testbed.Newest, withTasks), one, "input_required"))
	forged := []string{otherKey, theirKey, strings.ToUpper(key), key + "A", key[:len(key)-1], "", "decision", "unknown-key"}
	for i := range key {
		altered := []byte(key)
		altered[i] = 'x'
		if key[i] == 'x' {
			altered[i] = 'y'
		}
		forged = append(forged, string(altered))
	}
	for _, f := range forged {
		updateTask(w, one, f, "accept", "approve")
	}
	if n := bed.Sandbox.Stats().ApprovalCalls; n != 0 {
		t.Fatalf("%d decisions were sent", n)
	}
	if again, _ := only(t, getTask(t, w, one, "input_required")); again != key {
		t.Errorf("the key changed from %s to %s", key, again)
	}
	updateTask(w, one, key, "accept", "approve")
	updateTask(w, one, key, "accept", "approve")
	for {
		got := getTask(t, w, one, "input_required")
		if second, _ := only(t, got); second != key { // the second step asks
			updateTask(w, one, key, "accept", "deny") // superseded
			updateTask(w, one, second, "accept", "approve")
			break
		}
	}
	getTask(t, w, one, "completed")
	if n := bed.Sandbox.Stats().ApprovalCalls; n != 2 {
		t.Errorf("%d decisions were sent", n)
	}
}

// TestTaskOnAnotherReplica: the handle works, the question has the same key, and the
// answer counts there.
func TestTaskOnAnotherReplica(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	first := bed.ConnectWire(testbed.Newest, withTasks)
	id := createTask(first, "step_ms=1 steps=1", `,"approvalStrategy":"ON_TOOL_CALL"`).TaskID
	key, _ := only(t, getTask(t, first, id, "input_required"))
	replica := testbed.NewReplica(t, bed, asTasks)
	second := replica.ConnectWire(testbed.Newest, withTasks)
	if again, _ := only(t, getTask(t, second, id, "input_required")); again != key {
		t.Errorf("the keys are %s and %s", key, again)
	}
	updateTask(second, id, key, "accept", "approve")
	getTask(t, second, id, "completed")
	getTask(t, first, id, "completed")
}

// TestTaskThatNobodyCanBeAskedAbout is working, and says where to decide.
func TestTaskThatNobodyCanBeAskedAbout(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(testbed.Newest, onlyTasks)
	id := createTask(w, "step_ms=1", `,"approvalStrategy":"ON_START"`).TaskID
	for {
		got := getTask(t, w, id, "working")
		if strings.Contains(got.StatusMessage, "PAUSED") {
			if !strings.Contains(got.StatusMessage, "The user can decide ") || got.InputRequests != nil {
				t.Errorf("%+v", got)
			}
			return
		}
	}
}

// TestAuthorizationTask: the link is an input request of its own mode; opened, it is not
// asked again.
func TestAuthorizationTask(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(testbed.Newest, withTasks)
	id := createTask(w, "step_ms=1 auth=required auth_ms=3600000", "").TaskID
	key, question := only(t, getTask(t, w, id, "input_required"))
	if question.Params.Mode != "url" || question.Params.URL == "" || question.Params.ElicitationID != key {
		t.Errorf("%+v", question)
	}
	updateTask(w, id, key, "accept", "")
	got := getTask(t, w, id, "working")
	if !strings.Contains(got.StatusMessage, "The user was sent to the link") || strings.Contains(got.StatusMessage, question.Params.URL) {
		t.Errorf("%+v", got)
	}
}

// TestCancelTask: it aborts the run, and is acknowledged also when the run has ended.
func TestCancelTask(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(testbed.Newest, withTasks)
	id := createTask(w, "step_ms=60000", "").TaskID
	for range 2 {
		if m := w.Call("tasks/cancel", fmt.Sprintf(`"taskId":%q`, id)); string(m.Result) != acknowledgement {
			t.Errorf("got %s %+v", m.Result, m.Error)
		}
		if got := getTask(t, w, id, "cancelled"); got.Result != nil || got.InputRequests != nil {
			t.Errorf("got %+v", got)
		}
	}
	for _, abort := range []string{"409", "404", "200"} { // what the API may say of a run that has ended
		done := createTask(w, "step_ms=1 abort="+abort, "").TaskID
		getTask(t, w, done, "completed")
		if m := w.Call("tasks/cancel", fmt.Sprintf(`"taskId":%q`, done)); string(m.Result) != acknowledgement {
			t.Errorf("the API says %s: %s %+v", abort, m.Result, m.Error)
		}
		getTask(t, w, done, "completed")
	}
}

// acknowledgement is the empty result of 2026-07-28.
const acknowledgement = `{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"test","version":"1","title":"Runs"}},"resultType":"complete"}`

// TestMalformedAnswers: an answer under a good key that is none counts as cancelled, as
// it does in an input round.
func TestMalformedAnswers(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(testbed.Newest, withTasks)
	for _, answer := range []string{`{}`, `null`, `7`, `"approve"`, `[]`, `{"action":7}`, `{"action":"approve"}`, `{"content":{"decision":"approve"}}`} {
		id := createTask(w, "step_ms=1 steps=1", `,"approvalStrategy":"ON_START"`).TaskID
		key, _ := only(t, getTask(t, w, id, "input_required"))
		testbed.Result[taskOf](w, "tasks/update", fmt.Sprintf(`"taskId":%q,"inputResponses":{%q:%s}`, id, key, answer))
		got := testbed.Result[taskOf](w, "tasks/get", fmt.Sprintf(`"taskId":%q`, id))
		if got.Status != "working" || !strings.Contains(got.StatusMessage, "they dismissed the question") {
			t.Errorf("%s: %+v", answer, got)
		}
	}
	if n := bed.Sandbox.Stats().ApprovalCalls; n != 0 {
		t.Errorf("%d decisions were sent", n)
	}
}

// TestTasksShowNoTokens: nothing that a task says holds an approval token, or a link to
// approve, wherever the run's texts have one.
func TestTasksShowNoTokens(t *testing.T) {
	const token, link = "a-secret-token-1", "https://x/v1/runs/approval?token=a-secret-token-1"
	actions := `"approvalActions":[{"action":"approve","url":"` + link + `"}]`
	step := func(approval string) string {
		return `"step":{"approval":"` + approval + `","text":"use ` + token + ` at ` + link + `","reason":"` + token + `","toolCalls":[{"toolCallId":"1","toolName":"` + token + `","toolParameters":{"x":"` + token + `"}}],` + actions + `}`
	}
	for status, events := range map[string]string{
		"PAUSED":  `[{"id":1,"event":"step","runStatus":"PAUSED",` + step("PENDING") + `}]`,
		"RUNNING": `[{"id":1,"event":"step","runStatus":"PAUSED",` + step("PENDING") + `},{"id":2,"event":"step","runStatus":"RUNNING",` + step("APPROVED") + `}]`,
		"FAILED":  `[{"id":1,"event":"step","runStatus":"PAUSED",` + step("PENDING") + `},{"id":2,"event":"step","runStatus":"FAILED",` + step("APPROVED") + `}]`,
	} {
		bed := testbed.New(t, asTasks, scripted(status, events))
		for _, w := range []*testbed.Wire{bed.ConnectWire(testbed.Newest, withTasks), bed.ConnectWire(testbed.Newest, onlyTasks), bed.ConnectWire(stateful, canBeAsked)} {
			m := w.Call("tasks/get", fmt.Sprintf(`"taskId":%q`, unknownRun))
			if m.Error != nil || strings.Contains(string(m.Result), token) || strings.Contains(string(m.Result), "/approval?") {
				t.Errorf("%s: %s %+v", status, m.Result, m.Error)
			}
		}
	}
}

// TestPartialAnswers: several approvals wait at a time, and each is answered by itself.
func TestPartialAnswers(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(testbed.Newest, withTasks)
	id := createTask(w, "step_ms=1 approvals=parallel:3", `,"approvalStrategy":"ON_TOOL_CALL"`).TaskID
	waiting := getTask(t, w, id, "input_required")
	for len(waiting.InputRequests) < 3 {
		waiting = getTask(t, w, id, "input_required")
	}
	left := len(waiting.InputRequests)
	for key := range waiting.InputRequests {
		updateTask(w, id, key, "accept", "approve")
		if left--; left == 0 {
			break
		}
		if now := getTask(t, w, id, "input_required"); len(now.InputRequests) != left || now.InputRequests[key].Method != "" {
			t.Errorf("%d are to be left: %+v", left, now)
		}
	}
	getTask(t, w, id, "completed")
	if n := bed.Sandbox.Stats().ApprovalCalls; n != 3 {
		t.Errorf("%d decisions were sent", n)
	}
}
