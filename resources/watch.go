package resources

import (
	"context"
	"fmt"
	"slices"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/view"
)

// Watch returns the function that follows what an address names, for one
// subscriber: run://{runId} changes with the run's status, its events with
// every event. changed is called once at the beginning, so that nothing between
// a read and the subscription is missed, and then for every change, with the
// newest event's id and the status; it must not block. The following ends with
// ctx, with the run, or where the run can no longer be watched; of that the last
// change tells, for who reads then learns why.
//
// A run that the caller cannot see is [server.ErrResourceNotFound]; what else
// can be read but does not tell of changes is [mcp.ErrInvalidParams].
func Watch(o Options) func(ctx context.Context, uri string, changed func(meta map[string]any)) (stop func(), err error) {
	s := &set{o}
	return func(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
		a, err := parseAddress(uri)
		switch {
		case uri == activeIntegrations, err == nil && a.part != ofRun && a.part != ofEvents:
			return nil, invalid("only run://{runId} and run://{runId}/events can be subscribed to")
		case err != nil:
			return nil, err
		}
		caller := client.CallerFrom(ctx)
		if _, err := s.API.GetRun(ctx, caller, a.runID, false); client.KindOf(err) == client.NotFound {
			return nil, fmt.Errorf("%w: no such run", server.ErrResourceNotFound)
		} else if err != nil {
			return nil, s.shown(caller, err)
		}
		ctx, stop := context.WithCancel(ctx)
		last, told := int64(-1), client.Status("")
		s.Feeds.Subscribe(ctx, caller, a.runID, func(news feed.News) {
			first, moved := last < 0, len(news.Events) > 0
			if moved {
				last = news.Events[len(news.Events)-1].ID
			}
			if first || a.part == ofEvents && moved || a.part == ofRun && news.Status != told {
				last, told = max(last, 0), news.Status
				changed(map[string]any{"lastEventId": last, "status": s.status(caller, news)})
			}
		}, func() { changed(nil) })
		return stop, nil
	}
}

// status is a run's status as a notification tells it. A notification may come
// for every event, so a set is made only for a status that is none of the
// contract's.
func (s *set) status(caller client.Caller, news feed.News) string {
	if slices.Contains(client.Statuses(), news.Status) {
		return string(news.Status)
	}
	return view.New(s.secrets(caller).With(news.Tokens...)).Status(news.Status)
}
