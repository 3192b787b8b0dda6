package follow_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
)

// TestShiftedIDs: of many events that are all stored, and whose ids on the stream
// are others than the stored ones, none is given twice, and what is new comes once.
func TestShiftedIDs(t *testing.T) {
	const stored, all, shift = 30_000, 30_003, 7
	text := func(i int) string {
		return fmt.Sprintf(`"timestamp":%q,"runStatus":"RUNNING","step":{"text":"event %d"}`, time.Unix(int64(i)/100, int64(i)%100*1e7).UTC().Format(time.RFC3339Nano), i)
	}
	var events, frames strings.Builder
	for i := 1; i <= all; i++ {
		fmt.Fprintf(&frames, "id: %d\nevent: step\ndata: {%s}\n\n", i+shift, text(i))
		if i <= stored {
			fmt.Fprintf(&events, `{"id":%d,"event":"step",%s},`, i, text(i))
		}
	}
	o := &odd{stored: []string{strings.TrimSuffix(events.String(), ",")}, streams: []string{frames.String() + strings.Replace(endFrame, "9", fmt.Sprint(all+1+shift), 1)}}
	synctest.Test(t, func(t *testing.T) {
		given := map[string]int{}
		missing := int64(0)
		_, err := followRun(t, o, func(e client.Event) string {
			if missing += e.Missing; e.Step != nil {
				given[e.Step.Text]++
			}
			return ""
		})
		for content, times := range given {
			if times > 1 {
				t.Fatalf("%s was given %d times", content, times)
			}
		}
		if err != nil || len(given) != all || missing != shift || o.reads.Load() > 10 {
			t.Errorf("%d events, %d missing, %d reads, %v", len(given), missing, o.reads.Load(), err)
		}
	})
}

// TestToolCallsAreContent: two steps that differ only in the id of their tool call
// are two events. A step without tool calls may be either.
func TestToolCallsAreContent(t *testing.T) {
	a, b, bare := step(0, "01", "", callA), step(0, "01", "", callB), step(0, "01", "", "")
	unnumbered := func(payloads ...string) string {
		return "event: step\ndata: " + strings.Join(payloads, "\n\nevent: step\ndata: ") + "\n\nevent: end\ndata: {}\n\n"
	}
	for name, tt := range map[string]struct {
		stored, stream string
		want           int
	}{
		"both are stored":             {a + "," + b, unnumbered(a, b), 2},
		"both are stored, one is new": {a + "," + b, unnumbered(b, step(0, "01", "", `,"toolCalls":[{"toolCallId":"c"}]`)), 3},
		"one is stored":               {a, unnumbered(a, b), 2},
		"none is stored":              {"", unnumbered(a, b, a), 3},
		"stored without tool calls":   {bare + "," + bare, unnumbered(a, b), 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			amended := 0
			got, err := followRun(t, &odd{stored: []string{strings.ReplaceAll(tt.stored, `"id":0,`, "")}, streams: []string{tt.stream}}, func(e client.Event) string {
				if e.Amended {
					amended++
				}
				return fmt.Sprint(e.ID, e.Type)
			})
			if err != nil || len(got)-amended != tt.want+1 {
				t.Errorf("%s: got %v, %v; want %d and the end", name, got, err, tt.want)
			}
		})
	}
}

// TestHeldOverConnections: events that are held when a connection ends are yielded
// once, though the next connection repeats them.
func TestHeldOverConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		frames := func(seconds ...int) (all string) {
			for _, s := range seconds {
				all += "event: step\ndata: {" + said(s, fmt.Sprint("e", s)) + "}\n\n"
			}
			return all
		}
		connections, reads := 0, 0
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/sse") {
				if reads++; reads > 1 && connections == 1 { // for what is held
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[]}`, testRun)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			if connections++; connections == 1 {
				fmt.Fprint(w, frames(1, 2, 3))
				panic(http.ErrAbortHandler)
			}
			fmt.Fprint(w, frames(1, 2, 3, 4)+"event: end\ndata: {}\n\n")
		}))
		var got []string
		for e, err := range follow.Events(t.Context(), c, caller, testRun, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Step != nil {
				got = append(got, e.Step.Text)
			}
		}
		if want := []string{"e1", "e2", "e3", "e4"}; !slices.Equal(got, want) || connections != 2 {
			t.Errorf("got %v over %d connections, want %v over 2", got, connections, want)
		}
	})
}

// TestEqualContents: of events with equal content, as many are yielded as there
// are.
func TestEqualContents(t *testing.T) {
	const same = `"runStatus":"RUNNING","step":{"text":"Thinking"}`
	stored := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"id":%d,"event":"step",%s}`, i+1, same))
		}
		return strings.Join(all, ",")
	}
	frames := strings.Repeat("event: step\ndata: {"+same+"}\n\n", 3)
	for name, o := range map[string]*odd{
		"a replay without ids":           {stored: []string{stored(3)}, streams: []string{frames}},
		"live, without ids":              {stored: []string{stored(0), stored(3)}, streams: []string{frames}},
		"live, with two before":          {stored: []string{stored(2), stored(5)}, streams: []string{frames}},
		"never stored":                   {stored: []string{""}, streams: []string{frames}},
		"with ids, and one before":       {stored: []string{stored(1), stored(4)}, streams: []string{frame(2, "{"+same+"}") + frame(3, "{"+same+"}") + frame(4, "{"+same+"}")}},
		"with ids, replayed and shifted": {stored: []string{stored(3)}, streams: []string{frame(8, "{"+same+"}") + frame(9, "{"+same+"}") + frame(10, "{"+same+"}")}},
	} {
		synctest.Test(t, func(t *testing.T) {
			want := max(strings.Count(nth(o.stored, 9), "Thinking"), 3)
			o.streams[0] += "event: end\ndata: {}\n\n"
			got, err := followRun(t, o, func(e client.Event) string { return e.Type })
			if err != nil || len(got) != want+1 {
				t.Errorf("%s: got %v, %v; want %d steps and the end", name, got, err, want)
			}
		})
	}
}

// TestManyHeld: the stream waits when too many bytes are held, and no event is
// lost.
func TestManyHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var frames strings.Builder
		pad := strings.Repeat("x", 100<<10)
		for i := range 40 { // 4 MB
			fmt.Fprintf(&frames, "id: %d\nevent: step\ndata: {\"step\":{\"text\":\"%d %s\"}}\n\n", 2*i+2, i, pad)
		}
		o := &odd{stored: []string{""}, streams: []string{frames.String() + strings.Replace(endFrame, "9", "100", 1)}}
		got, err := followRun(t, o, func(e client.Event) string { return fmt.Sprint(e.ID) })
		if err != nil || len(got) != 41 || o.reads.Load() < 4 {
			t.Errorf("%d events, %d reads, %v", len(got), o.reads.Load(), err)
		}
	})
}

// TestIDsOfTheConnection: an id that follows the last one, but not the one before
// on its connection, hides an event that the stream left out. Here the connection
// counts from 1, and the next read is not due when the last frame comes.
func TestIDsOfTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		two := storedAt(1, 1) + "," + storedAt(2, 2)
		all := two + "," + storedAt(3, 3) + "," + storedAt(4, 4)
		reads := 0
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/sse") {
				events := all
				if reads++; reads < 3 {
					events = two
				}
				fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[%s]}`, testRun, events)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			for _, text := range []string{frameAt(1, 2), frameAt(3, 4), strings.Replace(endFrame, "9", "5", 1)} {
				fmt.Fprint(w, text)
				w.(http.Flusher).Flush()
				time.Sleep(100 * time.Millisecond) // the first gives cause to read, and the next read is a second later
			}
			<-r.Context().Done()
		}))
		var got []string
		for e, err := range follow.Events(t.Context(), c, caller, testRun, 0) {
			if err != nil {
				t.Fatal(err)
			}
			text := e.Type
			if e.Step != nil {
				text = e.Step.Text
			}
			got = append(got, fmt.Sprintf("%d:%s", e.ID, text))
		}
		if want := "[1:e1 2:e2 3:e3 4:e4 5:end]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}

// TestManySmallHeld: a held event counts 512 bytes and more, however small it is.
func TestManySmallHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, most = 5000, 1<<20/512 + 1
		var frames strings.Builder
		for i := range count {
			fmt.Fprintf(&frames, "event: step\ndata: {\"step\":{\"text\":\"%d\"}}\n\n", i)
		}
		o := &odd{stored: []string{""}, streams: []string{frames.String() + "event: end\ndata: {}\n\n"}}
		at := map[time.Time]int{} // events by the time at which they came
		got, err := followRun(t, o, func(client.Event) string {
			at[time.Now()]++
			return ""
		})
		for when, n := range at {
			if n > most {
				t.Errorf("%d events were held until %v, want at most %d", n, when, most)
			}
		}
		if err != nil || len(got) != count+1 || len(at) < 3 {
			t.Errorf("%d events at %d times, %v", len(got), len(at), err)
		}
	})
}

// TestNothingConnects: where no stored event is known, some may be missing.
func TestNothingConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &odd{stored: []string{storedAt(1, 1) + "," + storedAt(2, 2), storedAt(8, 8) + "," + storedAt(9, 9)}, streams: []string{": a comment\n\n" + frameAt(9, 9) + strings.Replace(endFrame, "9", "10", 1)}}
		got, err := followRun(t, o, func(e client.Event) string { return fmt.Sprintf("%d:%d", e.ID, e.Missing) })
		if want := "[1:0 2:0 8:-1 9:0 10:0]"; err != nil || fmt.Sprint(got) != want {
			t.Errorf("got %v, %v; want %s", got, err, want)
		}
	})
}

// TestReadsThatBringNews are a second apart: nothing comes later than that.
func TestReadsThatBringNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, apart = 100, 300 * time.Millisecond
		start := time.Now()
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			happened := min(int(time.Since(start)/apart), count)
			if !strings.HasSuffix(r.URL.Path, "/sse") {
				var events []string
				for i := range happened {
					events = append(events, storedAt(i+1, i+1))
				}
				fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[%s]}`, testRun, strings.Join(events, ","))
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			for i := 1; i <= count; i++ { // without ids
				time.Sleep(time.Until(start.Add(time.Duration(i) * apart)))
				fmt.Fprint(w, strings.TrimPrefix(frameAt(i, i), fmt.Sprintf("id: %d\n", i)))
				w.(http.Flusher).Flush()
			}
			fmt.Fprint(w, "event: end\ndata: {}\n\n")
		}))
		for e, err := range follow.Events(t.Context(), c, caller, testRun, 0) {
			if late := time.Since(start) - time.Duration(e.ID)*apart; err != nil || e.ID <= count && late > time.Second {
				t.Fatalf("event %d came %v late, %v", e.ID, late, err)
			}
		}
	})
}

// TestUnreadableAfterACursor: where the run cannot be read, the stream alone tells
// what comes after the cursor.
func TestUnreadableAfterACursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &odd{stored: []string{"<html>"}, streams: []string{frameAt(1, 1) + frameAt(2, 2) + frameAt(3, 3) + strings.Replace(endFrame, "9", "4", 1)}}
		var got []string
		for e, err := range follow.Events(t.Context(), newClient(t, o), caller, testRun, 2) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(e.ID, e.Missing))
		}
		if want := "[3 0 4 0]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}

// TestBegunAnewWithOneEvent: the only event that was known has another content now.
func TestBegunAnewWithOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &odd{stored: []string{storedAt(1, 1), storedAt(1, 5)}, streams: []string{": \n\n" + frameAt(7, 7) + strings.Replace(endFrame, "9", "8", 1)}}
		got, err := followRun(t, o, func(e client.Event) string { return fmt.Sprint(e.ID, e.Restarted, e.Missing) })
		if want := "[1 false 0 1 true 0 7 false 5 8 false 0]"; err != nil || fmt.Sprint(got) != want {
			t.Errorf("got %v, %v; want %s", got, err, want)
		}
	})
}
