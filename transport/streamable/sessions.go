package streamable

import (
	"maps"
	"slices"
	"sync"
	"time"

	"runs-mcp-server/transport/session"
)

// sessions is the table of all sessions.
type sessions struct {
	mu     sync.Mutex // guards all below
	byID   map[string]*httpSession
	closed bool // no more are added
}

func newSessions() *sessions { return &sessions{byID: make(map[string]*httpSession)} }

// addSession adds a session. false: the server is shutting down.
func (t *sessions) addSession(s *httpSession) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.byID[s.id] = s
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
	delete(t.byID, s.id)
}

// endIdle ends the sessions that have been idle for a time.
func (t *sessions) endIdle(idle time.Duration) {
	now := time.Now()
	var ended []*httpSession
	t.mu.Lock()
	for id, s := range t.byID {
		if s.idleFor(now) >= idle {
			ended = append(ended, s)
			delete(t.byID, id)
		}
	}
	t.mu.Unlock()
	for _, s := range ended {
		s.end(session.ErrClientGone)
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
	t.mu.Unlock()
	for _, s := range all {
		s.end(cause)
	}
}
