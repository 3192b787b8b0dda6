// Package resources is what the model reads as JSON, one file each: a run, its
// events, its plan and its result at run:// addresses, and the integrations that a
// run may use. It also lists the newest runs, completes their ids and watches them, and
// has the page of the live view.
package resources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

// Register adds the resources and their templates to a server.
func Register(srv *server.MCPServer, o Options) {
	o.Secrets = cmp.Or(o.Secrets, redact.New())
	h := &handlers{o}
	srv.AddResource(integrationsResource(), h.handler(h.readIntegrations))
	registerRunView(srv)
	for _, template := range templates() {
		srv.AddResourceTemplate(template, h.handler(h.readAddress))
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

// handler makes an MCP handler of a function from an address to a value. The
// transport turns two errors into the protocol's: [server.ErrResourceNotFound], of a
// run that the caller cannot see, and [mcp.ErrInvalidParams]. Every other error has a
// text fit to show.
func (h *handlers) handler(read func(ctx context.Context, caller client.Caller, uri string) (any, error)) func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return func(ctx context.Context, req mcp.ReadResourceRequest) (contents []mcp.ResourceContents, err error) {
		defer func() {
			if r := recover(); r != nil {
				h.Log.Error("a resource panicked", "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
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
			h.Log.Info("a resource could not be read", "error", err)
			return nil, h.shownError(caller, err)
		}
		return []mcp.ResourceContents{mcp.TextResourceContents{URI: req.Params.URI, MIMEType: "application/json", Text: string(view.JSON(value))}}, nil
	}
}

// readAddress reads what a run:// address names.
func (h *handlers) readAddress(ctx context.Context, caller client.Caller, uri string) (any, error) {
	a, err := parseAddress(uri)
	if err != nil {
		return nil, err
	}
	switch a.part {
	case partEvents:
		return h.readEvents(ctx, caller, a)
	case partPlan:
		return h.readPlan(ctx, caller, a)
	case partResult:
		return h.readResult(ctx, caller, a)
	}
	return h.readRun(ctx, caller, a)
}
