package resources

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
)

// Watch returns the function that watches an address for one subscriber: run://{runId}
// changes with the run's status, its events with every event. changed is called once
// at the start, so that no change between a read and the subscription is missed, and
// then for every change, with the newest event's id and the status; it must not block.
//
// The watch ends with stop, with the run, or when the run can no longer be
// watched. Then changed is called a last time, with nil: a reader learns why.
//
// A run that the caller cannot see is [server.ErrResourceNotFound]; an address that
// cannot be watched is [mcp.ErrInvalidParams]; a key that the API refuses is a
// [client.Error] of the kind Unauthorized, with a text fit to show.
func Watch(o Options) func(ctx context.Context, uri string, changed func(meta map[string]any)) (stop func(), err error) {
	return (&handlers{o}).watch
}

func (h *handlers) watch(ctx context.Context, uri string, changed func(meta map[string]any)) (stop func(), err error) {
	a, err := parseAddress(uri)
	switch {
	case uri == activeIntegrations, err == nil && a.part != partRun && a.part != partEvents:
		return nil, invalid("only run://{runId} and run://{runId}/events can be subscribed to")
	case err != nil:
		return nil, err
	}
	caller := client.CallerFrom(ctx)
	_, err = h.API.GetRun(ctx, caller, a.runID, false)
	switch {
	case client.KindOf(err) == client.NotFound:
		return nil, fmt.Errorf("%w: no such run", server.ErrResourceNotFound)
	case err != nil:
		return nil, h.watchError(caller, err)
	}
	w := &watcher{handlers: h, caller: caller, everyEvent: a.part == partEvents, changed: changed, first: true}
	return h.Feeds.Subscribe(caller, a.runID, w.observe, func() { changed(nil) }), nil
}

// watchError returns an error with a text fit to show. It keeps the kind of a refused
// key.
func (h *handlers) watchError(caller client.Caller, err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok && e.Kind == client.Unauthorized {
		return &client.Error{Kind: e.Kind, Op: e.Op, Message: h.view(caller).Line(e.Message, 400)}
	}
	return h.shownError(caller, err)
}

// changeFunc notifies a subscriber of a change.
type changeFunc func(meta map[string]any)

// watcher notifies one subscriber of changes.
type watcher struct {
	*handlers
	caller     client.Caller
	everyEvent bool // else the status alone counts
	changed    changeFunc

	first  bool // no change was notified yet
	last   int64
	status client.Status
}

// observe notifies the subscriber, if the news are a change.
func (w *watcher) observe(news feed.News) {
	hasEvents := len(news.Events) > 0
	if hasEvents {
		w.last = news.Events[len(news.Events)-1].ID
	}
	if w.first || w.everyEvent && hasEvents || !w.everyEvent && news.Status != w.status {
		w.first, w.status = false, news.Status
		w.changed(map[string]any{"lastEventId": w.last, "status": w.statusOf(news)})
	}
}

// statusOf returns a run's status as it is shown. Most watchers need no set of
// secrets for it: a status of the contract is none.
func (w *watcher) statusOf(news feed.News) string {
	if slices.Contains(client.Statuses(), news.Status) {
		return string(news.Status)
	}
	return w.viewOf(w.caller, news.Tokens).Status(news.Status)
}
