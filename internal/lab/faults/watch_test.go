package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/sandbox"
)

// caller returns who asks in every seed.
func caller() client.Caller { return client.Caller{Key: sandbox.DefaultKey, UserID: "user-1"} }

// longRun makes a run that misbehaves as the seed says and lets several
// watchers follow it; each must see what is stored.
func (b *bench) longRun(ctx context.Context, i int, r *rand.Rand) {
	behaviour := newBehaviour(r, *events/runsPerSeed)
	pause(ctx, milliseconds(r, 0, 2000))
	runID := b.insist(ctx, fmt.Sprintf("long-%d", i), behaviour, client.ApproveNothing)
	if runID == "" {
		return
	}
	var wg sync.WaitGroup
	views := make([]view, 0, 6)
	var mu sync.Mutex // guards views
	follow := func(h habit) {
		random := rand.New(rand.NewPCG(r.Uint64(), 0))
		wg.Go(func() {
			v := b.follow(ctx, runID, h, random)
			mu.Lock()
			defer mu.Unlock()
			views = append(views, v)
		})
	}
	for _, h := range habits(r) {
		follow(h)
	}
	wg.Wait()
	stored, err := b.near.read(context.WithoutCancel(ctx), runID) // also where a watcher hung
	if err != nil {
		b.wrong("%s: the sandbox itself: %v", behaviour, err)
		return
	}
	b.compareAll(behaviour, stored, views)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total.stored += len(stored.items)
}

// newBehaviour returns a "sandbox:" line for a run of so many events. It
// leaves out what nobody can tell: frames whose ids are none of the run's, and
// a stream that leaves events out or stored ids with holes.
func newBehaviour(r *rand.Rand, count int) string {
	words := []string{fmt.Sprintf("step_ms=%d", stepMS)}
	some := func(percent int, format string, args ...any) bool {
		if r.IntN(100) >= percent {
			return false
		}
		words = append(words, fmt.Sprintf(format, args...))
		return true
	}
	steps := count - 3 // QUEUED, start and end
	some(60, "cut=%d", 7+r.IntN(60))
	bare := some(30, "events=bare")
	own := some(60, "ids=stable")
	if own {
		some(40, "drop=%d", 5+r.IntN(40))
	} else {
		some(100, "ids=%s", pick(r, "per-connection", "none"))
	}
	if own || bare {
		some(40, "id_gap=%d", 3+r.IntN(40))
	}
	some(40, "replay=none")
	some(20, "finished=%s", pick(r, "404", "204"))
	some(10, "end=hold")
	some(15, "links=stream-only")
	if some(15, "unknown=1") {
		steps -= 2
	}
	if some(15, "auth=required auth_ms=%d", 100+r.IntN(1000)) {
		steps -= 2
	}
	some(100, "steps=%d", steps)
	return strings.Join(words, " ")
}

// habit is how a watcher watches.
type habit struct {
	name  string
	after int           // joins when the run has so many events, with the cursor of half of them
	slow  time.Duration // the longest pause after each news
	stay  int           // leaves after so many events and comes back with its cursor; 0 stays
	alone bool          // reads the client's events itself, without the hub
	news  func(feed.News)
}

// habits returns the watchers of a run: sometimes one alone, so that its feed
// ends whenever it leaves.
func habits(r *rand.Rand) []habit {
	if r.IntN(4) == 0 {
		return []habit{{name: "leaver", stay: 20 + r.IntN(100)}}
	}
	all := []habit{
		{name: "fast"},
		{name: "slow", slow: 1500 * time.Millisecond},
		{name: "late", after: 20 + r.IntN(400)},
		{name: "late and slow", after: 20 + r.IntN(400), slow: time.Second},
		{name: "leaver", stay: 20 + r.IntN(100), slow: 100 * time.Millisecond},
	}
	if r.IntN(4) == 0 {
		all = append(all, habit{name: "reader", alone: true}, habit{name: "late reader", alone: true, after: 20 + r.IntN(400)})
	}
	return all
}

// view is what one watcher saw.
type view struct {
	name   string
	before int // events of the run that it did not ask for
	events []client.Event
	again  int // reads of what the hub no longer has that failed and were repeated
	ended  bool
	err    error
}

// follow watches a run to its end.
func (b *bench) follow(ctx context.Context, runID client.RunID, h habit, r *rand.Rand) view {
	v := view{name: h.name}
	cursor := int64(0)
	if h.after > 0 {
		cursor, v.before, v.err = b.await(ctx, runID, h.after)
	}
	switch {
	case v.err != nil:
	case h.alone:
		b.read(ctx, runID, cursor, &v)
	default:
		b.watch(ctx, runID, cursor, h, r, &v)
	}
	return v
}

// await waits until a run has so many events or has ended, and returns the
// cursor of the middle one and how many events that are.
func (b *bench) await(ctx context.Context, runID client.RunID, count int) (cursor int64, before int, err error) {
	for {
		stored, err := b.near.read(ctx, runID)
		if err != nil {
			return 0, 0, err
		}
		if len(stored.items) >= count || client.Status(stored.status).Terminal() {
			before = min(count, len(stored.items)) / 2
			return stored.cursor(before - 1), before, nil
		}
		pause(ctx, 400*time.Millisecond)
	}
}

// read follows the events as the hub does.
func (b *bench) read(ctx context.Context, runID client.RunID, cursor int64, v *view) {
	for e, err := range follow.Events(ctx, b.api, caller(), runID, cursor) {
		switch {
		case err != nil:
			v.err = err
			return
		case !e.Amended:
			v.events = append(v.events, e)
		}
	}
	v.ended = true
}

// watch follows a run through the hub. What the hub's log dropped it reads
// from the API; where that fails, nothing is passed over and the watcher asks
// again.
func (b *bench) watch(ctx context.Context, runID client.RunID, cursor int64, h habit, r *rand.Rand, v *view) {
	w := b.hub.Watch(caller(), runID, cursor)
	defer func() { w.Close() }()
	for stayed := 0; ; {
		news, err := w.Next(ctx)
		if passing(err) {
			v.again++
			pause(ctx, 100*time.Millisecond)
			continue
		}
		if err != nil {
			v.err = err
			return
		}
		if h.news != nil {
			h.news(news)
		}
		v.events = append(v.events, news.Events...)
		stayed += len(news.Events)
		switch {
		case news.Ended:
			v.ended = true
			return
		case h.stay > 0 && stayed >= h.stay:
			stayed, cursor = 0, w.Cursor()
			w.Close()
			pause(ctx, milliseconds(r, 1, 1000))
			w = b.hub.Watch(caller(), runID, cursor)
		case h.slow > 0:
			pause(ctx, milliseconds(r, 0, int(h.slow.Milliseconds())))
		}
	}
}

// passing reports whether an error may be gone when one asks again.
func passing(err error) bool {
	kind := client.KindOf(err)
	return kind == client.Unavailable || kind == client.Timeout
}

// tally counts what watchers saw.
type tally struct {
	stored, watchers, seen, lost, duplicate, reordered, again int
}

// compareAll compares what each watcher of a run saw.
func (b *bench) compareAll(behaviour string, s stored, views []view) {
	places := s.places()
	for _, v := range views {
		b.compare(behaviour, s, places, v)
	}
}

// compare holds what a watcher saw against what is stored, and says in one
// line what is wrong with it.
func (b *bench) compare(behaviour string, s stored, places map[string]int, v view) {
	t := tally{watchers: 1, seen: len(v.events), again: v.again}
	var wrong remarks
	if v.err != nil || !v.ended {
		wrong.add("ended early", "after %d of %d events: %v", len(v.events), len(s.items)-v.before, v.err)
	}
	times, newest := map[int]int{}, v.before-1
	for _, e := range v.events {
		i, known := places[content(e.Raw)]
		if !known {
			wrong.add("not stored", "%d: %s", e.ID, e.Raw)
			continue
		}
		times[i]++
		switch {
		case times[i] > 1 || i < v.before:
			t.duplicate++
			wrong.add("duplicate", "stored %d as %d", i+1, e.ID)
		case i < newest:
			t.reordered++
			wrong.add("reordered", "stored %d after %d", i+1, newest+1)
		}
		newest = max(newest, i)
		checkFields(&wrong, s, i, e)
	}
	for i := v.before; i < len(s.items); i++ {
		if times[i] == 0 {
			t.lost++
			wrong.add("lost", "stored %d", i+1)
		}
	}
	if len(wrong) > 0 {
		b.wrong("%s (%s): %s", v.name, behaviour, wrong)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total.add(t)
}

// checkFields holds what an event says beside its payload against the stored
// event of the same content.
func checkFields(wrong *remarks, s stored, i int, e client.Event) {
	if e.Missing != 0 || e.Restarted {
		wrong.add("a hole that is none", "at stored %d: missing %d, restarted %t", i+1, e.Missing, e.Restarted)
	}
	if want := s.items[i].Event; want != "" && e.Type != want {
		wrong.add("other type", "%q, want %q", e.Type, want)
	}
	if want := s.cursor(i); e.ID != want {
		wrong.add("other cursor", "%d, want %d", e.ID, want)
	}
}

// remarks are what is wrong with one view, by kind: the first and how many.
type remarks []remark

type remark struct {
	kind, first string
	count       int
}

func (r *remarks) add(kind, format string, args ...any) {
	for i := range *r {
		if (*r)[i].kind == kind {
			(*r)[i].count++
			return
		}
	}
	*r = append(*r, remark{kind, fmt.Sprintf(format, args...), 1})
}

func (r remarks) String() string {
	var each []string
	for _, m := range r {
		each = append(each, fmt.Sprintf("%d × %s (%s)", m.count, m.kind, m.first))
	}
	return strings.Join(each, "; ")
}

func (t *tally) add(o tally) {
	t.stored += o.stored
	t.watchers += o.watchers
	t.seen += o.seen
	t.lost += o.lost
	t.duplicate += o.duplicate
	t.reordered += o.reordered
	t.again += o.again
}

// content is an event's payload in one form, whether it came by the stream or
// is stored: without the id and name that stand beside it there, and without
// the links that the sandbox says only once.
func content(raw json.RawMessage) string {
	var payload map[string]any
	if json.Unmarshal(raw, &payload) != nil {
		return string(raw)
	}
	delete(payload, "id")
	delete(payload, "event")
	delete(payload, "approvalActions")
	if step, ok := payload["step"].(map[string]any); ok {
		delete(step, "approvalActions")
	}
	text, err := json.Marshal(payload)
	if err != nil {
		return string(raw)
	}
	return string(text)
}
