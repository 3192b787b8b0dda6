package attend

import "maps"

// Stats are counts since the start, of all callers together.
type Stats struct {
	Asked    map[Kind]int64         // questions that were handed to a client
	Outcomes map[OutcomeCount]int64 // what came of the questions that are done
}

// OutcomeCount names a number of questions.
type OutcomeCount struct {
	Kind   Kind
	Status Status
}

// Stats returns the counts.
func (a *Attendant) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Stats{Asked: maps.Clone(a.asked), Outcomes: maps.Clone(a.outcomes)}
}
