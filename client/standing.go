package client

import (
	"container/list"
	"sync"
)

// maxStandings is how many callers are remembered. One that is forgotten
// starts afresh.
const maxStandings = 1024

// standing is how a caller stands with the API: one caller's failures must
// never slow another's calls.
type standing struct {
	budget  budget
	breaker breaker
}

// standings are those of the callers seen last.
type standings struct {
	fresh func() *standing

	mu    sync.Mutex // guards the rest
	of    map[Key]*list.Element
	order *list.List // of *remembered, the newest in front
}

type remembered struct {
	key Key
	*standing
}

func newStandings(fresh func() *standing) *standings {
	return &standings{fresh: fresh, of: map[Key]*list.Element{}, order: list.New()}
}

// get returns the standing of a caller.
func (s *standings) get(key Key) *standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.of[key]; e != nil {
		s.order.MoveToFront(e)
		return e.Value.(*remembered).standing
	}
	r := &remembered{key, s.fresh()}
	s.of[key] = s.order.PushFront(r)
	if s.order.Len() > maxStandings {
		oldest := s.order.Remove(s.order.Back()).(*remembered)
		delete(s.of, oldest.key)
	}
	return r.standing
}
