package streamable

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// resume opens the rest of a stream after an event.
func (s *testServer) resume(h header, event string) *events {
	s.t.Helper()
	return s.stream(s.do("GET", "/mcp", append(slices.Clone(h), "Last-Event-ID", event), ""))
}

func TestResumeAfterACutConnection(t *testing.T) {
	for _, version := range []string{"2025-03-26", "2025-06-18", "2025-11-25"} {
		t.Run(version, func(t *testing.T) {
			f := fixture.New(session.Hooks())
			steps := f.AddStepsTool()
			s := serveHTTP(t, f, Options{})
			h := s.session(version, `{}`)
			go func() {
				for range 3 {
					steps <- true
				}
			}()
			e := s.stream(s.do("POST", "/mcp", h, fixture.Call("1", "steps", "7")))
			if first := e.peek(); (first.id != "" && first.data == "") != (version == "2025-11-25") {
				t.Fatalf("the first event is %+v", first)
			}
			var ids []string
			for n := range 3 {
				ids = append(ids, e.expect(fixture.Progress("7", n+1)).id)
			}
			e.resp.Body.Close()
			for range 3 { // the call goes on
				steps <- true
			}
			again := s.resume(h, ids[0]) // the client has seen one only
			for n := 1; n < 6; n++ {
				again.expect(fixture.Progress("7", n+1))
			}
			if resp, body := s.roundTrip("POST", "/mcp", h, fixture.Ping); resp.StatusCode != 200 {
				t.Fatal(body)
			}
			third := s.resume(h, ids[2]) // takes over
			again.end()
			for n := 3; n < 6; n++ {
				third.expect(fixture.Progress("7", n+1))
			}
			steps <- false
			answer := third.expect(fixture.TextAnswer("1", "steps"))
			third.end()
			late := s.resume(h, ids[2]) // the answer waits
			for n := 3; n < 6; n++ {
				late.expect(fixture.Progress("7", n+1))
			}
			late.expect(fixture.TextAnswer("1", "steps"))
			late.end()
			s.resume(h, answer.id).end()

			// Of another session or caller, the ids mean nothing.
			for _, h := range []header{s.session(version, `{}`), s.session(version, `{}`, "X-Key", "other")} {
				if resp, body := s.roundTrip("GET", "/mcp", append(slices.Clone(h), "Last-Event-ID", ids[0]), ""); resp.StatusCode != 400 {
					t.Fatalf("%s %s", resp.Status, body)
				}
			}
		})
	}
}

// peek returns the stream's first frame that is no comment. A message is returned
// again by next.
func (e *events) peek() sse {
	f := e.frame()
	for f.comment != "" {
		f = e.frame()
	}
	if f.data != "" {
		rest := make(chan sse, cap(e.frames))
		rest <- f
		go func(in <-chan sse) {
			defer close(rest)
			for f := range in {
				rest <- f
			}
		}(e.frames)
		e.frames = rest
	}
	return f
}

// TestAnswerToASilentCallWaits: a client of 2025-11-25 gets an id before there is
// a message.
func TestAnswerToASilentCallWaits(t *testing.T) {
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{})
	h := s.session("2025-11-25", `{}`)
	e := s.stream(s.do("POST", "/mcp", h, fixture.Call("1", "hold", "")))
	first := e.frame()
	if first.id == "" || first.data != "" {
		t.Fatalf("first %+v", first)
	}
	e.resp.Body.Close()
	fixture.Receive(t, f.Waiting)
	close(f.Release)
	again := s.resume(h, first.id)
	again.expect(fixture.TextAnswer("1", "held"))
	again.end()
}

// TestKeptEventsAreBounded: of a call that sends much while nobody reads, the
// oldest events are dropped, and the answer stays.
func TestKeptEventsAreBounded(t *testing.T) {
	f := fixture.New(session.Hooks())
	steps := f.AddStepsTool()
	s := serveHTTP(t, f, Options{})
	h := s.session("2025-11-25", `{}`)
	e := s.stream(s.do("POST", "/mcp", h, fixture.Call("1", "steps", "7")))
	first := e.frame()
	e.resp.Body.Close()
	const said = maxEvents + 200
	for range said {
		steps <- true
	}
	steps <- false
	again := s.resume(h, first.id)
	var last string
	n := 0
	for f := range again.frames {
		if f.data == "" {
			continue
		}
		last = f.data
		n++
	}
	if last != fixture.TextAnswer("1", "steps") || n < 100 || n > maxEvents+64+streamWindow { // some were on their way
		t.Fatalf("%d events, last %s", n, last)
	}
}

func TestFinishedStreamsAreBounded(t *testing.T) {
	s := newHTTPSession(&exchange{}, session.Config{}, nil, nil)
	for range 10 * maxFinished {
		st := s.newPostStream(&exchange{}, nil)
		_ = st.WriteAnswer(session.Answer{Line: []byte(`{}`)})
		s.endResponse(st, true)
	}
	if n := len(s.finished); n != maxFinished || len(s.postStreams) != n {
		t.Fatalf("%d finished, %d streams", n, len(s.postStreams))
	}
	if st, _ := s.findEvent(strconv.Itoa(10*maxFinished) + "-1"); st == nil {
		t.Fatal("the last one is gone")
	}
	if st, _ := s.findEvent("1-1"); st != nil {
		t.Fatal("the first one is there")
	}
	for range 10 {
		st := s.newPostStream(&exchange{}, nil)
		_ = st.WriteAnswer(session.Answer{Line: make([]byte, maxFinishedBytes/3)})
		s.endResponse(st, true)
	}
	if n := len(s.finished); n != 3 || len(s.postStreams) != n {
		t.Fatalf("%d big ones, %d streams", n, len(s.postStreams))
	}
	st := s.newPostStream(&exchange{}, nil)
	_ = st.WriteAnswer(session.Answer{Line: []byte(`{}`)})
	s.endResponse(st, false) // as JSON
	if len(s.finished) != 3 {
		t.Fatal("what can't be resumed is kept")
	}
	if s.busy != 1 {
		t.Fatalf("busy %d", s.busy)
	}
}

// TestBrokenGETMissesNothing: the next GET gets what was not written, and with a
// Last-Event-ID what the client has not seen.
func TestBrokenGETMissesNothing(t *testing.T) {
	w := fixture.NewWatching()
	f := fixture.New(session.Hooks())
	s := serveHTTP(t, f, Options{Options: session.Options{Watch: w.Watch}})
	h := s.session("2025-11-25", `{}`)
	if _, body := s.roundTrip("POST", "/mcp", h, fixture.Subscribe("run://a")); !strings.Contains(body, `"result":{}`) {
		t.Fatal(body)
	}
	changed := fixture.Receive(t, w.Changed)
	changed(map[string]any{"n": 1})
	e := s.stream(s.do("GET", "/mcp", h, ""))
	id := e.expect(fixture.Updated("run://a", `{"n":1}`)).id
	changed(map[string]any{"n": 2})
	e.expect(fixture.Updated("run://a", `{"n":2}`))
	e.resp.Body.Close()
	e = s.resume(h, id)
	e.expect(fixture.Updated("run://a", `{"n":2}`))
	e.resp.Body.Close()
	select {
	case <-e.frames:
	case <-time.After(fixture.Timeout):
	}
}
