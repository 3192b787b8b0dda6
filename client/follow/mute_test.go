package follow_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client/follow"
)

// muffled is a run behind a proxy that holds its stream back: nothing gets
// through until headers, and what is written between from and until comes at until.
// Zero times are at once, negative ones never.
type muffled struct {
	events   []time.Duration // when they happen; the last is the end
	beat     string          // what a heartbeat is, every 20 s; "" for none
	headers  time.Duration
	from     time.Duration
	until    time.Duration
	nameless bool                                                        // the end is not among the stored events
	stored   func(w http.ResponseWriter, r *http.Request, read int) bool // writes another answer than the run's, if it likes

	mu     sync.Mutex
	start  time.Time
	reads  []time.Duration
	opened int
}

func (m *muffled) now() time.Duration { return time.Since(m.start) }

func (m *muffled) happened() int {
	return len(m.events) - len(slices.DeleteFunc(slices.Clone(m.events), func(d time.Duration) bool { return d <= m.now() }))
}

func (m *muffled) payload(i int) string {
	if i == len(m.events) {
		return fmt.Sprintf(`{"id":%d,"event":"end","runStatus":"SUCCESS"}`, i)
	}
	return stored(i)
}

func (m *muffled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/sse") {
		m.mu.Lock()
		m.opened++
		m.mu.Unlock()
		m.stream(w, r)
		return
	}
	m.mu.Lock()
	m.reads = append(m.reads, m.now())
	read := len(m.reads)
	m.mu.Unlock()
	if m.stored != nil && m.stored(w, r, read) {
		return
	}
	n, status, events := m.happened(), "RUNNING", []string{}
	for i := 1; i <= n && !(m.nameless && i == len(m.events)); i++ {
		events = append(events, m.payload(i))
	}
	if n == len(m.events) {
		status = "SUCCESS"
	}
	fmt.Fprintf(w, `{"runId":%q,"status":%q,"events":[%s]}`, testRun, status, strings.Join(events, ","))
}

// stream writes what happens, as the proxy lets it through, 100 ms at a time.
func (m *muffled) stream(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	w.Header().Set("Content-Type", "text/event-stream")
	var held bytes.Buffer
	sent, beat := 0, time.Now()
	for ; r.Context().Err() == nil; wait(r, tick.C) {
		for ; sent < m.happened(); sent++ {
			name := "step"
			if sent == len(m.events)-1 {
				name = "end"
			}
			fmt.Fprintf(&held, "id: %d\nevent: %s\ndata: %s\n\n", sent+1, name, m.payload(sent+1))
		}
		if time.Since(beat) >= 20*time.Second {
			beat = time.Now()
			io.WriteString(&held, m.beat)
		}
		now := m.now()
		if m.headers < 0 || now < m.headers {
			continue
		}
		w.(http.Flusher).Flush()
		if now >= m.from && (m.until < 0 || now < m.until) {
			continue
		}
		if _, err := held.WriteTo(w); err != nil || sent == len(m.events) {
			return
		}
	}
}

func wait(r *http.Request, tick <-chan time.Time) {
	select {
	case <-tick:
	case <-r.Context().Done():
	}
}

// follow returns how long after each event happened it was yielded.
func (m *muffled) follow(t *testing.T) (delays []time.Duration) {
	t.Helper()
	m.start = time.Now()
	for e, err := range follow.Events(t.Context(), newClient(t, m), caller, testRun, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.ID != int64(len(delays)+1) || e.Missing != 0 || e.Amended || e.Restarted {
			t.Fatalf("event %d of %d, %+v", e.ID, len(delays)+1, e)
		}
		delays = append(delays, m.now()-m.events[e.ID-1])
	}
	synctest.Wait() // for requests that were given up
	return delays
}

const never = -1

func seconds(times ...float64) (d []time.Duration) {
	for _, t := range times {
		d = append(d, time.Duration(t*float64(time.Second)))
	}
	return d
}

// TestMuteStream: the run is read behind a stream that brings no byte, so that
// nothing comes late, however the stream goes on; each event comes once.
func TestMuteStream(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name   string
		run    *muffled
		most   time.Duration // from an event to its coming
		reads  int           // of the run, at most
		opened int
	}{
		{"no headers", &muffled{headers: never, events: seconds(0, 1.5, 4, 11, 23, 42, 55)}, 5100 * time.Millisecond, 20, 3},
		{"no byte", &muffled{until: never, events: seconds(0, 1.5, 4, 11, 23, 42, 55)}, 5 * s, 15, 1},
		{"no byte, and silent", &muffled{until: never, events: seconds(0, 57.5, 62, 118, 124)}, 5100 * time.Millisecond, 32, 3},
		{"no byte, the end unnamed", &muffled{until: never, nameless: true, events: seconds(0, 1.5, 4, 55)}, 5 * s, 15, 1},
		{"late headers, then bytes", &muffled{headers: 9 * s, events: seconds(0, 1.5, 4, 11, 12)}, 4 * s, 5, 1},
		{"late bytes", &muffled{until: 20 * s, events: seconds(0, 1.5, 4, 11, 13, 19, 21, 30)}, 5 * s, 7, 1},
		{"bytes stop", &muffled{from: 6 * s, until: never, events: seconds(0, 2, 4, 6.5, 31, 34, 37, 60)}, 24500 * time.Millisecond, 10, 1},
		{"bytes stop, and come late", &muffled{from: 6 * s, until: 50 * s, events: seconds(0, 2, 4, 6.5, 31, 34, 37, 51, 60)}, 24500 * time.Millisecond, 8, 1},
		{"heartbeats", &muffled{beat: "event: keepalive\ndata: null\n\n", events: seconds(0, 200, 201)}, 100 * time.Millisecond, 1, 1},
		{"nothing but heartbeats", &muffled{beat: ":\n\n", events: seconds(160, 161)}, 100 * time.Millisecond, 6, 1},
		{"comments", &muffled{beat: ":\n\n", events: seconds(0, 170, 171)}, 100 * time.Millisecond, 1, 1},
		{"events", &muffled{events: seconds(0, 24, 48, 72)}, 100 * time.Millisecond, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				delays := tt.run.follow(t)
				if want := len(tt.run.events); len(delays) != want && !(tt.run.nameless && len(delays) == want-1) {
					t.Errorf("%d events, want %d", len(delays), want)
				}
				if slices.Max(delays) > tt.most {
					t.Errorf("delays %v, want at most %v", delays, tt.most)
				}
				if took := tt.run.now() - tt.run.events[len(tt.run.events)-1]; took > 8*s {
					t.Errorf("ended %v after the run", took)
				}
				if len(tt.run.reads) > tt.reads || tt.run.opened != tt.opened {
					t.Errorf("%d connections and reads at %v; want %d and at most %d", tt.run.opened, tt.run.reads, tt.opened, tt.reads)
				}
			})
		})
	}
}

// TestMuteForLong: over many connections that nothing comes by, polls are no more
// than 5 s apart.
func TestMuteForLong(t *testing.T) {
	for _, headers := range []time.Duration{0, never} {
		synctest.Test(t, func(t *testing.T) {
			m := &muffled{headers: headers, until: never, events: seconds(0, 900)}
			m.follow(t)
			for i, read := range m.reads[1:] {
				if pause := read - m.reads[i]; pause > 5*time.Second {
					t.Errorf("%v without a read after %v", pause, m.reads[i])
				}
			}
			if n := len(m.reads); n > 900/3 {
				t.Errorf("%d reads", n)
			}
		})
	}
}

// TestPollsThatFail behind a mute stream neither end the stream nor hold up what
// it brings later, and are not repeated faster.
func TestPollsThatFail(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name        string
		least, most int           // reads of the run
		delay       time.Duration // of an event that happens at once with the bytes
		answer      func(w http.ResponseWriter, r *http.Request)
	}{
		{"503", 10, 13, 0, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }},
		{"refused", 10, 13, 0, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }},
		{"429", 3, 3, 0, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
		}},
		{"no answer", 4, 6, 10 * s, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &muffled{until: 50 * s, events: seconds(0, 5, 50, 61), stored: func(w http.ResponseWriter, r *http.Request, read int) bool {
					if read > 1 {
						tt.answer(w, r)
					}
					return read > 1
				}}
				delays := m.follow(t)
				if len(delays) != 4 || delays[1] > 45*s+tt.delay || delays[2] > tt.delay || delays[3] > 100*time.Millisecond {
					t.Errorf("delays %v", delays)
				}
				if n := len(m.reads); n < tt.least || n > tt.most || m.opened != 1 {
					t.Errorf("%d connections and reads at %v; want 1 and %d to %d", m.opened, m.reads, tt.least, tt.most)
				}
			})
		})
	}
}

// TestUnreadableBehindAMuteStream: a run that can never be read, perhaps for
// its size, is not asked for every few seconds.
func TestUnreadableBehindAMuteStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &muffled{until: 50 * time.Second, events: seconds(0, 5, 55), stored: func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			io.WriteString(w, "<html>")
			return true
		}}
		if m.follow(t); len(m.reads) != 3 || m.opened != 1 {
			t.Errorf("%d connections, reads at %v", m.opened, m.reads)
		}
	})
}

// TestLeavingAMuteStream breaks out of the loop at an event that a poll brought
// (the bubble would report a goroutine left behind).
func TestLeavingAMuteStream(t *testing.T) {
	for _, headers := range []time.Duration{0, never} {
		synctest.Test(t, func(t *testing.T) {
			m := &muffled{headers: headers, until: never, events: seconds(3, 60), start: time.Now()}
			for range follow.Events(t.Context(), newClient(t, m), caller, testRun, 0) {
				break
			}
			if m.now() != 3*time.Second {
				t.Errorf("left after %v", m.now())
			}
		})
	}
}
