package streamable

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"runs-mcp-server/transport/session"
)

// sessions is the table of all sessions.
type sessions struct {
	mu     sync.Mutex // guards all below
	byID   map[string]*httpSession
	closed bool // no more are added

	count *atomic.Int64 // how many there are, for others to read
}

func newSessions(count *atomic.Int64) *sessions {
	return &sessions{byID: make(map[string]*httpSession), count: count}
}

// addSession adds a session. false: the server is shutting down.
func (t *sessions) addSession(s *httpSession) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.byID[s.id] = s
	t.count.Add(1)
	return true
}

// acquireSession returns the session of an id, if it is the caller's, until it is
// released; else nil.
func (t *sessions) acquireSession(id, caller string) *httpSession {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.byID[id]
	if s == nil || s.caller != caller {
		return nil
	}
	s.acquire()
	return s
}

// removeSession removes a session.
func (t *sessions) removeSession(s *httpSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deleteSession(s.id)
}

// takeIdlest removes the session that has been idle for longest among those that
// match, and returns it: the caller ends it. nil: none is idle.
func (t *sessions) takeIdlest(match func(*httpSession) bool) (idlest *httpSession) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	longest := time.Duration(0)
	for _, s := range t.byID {
		if idle := s.idleFor(now); idle > longest && match(s) {
			idlest, longest = s, idle
		}
	}
	if idlest != nil {
		t.deleteSession(idlest.id)
	}
	return idlest
}

// takeOldest does the same with the oldest session, if more than a number of them
// match, whether it is idle or not.
func (t *sessions) takeOldest(most int, match func(*httpSession) bool) (oldest *httpSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	matching := 0
	for _, s := range t.byID {
		if !match(s) {
			continue
		}
		matching++
		if oldest == nil || s.created.Before(oldest.created) {
			oldest = s
		}
	}
	if matching <= most {
		return nil
	}
	t.deleteSession(oldest.id)
	return oldest
}

// endIdle ends the sessions that have been idle for a time.
func (t *sessions) endIdle(idle time.Duration) {
	now := time.Now()
	var ended []*httpSession
	t.mu.Lock()
	for id, s := range t.byID {
		if s.idleFor(now) >= idle {
			ended = append(ended, s)
			t.deleteSession(id)
		}
	}
	t.mu.Unlock()
	for _, s := range ended {
		s.end(session.ErrClientGone)
	}
}

// pauseUnread stops watching for the sessions whose stream of GET nobody has read
// for so long.
func (t *sessions) pauseUnread(grace time.Duration) {
	t.mu.Lock()
	all := slices.Collect(maps.Values(t.byID))
	t.mu.Unlock()
	now := time.Now()
	for _, s := range all {
		s.pauseOrResume(now, grace)
	}
}

// stopAll tells the calls of all sessions to stop waiting, and adds no more
// sessions. They stay in the table, for requests that came in just before.
func (t *sessions) stopAll(cause error) {
	t.mu.Lock()
	t.closed = true
	all := slices.Collect(maps.Values(t.byID))
	t.mu.Unlock()
	var stopping sync.WaitGroup
	for _, s := range all {
		stopping.Go(func() { s.stopWaiting(cause) })
	}
	stopping.Wait()
}

// endAll ends all sessions.
func (t *sessions) endAll(cause error) {
	t.mu.Lock()
	all := t.byID
	t.byID = make(map[string]*httpSession)
	t.count.Add(-int64(len(all)))
	t.mu.Unlock()
	for _, s := range all {
		s.end(cause)
	}
}

// deleteSession removes the session of an id, if there is one. t.mu is held.
func (t *sessions) deleteSession(id string) {
	if t.byID[id] != nil {
		delete(t.byID, id)
		t.count.Add(-1)
	}
}
