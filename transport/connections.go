package transport

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// connections bounds the open connections. Where there are too many, the one
// goes that has waited longest for a request, or has not sent its first; a
// client takes that for the end of any idle connection and connects again.
type connections struct {
	limit int

	mu      sync.Mutex                 // guards all below
	open    map[net.Conn]*list.Element // its place in waiting; nil while it is served
	waiting list.List                  // of net.Conn, the longest waiting first
}

// newConnections has none open.
func newConnections(limit int) *connections {
	return &connections{limit: limit, open: make(map[net.Conn]*list.Element)}
}

// note is http.Server.ConnState.
func (c *connections) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if place := c.open[conn]; place != nil {
		c.waiting.Remove(place)
	}
	switch state {
	case http.StateNew, http.StateIdle:
		c.open[conn] = c.waiting.PushBack(conn)
	case http.StateActive:
		c.open[conn] = nil
	default:
		delete(c.open, conn)
	}
	if len(c.open) <= c.limit {
		return
	}
	if longest := c.waiting.Front(); longest != nil { // the new one, if all others are served
		gone := c.waiting.Remove(longest).(net.Conn)
		delete(c.open, gone)
		_ = gone.Close()
	}
}
