package follow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
	"runs-mcp-server/internal/lab/inmem"
)

const testRun = "123e4567-e89b-12d3-a456-426614174000"

var caller = client.Caller{Key: "key-of-a-test", UserID: "u"}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// upstream is a Run API with one run that misbehaves as a test asks.
type upstream struct {
	count    int           // events in all, the last is end
	cut      int           // the connection breaks after so many events; 0 never
	replay   bool          // a stream begins with what happened before
	honour   bool          // and goes on after Last-Event-ID
	hole     int           // ids jump over one after so many events; 0 never
	local    bool          // ids begin at 1 on every connection
	unnumber bool          // frames carry no id
	bare     bool          // stored events carry no id and no name
	drop     int           // every so many events is left out of the stream; 0 never
	poor     bool          // stored events lack links
	noStream bool          // the stream answers 503
	noStored bool          // stored events are never told
	restart  int           // ids begin at 1 again after so many events, in the middle of a connection; 0 never
	silent   int           // the stream says nothing more after so many events, and stays open; 0 never
	pace     time.Duration // from one event to the next
	hold     time.Duration // how long a proxy keeps the stream's bytes back; those it has when the connection breaks are lost
	whole    int           // of so many reads one is answered as it should be, the others as spoilt says; 0 all
	spoilt   func(w http.ResponseWriter, answer []byte)

	mu       sync.Mutex
	happened int // events that have happened
	streams  int
	reads    int
	stored   [][]byte       // the events that have happened, as they are stored
	frames   map[int][]byte // the data of frames
}

// frameData returns the data of the frame of event i.
func (u *upstream) frameData(i int) []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.frames == nil {
		u.frames = map[int][]byte{}
	}
	if u.frames[i] == nil {
		u.frames[i], _ = json.Marshal(u.payload(i, false))
	}
	return u.frames[i]
}

func (u *upstream) id(i int) int { // of event i, from 1
	if u.hole > 0 {
		return i + (i-1)/u.hole
	}
	return i
}

func (u *upstream) name(i int) string {
	switch i {
	case 1:
		return "status"
	case u.count:
		return "end"
	default:
		return "step"
	}
}

func (u *upstream) payload(i int, stored bool) map[string]any {
	p := map[string]any{"runId": testRun, "runStatus": u.status(i), "timestamp": time.Date(2026, 1, 1, 0, 0, 0, i*int(time.Millisecond), time.UTC).Format("2006-01-02T15:04:05.000Z")}
	if u.name(i) == "step" {
		step := map[string]any{"text": fmt.Sprintf("event %d", i)}
		if !stored || !u.poor {
			step["toolCalls"] = []any{map[string]any{"toolCallId": strconv.Itoa(i), "toolName": "t"}}
		}
		p["step"] = step
	}
	return p
}

func (u *upstream) status(i int) string {
	switch i {
	case 1:
		return "QUEUED"
	case u.count:
		return "SUCCESS"
	default:
		return "RUNNING"
	}
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/sse") {
		u.stream(w, r)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reads++
	for i := len(u.stored) + 1; i <= u.happened && !u.noStored; i++ {
		p := u.payload(i, true)
		if !u.bare {
			p["id"], p["event"] = u.id(i), u.name(i)
		}
		event, _ := json.Marshal(p)
		u.stored = append(u.stored, event)
	}
	answer := fmt.Appendf(nil, `{"runId":%q,"status":%q,"events":[%s]}`, testRun, u.status(max(u.happened, 1)), bytes.Join(u.stored, []byte(",")))
	if u.whole > 0 && u.reads%u.whole != 0 {
		u.spoilt(w, answer)
		return
	}
	w.Write(answer)
}

func (u *upstream) stream(w http.ResponseWriter, r *http.Request) {
	if u.noStream {
		u.happen()
		w.WriteHeader(503)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.(http.Flusher).Flush()
	u.mu.Lock()
	u.streams++
	from := 1
	if !u.replay {
		from = u.happened + 1
	}
	if last, err := strconv.Atoi(r.Header.Get("Last-Event-ID")); err == nil && u.honour {
		for from <= u.happened && u.id(from) <= last {
			from++
		}
	}
	u.mu.Unlock()
	// What happens between two connections only the stored events know, unless
	// the stream replays it.
	defer u.happen()
	var held bytes.Buffer
	since := time.Now()
	for i, sent := from, 0; i <= u.count; i++ {
		if u.cut > 0 && sent == u.cut {
			panic(http.ErrAbortHandler)
		}
		if u.silent > 0 && sent == u.silent {
			<-r.Context().Done()
			return
		}
		if u.pace > 0 {
			select {
			case <-time.After(u.pace):
			case <-r.Context().Done():
				return
			}
		}
		u.mu.Lock()
		u.happened = max(u.happened, i)
		u.mu.Unlock()
		if u.drop > 0 && i%u.drop == 0 && i != u.count {
			continue
		}
		sent++
		id := u.id(i)
		if u.local {
			id = i - from + 1
		}
		if u.restart > 0 && i > u.restart {
			id = i - u.restart
		}
		data := u.frameData(i)
		if !u.unnumber {
			fmt.Fprintf(&held, "id: %d\n", id)
		}
		fmt.Fprintf(&held, "event: %s\ndata: %s\n\n", u.name(i), data)
		if time.Since(since) < u.hold && i < u.count {
			continue
		}
		since = time.Now()
		if _, err := held.WriteTo(w); err != nil {
			return
		}
	}
}

func (u *upstream) happen() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.happened = min(u.happened+1, u.count)
}

// newClient returns a client of a server in memory.
func newClient(t *testing.T, h http.Handler) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(h)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEventsUnderFaults follows 50 or 200 events over connections that break every
// seven, in every combination of what the API may do with ids and replay: each
// event comes once and in order, and none is missing.
func TestEventsUnderFaults(t *testing.T) {
	for bits := range 1 << 7 {
		bit := func(n int) bool { return bits>>n&1 == 1 }
		u := &upstream{count: 50, cut: 7, replay: bit(0), honour: bit(1), local: bit(2), unnumber: bit(3), bare: bit(4)}
		if bit(5) {
			u.hole = 5
		}
		if bit(6) {
			u.drop = 9
		}
		if u.hole > 0 && u.drop == 0 && !u.unnumber && u.replay == u.honour {
			u.count = 100 // the whole length for what is likeliest; it costs a second each under the race detector
		}
		if u.drop > 0 && u.unnumber {
			continue // a hole that nothing shows cannot be filled in order
		}
		if u.honour && u.local {
			continue // an API that counts per connection cannot go on after an id
		}
		t.Run(fmt.Sprintf("replay=%t,honour=%t,local=%t,unnumbered=%t,bare=%t,hole=%d,drop=%d", u.replay, u.honour, u.local, u.unnumber, u.bare, u.hole, u.drop), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { followAll(t, u) })
		})
	}
}

// TestEventsBehindABuffer is the same behind a proxy that holds the stream's
// bytes back: the stored events come first, and then the stream repeats them.
func TestEventsBehindABuffer(t *testing.T) {
	for bits := range 1 << 7 {
		bit := func(n int) bool { return bits>>n&1 == 1 }
		u := &upstream{count: 30, replay: bit(0), honour: bit(1), local: bit(2), unnumber: bit(3), bare: bit(4), pace: 2 * time.Second, hold: 45 * time.Second}
		if bit(5) {
			u.hole = 5
		}
		if bit(6) {
			u.cut = 25
		}
		if u.honour && (u.local || u.cut == 0) {
			continue
		}
		t.Run(fmt.Sprintf("replay=%t,honour=%t,local=%t,unnumbered=%t,bare=%t,hole=%d,cut=%d", u.replay, u.honour, u.local, u.unnumber, u.bare, u.hole, u.cut), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { followAll(t, u) })
		})
	}
}

// TestBreakAtAHole: where the frames carry no ids, the events before a break may
// be given under other cursors than the stored ids that have a hole there.
func TestBreakAtAHole(t *testing.T) {
	for cut := 3; cut <= 7; cut++ {
		for _, u := range []*upstream{
			{count: 50, cut: cut, hole: 5, unnumber: true},
			{count: 50, cut: cut, hole: 5, local: true},
			{count: 50, cut: cut, hole: 5, local: true, replay: true, drop: 9},
		} {
			t.Run(fmt.Sprintf("cut=%d,local=%t,replay=%t", u.cut, u.local, u.replay), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { followAll(t, u) })
			})
		}
	}
}

func followAll(t *testing.T, u *upstream) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // of the bubble
	defer cancel()
	want, last := 1, int64(0)
	for e, err := range follow.Events(ctx, newClient(t, u), caller, testRun, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Amended {
			continue
		}
		if e.ID <= last {
			t.Fatalf("cursor %d after %d", e.ID, last)
		}
		last = e.ID
		if e.Missing != 0 || e.Restarted {
			t.Errorf("event %d: missing %d, restarted %t, though all can be told", want, e.Missing, e.Restarted)
		}
		if e.Step != nil && e.Step.Text != "" && e.Step.Text != fmt.Sprintf("event %d", want) {
			t.Fatalf("got %q, want event %d", e.Step.Text, want)
		}
		want++
	}
	if want != u.count+1 {
		t.Fatalf("%d events came, want %d", want-1, u.count)
	}
}

// TestEventsGoOnAfterCursor begins at every cursor.
func TestEventsGoOnAfterCursor(t *testing.T) {
	for _, after := range []int64{1, 6, 7, 8, 40, 50} {
		synctest.Test(t, func(t *testing.T) {
			u := &upstream{count: 50, cut: 7, replay: true, happened: 50}
			next := after + 1
			for e, err := range follow.Events(t.Context(), newClient(t, u), caller, testRun, after) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Amended {
					continue
				}
				if e.ID != next {
					t.Fatalf("after %d came %d, want %d", after, e.ID, next)
				}
				next++
			}
			if next != 51 {
				t.Fatalf("after %d ended before %d", after, next)
			}
		})
	}
}

// TestStoredEventsAreBehind: of the events that one reading brings, all but the last
// say that later ones are known.
func TestStoredEventsAreBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{count: 20, happened: 20, noStream: true}
		for e, err := range follow.Events(t.Context(), newClient(t, u), caller, testRun, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if want := e.ID < 20; e.Behind != want {
				t.Errorf("event %d: behind %t, want %t", e.ID, e.Behind, want)
			}
		}
	})
}

// TestEventsPollWhereThereIsNoStream degrades to reading the run.
func TestEventsPollWhereThereIsNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { followAll(t, &upstream{count: 20, noStream: true}) })
}

// TestEventsWithoutStoredOnes relies on the stream alone.
func TestEventsWithoutStoredOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		followAll(t, &upstream{count: 50, cut: 7, replay: true, honour: true, noStored: true})
	})
}

// TestEventsMarkWhatNobodyCanTell leaves events out of the stream that the
// stored ones lack too: the next event says how many.
func TestEventsMarkWhatNobodyCanTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{count: 20, replay: true, drop: 5, noStored: true}
		missing := int64(0)
		for e, err := range follow.Events(t.Context(), newClient(t, u), caller, testRun, 0) {
			if err != nil {
				t.Fatal(err)
			}
			missing += e.Missing
		}
		if missing != 3 { // 5, 10 and 15; 20 is the end
			t.Errorf("%d events are marked missing, want 3", missing)
		}
	})
}

// TestIDsBeginAnew in the middle of a connection: the stored events tell where
// the run stands; without them the next event says that some may be missing.
func TestIDsBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { followAll(t, &upstream{count: 50, restart: 20, replay: true}) })
	synctest.Test(t, func(t *testing.T) { followAll(t, &upstream{count: 50, restart: 20, replay: true, bare: true}) })
}

// TestStoredIDsBeginAnew: the run itself was begun anew. It is taken afresh, and
// its first event says so.
func TestStoredIDsBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/sse") {
				w.WriteHeader(503)
				return
			}
			if reads++; reads == 1 {
				fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[{"id":1,"event":"start","timestamp":"2026-01-01T00:00:00Z"},{"id":2,"event":"step","step":{"text":"old"}}]}`, testRun)
				return
			}
			fmt.Fprintf(w, `{"runId":%q,"status":"SUCCESS","events":[{"id":1,"event":"start","timestamp":"2026-02-01T00:00:00Z"},{"id":2,"event":"end"}]}`, testRun)
		}))
		var got []string
		for e, err := range follow.Events(t.Context(), c, caller, testRun, 0) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%d %s %t", e.ID, e.Type, e.Restarted))
		}
		if want := "[1 start false 2 step false 1 start true 2 end false]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}

// TestEventsAmend gives an event again when the stream says more of it.
func TestEventsAmend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{count: 10, replay: true, poor: true, happened: 9}
		amended := 0
		for e, err := range follow.Events(t.Context(), newClient(t, u), caller, testRun, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Amended {
				amended++
				if len(e.Step.ToolCalls) != 1 {
					t.Errorf("event %d is amended by nothing", e.ID)
				}
			}
		}
		if amended != 8 { // steps 2 to 9
			t.Errorf("%d events were amended, want 8", amended)
		}
	})
}

// TestSilentStreamIsDead connects anew after 60 s without a byte.
func TestSilentStreamIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{count: 10, silent: 4, replay: true, honour: true}
		start := time.Now()
		followAll(t, u)
		if took := time.Since(start); took < 2*time.Minute || took > 2*time.Minute+10*time.Second {
			t.Errorf("two silences took %v", took)
		}
		if u.streams != 3 {
			t.Errorf("%d connections, want 3", u.streams)
		}
	})
}

// TestEventsStop breaks out of the loop: the connection closes (the bubble
// would report a goroutine left behind).
func TestEventsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range follow.Events(t.Context(), newClient(t, &upstream{count: 10, silent: 4, replay: true}), caller, testRun, 0) {
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, err := range follow.Events(ctx, newClient(t, &upstream{count: 10, silent: 4, replay: true}), caller, testRun, 0) {
			cancel()
			if err != nil && client.KindOf(err) != client.Canceled {
				t.Errorf("got %v", err)
			}
		}
	})
}
