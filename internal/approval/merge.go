package approval

import (
	"cmp"
	"math"
	"slices"

	"runs-mcp-server/client"
)

// Merge returns what is pending in a run by its stored events and by its stream
// together: only one of the two may have a link or a tool call, and either may lag
// behind. waiting is what is pending by the stream's events up to the cursor
// streamed, in their order. Where both have tool calls the stored ones count, for
// every replica reads the same.
func Merge(caller client.Caller, run *client.Run, waiting []Pending, streamed int64) []Pending {
	if run.Status.Terminal() {
		return nil
	}
	t, rest, stored := NewTracker(caller, run.RunID), waiting, int64(0)
	for _, e := range run.Events {
		// A decision may be stored where the event that asked for it is not.
		rest = t.addStreamed(rest, e.ID-1)
		t.AddEvent(e)
		stored = e.ID
		if isDecided(e.Step) && len(rest) > 0 && rest[0].EventID == e.ID {
			rest = rest[1:]
		}
	}
	t.addStreamed(rest, math.MaxInt64)
	if streamed <= stored {
		return t.Pending()
	}
	// What the stream no longer has was decided, though that is not stored yet.
	return slices.DeleteFunc(t.Pending(), func(p Pending) bool {
		_, waits := slices.BinarySearchFunc(waiting, p.EventID, func(w Pending, id int64) int { return cmp.Compare(w.EventID, id) })
		return !waits
	})
}

// addStreamed takes what the stream asked for up to a cursor, and returns the rest.
func (t *Tracker) addStreamed(waiting []Pending, upTo int64) (rest []Pending) {
	for i, p := range waiting {
		if p.EventID > upTo {
			return waiting[i:]
		}
		e := client.Event{ID: p.EventID, Step: p.Step}
		if p.Scope == OfStep {
			e.Type = client.EventStep
		}
		if stored := t.pending[p.EventID]; stored != nil && !stored.DetailsMissing() {
			e.Step = stored.Step
		}
		t.addAsking(e, p.links)
	}
	return nil
}
