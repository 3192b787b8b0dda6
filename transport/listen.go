package transport

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// watchedAtOnce is how many resources of one listen begin to be watched at the
// same time: each asks upstream first, and the acknowledgement waits for all.
const watchedAtOnce = 8

// trimListen watches what a listen asks for, and leaves in its filter what is
// watched. What can't be is left out without an error, as the specification
// asks: the acknowledgement says what was honoured. Of more than maxWatched
// resources the first count, seen or not, so that nobody makes us ask upstream
// without end.
func trimListen(ctx context.Context, _ any, m *mcp.SubscriptionsListenRequest) {
	c, ok := server.ClientSessionFromContext(ctx).(*call)
	if !ok || c.subs == nil {
		return
	}
	asked := make(map[string]bool)
	wanted := slices.DeleteFunc(m.Params.Notifications.ResourceSubscriptions, func(uri string) bool {
		again := asked[uri]
		asked[uri] = true
		return again
	})
	m.Params.Notifications.ResourceSubscriptions = c.subs.addAll(c.ctx, wanted[:min(len(wanted), maxWatched)])
}

// addAll watches resources, several at once, and returns those that are
// watched, in their order. It panics as a Watch of them did.
func (s *subscriptions) addAll(ctx context.Context, uris []string) []string {
	added := make([]bool, len(uris))
	var panicked atomic.Pointer[any]
	var adding sync.WaitGroup
	places := make(chan struct{}, watchedAtOnce)
	for i, uri := range uris {
		places <- struct{}{}
		adding.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					panicked.Store(&v)
				}
				<-places
			}()
			added[i] = s.add(ctx, uri) == nil
		})
	}
	adding.Wait()
	if v := panicked.Load(); v != nil {
		panic(*v)
	}
	var watched []string
	for i, uri := range uris {
		if added[i] {
			watched = append(watched, uri)
		}
	}
	return watched
}

// noteUpdate tells a listen of a change, after its acknowledgement: mcp-go
// subscribes before it acknowledges, and drops what finds no room.
func (c *call) noteUpdate(ctx context.Context, uri string, meta map[string]any) error {
	select {
	case <-c.acked:
	case <-ctx.Done():
		return ctx.Err()
	}
	n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION}
	n.Method = mcp.MethodNotificationResourceUpdated
	n.Params.Meta = meta
	n.Params.AdditionalFields = map[string]any{"uri": uri}
	select {
	case c.notes <- n:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
