package streamable

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many connections are open. Beyond the limit it closes
// the one that has been idle for longest, or has not sent its first request. A
// client takes that for the end of any idle connection and connects again.
type connections struct {
	limit int

	mu   sync.Mutex                 // guards all below
	open map[net.Conn]*list.Element // its place in idle; nil while it is served
	idle list.List                  // of net.Conn, the longest idle first
}

func newConnections(limit int) *connections {
	return &connections{limit: limit, open: make(map[net.Conn]*list.Element)}
}

// noteState is http.Server.ConnState.
func (c *connections) noteState(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if place := c.open[conn]; place != nil {
		c.idle.Remove(place)
	}
	switch state {
	case http.StateNew, http.StateIdle:
		c.open[conn] = c.idle.PushBack(conn)
	case http.StateActive:
		c.open[conn] = nil
	default:
		delete(c.open, conn)
	}
	if len(c.open) > c.limit {
		c.closeIdlest()
	}
}

// closeIdlest closes the connection that has been idle for longest: the new one
// if all others are served. c.mu is held.
func (c *connections) closeIdlest() {
	if longest := c.idle.Front(); longest != nil {
		conn := c.idle.Remove(longest).(net.Conn)
		delete(c.open, conn)
		_ = conn.Close()
	}
}
