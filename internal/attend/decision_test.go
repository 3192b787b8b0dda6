package attend

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
)

// TestChangedContent: if the content changed, nothing is sent and the person is asked
// again. After the third change the call ends.
func TestChangedContent(t *testing.T) {
	for changes, want := range map[int]Status{1: Sent, 2: Sent, 3: ChangedOften} {
		inBubble(t, func(t *testing.T, b *bed) {
			b.api.askStep(1, "pay-0")
			n := 0
			p := &fakePerson{answer: approve}
			p.during = func() {
				if n < changes {
					b.api.change(1, fmt.Sprint("pay-", n), fmt.Sprint("pay-", n+1))
					n++
				}
			}
			r := b.follow(t, b.call(p.person("p"), 20))
			if statusOf(r) != want || len(b.api.sent()) != map[Status]int{Sent: 1}[want] || p.asked() != min(changes+1, 3) {
				t.Errorf("%d changes: %+v, sent %v, asked %d times", changes, r.Outcome, b.api.sent(), p.asked())
			}
			for i, q := range p.questions {
				if strings.HasPrefix(q.Message, "Changed: ") != (i > 0) || !strings.Contains(q.Message, fmt.Sprint("pay-", i)) {
					t.Errorf("question %d: %s", i, q.Message)
				}
			}
		})
	}
}

// TestChangedIsAskedFirst: the approval that changed is asked about first, although
// an earlier event asks for another by then.
func TestChangedIsAskedFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.add("step", client.Paused, strings.ReplaceAll(stepFields(1, "pay"), "approvalActions", "linksToCome"))
		b.api.askStep(2, "refund-0")
		p := &fakePerson{answer: approve}
		p.during = func() {
			b.api.change(1, "linksToCome", "approvalActions")
			b.api.change(2, "refund-0", "refund-1")
		}
		b.follow(t, b.call(p.person("p"), 20))
		var asked []string
		for _, q := range p.questions {
			tool, _, _ := strings.Cut(strings.SplitN(q.Message, "\"", 3)[1], "\"")
			asked = append(asked, tool)
		}
		if got := strings.Join(asked, " "); !strings.HasPrefix(got, "refund-0 refund-1") {
			t.Errorf("asked about %s; sent %v", got, b.api.sent())
		}
	})
}

// TestChangedOnlyApproval: asking again because the content changed does not count as
// one of the three.
func TestChangedOnlyApproval(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.api.askStep(1, "pay")
		c := b.call(Person{}, 5)
		c.Only = b.follow(t, c).State.Pending[0].ID
		for i := range 4 {
			p := &fakePerson{answer: approve}
			p.during = func() {
				b.api.change(1, "pay", "pay-")
				p.during, p.answer = nil, decline
			}
			first := true
			c.Person, c.Deadline = p.person("p"), time.Now().Add(10*time.Second)
			c.Person.Ask = func(ctx context.Context, q Question) (Answer, error) {
				a, err := p.ask(ctx, q)
				if first {
					first, a = false, approve
				}
				return a, err
			}
			want, asked := Declined, 2
			if i == 3 {
				want, asked = TooOften, 0
			}
			if r := b.follow(t, c); statusOf(r) != want || p.asked() != asked {
				t.Errorf("%d: %+v, asked %d times", i, r.Outcome, p.asked())
			}
		}
	})
}

// TestUnreadableRun: a decision is kept for two minutes until the run can be read. A
// permanent error ends that at once.
func TestUnreadableRun(t *testing.T) {
	for _, tt := range []struct {
		failure int
		outage  time.Duration
		want    Status
		took    time.Duration // at most
	}{
		{503, time.Minute, Sent, 70 * time.Second},
		{429, time.Minute, Sent, 70 * time.Second},
		{503, 3 * time.Minute, Unsent, 121 * time.Second},
		{403, 3 * time.Minute, Unsent, 5 * time.Second},
	} {
		inBubble(t, func(t *testing.T, b *bed) {
			p := &fakePerson{answer: approve}
			p.during = func() {
				b.api.set(func() { b.api.failure = tt.failure })
				time.AfterFunc(tt.outage, func() { b.api.set(func() { b.api.failure = 0 }) })
			}
			b.api.askStep(1, "pay")
			o := b.follow(t, b.call(p.person("p"), 1)).Outcome
			began := time.Now()
			for o.Status == Sending && time.Since(began) < 5*time.Minute {
				time.Sleep(time.Second)
				if unreported := b.TakeUnreported(alice.Key, "p", runID); unreported != nil {
					o = unreported
				}
			}
			if o.Status != tt.want || (o.Err != nil) != (tt.want == Unsent) || o.Decision != "approve" || p.asked() != 1 || time.Since(began) > tt.took {
				t.Errorf("%+v: %+v after %v, asked %d times", tt, o, time.Since(began), p.asked())
			}
			time.Sleep(tt.outage)
			if n := len(b.api.sent()); n != map[Status]int{Sent: 1}[tt.want] {
				t.Errorf("%+v: %d sent", tt, n)
			}
		})
	}
}
