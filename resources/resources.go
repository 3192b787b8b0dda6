// Package resources is what the model reads: a run, its events, its plan and
// its result under run:// addresses, and what integrations a run may use, all
// as JSON.
package resources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

const (
	// maxPage bounds what one read shows of events or steps, in bytes of JSON:
	// below the 12,000 at which Codex cuts.
	maxPage = 10_000
	// maxIntent and maxResult bound what is read of a run's intent and result with
	// the run, in bytes. All of the result is at its own address.
	maxIntent = 6_000
	maxResult = 3_000
	// maxList bounds the list of integrations, which has no pages, in bytes of JSON.
	maxList = 48 << 10
)

// Options are what the resources work with, and the operator's limits.
type Options struct {
	API     *client.Client
	Feeds   *feed.Hub
	Decider *approval.Decider
	Log     *slog.Logger
	// Secrets are the operator's: they are shown to nobody.
	Secrets *redact.Set

	// Integrations are those that runs may use; empty when the operator set none.
	Integrations        []string
	AllowAnyIntegration bool // a run may use others too
}

// set is the resources of one server.
type set struct{ Options }

// Register adds the resources and their templates to a server.
func Register(srv *server.MCPServer, o Options) {
	o.Secrets = cmp.Or(o.Secrets, redact.New())
	s := &set{o}
	srv.AddResource(integrationsResource(), s.handler(s.activeIntegrations))
	for _, template := range templates() {
		srv.AddResourceTemplate(template, s.handler(s.read))
	}
}

// templates are the addresses of a run and its parts.
func templates() []mcp.ResourceTemplate {
	template := func(uri, name, title, description string) mcp.ResourceTemplate {
		return mcp.NewResourceTemplate(uri, name, mcp.WithTemplateTitle(title), mcp.WithTemplateDescription(description), mcp.WithTemplateMIMEType("application/json"))
	}
	return []mcp.ResourceTemplate{
		template("run://{runId}", "run", "Run", "A run: its status, intent, times and result, which is cut where it is long."),
		template("run://{runId}/events{?afterEventId,limit}", "run_events", "Events of a run",
			"What happened in a run, in order: up to limit events (default 50, at most 500) after afterEventId (default 0)."),
		template("run://{runId}/plan{?offset,limit}", "run_plan", "Plan of a run",
			"What a run intends to do, as soon as the API tells it: up to limit steps (default 50, at most 500) from offset (default 0)."),
		template("run://{runId}/result{?offset,limit}", "run_result", "Result of a run",
			"A run's whole result as one JSON text, in parts: limit characters (default 8192, at most 65536) from offset (default 0)."),
	}
}

// handler makes an MCP handler of a function from an address to a value. A
// run that cannot be seen is [server.ErrResourceNotFound], which the transport
// turns into the protocol's error, as it does [mcp.ErrInvalidParams]; every
// other error has a text fit to show.
func (s *set) handler(read func(ctx context.Context, caller client.Caller, uri string) (any, error)) func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return func(ctx context.Context, req mcp.ReadResourceRequest) (contents []mcp.ResourceContents, err error) {
		defer func() {
			if r := recover(); r != nil {
				s.Log.Error("a resource panicked", "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
				contents, err = nil, errors.New("internal: the server failed; its log says more")
			}
		}()
		caller := client.CallerFrom(ctx)
		value, err := read(ctx, caller, req.Params.URI)
		switch {
		case errors.Is(err, server.ErrResourceNotFound), errors.Is(err, mcp.ErrInvalidParams):
			return nil, err
		case client.KindOf(err) == client.NotFound:
			return nil, fmt.Errorf("%w: no such run", server.ErrResourceNotFound)
		case err != nil:
			s.Log.Info("a resource could not be read", "error", err)
			return nil, s.shown(caller, err)
		}
		return []mcp.ResourceContents{mcp.TextResourceContents{URI: req.Params.URI, MIMEType: "application/json", Text: string(view.JSON(value))}}, nil
	}
}

// secrets are what no caller is shown: the operator's, and their own key.
func (s *set) secrets(caller client.Caller) *redact.Set { return s.Secrets.With(string(caller.Key)) }

// view returns the view of what is read without a run's events.
func (s *set) view(caller client.Caller) view.View { return view.New(s.secrets(caller)) }

// viewOf returns the view of a run with the tokens of its events.
func (s *set) viewOf(caller client.Caller, tokens []string) view.View {
	return view.New(s.secrets(caller).With(tokens...))
}

// shown is an error with a text fit to show.
func (s *set) shown(caller client.Caller, err error) error {
	return errors.New(s.view(caller).Line(err.Error(), 400))
}

// read reads what a run:// address names.
func (s *set) read(ctx context.Context, caller client.Caller, uri string) (any, error) {
	a, err := parseAddress(uri)
	if err != nil {
		return nil, err
	}
	if a.part == ofEvents {
		return s.events(ctx, caller, a)
	}
	if a.part == ofPlan {
		return s.plan(ctx, caller, a)
	}
	// With its events, for what a run says may hold the tokens in them.
	read, err := s.Feeds.Snapshot(ctx, caller, a.runID, feed.Wanted{})
	if err != nil {
		return nil, err
	}
	run, v := read.Run, s.viewOf(caller, read.Tokens)
	if a.part == ofResult {
		return result(v, run, a), nil
	}
	shown := v.Run(run)
	shown.Intent = v.Text(run.Intent, maxIntent)
	shown.Result = v.Value(run.Result, maxResult)
	return shown, nil
}
