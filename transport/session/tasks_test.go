package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/lab/fixture"
)

// fakeTasks knows the task "there". Other ids say how it fails.
type fakeTasks struct{ noCancel bool }

func (f fakeTasks) Offer(*server.MCPServer) TaskOffer {
	return TaskOffer{Tools: []string{"echo"}, Cancel: !f.noCancel, ServerInfo: mcp.Implementation{Name: "fake", Version: "1"}}
}

func (f fakeTasks) find(id string) (any, error) {
	switch id {
	case "there":
		return map[string]any{"taskId": id, "status": "working"}, nil
	case "broken":
		return nil, errors.New("upstream_unavailable: the API does not answer")
	case "poison":
		panic("the secret of the panic")
	case "no json":
		return func() {}, nil
	}
	return nil, fmt.Errorf("%w: there is no such task", mcp.ErrInvalidParams)
}

func (f fakeTasks) GetTask(_ context.Context, id string, _ bool) (any, error) { return f.find(id) }

func (f fakeTasks) UpdateTask(_ context.Context, id string, answers mcp.InputResponses) error {
	if server.ElicitationResponse(answers, "k") == nil {
		return errors.New("no answer came")
	}
	_, err := f.find(id)
	return err
}

func (f fakeTasks) CancelTask(_ context.Context, id string) (any, error) { return f.find(id) }

func (f fakeTasks) ListTasks(context.Context, string) (any, error) {
	return map[string]any{"tasks": []any{}}, nil
}

func (f fakeTasks) TaskResult(_ context.Context, id string) (any, error) { return f.find(id) }

func (f fakeTasks) WatchTask(_ context.Context, id string, changed func(map[string]any)) (func(), error) {
	switch _, err := f.find(id); {
	case id == "refused":
		return nil, &RefusedCallerError{errors.New("the key is not known")}
	case err != nil:
		return nil, err
	}
	changed(nil)
	return func() {}, nil
}

// taskDispatcher returns a dispatcher of a client of a revision.
func taskDispatcher(version string, tasks Tasks) *Dispatcher {
	d := testDispatcher(fixture.New(Hooks()), time.Second)
	d.Connection = NewConnection(Config{Tasks: tasks, WatchTask: tasks.WatchTask})
	d.Connection.client.SetProtocolVersion(version)
	return d
}

// declaring returns a stateless request of a client that has tasks.
func declaring(method, params string) string {
	return strings.Replace(fixture.Stateless("1", method, params), `clientCapabilities":{}`, `clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}`, 1)
}

// withoutCapabilities returns a stateless request that lacks a field of its _meta.
func withoutCapabilities(method, params string) string {
	return strings.Replace(fixture.Stateless("1", method, params), `"io.modelcontextprotocol/clientCapabilities":{}`, `"x/y":{}`, 1)
}

// TestTaskRequests: what requests about tasks are answered with.
func TestTaskRequests(t *testing.T) {
	const (
		unknown  = `"error":{"code":-32602,"message":"invalid params: there is no such task"}`
		noMethod = `"error":{"code":-32601,`
		internal = `"error":{"code":-32603,"message":"internal error"}`
		itself   = `"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fake","version":"1"}}`
		noClient = `"error":{"code":-32602,"message":"missing or invalid _meta field io.modelcontextprotocol/clientCapabilities"}`
	)
	legacy := func(method, params string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `}}`
	}
	for _, tt := range []struct{ version, message, want string }{
		{"", declaring("tasks/get", `"taskId":"there"`), `"result":{` + itself + `,"resultType":"complete","status":"working","taskId":"there"}`},
		{"", declaring("tasks/get", `"taskId":"gone"`), unknown},
		{"", declaring("tasks/get", `"taskId":"broken"`), `"error":{"code":-32603,"message":"upstream_unavailable: the API does not answer"}`},
		{"", declaring("tasks/get", `"taskId":"poison"`), internal},
		{"", declaring("tasks/get", `"taskId":"no json"`), internal},
		{"", declaring("tasks/get", `"taskId":7`), `"error":{"code":-32602,"message":"invalid params: taskId and cursor are strings, inputResponses is an object"}`},
		{"", declaring("tasks/get", `"x":1`), unknown},
		{"", declaring("tasks/update", `"taskId":"there","inputResponses":{"k":{"action":"accept"}}`), `"result":{` + itself + `,"resultType":"complete"}`},
		{"", declaring("tasks/update", `"taskId":"gone","inputResponses":{"k":{"action":"accept"}}`), unknown},
		{"", declaring("tasks/cancel", `"taskId":"there"`), `"result":{` + itself + `,"resultType":"complete"}`},
		{"", declaring("tasks/cancel", `"taskId":"gone"`), unknown},
		{"", declaring("tasks/result", `"taskId":"there"`), noMethod},
		{"", declaring("tasks/list", ""), noMethod},
		{"", fixture.Stateless("1", "tasks/get", `"taskId":"there"`), `"error":{"code":-32021,`},
		{"", fixture.Stateless("1", "subscriptions/listen", `"notifications":{"taskIds":["there"]}`), `"error":{"code":-32021,`},
		{"", withoutCapabilities("tasks/get", `"taskId":"there"`), noClient},
		{"", withoutCapabilities("subscriptions/listen", `"notifications":{"taskIds":["there"]}`), noClient},
		{"", declaring("subscriptions/listen", `"notifications":{"taskIds":["there",7]}`), `"error":{"code":-32602,"message":"invalid params: notifications.taskIds is a list of strings"}`},
		{"2025-11-25", legacy("tasks/get", `"taskId":"there"`), `"result":{"status":"working","taskId":"there"}`},
		{"2025-11-25", legacy("tasks/cancel", `"taskId":"there"`), `"result":{"status":"working","taskId":"there"}`},
		{"2025-11-25", legacy("tasks/result", `"taskId":"there"`), `"result":{"status":"working","taskId":"there"}`},
		{"2025-11-25", legacy("tasks/list", ""), `"result":{"tasks":[]}`},
		{"2025-11-25", legacy("tasks/update", `"taskId":"there"`), noMethod},
		{"2025-11-25", legacy("tools/call", `"name":"slow","task":{}`), noMethod},
		{"2025-11-25", legacy("tools/call", `"name":"panic","task":null`), internal},
		{"2025-11-25", legacy("tools/call", `"name":"echo","arguments":{"text":"x"},"task":{}`), `"text":"x"`},
		{"2025-06-18", legacy("tasks/get", `"taskId":"there"`), noMethod},
		{"2025-06-18", legacy("tools/call", `"name":"echo","arguments":{"text":"x"},"task":{}`), `"text":"x"`},
	} {
		d, out := taskDispatcher(tt.version, fakeTasks{}), recorder{}
		d.Dispatch(t.Context(), []byte(tt.message), &out)
		d.Calls.Wait()
		if len(out.answers) != 1 || !strings.Contains(out.answers[0], tt.want) || strings.Contains(out.answers[0], "secret") {
			t.Errorf("%s %s\ngot  %s\nwant %s", tt.version, tt.message, out.answers, tt.want)
		}
	}
	d, out := taskDispatcher("", fakeTasks{noCancel: true}), recorder{}
	d.Dispatch(t.Context(), []byte(declaring("tasks/cancel", `"taskId":"there"`)), &out)
	d.Calls.Wait()
	if len(out.answers) != 1 || !strings.Contains(out.answers[0], noMethod) {
		t.Errorf("no cancelling: %s", out.answers)
	}
}

// flakyTasks can be read at the third time only, or never.
type flakyTasks struct {
	fakeTasks
	err   error // of the first two reads
	reads atomic.Int32
}

func (f *flakyTasks) GetTask(context.Context, string, bool) (any, error) {
	if f.reads.Add(1) < 3 {
		return nil, f.err
	}
	return map[string]any{"taskId": "there", "status": "completed"}, nil
}

// TestUpdateThatCannotBeRead: a task that cannot be read when it changes is read again
// later, until the client is told how it ended. One that is gone is not.
func TestUpdateThatCannotBeRead(t *testing.T) {
	for _, tt := range []struct {
		err   error
		reads int32
		told  int
	}{{errors.New("the API does not answer"), 3, 1}, {fmt.Errorf("%w: there is no such task", mcp.ErrInvalidParams), 1, 0}} {
		synctest.Test(t, func(t *testing.T) {
			tasks := &flakyTasks{err: tt.err}
			d, out := taskDispatcher("", tasks), recorder{}
			d.Dispatch(t.Context(), []byte(declaring("subscriptions/listen", `"notifications":{"taskIds":["there"]}`)), &out)
			time.Sleep(time.Hour)
			d.Connection.End(ErrClientGone)
			d.Calls.Wait()
			if told := strings.Count(strings.Join(out.lines, "\n"), `"status":"completed"`); told != tt.told || tasks.reads.Load() != tt.reads {
				t.Errorf("a listen, %v: told %d times after %d reads: %s", tt.err, told, tasks.reads.Load(), out.lines)
			}

			tasks, told := &flakyTasks{err: tt.err}, 0
			c := NewConnection(Config{Tasks: tasks, WatchTask: tasks.WatchTask, SendUpdate: func(context.Context, []byte) error {
				told++
				return nil
			}})
			if err := c.taskSubscriptions.watchResource(t.Context(), "there"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			c.CloseSubscriptions()
			if told != tt.told || tasks.reads.Load() != tt.reads {
				t.Errorf("an owner, %v: told %d times after %d reads", tt.err, told, tasks.reads.Load())
			}
		})
	}
}

// orderedTasks tell how many answers were out when a task began to be watched.
type orderedTasks struct {
	fakeTasks
	out      *recorder
	answered chan int
}

func (o orderedTasks) WatchTask(context.Context, string, func(map[string]any)) (func(), error) {
	o.answered <- len(o.out.answers)
	return func() {}, nil
}

// TestOwnerIsToldAfterTheAnswer: a client knows its task before it is told of changes.
func TestOwnerIsToldAfterTheAnswer(t *testing.T) {
	out := recorder{}
	tasks := orderedTasks{out: &out, answered: make(chan int, 1)}
	d := taskDispatcher("2025-11-25", tasks)
	d.Connection = NewConnection(Config{Tasks: tasks, WatchTask: tasks.WatchTask})
	d.Connection.client.SetProtocolVersion("2025-11-25")
	d.Server.AddTool(mcp.NewTool("create"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		server.ClientSessionFromContext(ctx).(interface{ WatchTask(string) }).WatchTask("there")
		return mcp.NewToolResultText("created"), nil
	})
	d.Dispatch(t.Context(), []byte(fixture.Call("1", "create", "")), &out)
	d.Calls.Wait()
	d.Connection.CloseSubscriptions()
	if n := fixture.Receive(t, tasks.answered); n != 1 {
		t.Errorf("watched after %d answers: %s", n, out.answers)
	}
}

// TestListenOfARefusedCaller: a listen to tasks alone is refused as one to resources is.
func TestListenOfARefusedCaller(t *testing.T) {
	d, out := taskDispatcher("", fakeTasks{}), recorder{}
	d.Dispatch(t.Context(), []byte(declaring("subscriptions/listen", `"notifications":{"taskIds":["refused"]}`)), &out)
	d.Calls.Wait()
	if len(out.lines) != 0 || len(out.answers) != 1 || !strings.Contains(out.answers[0], `"error":{"code":-32603,"message":"nothing is watched: the key is not known"}`) {
		t.Errorf("%s %s", out.lines, out.answers)
	}
}
