// Package resources is what the model reads: a run and its events under
// run:// addresses, as JSON.
package resources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/view"
)

// Options are what the resources work with.
type Options struct {
	API   *client.Client
	Feeds *feed.Hub
	View  *view.View
	Log   *slog.Logger
}

// set is the resources of one server.
type set struct{ Options }

// Register adds the resource templates to a server.
func Register(srv *server.MCPServer, o Options) {
	s := &set{o}
	srv.AddResourceTemplate(mcp.NewResourceTemplate("run://{runId}", "run",
		mcp.WithTemplateTitle("Run"),
		mcp.WithTemplateDescription("A run: its status, intent, times and result."),
		mcp.WithTemplateMIMEType("application/json"),
	), s.handler(s.run))
	srv.AddResourceTemplate(mcp.NewResourceTemplate("run://{runId}/events{?afterEventId,limit}", "run_events",
		mcp.WithTemplateTitle("Events of a run"),
		mcp.WithTemplateDescription("What happened in a run, in order: up to limit events (default 50, at most 500) after afterEventId (default 0)."),
		mcp.WithTemplateMIMEType("application/json"),
	), s.handler(s.events))
}

// handler makes an MCP handler of a function from an address to a value. A
// run that cannot be seen is [server.ErrResourceNotFound], which the transport
// turns into the protocol's error; every other error has a text fit to show.
func (s *set) handler(read func(context.Context, client.Caller, address) (any, error)) server.ResourceTemplateHandlerFunc {
	return func(ctx context.Context, req mcp.ReadResourceRequest) (contents []mcp.ResourceContents, err error) {
		defer func() {
			if r := recover(); r != nil {
				s.Log.Error("a resource panicked", "panic", r, "stack", string(debug.Stack()))
				contents, err = nil, errors.New("internal: the server failed; its log says more")
			}
		}()
		a, err := parseAddress(req.Params.URI)
		if err != nil {
			return nil, err
		}
		value, err := read(ctx, client.CallerFrom(ctx), a)
		if client.KindOf(err) == client.NotFound {
			return nil, fmt.Errorf("%w: no such run", server.ErrResourceNotFound)
		}
		if err != nil {
			s.Log.Info("a resource could not be read", "error", err)
			return nil, s.shown(err)
		}
		text, err := json.Marshal(value)
		if err != nil {
			panic(err) // values are our own types
		}
		return []mcp.ResourceContents{mcp.TextResourceContents{URI: req.Params.URI, MIMEType: "application/json", Text: string(text)}}, nil
	}
}

// shown is an error with a text fit to show.
func (s *set) shown(err error) error { return errors.New(s.View.Line(err.Error(), 400)) }

func (s *set) run(ctx context.Context, caller client.Caller, a address) (any, error) {
	run, err := s.API.GetRun(ctx, caller, a.runID, false)
	if err != nil {
		return nil, err
	}
	return s.View.Run(run), nil
}

// EventPage is what the events of a run read as.
type EventPage struct {
	RunID       string       `json:"runId"`
	Status      string       `json:"status"`
	Events      []view.Event `json:"events"`
	LastEventID int64        `json:"lastEventId"` // go on with it as afterEventId
	More        bool         `json:"more"`        // there are later events already
}

func (s *set) events(ctx context.Context, caller client.Caller, a address) (any, error) {
	page := EventPage{RunID: a.runID, Events: []view.Event{}, LastEventID: a.afterEventID}
	events, st, ok := s.Feeds.Read(caller, a.runID, a.afterEventID)
	page.Status = s.View.Status(st.Status)
	if !ok {
		run, err := s.API.GetRun(ctx, caller, a.runID, true)
		if err != nil {
			return nil, err
		}
		page.Status, events = s.View.Run(run).Status, run.Events
	}
	for _, e := range events {
		switch {
		case e.ID <= a.afterEventID:
		case len(page.Events) == a.limit:
			page.More = true
			return page, nil
		default:
			page.Events = append(page.Events, s.View.Event(e, true))
			page.LastEventID = e.ID
		}
	}
	return page, nil
}
