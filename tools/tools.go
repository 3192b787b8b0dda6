// Package tools is what the model calls: create_run, get_run, list_runs,
// abort_run and approve, one file each. A handler is a plain function from
// checked arguments to a typed result; [tool] wraps it for MCP.
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
	"runs-mcp-server/internal/view"
)

// Approvals says who decides what waits for a person.
type Approvals string

// The ways of approving.
const (
	ApprovalsHuman Approvals = "human" // a person; the model cannot
	ApprovalsAgent Approvals = "agent" // the model may
	ApprovalsOff   Approvals = "off"   // nobody here: there is no approve tool
)

// Options are what the tools work with, and the operator's limits.
type Options struct {
	API     *client.Client
	Feeds   *feed.Hub
	Decider *approval.Decider
	Attend  *attend.Attendant
	Log     *slog.Logger
	// Secrets are the operator's: they are shown to nobody.
	Secrets *redact.Set

	// Integrations are the operator's; empty when the operator set none. The
	// operator's user comes with the caller.
	Integrations []string
	// LeastApproval is the strategy that every run has at least.
	LeastApproval client.ApprovalStrategy
	// PassThrough is the operator's secret data by integration id.
	PassThrough map[string]client.PassThrough

	// Local says that the person at the client runs this server: they may be told
	// its flags. Over HTTP an operator does.
	Local bool

	Approvals           Approvals
	DecideHint          string   // where else a person decides; "": in the vendor's console
	DecideCommand       string   // the terminal command that asks them, with RUN_ID for the run; "" where callers have none
	AskApprovals        bool     // a waiting call asks the person to decide, where the client can ask
	AskAuthorization    bool     // and to authorise
	AuthLinks           bool     // a result may hold the link to authorise
	ReadOnly            bool     // no create_run, abort_run, approve
	Tools               []string // those there are, by name; empty for all
	ExcludeTools        []string // those there are not
	MaxResultBytes      int      // of a result's JSON; 0: DefaultMaxResultBytes
	AllowPassThrough    bool     // create_run takes passThrough
	AllowAnyUser        bool     // a call may name another user than the operator's
	AllowAnyIntegration bool     // and other integrations
}

// set is the tools of one server.
type set struct{ Options }

// Names are the names of all tools.
func Names() []string { return []string{"create_run", "get_run", "list_runs", "abort_run", "approve"} }

// Offers reports whether the operator lets a tool be there.
func (o Options) Offers(name string) bool {
	changes := name != "get_run" && name != "list_runs"
	switch {
	case changes && o.ReadOnly, name == "approve" && o.Approvals == ApprovalsOff:
		return false
	case len(o.Tools) > 0 && !slices.Contains(o.Tools, name):
		return false
	}
	return !slices.Contains(o.ExcludeTools, name)
}

// ifOffered returns a text that speaks of a tool, "" where that is not there.
func (o Options) ifOffered(name, text string) string {
	if !o.Offers(name) {
		return ""
	}
	return text
}

// Register adds the tools that the options allow to a server.
func Register(srv *server.MCPServer, o Options) {
	o.MaxResultBytes = cmp.Or(o.MaxResultBytes, DefaultMaxResultBytes)
	o.Secrets = cmp.Or(o.Secrets, redact.New())
	s := &set{o}
	for _, t := range []server.ServerTool{s.createRunTool(), s.getRunTool(), s.listRunsTool(), s.abortRunTool(), s.approveTool()} {
		if o.Offers(t.Tool.Name) {
			srv.AddTools(t)
		}
	}
}

// hints are a tool's four annotation hints.
type hints struct{ readOnly, destructive, idempotent, openWorld bool }

// definition is what a tool says of itself.
type definition struct {
	name, title, description string
	hints                    hints
	makesRun                 bool // a round of its calls goes on with the run they made, whatever the arguments
}

// tool makes an MCP tool of a function: its schemas come from the types of
// arguments and result, and whatever it returns or throws becomes one result.
func tool[A, R any](s *set, d definition, do func(context.Context, *call, A) (R, error)) server.ServerTool {
	t := mcp.NewToolWithRawSchema(d.name, d.description, publishedSchema[A]())
	t.RawOutputSchema = outputSchema[R]()
	t.Title = d.title
	t.Annotations = mcp.ToolAnnotation{
		Title: d.title, ReadOnlyHint: &d.hints.readOnly, DestructiveHint: &d.hints.destructive,
		IdempotentHint: &d.hints.idempotent, OpenWorldHint: &d.hints.openWorld,
	}
	arguments := newArguments[A](inputSchema[A](), d.hints.readOnly)
	return server.ServerTool{Tool: t, Handler: func(ctx context.Context, req mcp.CallToolRequest) (out *mcp.CallToolResult, err error) {
		defer func() {
			if r := recover(); r != nil {
				s.Log.Error("a tool panicked", "tool", d.name, "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
				out, err = s.failure(view.New(s.Secrets), errors.New("panic")), nil
			}
		}()
		c, err := s.arrive(ctx, d.name, req)
		if err != nil {
			s.logFailure(c, req, err)
			return s.failure(c.view(), err), nil
		}
		args, ignored, err := arguments.read(req)
		if made := d.makesRun && c.resume != nil; err != nil && !made { // then they are not looked at
			s.logFailure(c, req, err)
			return s.failure(c.view(), err), nil
		}
		result, err := do(ctx, c, args)
		if round, ok := errors.AsType[*attend.Round](err); ok {
			return s.inputRequired(c, round), nil
		}
		if err != nil {
			s.logFailure(c, req, err)
			f := s.describe(err)
			f.Message = c.aboutDecision() + f.Message
			return s.failed(c.view(), f), nil
		}
		if r, ok := any(&result).(toolResult); ok {
			r.addIgnored(ignored)
			r.fit(s.Options)
		}
		return success(result), nil
	}}
}

// success puts a result into structuredContent and, as the same compact JSON,
// into one text block: some clients show the model only one of the two.
func success(result any) *mcp.CallToolResult {
	text := view.JSON(result)
	return &mcp.CallToolResult{
		Content:           []mcp.Content{mcp.NewTextContent(string(text))},
		StructuredContent: json.RawMessage(text),
	}
}
