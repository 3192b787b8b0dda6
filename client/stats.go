package client

import (
	"strconv"
	"sync/atomic"
)

// Stats are counts since the start, of all callers together.
type Stats struct {
	// Requests counts what was sent, every try and stream, by operation and status.
	Requests    map[RequestCount]int64
	OpenStreams int64 // event streams that are open now
	Reconnects  int64 // event streams that were opened again
}

// RequestCount names a number of requests.
type RequestCount struct {
	Operation string // the tool that it is for, stream, get_plan or list_integrations
	// Status is that of the answer, or its class for a rare one, such as 4xx; "error" is
	// no answer.
	Status string
}

// operationNames returns the names of all operations.
func operationNames() []string {
	return []string{"create_run", "get_run", "abort_run", "approve", "list_runs", "get_plan", "list_integrations", "stream"}
}

// countedStatuses are counted one by one, all others by their classes.
var countedStatuses = [...]int{200, 201, 202, 204, 400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504}

// statusClasses are the slots before those of countedStatuses: no answer, and 1xx to 5xx.
const statusClasses = 6

// requestCounts counts the requests of one operation by slots of statuses.
type requestCounts [statusClasses + len(countedStatuses)]atomic.Int64

// statusName names a slot.
func statusName(slot int) string {
	switch {
	case slot == 0:
		return "error"
	case slot < statusClasses:
		return strconv.Itoa(slot) + "xx"
	}
	return strconv.Itoa(countedStatuses[slot-statusClasses])
}

// counts are the numbers behind [Stats].
type counts struct {
	requests    map[string]*requestCounts // by operation; it does not change
	openStreams atomic.Int64
	reconnects  atomic.Int64
}

func newCounts() *counts {
	c := &counts{requests: map[string]*requestCounts{}}
	for _, op := range operationNames() {
		c.requests[op] = new(requestCounts)
	}
	return c
}

// Stats returns the counts. They are read one after the other.
func (c *Client) Stats() Stats {
	s := Stats{Requests: map[RequestCount]int64{}, OpenStreams: c.counts.openStreams.Load(), Reconnects: c.counts.reconnects.Load()}
	for op, of := range c.counts.requests {
		for slot := range of {
			if n := of[slot].Load(); n > 0 {
				s.Requests[RequestCount{op, statusName(slot)}] = n
			}
		}
	}
	return s
}

// NoteReconnect counts an event stream that package follow opens again.
func (c *Client) NoteReconnect() { c.counts.reconnects.Add(1) }
