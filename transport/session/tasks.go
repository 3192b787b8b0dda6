package session

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/capability"
	"runs-mcp-server/internal/rawjson"
	"runs-mcp-server/transport/jsonrpc"
)

const (
	// resultTypeTask marks the result of a handler whose call became a task. Its
	// StructuredContent is the whole answer.
	resultTypeTask mcp.ResultType = "task"

	methodTasksUpdate = "tasks/update"
)

// NamesTask reports whether a stateless request of this method names a task, which a
// header has to repeat over HTTP.
func NamesTask(method string) bool {
	return method == string(mcp.MethodTasksGet) || method == string(mcp.MethodTasksCancel) || method == methodTasksUpdate
}

// WaitsWithoutLimit reports whether a request of this method may wait for hours, and
// leaves nothing undone if its call ends earlier.
func WaitsWithoutLimit(method string) bool { return method == string(mcp.MethodTasksResult) }

// taskOffer returns what of tasks the server of the call offers.
func (c *call) taskOffer() TaskOffer {
	if c.tasks == nil {
		return TaskOffer{}
	}
	return c.tasks.Offer(c.server)
}

// hasTasks reports whether the server of the call offers tasks.
func (c *call) hasTasks() bool { return len(c.taskOffer().Tools) > 0 }

// hasStatefulTasks reports whether the client is of the one stateful revision that has
// tasks.
func (c *call) hasStatefulTasks() bool {
	return !c.message.IsStateless() && c.ProtocolVersion() == mcp.ProtocolVersion20251125
}

// answerTaskRequest answers a request about tasks. nil: mcp-go is to answer it.
func (c *call) answerTaskRequest(ctx context.Context) mcp.JSONRPCMessage {
	isServed := false
	switch mcp.MCPMethod(c.message.Method) {
	case mcp.MethodTasksGet, mcp.MethodTasksCancel:
		isServed = c.message.IsStateless() || c.hasStatefulTasks()
	case methodTasksUpdate:
		isServed = c.message.IsStateless()
	case mcp.MethodTasksList, mcp.MethodTasksResult:
		isServed = c.hasStatefulTasks()
	case mcp.MethodToolsCall:
		return c.refuseTaskCall()
	case mcp.MethodSubscriptionsListen:
		return c.readTaskIDs(ctx)
	}
	if !isServed || !c.hasTasks() {
		return nil
	}
	if c.message.IsStateless() {
		var refused mcp.JSONRPCMessage
		if ctx, refused = c.requireExtension(ctx); refused != nil {
			return refused
		}
	}
	return c.callTasks(ctx)
}

// taskParams are the params of requests about tasks.
type taskParams struct {
	TaskID         string             `json:"taskId"`
	Cursor         string             `json:"cursor"`
	InputResponses mcp.InputResponses `json:"inputResponses"`
}

// callTasks answers a request of a method of tasks.
func (c *call) callTasks(ctx context.Context) mcp.JSONRPCMessage {
	var params taskParams
	if json.Unmarshal(orEmpty(c.message.Params), &params) != nil {
		return errorResponse(mcp.INVALID_PARAMS, "invalid params: taskId and cursor are strings, inputResponses is an object", nil)
	}
	result, err := c.callTaskMethod(ctx, params)
	switch {
	case errors.Is(err, mcp.ErrInvalidParams):
		return errorResponse(mcp.INVALID_PARAMS, err.Error(), nil)
	case errors.Is(err, errNoCancel):
		return errorResponse(mcp.METHOD_NOT_FOUND, err.Error(), nil)
	case err != nil:
		return errorResponse(mcp.INTERNAL_ERROR, err.Error(), nil)
	case c.message.IsStateless():
		return objectResponse(result, mcp.ResultTypeComplete, c.serverInfo())
	}
	return objectResponse(result, "", nil)
}

// serverInfo returns what mcp-go adds to its own results of 2026-07-28.
func (c *call) serverInfo() *mcp.Meta {
	meta := &mcp.Meta{}
	meta.SetServerInfo(c.taskOffer().ServerInfo)
	return meta
}

// outsideCalls returns a session of the client whose messages belong to no call: they may
// come when this call is over. It keeps nothing of the call.
func (c *call) outsideCalls() *call {
	owner := &call{clientState: c.clientState, connection: c.connection, message: &jsonrpc.Message{}, sessionID: c.sessionID, finished: make(chan struct{})}
	close(owner.finished)
	return owner
}

// errNoCancel is the error of a request to stop a task if the operator does not offer
// that.
var errNoCancel = errors.New("this server does not stop tasks: its operator does not offer it")

// callTaskMethod calls what a method names. An update, and a cancellation by a
// stateless client, are acknowledged by an empty result.
func (c *call) callTaskMethod(ctx context.Context, params taskParams) (any, error) {
	switch mcp.MCPMethod(c.message.Method) {
	case mcp.MethodTasksGet:
		if !c.message.IsStateless() { // its person may be asked: clients end a poll if they are told of a change meanwhile
			ctx = c.server.WithContext(ctx, c.outsideCalls())
		}
		return c.tasks.GetTask(ctx, params.TaskID, false)
	case methodTasksUpdate:
		return struct{}{}, c.tasks.UpdateTask(ctx, params.TaskID, params.InputResponses)
	case mcp.MethodTasksList:
		return c.tasks.ListTasks(ctx, params.Cursor)
	case mcp.MethodTasksResult:
		return c.tasks.TaskResult(ctx, params.TaskID)
	}
	if !c.taskOffer().Cancel {
		return nil, errNoCancel
	}
	task, err := c.tasks.CancelTask(ctx, params.TaskID)
	if c.message.IsStateless() {
		task = struct{}{}
	}
	return task, err
}

// refuseTaskCall refuses to make a task of a tool that cannot be one (2025-11-25).
func (c *call) refuseTaskCall() mcp.JSONRPCMessage {
	if !c.hasStatefulTasks() || !c.hasTasks() {
		return nil
	}
	var params struct {
		Name string `json:"name"`
		Task *any   `json:"task"`
	}
	if json.Unmarshal(orEmpty(c.message.Params), &params) != nil || params.Task == nil || slices.Contains(c.taskOffer().Tools, params.Name) {
		return nil
	}
	return errorResponse(mcp.METHOD_NOT_FOUND, "this tool cannot be called as a task: call it without task", nil)
}

// readTaskIDs reads which tasks a listen is to watch. It returns the answer if the
// client cannot have them, else nil.
func (c *call) readTaskIDs(ctx context.Context) mcp.JSONRPCMessage {
	var params struct {
		Notifications struct {
			TaskIDs json.RawMessage `json:"taskIds"`
		} `json:"notifications"`
	}
	if json.Unmarshal(orEmpty(c.message.Params), &params) != nil || params.Notifications.TaskIDs == nil || !c.hasTasks() {
		return nil // mcp-go says what is wrong
	}
	if json.Unmarshal(params.Notifications.TaskIDs, &c.taskIDs) != nil {
		return errorResponse(mcp.INVALID_PARAMS, "invalid params: notifications.taskIds is a list of strings", nil)
	}
	if len(c.taskIDs) == 0 {
		return nil
	}
	slices.Sort(c.taskIDs)
	c.taskIDs = slices.Compact(c.taskIDs)
	c.taskIDs = c.taskIDs[:min(len(c.taskIDs), maxWatched)]
	_, refused := c.requireExtension(ctx)
	return refused
}

// requireExtension returns the context of a stateless request with what it says of its
// client, as mcp-go makes it for handlers; or the answer to a client that does not
// declare the extension.
func (c *call) requireExtension(ctx context.Context) (context.Context, mcp.JSONRPCMessage) {
	var params struct {
		Meta *mcp.Meta `json:"_meta"`
	}
	_ = json.Unmarshal(c.message.Params, &params) // a stateless request has a _meta
	capabilities := params.Meta.ClientCapabilities()
	if capabilities == nil {
		return nil, errorResponse(mcp.INVALID_PARAMS, "missing or invalid _meta field "+mcp.MetaKeyClientCapabilities, nil)
	}
	if _, declared := capabilities.Extensions[capability.TasksExtension]; !declared {
		return nil, errorResponse(mcp.MISSING_REQUIRED_CLIENT_CAPABILITY, "missing required client capability: the extension "+capability.TasksExtension, requiredCapability("extensions."+capability.TasksExtension))
	}
	return server.WithRequestProtocolInfo(ctx, &server.RequestProtocolInfo{
		Modern: true, ProtocolVersion: c.message.Version, ClientInfo: params.Meta.ClientInfo(), ClientCapabilities: capabilities,
	}), nil
}

// requiredCapability returns the data of an error for a capability that a client lacks.
func requiredCapability(name string) any {
	required := map[string]any{name: struct{}{}}
	if extension, ok := strings.CutPrefix(name, "extensions."); ok {
		required = map[string]any{"extensions": map[string]any{extension: struct{}{}}}
	}
	return map[string]any{"requiredCapabilities": required}
}

// advertiseTasks adds tasks to what initialize answers a client of 2025-11-25.
func advertiseTasks(ctx context.Context, _ any, _ *mcp.InitializeRequest, result *mcp.InitializeResult) {
	c := sessionOf(ctx)
	if c == nil || !c.hasTasks() || result.ProtocolVersion != mcp.ProtocolVersion20251125 {
		return
	}
	tasks := &mcp.TasksCapability{List: &struct{}{}, Requests: &mcp.TaskRequestsCapability{Tools: &struct {
		Call *struct{} `json:"call,omitempty"`
	}{Call: &struct{}{}}}}
	if c.taskOffer().Cancel {
		tasks.Cancel = &struct{}{}
	}
	result.Capabilities.Tasks = tasks
}

// advertiseExtension adds the extension to what server/discover answers.
func advertiseExtension(ctx context.Context, _ any, _ *mcp.DiscoverRequest, result *mcp.DiscoverResult) {
	c := sessionOf(ctx)
	if c == nil || !c.hasTasks() {
		return
	}
	extensions := maps.Clone(result.Capabilities.Extensions)
	if extensions == nil {
		extensions = map[string]any{}
	}
	extensions[capability.TasksExtension] = struct{}{}
	result.Capabilities.Extensions = extensions
}

// markTaskTools says in tools/list which tools a client of 2025-11-25 can call as
// tasks.
func markTaskTools(ctx context.Context, _ any, _ *mcp.ListToolsRequest, result *mcp.ListToolsResult) {
	c := sessionOf(ctx)
	if c == nil || !c.hasStatefulTasks() || !c.hasTasks() {
		return
	}
	tools := c.taskOffer().Tools
	for i := range result.Tools { // a copy of mcp-go's
		if slices.Contains(tools, result.Tools[i].Name) {
			result.Tools[i].Execution = &mcp.ToolExecution{TaskSupport: mcp.TaskSupportOptional}
		}
	}
}

// unwrapTask returns the answer of a call that became a task.
func unwrapTask(c *call, result *mcp.CallToolResult) mcp.JSONRPCMessage {
	if c.message.IsStateless() {
		return objectResponse(result.StructuredContent, resultTypeTask, result.Meta)
	}
	return objectResponse(result.StructuredContent, "", result.Meta)
}

// objectResponse returns a response whose result is a JSON object with the two members
// that every result may have. A value that is no JSON is a fault of ours.
func objectResponse(value any, resultType mcp.ResultType, meta *mcp.Meta) mcp.JSONRPCMessage {
	encoded, err := rawjson.Marshal(value)
	members := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal(encoded, &members)
	}
	if err == nil && meta != nil {
		members["_meta"], err = json.Marshal(meta)
	}
	if err != nil {
		return errorResponse(mcp.INTERNAL_ERROR, jsonrpc.InternalError, nil)
	}
	if resultType != "" {
		members["resultType"] = json.RawMessage(`"` + resultType + `"`)
	}
	return mcp.JSONRPCResponse{JSONRPC: mcp.JSONRPC_VERSION, Result: members}
}

func errorResponse(code int, text string, data any) mcp.JSONRPCMessage {
	return mcp.NewJSONRPCError(mcp.NewRequestId(nil), code, text, data)
}

// orEmpty returns params, or an empty object if there are none.
func orEmpty(params json.RawMessage) json.RawMessage {
	if params == nil {
		return json.RawMessage("{}")
	}
	return params
}
