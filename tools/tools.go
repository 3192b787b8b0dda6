// Package tools is what the model calls: create_run, get_run, list_runs, abort_run
// and approve, one file each. [allTools] is the table of them. A handler is a plain
// method from checked arguments to a typed result.
//
// Calls run downwards through these levels:
//
//	tools.go                       the table; from an MCP request to its result
//	create_run.go … approve.go     a handler and what it alone needs
//	unknown_create.go, piece.go    a part of create_run, and one of get_run
//	wait.go                        follows a run for a call
//	result.go                      what a result shows and says of a run
//	outcome.go, size.go            what came of asking; what a result has room for
//	call.go                        who calls, and how their person is asked
//	failure.go                     errors in our words
//	instructions.go                what a client tells its model of the server
//	options.go, texts.go           what the operator set, and the words for it
package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

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
			endpoint: createRunEndpoint, creates: true,
		},
		{
			name: "get_run", title: "Get run", description: getRunDescription,
			hints:    hints{idempotent: true, openWorld: true},
			endpoint: endpointOf((*handlers).getRun),
		},
		{
			name: "list_runs", title: "List runs", description: listRunsDescription,
			hints:    hints{idempotent: true, openWorld: true},
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
		},
	}
}

// Names returns the names of all tools.
func Names() []string {
	var names []string
	for _, t := range allTools() {
		names = append(names, t.name)
	}
	return names
}

// tool is one row of the table.
type tool struct {
	name, title string
	description func(Options) string
	hints       hints
	endpoint    func(*handlers, tool) endpoint
	creates     bool // it creates a run, so that a later input round of its call must not create another
}

// hints are a tool's annotation hints beside that of [readsOnly].
type hints struct{ destructive, idempotent, openWorld bool }

// endpoint is what a tool takes, what it returns, and the function that runs it.
type endpoint struct {
	input, output json.RawMessage // JSON Schemas
	run           func(ctx context.Context, c *call, arguments json.RawMessage) (result any, err error)
}

// toolResult is a pointer to the result of a tool.
type toolResult[R any] interface {
	*R
	// truncate makes the result take at most o.MaxResultBytes of JSON. It leaves out
	// whole parts, and says so and how to read them.
	truncate(o Options)
	// addNote adds a sentence to the summary.
	addNote(note string)
}

// endpointOf makes the endpoint of a handler. Its schemas come from the types of
// the arguments and of the result.
func endpointOf[A, R any, P toolResult[R]](handle func(*handlers, context.Context, *call, A) (R, error)) func(*handlers, tool) endpoint {
	return func(h *handlers, t tool) endpoint {
		arguments := toolschema.NewArguments[A](toolschema.Options{IgnoreUnknown: readsOnly(t.name), Normalize: normalizeArgument})
		return endpoint{
			input: toolschema.Published[A](), output: toolschema.Output[R](),
			run: func(ctx context.Context, c *call, raw json.RawMessage) (any, error) {
				var args A
				ignored, err := arguments.Decode(raw, &args)
				// In a later input round the run exists already and the arguments have no effect.
				// So wrong ones are ignored: a model that corrects them would create a second run.
				created := t.creates && c.resume != nil
				if err != nil && !created {
					return nil, &problem{code: client.InvalidArgument, message: err.Error()}
				}
				result, err := handle(h, ctx, c, args)
				if err != nil {
					return nil, err
				}
				P(&result).addNote(ignoredNote(ignored))
				P(&result).truncate(h.Options)
				return result, nil
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

// Register adds the tools that the options allow to a server.
func Register(srv *server.MCPServer, o Options) {
	o.MaxResultBytes = cmp.Or(o.MaxResultBytes, DefaultMaxResultBytes)
	o.Secrets = cmp.Or(o.Secrets, redact.New())
	h := &handlers{o}
	for _, t := range allTools() {
		if o.Offers(t.name) {
			srv.AddTools(h.serverTool(t))
		}
	}
}

// serverTool makes an MCP tool of a row of the table. Every error and panic of its
// handler becomes an error result.
func (h *handlers) serverTool(t tool) server.ServerTool {
	e, readOnly := t.endpoint(h, t), readsOnly(t.name)
	shown := mcp.NewToolWithRawSchema(t.name, t.description(h.Options), e.input)
	shown.RawOutputSchema = e.output
	shown.Title = t.title
	shown.Annotations = mcp.ToolAnnotation{
		Title: t.title, ReadOnlyHint: &readOnly, DestructiveHint: &t.hints.destructive,
		IdempotentHint: &t.hints.idempotent, OpenWorldHint: &t.hints.openWorld,
	}
	return server.ServerTool{Tool: shown, Handler: func(ctx context.Context, req mcp.CallToolRequest) (result *mcp.CallToolResult, _ error) {
		defer func() {
			if r := recover(); r != nil {
				h.Log.Error("a tool panicked", "tool", t.name, "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
				result = errorResult(view.New(h.Secrets), h.describe(errors.New("panic")))
			}
		}()
		return h.handle(ctx, t.name, e, req), nil
	}}
}

// handle runs a tool for one request.
func (h *handlers) handle(ctx context.Context, name string, e endpoint, req mcp.CallToolRequest) *mcp.CallToolResult {
	var result any
	c, err := h.newCall(ctx, name, req)
	if err == nil {
		result, err = e.run(ctx, c, req.Params.RawArguments)
	}
	if round, ok := errors.AsType[*attend.Round](err); ok {
		return h.inputRequired(c, round)
	}
	if err != nil {
		h.logFailure(c, req, err)
		f := h.describe(err)
		if note := c.decisionNote(); note != "" {
			f.Message = note + ": " + f.Message
		}
		return errorResult(c.view(), f)
	}
	return successResult(result)
}

// successResult puts a result into structuredContent and, as the same compact JSON,
// into one text block: some clients show the model only one of the two.
func successResult(result any) *mcp.CallToolResult {
	text := view.JSON(result)
	return &mcp.CallToolResult{
		Content:           []mcp.Content{mcp.NewTextContent(string(text))},
		StructuredContent: json.RawMessage(text),
	}
}
