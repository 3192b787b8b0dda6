package canary

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
)

// TestTaskCanaries is [TestCanaries] for runs as tasks, in both revisions that have
// tasks.
func TestTaskCanaries(t *testing.T) {
	const capabilities = `{"extensions":{"io.modelcontextprotocol/tasks":{}},"elicitation":{"form":{},"url":{}}}`
	a := runInBothEras(t, capabilities, func(t *testing.T, wire *testbed.Wire, api *fakeAPI) {
		s := &taskScenario{wire, t, api}
		s.Answer = s.answer
		s.run()
	})
	if len(a.usedTokens) < 8 {
		t.Errorf("tokens were sent to %q", a.usedTokens)
	}
}

// taskScenario uses all of tasks as one client.
type taskScenario struct {
	*testbed.Wire
	t   *testing.T
	api *fakeAPI
}

// run follows a run of each kind, and has every request fail with every status.
func (s *taskScenario) run() {
	for _, intent := range []string{"done already", "step by step", "start when allowed", "quiet until asked", "auth needed", "strange to say", "refuse-401", "refuse-409", "refuse-503"} {
		id := s.create(intent)
		if s.Version == testbed.Newest {
			s.followStateless(id, intent)
		} else {
			s.followStateful(id, intent)
		}
	}
	for _, status := range []string{"400", "401", "403", "404", "409", "418", "429", "503"} {
		s.create("fail-" + status)
		id := "00000000-0000-4000-8000-000000000" + status
		for _, method := range []string{"tasks/get", "tasks/get", "tasks/update", "tasks/cancel", "tasks/result"} {
			s.Call(method, fmt.Sprintf(`"taskId":%q,"inputResponses":{"x":{}}`, id))
		}
	}
}

// create creates a run as a task and returns its id, "" for none.
func (s *taskScenario) create(intent string) (id string) {
	arguments, err := json.Marshal((&scenario{api: s.api}).createArguments(intent, 0))
	if err != nil {
		s.t.Fatal(err)
	}
	var created struct {
		TaskID string
		Task   struct{ TaskID string }
	}
	_ = json.Unmarshal(s.Call("tools/call", fmt.Sprintf(`"name":"create_run","arguments":%s,"task":{}`, arguments)).Result, &created)
	return created.TaskID + created.Task.TaskID
}

// answer does what the person is asked for.
func (s *taskScenario) answer(_ string, params json.RawMessage) string {
	var question struct{ URL string }
	if json.Unmarshal(params, &question) == nil && question.URL != "" {
		s.api.authorize(question.URL)
		return `{"action":"accept"}`
	}
	return `{"action":"accept","content":{"decision":"approve"}}`
}

// asks and endless say of a kind of runs that a person is asked, and that it does not
// end by itself then.
func asks(intent string) bool { return intent != "done already" && intent != "strange to say" }
func endless(intent string) bool {
	return intent == "strange to say" || strings.HasPrefix(intent, "refuse-")
}

// followStateless answers what a task asks, while a listen is told of it.
func (s *taskScenario) followStateless(id, intent string) {
	listen := s.Send("subscriptions/listen", fmt.Sprintf(`"notifications":{"taskIds":[%q]}`, id))
	s.Notification("notifications/tasks")
	for asked := !asks(intent); !asked; {
		var task struct {
			InputRequests map[string]struct{ Params json.RawMessage }
		}
		_ = json.Unmarshal(s.Call("tasks/get", fmt.Sprintf(`"taskId":%q`, id)).Result, &task)
		for key, request := range task.InputRequests {
			s.Call("tasks/update", fmt.Sprintf(`"taskId":%q,"inputResponses":{%q:%s}`, id, key, s.answer("", request.Params)))
			asked = true
		}
	}
	s.Call("tasks/get", fmt.Sprintf(`"taskId":%q`, id))
	s.Call("tasks/cancel", fmt.Sprintf(`"taskId":%q`, id))
	if intent != "done already" {
		s.Notification("notifications/tasks")
	}
	s.Cancel(listen)
}

// followStateful waits for the result of a task, and cancels it if it does not end.
func (s *taskScenario) followStateful(id, intent string) {
	result := s.Send("tasks/result", fmt.Sprintf(`"taskId":%q,"_meta":{"progressToken":2}`, id))
	if asks(intent) {
		s.Notification("elicitation/create")
	}
	s.Call("tasks/list", "")
	s.Call("tasks/get", fmt.Sprintf(`"taskId":%q`, id))
	if endless(intent) {
		s.Call("tasks/cancel", fmt.Sprintf(`"taskId":%q`, id))
	}
	s.Receive(result)
	s.Call("tasks/get", fmt.Sprintf(`"taskId":%q`, id))
}
