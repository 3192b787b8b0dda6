// Package tools is what the model calls: create_run, get_run, list_runs, abort_run
// and approve, one file each. [allTools] is the table of them. A handler is a plain
// method from checked arguments to a typed result.
//
// Calls run downwards through these levels:
//
//	tools.go                           the table; from an MCP request to its result
//	create_run.go … approve.go         a handler and what it alone needs
//	wait.go                            follows a run for a call
//	call.go, person.go                 who calls, and how their person is asked
//	result.go, events.go               what a result shows of a run, and its size
//	texts.go, outcome.go, failure.go   our words
package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/toolschema"
	"runs-mcp-server/internal/view"
)

// allTools is the table of the tools, in the order in which tools/list shows them.
func allTools() []tool {
	return []tool{
		{
			name: "create_run", title: "Create run", description: createRunDescription,
			hints:    hints{destructive: true, openWorld: true},
			endpoint: createRunEndpoint,
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
		},
	}
}

// tool is one row of the table.
type tool struct {
	name, title string
	description func(Options) string
	hints       hints
	endpoint    func(*handlers, tool) endpoint
}

// hints are a tool's four annotation hints.
type hints struct{ readOnly, destructive, idempotent, openWorld bool }

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
		arguments := toolschema.NewArguments[A](toolschema.Options{IgnoreUnknown: t.hints.readOnly, Normalize: normalizeArgument})
		return endpoint{
			input: toolschema.Published[A](), output: toolschema.Output[R](),
			run: func(ctx context.Context, c *call, raw json.RawMessage) (any, error) {
				var args A
				ignored, err := arguments.Decode(raw, &args)
				if err != nil && !c.hasRun() { // arguments do not count once the run is created
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

// Approvals says who decides what waits for a person.
type Approvals string

// The ways of approving.
const (
	ApprovalsHuman Approvals = "human" // a person decides; the model cannot
	ApprovalsAgent Approvals = "agent" // the model may decide
	ApprovalsOff   Approvals = "off"   // there is no approve tool
)

// Options are what the tools work with, and the operator's limits.
type Options struct {
	API     *client.Client
	Feeds   *feed.Hub
	Decider *approval.Decider
	Attend  *attend.Attendant
	Log     *slog.Logger
	// Secrets are the operator's. They are never shown.
	Secrets *redact.Set

	// Integrations are the operator's; empty when the operator set none. The
	// operator's user comes with the caller.
	Integrations []string
	// LeastApproval is the strategy that every run has at least.
	LeastApproval client.ApprovalStrategy
	// PassThrough is the operator's secret data by integration id.
	PassThrough map[string]client.PassThrough

	// Local says that the person at the client runs this server, so that texts may
	// name its flags. Over HTTP an operator runs it.
	Local bool

	Approvals           Approvals
	DecideHint          string   // where a person decides without this server; "": in the vendor's console
	DecideCommand       string   // the terminal command that asks them, with RUN_ID for the run; "" where callers have none
	AskApprovals        bool     // a waiting call asks the person to decide, where the client can ask
	AskAuthorization    bool     // a waiting call asks the person to authorise integrations, where the client can ask
	AuthLinks           bool     // a result may hold the link to authorise
	ReadOnly            bool     // no create_run, abort_run, approve
	Tools               []string // the names of the tools there are; empty for all
	ExcludeTools        []string // the names of those there are not
	MaxResultBytes      int      // of a result's JSON; 0: DefaultMaxResultBytes
	AllowPassThrough    bool     // create_run takes passThrough
	AllowAnyUser        bool     // a call may name another user than the operator's
	AllowAnyIntegration bool     // a call may name other integrations than the operator's
}

// Names returns the names of all tools.
func Names() []string {
	var names []string
	for _, t := range allTools() {
		names = append(names, t.name)
	}
	return names
}

// Offers reports whether there is a tool of this name and the operator allows it.
func (o Options) Offers(name string) bool {
	return slices.ContainsFunc(allTools(), func(t tool) bool { return t.name == name && o.allows(t) })
}

// allows reports whether the operator allows a tool.
func (o Options) allows(t tool) bool {
	switch {
	case o.ReadOnly && !t.hints.readOnly, o.Approvals == ApprovalsOff && t.name == "approve":
		return false
	case len(o.Tools) > 0 && !slices.Contains(o.Tools, t.name):
		return false
	}
	return !slices.Contains(o.ExcludeTools, t.name)
}

// ifOffered returns a text that names a tool, "" where that is not offered.
func (o Options) ifOffered(name, text string) string {
	if !o.Offers(name) {
		return ""
	}
	return text
}

// handlers handle the tools of one server.
type handlers struct{ Options }

// Register adds the tools that the options allow to a server.
func Register(srv *server.MCPServer, o Options) {
	o.MaxResultBytes = cmp.Or(o.MaxResultBytes, DefaultMaxResultBytes)
	o.Secrets = cmp.Or(o.Secrets, redact.New())
	h := &handlers{o}
	for _, t := range allTools() {
		if o.allows(t) {
			srv.AddTools(h.serverTool(t))
		}
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
