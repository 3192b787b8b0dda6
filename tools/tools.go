// Package tools is what the model calls. [allTools] is the table of the tools; each
// has a file of its name. A handler is a plain method from checked arguments to a
// typed result.
//
// Calls run downwards through these levels:
//
//	instructions.go                what a client tells its model of the server
//	tools.go                       the table; from an MCP request to its result
//	apps.go                        what clients with MCP Apps see of the tools
//	tasks.go                       the runs as tasks, which the protocol serves without a tool
//	tasks_stateful.go              what the tasks of 2025-11-25 have beside that
//	task_reading.go                a run read for its task
//	create_run.go and the like     a handler and what it alone needs; follow_run.go is for the live view
//	task_create.go                 a create_run that becomes a task
//	unknown_create.go, piece.go    a part of create_run and follow_run, and one of get_run
//	wait.go                        follows a run for a call
//	result.go                      what a result shows and says of a run
//	outcome.go, size.go            what came of asking; what a result has room for
//	call.go                        who calls, and how their person is asked
//	failure.go                     errors in our words
//	report.go                      what the operator learns of a call
//	options.go, texts.go           what the operator set, and the words for it
package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/toolschema"
	"runs-mcp-server/internal/view"
)

// allTools is the table of the tools.
func allTools() []tool {
	return []tool{
		{
			name: "create_run", title: "Create run", description: createRunDescription,
			hints:    hints{destructive: true, openWorld: true},
			endpoint: createRunEndpoint, createsRun: true,
		},
		{
			name: "get_run", title: "Get run", description: getRunDescription,
			hints:    hints{readOnly: true, idempotent: true, openWorld: true},
			endpoint: endpointOf((*handlers).getRun),
		},
		{
			name: "list_runs", title: "List runs", description: listRunsDescription,
			hints:    hints{readOnly: true, idempotent: true, openWorld: true},
			endpoint: endpointOf((*handlers).listRuns),
		},
		{
			name: "abort_run", title: "Abort run", description: abortRunDescription,
			hints:    hints{destructive: true, idempotent: true, openWorld: true},
			endpoint: endpointOf((*handlers).abortRun),
		},
		{
			name: "approve", title: "Approve or deny", description: approveDescription,
			hints:    hints{destructive: true, openWorld: true},
			endpoint: approveEndpoint,
			when:     func(o Options) bool { return o.Approvals != ApprovalsOff },
		},
		{
			name: "follow_run", title: "Follow run", description: followRunDescription,
			hints:    hints{readOnly: true, idempotent: true, openWorld: true},
			endpoint: endpointOf((*handlers).followRun), appOnly: true,
		},
	}
}

// tool is one row of the table.
type tool struct {
	name, title string
	description func(Options) string
	hints       hints
	endpoint    func(*handlers, tool) endpoint
	// when reports whether there is the tool, beside what [Options] says of all
	// tools; nil: always. A tool that needs another one asks [Options.Offers].
	when func(Options) bool
	// createsRun is for a tool that creates a run and may then wait for it. A client can
	// have its call as a task. An input round after the first ignores invalid arguments:
	// the run exists, and a model that is told to correct them would create another.
	createsRun bool
	// appOnly is for a tool that the live view of a run calls, never a model: see
	// apps.go. The operator offers it with get_run, which shows the same.
	appOnly bool
}

// hints are a tool's annotation hints. readOnly also decides what [Options].ReadOnly
// leaves, and that unknown arguments are ignored.
type hints struct{ readOnly, destructive, idempotent, openWorld bool }

// offeredIn reports whether the operator offers the tool.
func (t tool) offeredIn(o Options) bool {
	switch {
	case t.appOnly:
		return o.Offers("get_run")
	case o.ReadOnly && !t.hints.readOnly, slices.Contains(o.ExcludeTools, t.name):
		return false
	case len(o.Tools) > 0 && !slices.Contains(o.Tools, t.name):
		return false
	}
	return t.when == nil || t.when(o)
}

// Names returns the names of the tools that the operator can choose from.
func Names() []string {
	var names []string
	for _, t := range allTools() {
		if !t.appOnly {
			names = append(names, t.name)
		}
	}
	return names
}

// AllNames returns the names of all tools, also of those that only a live view calls.
func AllNames() []string {
	var names []string
	for _, t := range allTools() {
		names = append(names, t.name)
	}
	return names
}

// CreatingNames returns the names of the tools that create a run.
func CreatingNames() []string {
	var names []string
	for _, t := range allTools() {
		if t.createsRun {
			names = append(names, t.name)
		}
	}
	return names
}

// Offers reports whether the operator offers the tool of this name.
func (o Options) Offers(name string) bool {
	return slices.ContainsFunc(allTools(), func(t tool) bool { return t.name == name && t.offeredIn(o) })
}

// resolve returns the options with their defaults, and with the tools that they
// offer by the table.
func (o Options) resolve() Options {
	o.MaxResultBytes = cmp.Or(o.MaxResultBytes, DefaultMaxResultBytes)
	o.Secrets = cmp.Or(o.Secrets, redact.New())
	o.offered = nil
	for _, t := range allTools() {
		if t.offeredIn(o) {
			o.offered = append(o.offered, t.name)
		}
	}
	return o
}

// endpoint is what a tool takes, what it returns, and the function that runs it.
type endpoint struct {
	input, output json.RawMessage // JSON Schemas
	run           func(ctx context.Context, c *call, arguments json.RawMessage) (result json.RawMessage, err error)
}

// toolResult is a pointer to the result of a tool.
type toolResult[R any] interface {
	*R
	// truncate makes the result take at most o.MaxResultBytes of JSON. It leaves out
	// whole parts, and says so and how to read them. It returns that JSON.
	truncate(o Options) []byte
	// addNote adds a sentence to the summary.
	addNote(note string)
}

// endpointOf makes the endpoint of a handler. Its schemas come from the types of
// the arguments and of the result.
func endpointOf[A, R any, P toolResult[R]](handle func(*handlers, context.Context, *call, A) (R, error)) func(*handlers, tool) endpoint {
	return func(h *handlers, t tool) endpoint {
		arguments := toolschema.NewArguments[A](toolschema.Options{IgnoreUnknown: t.hints.readOnly, Normalize: normalizeArgument})
		return endpoint{
			input: toolschema.Published[A](), output: toolschema.Output[R](),
			run: func(ctx context.Context, c *call, raw json.RawMessage) (json.RawMessage, error) {
				var args A
				ignored, err := arguments.Decode(raw, &args)
				if err != nil && !(t.createsRun && c.resume != nil) {
					return nil, &problem{code: client.InvalidArgument, message: err.Error()}
				}
				result, err := handle(h, ctx, c, args)
				if err != nil {
					return nil, err
				}
				P(&result).addNote(ignoredNote(ignored))
				return P(&result).truncate(h.Options), nil
			},
		}
	}
}

// createRunEndpoint takes passThrough where the operator allows it.
func createRunEndpoint(h *handlers, t tool) endpoint {
	if h.AllowPassThrough {
		return endpointOf(func(h *handlers, ctx context.Context, c *call, args createRunWithPassThroughArgs) (RunResult, error) {
			return h.createRun(ctx, c, args.createRunArgs, args.PassThrough)
		})(h, t)
	}
	return endpointOf(func(h *handlers, ctx context.Context, c *call, args createRunArgs) (RunResult, error) {
		return h.createRun(ctx, c, args, nil)
	})(h, t)
}

// approveEndpoint has the model decide, or the person, as the operator wants it.
func approveEndpoint(h *handlers, t tool) endpoint {
	if h.Approvals == ApprovalsAgent {
		return endpointOf((*handlers).approve)(h, t)
	}
	return endpointOf((*handlers).askApproval)(h, t)
}

// maxIgnored is how many ignored arguments are named.
const maxIgnored = 4

// ignoredNote names arguments that were ignored, "" where there are none.
func ignoredNote(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " Ignored: this tool has no argument " + joinFirst(names, maxIgnored, view.Quote) + "."
}

// handlers handle the tools of one server.
type handlers struct{ Options }

func newHandlers(o Options) *handlers { return &handlers{o.resolve()} }

// Register adds the tools that the options allow to a server.
func Register(srv *server.MCPServer, o Options) {
	h := newHandlers(o)
	for _, t := range allTools() {
		if !h.hasTool(t.name) {
			continue
		}
		added := h.serverTool(t)
		if t.appOnly {
			added.Handler = forAppsOnly(added.Handler)
		}
		srv.AddTools(added)
	}
}

// serverTool makes an MCP tool of a row of the table. Every error and panic of its
// handler becomes an error result.
func (h *handlers) serverTool(t tool) server.ServerTool {
	e := t.endpoint(h, t)
	shown := mcp.NewToolWithRawSchema(t.name, t.description(h.Options), e.input)
	shown.RawOutputSchema = e.output
	shown.Title = t.title
	shown.Annotations = mcp.ToolAnnotation{
		Title: t.title, ReadOnlyHint: &t.hints.readOnly, DestructiveHint: &t.hints.destructive,
		IdempotentHint: &t.hints.idempotent, OpenWorldHint: &t.hints.openWorld,
	}
	return server.ServerTool{Tool: shown, Handler: func(ctx context.Context, req mcp.CallToolRequest) (result *mcp.CallToolResult, _ error) {
		at := time.Now()
		defer func() {
			if r := recover(); r != nil {
				h.report(ctx, &call{tool: t.name, at: at}, string(codeInternal))
				h.Log.Error("a tool panicked", "tool", t.name, "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
				result = errorResult(view.New(h.Secrets), h.describe(errors.New("panic")))
			}
		}()
		return h.handle(ctx, t, e, req)
	}}
}

// handle runs a tool for one request. Its error is that of a call that had to become a
// task and could not: the client reads no result but that of a task.
func (h *handlers) handle(ctx context.Context, t tool, e endpoint, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var result json.RawMessage
	c, err := h.newCall(ctx, t.name, req)
	if err == nil {
		result, err = e.run(ctx, c, req.Params.RawArguments)
	}
	if round, ok := errors.AsType[*attend.Round](err); ok {
		h.report(ctx, c, outcomeInputRequired)
		return h.inputRequired(c, round), nil
	}
	if err != nil {
		f := h.describe(err)
		h.logFailure(ctx, c, req, f.Code, err)
		h.report(ctx, c, f.Code)
		if note := c.decisionNote(); note != "" {
			f.Message = note + ": " + f.Message
		}
		if c.taskMode == taskDemanded && t.createsRun {
			return nil, protocolError(c.view(), f)
		}
		return errorResult(c.view(), f), nil
	}
	if c.createdTask != nil {
		h.report(ctx, c, outcomeTask)
		return taskAnswer(c), nil
	}
	h.report(ctx, c, outcomeOK)
	return successResult(result), nil
}

// report tells of a call that is over, if anybody wants to know.
func (h *handlers) report(ctx context.Context, c *call, outcome string) {
	if h.LogCalls || h.Observe != nil {
		h.reportCall(ctx, c, outcome)
	}
}

// successResult puts a result into structuredContent and, as the same compact JSON,
// into one text block: some clients show the model only one of the two.
func successResult(result json.RawMessage) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(string(result))}, StructuredContent: result}
}
