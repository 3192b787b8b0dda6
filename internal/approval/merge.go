package approval

import (
	"math"
	"slices"

	"runs-mcp-server/client"
)

// Merge returns what waits in a run by its stored events and by what its stream
// told: a link or a tool call may be told by one of them alone, and either may
// lag behind the other. waiting is what the stream told up to the cursor heard.
// Where both tell tool calls, the stored ones count: every replica reads the same.
func Merge(caller client.Caller, run *client.Run, waiting []Pending, heard int64) []Pending {
	if run.Status.Terminal() {
		return nil
	}
	t, told, last := NewTracker(caller, run.RunID), waiting, int64(0)
	for _, e := range run.Events {
		// Its decision may be stored where the asking is not.
		told = t.askTold(told, e.ID-1)
		t.Add(e)
		if last = e.ID; decided(e.Step) {
			told = slices.DeleteFunc(slices.Clone(told), func(p Pending) bool { return p.EventID == e.ID })
		}
		told = t.askTold(told, e.ID)
	}
	t.askTold(told, math.MaxInt64)
	return slices.DeleteFunc(t.pending, func(p Pending) bool { // decided on the stream, and not stored yet
		return heard > last && p.EventID <= heard && !slices.ContainsFunc(waiting, func(o Pending) bool { return o.EventID == p.EventID })
	})
}

// askTold takes what the stream asked for up to a cursor, and returns the rest.
func (t *Tracker) askTold(told []Pending, upTo int64) (rest []Pending) {
	for i, p := range told {
		if p.EventID > upTo {
			return told[i:]
		}
		e := client.Event{ID: p.EventID, Step: p.Step}
		if p.Scope == OfStep {
			e.Type = client.EventStep
		}
		if i := slices.IndexFunc(t.pending, func(o Pending) bool { return o.EventID == p.EventID }); i >= 0 {
			if !t.pending[i].Untold() {
				e.Step = t.pending[i].Step
			}
		}
		t.ask(e, p.links)
	}
	return nil
}
