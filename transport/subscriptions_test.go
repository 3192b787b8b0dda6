package transport

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/mark3labs/mcp-go/server"
)

// watching is a Watch that hands out how to change.
type watching struct {
	changed chan func(map[string]any) // one per Watch
	stopped chan string

	mu   sync.Mutex // guards all below
	open map[string]int
}

func newWatching() *watching {
	return &watching{changed: make(chan func(map[string]any), 5000), stopped: make(chan string, 5000), open: map[string]int{}}
}

func (w *watching) watch(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
	if uri == "run://gone" {
		return nil, fmt.Errorf("upstream said 404: %w", server.ErrResourceNotFound)
	}
	w.mu.Lock()
	w.open[uri]++
	w.mu.Unlock()
	w.changed <- changed
	return func() {
		if ctx.Err() == nil {
			panic("stopped, and the context is not done")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.open[uri]--; w.open[uri] == 0 {
			delete(w.open, uri)
		}
		w.stopped <- uri
	}, nil
}

// left is how many are watched.
func (w *watching) left() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open)
}

func subscribe(uri string) string {
	return `{"jsonrpc":"2.0","id":"s","method":"resources/subscribe","params":{"uri":"` + uri + `"}}`
}

func unsubscribe(uri string) string {
	return `{"jsonrpc":"2.0","id":"u","method":"resources/unsubscribe","params":{"uri":"` + uri + `"}}`
}

func updateLine(uri, meta string) string {
	return `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":` + meta + `,"uri":"` + uri + `"}}`
}

// pick picks the narrow server by header.
func pick(wide, narrow *fixture) func(*http.Request) *server.MCPServer {
	return func(r *http.Request) *server.MCPServer {
		if r.Header.Get("X-MCP-Readonly") != "" {
			return narrow.srv
		}
		return wide.srv
	}
}
