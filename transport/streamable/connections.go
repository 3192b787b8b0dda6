package streamable

import (
	"container/list"
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// youngTime is how long a stranger's connection is young: its request may be on its
// way, or its caller about to become known, so others are closed before it.
const youngTime = time.Second

// warnInterval is the least time between two warnings.
const warnInterval = time.Minute

// connections bounds how many connections are open, and how many of them are
// strangers'. A connection is a stranger's until a request of a known caller has
// come on it. Beyond a limit one is closed, see [connections.evict]. A client
// takes that for the end of any idle connection and connects again.
type connections struct {
	places         int  // how many may be open
	strangerPlaces int  // how many of them may be strangers'
	descriptors    int  // how many the process may have; 0: not known
	few            bool // the descriptors allow less places than the options
	log            *slog.Logger

	mu        sync.Mutex // guards all below
	open      map[net.Conn]*openConnection
	strangers group
	known     group
	warned    time.Time
}

// group is the connections of strangers or of known callers, those that are longest
// in their state first.
type group struct{ idle, served list.List } // of *openConnection

func (g *group) len() int { return g.idle.Len() + g.served.Len() }

// openConnection is a connection and its place in a group.
type openConnection struct {
	conn    net.Conn
	isKnown func() bool // whether the caller of the newest request is known by now; nil before the first
	group   *group
	list    *list.List // one of group's
	element *list.Element
	since   time.Time // when it came into list
}

// newConnections returns connections within the limits of options and of a process
// that may have so many descriptors; 0: no limit is known. Half of the descriptors
// are left for the connections to the API.
func newConnections(options *Options, descriptors int) *connections {
	c := &connections{
		places:         options.Connections,
		strangerPlaces: options.StrangerConnections,
		descriptors:    descriptors,
		log:            options.Logger,
		open:           make(map[net.Conn]*openConnection),
	}
	if half := max(1, descriptors/2); descriptors > 0 && half < c.places {
		c.places, c.few = half, true
		c.log.Info("the limit of open files allows few connections of clients: raise it (ulimit -n) to have more",
			"connections", half, "limit", descriptors, "recommended", 2*options.Connections)
	}
	return c
}

type connectionKey struct{}

// withConnection is http.Server.ConnContext.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// noteCaller notes the caller of the request that has this context. isKnown is
// called again later, because the API may come to know the caller by the request.
func (c *connections) noteCaller(request context.Context, isKnown func() bool) {
	conn, _ := request.Value(connectionKey{}).(net.Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.open[conn]
	if o == nil || o.group == &c.known {
		return
	}
	o.isKnown = isKnown
	if isKnown() {
		c.moveToKnown(o)
	}
}

// noteState is http.Server.ConnState.
func (c *connections) noteState(conn net.Conn, state http.ConnState) {
	if state == http.StateNew {
		c.admit(conn)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.open[conn]
	if o == nil { // it was evicted
		return
	}
	switch state {
	case http.StateActive:
		o.moveTo(&o.group.served)
	case http.StateIdle:
		o.moveTo(&o.group.idle)
	default:
		c.remove(o)
	}
}

// admit adds a new connection. Beyond a limit it closes another one; the new one if
// all others are served for known callers.
func (c *connections) admit(conn net.Conn) {
	evicted, full := c.add(conn)
	if full && c.few {
		c.warn("clients have half of the descriptors")
	}
	if evicted != nil {
		_ = evicted.Close()
	}
}

// add adds a new connection, and returns the one to close for it, which may be
// itself; nil: none. full: all places are taken.
func (c *connections) add(conn net.Conn) (evicted net.Conn, full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.updateStrangers()
	full = len(c.open) >= c.places
	if full || c.strangers.len() >= c.strangerPlaces {
		if evicted = c.evict(c.places, false); evicted == nil {
			return conn, full
		}
	}
	o := &openConnection{conn: conn, group: &c.strangers}
	c.open[conn] = o
	o.moveTo(&c.strangers.idle)
	return evicted, full
}

// freeDescriptor closes a connection after an accept that failed for want of a
// descriptor. false: there is none to close. Linux fails so even if no connection
// waits to be accepted, so young ones stay.
func (c *connections) freeDescriptor(cause error) bool {
	c.mu.Lock()
	c.updateStrangers()
	evicted := c.evict(len(c.open), true)
	c.mu.Unlock()
	c.warn(cause.Error())
	if evicted == nil {
		return false
	}
	_ = evicted.Close()
	return true
}

// evict removes and returns the connection that is needed least, of so many places
// that are all taken; nil: there is none. Strangers may take places from idle known
// callers only up to a quarter of all. Beyond that they give way to newer strangers,
// so that nobody can hold these places for ever.
func (c *connections) evict(places int, youngStay bool) net.Conn {
	strangersShare := max(1, min(c.strangerPlaces, places/4))
	switch idle, served := &c.strangers.idle, &c.strangers.served; {
	case hasOld(idle):
		return c.removeFirst(idle)
	case c.strangers.len() < strangersShare && c.known.idle.Len() > 0:
		return c.removeFirst(&c.known.idle)
	case hasOld(served):
		return c.removeFirst(served)
	case youngStay:
		return nil
	case idle.Len() > 0:
		return c.removeFirst(idle)
	case served.Len() > 0:
		return c.removeFirst(served)
	}
	return nil
}

// hasOld reports whether the first connection of a list is not young.
func hasOld(l *list.List) bool {
	return l.Len() > 0 && time.Since(first(l).since) >= youngTime
}

// first returns the connection that has been in a list for longest.
func first(l *list.List) *openConnection { return l.Front().Value.(*openConnection) }

// removeFirst forgets the first connection of a list, and returns it.
func (c *connections) removeFirst(l *list.List) net.Conn {
	o := first(l)
	c.remove(o)
	return o.conn
}

// updateStrangers looks whether the API knows the callers of the connections that are
// next to be evicted by now.
func (c *connections) updateStrangers() {
	for _, l := range []*list.List{&c.strangers.idle, &c.strangers.served} {
		for l.Len() > 0 {
			o := first(l)
			if o.isKnown == nil || !o.isKnown() {
				break
			}
			c.moveToKnown(o)
		}
	}
}

// moveToKnown makes a stranger's connection a known caller's.
func (c *connections) moveToKnown(o *openConnection) {
	to := &c.known.served
	if o.list == &c.strangers.idle {
		to = &c.known.idle
	}
	o.group, o.isKnown = &c.known, nil
	o.moveTo(to)
}

// moveTo moves a connection to the end of a list of its group.
func (o *openConnection) moveTo(l *list.List) {
	if o.list != nil {
		o.list.Remove(o.element)
	}
	o.list, o.element, o.since = l, l.PushBack(o), time.Now()
}

// remove forgets a connection.
func (c *connections) remove(o *openConnection) {
	o.list.Remove(o.element)
	delete(c.open, o.conn)
}

// warn warns that descriptors run out, once per warnInterval.
func (c *connections) warn(cause string) {
	c.mu.Lock()
	due := time.Since(c.warned) >= warnInterval
	if due {
		c.warned = time.Now()
	}
	c.mu.Unlock()
	if due {
		c.log.Warn("file descriptors run out, so idle connections of clients are closed: raise the limit of open files (RLIMIT_NOFILE, ulimit -n)",
			"limit", c.descriptors, "cause", cause)
	}
}
