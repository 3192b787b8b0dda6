package tools_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// statefulTask is the answer to a call that became a task of 2025-11-25.
type statefulTask struct {
	Task taskOf
	Meta map[string]any `json:"_meta"`
}

// createStateful calls create_run as a task of 2025-11-25.
func createStateful(w *testbed.Wire, context, more string) statefulTask {
	return testbed.Result[statefulTask](w, "tools/call", fmt.Sprintf(`"name":"create_run","arguments":{"intent":"x","context":"sandbox: %s"%s},"task":{"ttl":60000}`, context, more))
}

const (
	approveForm = `{"action":"accept","content":{"decision":"approve"}}`
	declineForm = `{"action":"decline"}`
)

// TestStatefulTask: a call of create_run with task becomes a task. Its owner is asked and
// told of changes, and tasks/result waits for the end.
func TestStatefulTask(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(stateful, canBeAsked)
	created := createStateful(w, "step_ms=1 steps=2", `,"approvalStrategy":"ON_START","waitSeconds":30`)
	got := created.Task
	if got.Status != "working" || string(got.TTL) != "null" || got.PollInterval != 3000 || got.CreatedAt == "" || got.LastUpdatedAt == "" ||
		created.Meta["io.modelcontextprotocol/model-immediate-response"] == nil {
		t.Fatalf("%+v", created)
	}
	waiting := getTask(t, w, got.TaskID, "input_required")
	if waiting.ResultType != "" || waiting.InputRequests != nil || waiting.PollInterval != 3000 {
		t.Errorf("%+v", waiting)
	}
	question := w.Notification("elicitation/create")
	if again := getTask(t, w, got.TaskID, "input_required"); !strings.HasPrefix(again.StatusMessage, "The run is PAUSED") {
		t.Errorf("while the person is asked: %+v", again)
	}
	w.Reply(question, approveForm)
	result := w.Call("tasks/result", fmt.Sprintf(`"taskId":%q`, got.TaskID))
	related := relatedTask(got.TaskID)
	if _, ok := created.Meta["io.modelcontextprotocol/related-task"]; !ok {
		t.Errorf("%+v", created)
	}
	if result.Error != nil || !strings.Contains(string(result.Result), related) || !strings.Contains(string(result.Result), `"status":"SUCCESS"`) {
		t.Errorf("%s %+v", result.Result, result.Error)
	}
	if !strings.Contains(string(question.Params), related) {
		t.Errorf("asked: %s", question.Params)
	}
	for {
		n := w.Notification("notifications/tasks/status")
		var told taskOf
		err := json.Unmarshal(n.Params, &told)
		isPollSensible := told.PollInterval == 30_000 || told.PollInterval == 500 && told.Status == "input_required" // the poll has the person asked
		if err != nil || told.TaskID != got.TaskID || !isPollSensible || string(told.TTL) != "null" {
			t.Fatalf("%s, %v", n.Params, err)
		}
		if told.Status == "completed" {
			break
		}
	}
	if ended := getTask(t, w, got.TaskID, "completed"); ended.Result != nil {
		t.Errorf("%+v", ended)
	}
}

// TestStatefulOffer: 2025-11-25 alone has these tasks.
func TestStatefulOffer(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	for version, offered := range map[string]bool{stateful: true, "2025-06-18": false, "2024-11-05": false} {
		w := bed.ConnectWire(version, canBeAsked)
		list := w.Call("tools/list", "")
		want := 0
		if offered {
			want = len(tools.CreatingNames())
		}
		if got := strings.Count(string(list.Result), `"execution":{"taskSupport":"optional"}`); got != want || strings.Count(string(list.Result), "taskSupport") != want {
			t.Errorf("%s: %s", version, list.Result)
		}
		for _, method := range []string{"tasks/get", "tasks/list", "tasks/result", "tasks/cancel"} {
			m := w.Call(method, fmt.Sprintf(`"taskId":%q`, unknownRun))
			if isUnknown := m.Error != nil && m.Error.Code == -32601; isUnknown == offered {
				t.Errorf("%s %s: %+v", version, method, m)
			}
		}
		if m := w.Call("tasks/update", fmt.Sprintf(`"taskId":%q,"inputResponses":{}`, unknownRun)); m.Error == nil || m.Error.Code != -32601 {
			t.Errorf("%s: %+v", version, m)
		}
		initialized := w.Call("initialize", fmt.Sprintf(`"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"again","version":"1"}`, version))
		if got := strings.Contains(string(initialized.Result), `"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}`); got != offered {
			t.Errorf("%s: %s", version, initialized.Result)
		}
	}
	w := bed.ConnectWire(stateful, "{}")
	if m := w.Call("tools/call", fmt.Sprintf(`"name":"get_run","arguments":{"runId":%q},"task":{}`, unknownRun)); m.Error == nil || m.Error.Code != -32601 {
		t.Errorf("another tool as a task: %+v", m)
	}
	m := w.Call("tools/call", `"name":"create_run","arguments":{"intents":"x"},"task":{}`)
	if m.Error == nil || m.Error.Code != -32602 || !strings.Contains(m.Error.Message, "invalid_argument: ") {
		t.Errorf("a create that fails: %+v", m)
	}
	discovered := bed.ConnectWire(testbed.Newest, "{}").Call("server/discover", "")
	if !strings.Contains(string(discovered.Result), `"extensions":{"io.modelcontextprotocol/tasks":{}}`) || strings.Contains(string(discovered.Result), `"tasks":{"list"`) {
		t.Errorf("%s", discovered.Result)
	}
}

// TestStatefulResult: tasks/result of a run that ended badly is the result itself, though
// the task failed.
func TestStatefulResult(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(stateful, "{}")
	id := createStateful(w, "step_ms=1 outcome=FAILED", "").Task.TaskID
	result := w.Call("tasks/result", fmt.Sprintf(`"taskId":%q`, id))
	if result.Error != nil || !strings.Contains(string(result.Result), `"status":"FAILED"`) {
		t.Errorf("%s %+v", result.Result, result.Error)
	}
	failed := getTask(t, w, id, "failed")
	if !strings.Contains(failed.StatusMessage, "The run ended with FAILED") || !strings.Contains(failed.StatusMessage, id) {
		t.Errorf("%+v", failed)
	}
}

// TestStatefulCancel: a task that goes on is cancelled, one that has ended is not.
func TestStatefulCancel(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(stateful, canBeAsked)
	id := createStateful(w, "step_ms=60000", "").Task.TaskID
	waits := w.Send("tasks/result", fmt.Sprintf(`"taskId":%q`, id))
	got := testbed.Result[taskOf](w, "tasks/cancel", fmt.Sprintf(`"taskId":%q`, id))
	if got.TaskID != id || got.Status != "cancelled" {
		t.Errorf("%+v", got)
	}
	if m := w.Receive(waits); m.Error != nil || !strings.Contains(string(m.Result), "CANCELED") {
		t.Errorf("%+v", m)
	}
	if m := w.Call("tasks/cancel", fmt.Sprintf(`"taskId":%q`, id)); m.Error == nil || m.Error.Code != -32602 {
		t.Errorf("%+v", m)
	}
	if m := w.Call("tasks/cancel", fmt.Sprintf(`"taskId":%q`, unknownRun)); m.Error == nil || m.Error.Code != -32602 || !strings.Contains(m.Error.Message, "no such task") {
		t.Errorf("%+v", m)
	}
}

// TestStatefulRefusal: tasks/result waits on when the person refused, until the run has
// ended.
func TestStatefulRefusal(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	id := createStateful(bed.ConnectWire(stateful, "{}"), "step_ms=1", `,"approvalStrategy":"ON_START"`).Task.TaskID
	w := bed.ConnectWire(stateful, canBeAsked) // another client, which nobody asks by itself
	getTask(t, w, id, "input_required")
	waits := w.Send("tasks/result", fmt.Sprintf(`"taskId":%q`, id))
	question := w.Notification("elicitation/create")
	getTask(t, w, id, "input_required")
	w.Reply(question, declineForm)
	if got := getTask(t, w, id, "working"); !strings.Contains(got.StatusMessage, "declined") {
		t.Errorf("%+v", got)
	}
	testbed.Result[taskOf](w, "tasks/cancel", fmt.Sprintf(`"taskId":%q`, id))
	if m := w.Receive(waits); m.Error != nil || !strings.Contains(string(m.Result), "CANCELED") {
		t.Errorf("%+v", m)
	}
}

// TestListTasks: the caller's runs, newest first, page by page.
func TestListTasks(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(stateful, "{}")
	created := map[string]bool{}
	for range 51 {
		created[createStateful(w, "step_ms=1", "").Task.TaskID] = true
	}
	type list struct {
		Tasks      []taskOf
		NextCursor string
	}
	page := testbed.Result[list](w, "tasks/list", "")
	rest := testbed.Result[list](w, "tasks/list", fmt.Sprintf(`"cursor":%q`, page.NextCursor))
	for _, got := range append(page.Tasks, rest.Tasks...) {
		if !created[got.TaskID] || got.Status == "" || got.CreatedAt == "" {
			t.Errorf("%+v", got)
		}
		delete(created, got.TaskID)
	}
	if len(created) > 0 || len(page.Tasks) != 50 || rest.NextCursor != "" {
		t.Errorf("%d are missing, %d and %d came, then %q", len(created), len(page.Tasks), len(rest.Tasks), rest.NextCursor)
	}
	for _, cursor := range []string{"x", "dGFza3MgMA==", "cGFnZSAy"} {
		if m := w.Call("tasks/list", fmt.Sprintf(`"cursor":%q`, cursor)); m.Error == nil || m.Error.Code != -32602 {
			t.Errorf("%s: %+v", cursor, m)
		}
	}
}

// TestListenToTasks: a listen is told what its tasks are, until they end, and acknowledges
// those that are the caller's.
func TestListenToTasks(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(testbed.Newest, withTasks)
	id := createTask(w, "step_ms=1 steps=1", `,"approvalStrategy":"ON_START"`).TaskID
	listen := w.Send("subscriptions/listen", fmt.Sprintf(`"notifications":{"taskIds":[%q,%q,"x"]}`, unknownRun, id))
	tagged := fmt.Sprintf(`"_meta":{"io.modelcontextprotocol/subscriptionId":%d}`, listen)
	if n := w.Notification("notifications/subscriptions/acknowledged"); !strings.Contains(string(n.Params), fmt.Sprintf(`"notifications":{"taskIds":[%q]}`, id)) || !strings.Contains(string(n.Params), tagged) {
		t.Errorf("%s", n.Params)
	}
	answered := false
	for {
		n := w.Notification("notifications/tasks")
		var told taskOf
		if err := json.Unmarshal(n.Params, &told); err != nil || told.TaskID != id || !strings.Contains(string(n.Params), tagged) || told.PollIntervalMs != 30_000 {
			t.Fatalf("%s, %v", n.Params, err)
		}
		if told.Status == "input_required" && !answered {
			key, _ := only(t, told)
			updateTask(w, id, key, "accept", "approve")
			answered = true
		}
		if told.Status == "completed" {
			if !strings.Contains(string(told.Result), "SUCCESS") {
				t.Errorf("%s", n.Params)
			}
			break
		}
	}
}

// TestPollingClientIsAsked: the person is asked what the run waits for also if the client
// only polls, and not before it does: a client that does not know the task yet could not
// tell what the question is about. Another session that reads the task is asked nothing.
func TestPollingClientIsAsked(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(stateful, canBeAsked)
	var asked []json.RawMessage
	w.Answer = func(_ string, params json.RawMessage) string {
		asked = append(asked, params)
		return approveForm
	}
	id := createStateful(w, "step_ms=1 steps=2", `,"approvalStrategy":"ON_TOOL_CALL"`).Task.TaskID
	for { // until the client is told that the task waits
		var told taskOf
		if err := json.Unmarshal(w.Notification("notifications/tasks/status").Params, &told); err != nil || len(asked) > 0 {
			t.Fatalf("%v; asked: %s", err, asked)
		}
		if told.Status == "input_required" {
			break
		}
	}
	other := bed.ConnectWire(stateful, canBeAsked)
	other.Answer = func(_ string, params json.RawMessage) string {
		t.Errorf("another session was asked %s", params)
		return declineForm
	}
	for range 3 {
		getTask(t, other, id, "input_required")
	}
	getTask(t, w, id, "completed")
	if len(asked) != 2 || !strings.Contains(string(asked[0]), `"io.modelcontextprotocol/related-task":{"taskId":"`+id+`"}`) {
		t.Errorf("asked: %s", asked)
	}
}

// TestResultAsksForAll: tasks/result asks for each of many approvals without a pause.
func TestResultAsksForAll(t *testing.T) {
	const steps = 18
	bed := testbed.New(t, asTasks, nil)
	id := createStateful(bed.ConnectWire(stateful, "{}"), fmt.Sprintf("step_ms=1 steps=%d", steps), `,"approvalStrategy":"ON_TOOL_CALL"`).Task.TaskID
	w, asked := bed.ConnectWire(stateful, canBeAsked), 0
	w.Answer = func(string, json.RawMessage) string {
		asked++
		return approveForm
	}
	if m := w.Call("tasks/result", fmt.Sprintf(`"taskId":%q`, id)); m.Error != nil || asked != steps {
		t.Errorf("asked %d times: %s %+v", asked, m.Result, m.Error)
	}
}

// relatedTask returns the member of _meta that all messages about a task have.
func relatedTask(id string) string {
	return `"io.modelcontextprotocol/related-task":{"taskId":"` + id + `"}`
}

// TestRelatedTask: each message that tasks/result leads to names the task.
func TestRelatedTask(t *testing.T) {
	bed := testbed.New(t, asTasks, nil)
	w := bed.ConnectWire(stateful, canBeAsked)
	result := func(context, more string) (id string, call int) {
		id = createStateful(bed.ConnectWire(stateful, "{}"), context, more).Task.TaskID
		return id, w.Send("tasks/result", fmt.Sprintf(`"taskId":%q,"_meta":{"progressToken":7}`, id))
	}
	id, call := result("step_ms=1 steps=1 auth=required auth_ms=300", "")
	w.Reply(w.Notification("elicitation/create"), `{"action":"accept"}`)
	messages := []testbed.Message{w.Notification("notifications/progress"), w.Notification("notifications/elicitation/complete")}
	if m := w.Receive(call); m.Error != nil {
		t.Fatalf("%+v", *m.Error)
	}
	for _, m := range messages {
		if !strings.Contains(string(m.Params), `"_meta":{`+relatedTask(id)) {
			t.Errorf("%s %s", m.Method, m.Params)
		}
	}
	id, _ = result("step_ms=1 steps=1", `,"approvalStrategy":"ON_START"`)
	w.Notification("elicitation/create")
	testbed.Result[taskOf](w, "tasks/cancel", fmt.Sprintf(`"taskId":%q`, id))
	if m := w.Notification("notifications/cancelled"); !strings.Contains(string(m.Params), `"_meta":{`+relatedTask(id)) {
		t.Errorf("withdrawn: %s", m.Params)
	}
}

// TestResultOfALaggingRun: tasks/result does not read again and again, without a pause, a
// run whose end the API stores later than it tells it.
func TestResultOfALaggingRun(t *testing.T) {
	var ended time.Time
	var reads atomic.Int64
	bed := testbed.New(t, asTasks, oldReads(func(answer []byte) bool {
		reads.Add(1)
		if !strings.Contains(string(answer), `"status":"SUCCESS"`) {
			return true
		}
		if ended.IsZero() {
			ended = time.Now()
		}
		return time.Since(ended) > 1500*time.Millisecond
	}))
	w := bed.ConnectWire(stateful, "{}")
	id := createStateful(w, "steps=1 step_ms=100", "").Task.TaskID
	m := w.Call("tasks/result", fmt.Sprintf(`"taskId":%q`, id))
	if m.Error != nil || !strings.Contains(string(m.Result), `"status":"SUCCESS"`) || reads.Load() > 40 {
		t.Errorf("after %d reads: %s %+v", reads.Load(), m.Result, m.Error)
	}
}
