package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/program"
)

// task is a task of either revision, as the result of a message.
type task struct {
	Result struct {
		TaskID, Status, StatusMessage string
		Task                          struct{ TaskID string }
		InputRequests                 map[string]any
	}
	Error struct {
		Code    int
		Message string
	}
}

// sendStateless sends a request of 2026-07-28 that declares the tasks extension. name is
// for the header, "" for none.
func sendStateless(t *testing.T, c *program.Tenant, method, name, params string, headers map[string]string) (status int, answer task, body string) {
	t.Helper()
	message := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
		`"io.modelcontextprotocol/clientInfo":{"name":"raw","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}`, method, params)
	all := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
	if name != "" {
		all["Mcp-Name"] = name
	}
	for header, value := range headers {
		all[header] = value
	}
	status, body, _ = c.Send(t, "", message, all)
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return status, answer, body
}

// createArguments are the arguments of a run that waits for its start to be approved.
const createArguments = `"name":"create_run","arguments":{"intent":"x","context":"sandbox: step_ms=1 steps=1","approvalStrategy":"ON_START"}`

// awaitTask reads a task until it has a status.
func awaitTask(t *testing.T, c *program.Tenant, id, status string) task {
	t.Helper()
	for deadline := time.Now().Add(program.ExitTimeout); ; {
		_, got, body := sendStateless(t, c, "tasks/get", id, fmt.Sprintf(`"taskId":%q`, id), nil)
		if got.Result.Status == status {
			return got
		}
		if time.Now().After(deadline) || got.Error.Code != 0 {
			t.Fatalf("not %s: %s", status, body)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// TestTaskSurvivesKill holds that a task is the API's alone: after a kill of the server
// between create and get, and on another replica, its handle, its question and the
// answer to that work; with another key there is no such task.
func TestTaskSurvivesKill(t *testing.T) {
	box := startSandbox(t, ownKey, otherKey)
	args := []string{"--api-url", box.URL(), "--user-id", "u", "--integrations", "*"}
	process, url := program.StartHTTP(t, "", args...)
	me := &program.Tenant{URL: url, Key: ownKey}
	_, created, body := sendStateless(t, me, "tools/call", "create_run", createArguments, nil)
	stateful := program.NewTenant(t, url, ownKey)
	_, statefulBody, _ := stateful.Send(t, stateful.Session, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{`+createArguments+`,"task":{}}}`, nil)
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	program.WaitExit(t, process)
	var second task
	if json.Unmarshal([]byte(statefulBody), &second) != nil || created.Result.TaskID == "" || second.Result.Task.TaskID == "" {
		t.Fatalf("%s, %s", body, statefulBody)
	}

	replica := program.ServeHTTP(t, io.Discard, nil, args...)
	other := program.ServeHTTP(t, io.Discard, nil, args...)
	me.URL = replica
	var keys []string
	for _, url := range []string{replica, other} {
		on := &program.Tenant{URL: url, Key: ownKey}
		for key := range awaitTask(t, on, created.Result.TaskID, "input_required").Result.InputRequests {
			keys = append(keys, key)
		}
	}
	if len(keys) != 2 || keys[0] != keys[1] {
		t.Fatalf("two replicas ask under the keys %s", keys)
	}
	_, answer, body := sendStateless(t, me, "tasks/update", created.Result.TaskID, fmt.Sprintf(`"taskId":%q,"inputResponses":{%q:{"action":"accept","content":{"decision":"approve"}}}`, created.Result.TaskID, keys[0]), nil)
	if answer.Error.Code != 0 {
		t.Fatal(body)
	}
	awaitTask(t, me, created.Result.TaskID, "completed")

	me = program.NewTenant(t, other, ownKey) // another session, another process
	status, body, _ := me.Send(t, me.Session, fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"tasks/cancel","params":{"taskId":%q}}`, second.Result.Task.TaskID), nil)
	if status != http.StatusOK || !strings.Contains(body, `"status":"cancelled"`) {
		t.Errorf("%d %s", status, body)
	}
	if _, body, _ = me.Send(t, me.Session, fmt.Sprintf(`{"jsonrpc":"2.0","id":3,"method":"tasks/result","params":{"taskId":%q}}`, second.Result.Task.TaskID), nil); !strings.Contains(body, "CANCELED") {
		t.Error(body)
	}

	them := &program.Tenant{URL: replica, Key: otherKey}
	_, foreign, _ := sendStateless(t, them, "tasks/get", created.Result.TaskID, fmt.Sprintf(`"taskId":%q`, created.Result.TaskID), nil)
	_, none, _ := sendStateless(t, them, "tasks/get", "x", `"taskId":"x"`, nil)
	if foreign.Error.Code != -32602 || foreign.Error != none.Error {
		t.Errorf("another key: %+v, made up: %+v", foreign.Error, none.Error)
	}
}

// TestTaskRequestsOverHTTP holds what the headers of a request about tasks must say, and
// what a narrowed server offers.
func TestTaskRequestsOverHTTP(t *testing.T) {
	box := startSandbox(t, ownKey)
	me := &program.Tenant{Key: ownKey, URL: program.ServeHTTP(t, io.Discard, nil, "--api-url", box.URL(), "--user-id", "u", "--integrations", "*", "--exclude-tools", "abort_run")}
	const none = `"taskId":"123e4567-e89b-12d3-a456-426614174000","inputResponses":{}`
	for _, method := range []string{"tasks/get", "tasks/update", "tasks/cancel"} {
		for name, want := range map[string]int{"": -32020, "x": -32020, "123e4567-e89b-12d3-a456-426614174000": -32602} {
			wantStatus := http.StatusBadRequest
			if method == "tasks/cancel" && want == -32602 { // without abort_run
				want, wantStatus = -32601, http.StatusNotFound
			}
			if status, answer, body := sendStateless(t, me, method, name, none, nil); status != wantStatus || answer.Error.Code != want {
				t.Errorf("%s with the header %q: %d %s", method, name, status, body)
			}
		}
	}
	readOnly := map[string]string{"X-MCP-Readonly": "true"}
	if status, answer, body := sendStateless(t, me, "tasks/get", "x", `"taskId":"x"`, readOnly); status != http.StatusNotFound || answer.Error.Code != -32601 {
		t.Errorf("read-only: %d %s", status, body)
	}
	off := &program.Tenant{Key: ownKey, URL: program.ServeHTTP(t, io.Discard, nil, "--api-url", box.URL(), "--user-id", "u", "--integrations", "*", "--tasks", "off")}
	for name, tt := range map[string]struct {
		tenant  *program.Tenant
		headers map[string]string
		offered bool
	}{"auto": {me, nil, true}, "read-only": {me, readOnly, false}, "off": {off, nil, false}} {
		_, _, discovered := sendStateless(t, tt.tenant, "server/discover", "", `"x":1`, tt.headers)
		_, initialized, _ := tt.tenant.Send(t, "", program.Initialize, tt.headers)
		if strings.Contains(discovered, "io.modelcontextprotocol/tasks") != tt.offered || strings.Contains(initialized, `"tasks":{"list":{},"requests":{"tools":{"call":{}}}}`) != tt.offered {
			t.Errorf("%s: %s, %s", name, discovered, initialized)
		}
	}
	if _, answer, body := sendStateless(t, off, "tools/call", "create_run", createArguments, nil); answer.Result.TaskID != "" || !strings.Contains(body, "structuredContent") {
		t.Error(body)
	}
}

// TestOwnerOfATaskOverHTTP holds that only the session that created a task is told of its
// changes and, when it polls, asked on the stream of GET.
func TestOwnerOfATaskOverHTTP(t *testing.T) {
	box := startSandbox(t, ownKey)
	url := program.ServeHTTP(t, io.Discard, nil, "--api-url", box.URL(), "--user-id", "u", "--integrations", "*")
	session := func() (*program.Tenant, chan string) {
		c := &program.Tenant{URL: url, Key: ownKey}
		_, _, header := c.Send(t, "", strings.Replace(initializeWithElicitation, "2025-06-18", "2025-11-25", 1), nil)
		c.Session = header.Get("Mcp-Session-Id")
		next, messages := c.Stream(t, "", nil), make(chan string, 100)
		go func() {
			defer close(messages)
			for message := next(); message != ""; message = next() {
				messages <- message
			}
		}()
		return c, messages
	}
	owner, told := session()
	other, alsoTold := session()
	_, body, _ := owner.Send(t, owner.Session, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{`+createArguments+`,"task":{}}}`, nil)
	var created task
	if json.Unmarshal([]byte(body), &created) != nil || created.Result.Task.TaskID == "" {
		t.Fatal(body)
	}
	id := created.Result.Task.TaskID
	for isDone := false; !isDone; {
		select {
		case message := <-told:
			var question struct{ ID, Method string }
			_ = json.Unmarshal([]byte(message), &question) // others have no such id
			if question.Method == "elicitation/create" {
				owner.Send(t, owner.Session, acceptMessage(question.ID), nil)
			}
			status := strings.Contains(message, "notifications/tasks/status") && strings.Contains(message, id)
			if status && strings.Contains(message, `"status":"input_required"`) {
				for _, session := range []*program.Tenant{other, owner} {
					session.Send(t, session.Session, `{"jsonrpc":"2.0","id":2,"method":"tasks/get","params":{"taskId":"`+id+`"}}`, nil)
				}
			}
			isDone = status && strings.Contains(message, `"status":"completed"`)
		case <-time.After(program.ExitTimeout):
			t.Fatal("the owner was not told that the task has ended")
		}
	}
	other.Send(t, other.Session, getRunMessage(id, 1, 0), nil) // by now all would have come
	select {
	case message := <-alsoTold:
		t.Errorf("another session was told: %s", message)
	default:
	}
}
