package attend

import (
	"maps"
	"testing"
)

// TestStats holds that a question counts when it is asked, also by a round of the
// stateless protocol, and once more by what came of it.
func TestStats(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		b.follow(t, b.call((&fakePerson{answer: decline}).person("p"), 5))
		stateless := b.call(Person{Name: "q", Approvals: true}, 5)
		if _, err := b.Follow(t.Context(), stateless); err == nil {
			t.Error("no round")
		}
		b.follow(t, b.call((&fakePerson{answer: approve}).person("r"), 70)) // after the round has expired
		got := b.Stats()
		outcomes := map[OutcomeCount]int64{{Decision, Declined}: 1, {Decision, Sent}: 1}
		if !maps.Equal(got.Asked, map[Kind]int64{Decision: 3}) || !maps.Equal(got.Outcomes, outcomes) {
			t.Errorf("got %+v", got)
		}
	})
}
