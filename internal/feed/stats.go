package feed

// Stats are numbers of all callers together.
type Stats struct {
	Watched int   // runs that are watched now
	Gaps    int64 // places, since the start, at which a run lacks events or began its ids anew
}

// Stats returns the numbers.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{Watched: len(h.feeds), Gaps: h.gaps.Load()}
}
