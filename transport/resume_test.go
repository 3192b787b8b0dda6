package transport

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// resume opens the rest of a stream.
func (s *site) resume(h header, event string) *events {
	s.t.Helper()
	return s.stream(s.do("GET", "/mcp", append(slices.Clone(h), "Last-Event-ID", event), ""))
}

func TestResumeAfterACutConnection(t *testing.T) {
	for _, version := range []string{"2025-03-26", "2025-06-18", "2025-11-25"} {
		t.Run(version, func(t *testing.T) {
			f := newFixture()
			steps := f.addSteps()
			s := serveHTTP(t, f, HTTPOptions{})
			h := s.session(version, `{}`)
			go func() {
				for range 3 {
					steps <- true
				}
			}()
			e := s.stream(s.do("POST", "/mcp", h, toolCall("1", "steps", "7")))
			if first := e.peek(); (first.id != "" && first.data == "") != (version == "2025-11-25") {
				t.Fatalf("the first event is %+v", first)
			}
			var ids []string
			for n := range 3 {
				ids = append(ids, e.expect(progressLine("7", n+1)).id)
			}
			e.resp.Body.Close()
			for range 3 { // the call goes on
				steps <- true
			}
			again := s.resume(h, ids[0]) // the client has seen one only
			for n := 1; n < 6; n++ {
				again.expect(progressLine("7", n+1))
			}
			if resp, body := s.ask("POST", "/mcp", h, ping); resp.StatusCode != 200 {
				t.Fatal(body)
			}
			third := s.resume(h, ids[2]) // takes over
			again.end()
			for n := 3; n < 6; n++ {
				third.expect(progressLine("7", n+1))
			}
			steps <- false
			answer := third.expect(textAnswer("1", "steps"))
			third.end()
			late := s.resume(h, ids[2]) // the answer waits
			for n := 3; n < 6; n++ {
				late.expect(progressLine("7", n+1))
			}
			late.expect(textAnswer("1", "steps"))
			late.end()
			s.resume(h, answer.id).end()

			// Of another session or caller, the ids mean nothing.
			for _, h := range []header{s.session(version, `{}`), s.session(version, `{}`, "X-Key", "other")} {
				if resp, body := s.ask("GET", "/mcp", append(slices.Clone(h), "Last-Event-ID", ids[0]), ""); resp.StatusCode != 400 {
					t.Fatalf("%s %s", resp.Status, body)
				}
			}
		})
	}
}

// addSteps adds a tool that says one more with every true.
func (f *fixture) addSteps() chan<- bool {
	steps := make(chan bool)
	f.srv.AddTool(mcp.NewTool("steps"), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for n := 1; <-steps; n++ {
			if err := progress(ctx, r.Params.Meta.ProgressToken, n); err != nil {
				return nil, err
			}
		}
		return mcp.NewToolResultText("steps"), nil
	})
	return steps
}

// peek is the stream's first frame that is no comment; if it is a message, it
// is not taken for read.
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

// TestAnswerToASilentCallWaits: in 2025-11-25 a client gets an id before there
// is anything to say.
func TestAnswerToASilentCallWaits(t *testing.T) {
	f := newFixture()
	s := serveHTTP(t, f, HTTPOptions{})
	h := s.session("2025-11-25", `{}`)
	e := s.stream(s.do("POST", "/mcp", h, toolCall("1", "hold", "")))
	first := e.frame()
	if first.id == "" || first.data != "" {
		t.Fatalf("first %+v", first)
	}
	e.resp.Body.Close()
	receive(t, f.waiting)
	close(f.release)
	again := s.resume(h, first.id)
	again.expect(textAnswer("1", "held"))
	again.end()
}

// TestLogIsBounded: of a call that says much to nobody, the oldest goes; the
// answer stays.
func TestLogIsBounded(t *testing.T) {
	f := newFixture()
	steps := f.addSteps()
	s := serveHTTP(t, f, HTTPOptions{})
	h := s.session("2025-11-25", `{}`)
	e := s.stream(s.do("POST", "/mcp", h, toolCall("1", "steps", "7")))
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
	if last != textAnswer("1", "steps") || n < 100 || n > maxEvents+notesBuffered+streamWindow { // some were on their way
		t.Fatalf("%d events, last %s", n, last)
	}
}

func TestFinishedStreamsAreBounded(t *testing.T) {
	s := newSession("", Options{}, func() {})
	for range 10 * maxFinished {
		st := s.newStream()
		st.begin()
		_ = st.answer(answer{line: []byte(`{}`)})
		s.served(st)
	}
	if n := len(s.finished); n != maxFinished || len(s.streams) != n {
		t.Fatalf("%d finished, %d streams", n, len(s.streams))
	}
	if st, _ := s.stream(strconv.Itoa(10*maxFinished) + "-1"); st == nil {
		t.Fatal("the last one is gone")
	}
	if st, _ := s.stream("1-1"); st != nil {
		t.Fatal("the first one is there")
	}
	for range 10 {
		st := s.newStream()
		st.begin()
		_ = st.answer(answer{line: make([]byte, maxFinishedBytes/3)})
		s.served(st)
	}
	if n := len(s.finished); n != 3 || len(s.streams) != n {
		t.Fatalf("%d big ones, %d streams", n, len(s.streams))
	}
	st := s.newStream()
	_ = st.answer(answer{line: []byte(`{}`)})
	s.served(st) // as JSON
	if len(s.finished) != 3 {
		t.Fatal("what can't be resumed is kept")
	}
	if s.busy != 1 {
		t.Fatalf("busy %d", s.busy)
	}
}

// TestBrokenGETMissesNothing: what was written to nobody comes with the next
// GET, what a client has not seen, with its Last-Event-ID.
func TestBrokenGETMissesNothing(t *testing.T) {
	w := newWatching()
	f := newFixture()
	s := serveHTTP(t, f, HTTPOptions{Options: Options{Watch: w.watch}})
	h := s.session("2025-11-25", `{}`)
	if _, body := s.ask("POST", "/mcp", h, subscribe("run://a")); !strings.Contains(body, `"result":{}`) {
		t.Fatal(body)
	}
	changed := receive(t, w.changed)
	changed(map[string]any{"n": 1})
	e := s.stream(s.do("GET", "/mcp", h, ""))
	id := e.expect(updateLine("run://a", `{"n":1}`)).id
	changed(map[string]any{"n": 2})
	e.expect(updateLine("run://a", `{"n":2}`))
	e.resp.Body.Close()
	e = s.resume(h, id)
	e.expect(updateLine("run://a", `{"n":2}`))
	e.resp.Body.Close()
	select {
	case <-e.frames:
	case <-time.After(patience):
	}
}
