package follow_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
	"runs-mcp-server/internal/lab/inmem"
)

// odd is a run whose stored events and stream a test writes out itself. The
// n-th read gets stored[n], the last one for ever; so the streams.
type odd struct {
	stored  []string // of the events alone; "404" and the like answer that status
	streams []string // frames; a stream stays open after them
	headers time.Duration
	reads   atomic.Int64
	opened  atomic.Int64
}

func nth(list []string, n int64) string { return list[min(int(n), len(list)-1)] }

func (o *odd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/sse") {
		body := nth(o.stored, o.reads.Add(1)-1)
		if status := 0; len(body) == 3 {
			fmt.Sscan(body, &status)
			w.WriteHeader(status)
			io.WriteString(w, `{"message":"refused"}`)
			return
		}
		fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[%s]}`, testRun, body)
		return
	}
	select {
	case <-time.After(o.headers):
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.(http.Flusher).Flush()
	io.WriteString(w, nth(o.streams, o.opened.Add(1)-1))
	<-r.Context().Done()
}

const endFrame = "id: 9\nevent: end\ndata: {\"runStatus\":\"SUCCESS\"}\n\n"

// followRun returns what is yielded, in short, and the error at the end.
func followRun(t *testing.T, o *odd, show func(client.Event) string) (got []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // of the bubble
	defer cancel()
	for e, err := range follow.Events(ctx, newClient(t, o), caller, testRun, 0) {
		if err != nil {
			return got, err
		}
		got = append(got, show(e))
	}
	return got, nil
}

func step(id int, at, approval, more string) string {
	return fmt.Sprintf(`{"id":%d,"event":"step","timestamp":"2026-01-01T00:00:%sZ","runStatus":"PAUSED","step":{"text":"x","approval":%q%s}}`, id, at, approval, more)
}

func frame(id int, payload string) string {
	return fmt.Sprintf("id: %d\nevent: step\ndata: %s\n\n", id, payload)
}

const (
	callA = `,"toolCalls":[{"toolCallId":"a"}]`
	callB = `,"toolCalls":[{"toolCallId":"b"}]`
	links = `,"approvalActions":[{"action":"approve","url":"https://x/?token=1"}]`
)

// TestLinksAmendAStepWithCalls: a stored step that has its tool calls but not
// its links is given again when the stream has them.
func TestLinksAmendAStepWithCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &odd{stored: []string{step(1, "01", "PENDING", callA)}, streams: []string{frame(1, step(1, "01", "PENDING", callA+links)) + endFrame}}
		got, err := followRun(t, o, func(e client.Event) string { return fmt.Sprint(e.ID, len(e.Links()), e.Amended) })
		if want := "[1 0 false 1 1 true"; err != nil || !strings.HasPrefix(fmt.Sprint(got), want) {
			t.Errorf("got %v, %v; want %s", got, err, want)
		}
	})
}

// TestPendingCallsThatChange: a pending step is yielded again when its tool calls
// change, because a person decides on the newest. Other steps are not.
func TestPendingCallsThatChange(t *testing.T) {
	calls := func(amount int) string {
		return fmt.Sprintf(`,"toolCalls":[{"toolCallId":"a","toolName":"pay","toolParameters":{"amount":%d}}]`, amount)
	}
	for approval, want := range map[string]string{"PENDING": `[1 {"amount":1} false 1 {"amount":1000} true`, "APPROVED": `[1 {"amount":1} false 9`} {
		synctest.Test(t, func(t *testing.T) {
			again := frame(1, step(1, "01", approval, calls(1000)))
			o := &odd{stored: []string{step(1, "01", approval, calls(1))}, streams: []string{again + again + endFrame}}
			got, err := followRun(t, o, func(e client.Event) string {
				if e.Step == nil {
					return fmt.Sprint(e.ID)
				}
				return fmt.Sprintf("%d %s %t", e.ID, e.Step.ToolCalls[0].ToolParameters, e.Amended)
			})
			if err != nil || !strings.HasPrefix(fmt.Sprint(got), want) || len(got) != strings.Count(want, "amount")+1 {
				t.Errorf("%s: got %v, %v; want %s", approval, got, err, want)
			}
		})
	}
}

// TestDecidedInPlace: a stored step whose approval changes is the same event.
func TestDecidedInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &odd{
			stored:  []string{step(1, "01", "PENDING", callA), strings.ReplaceAll(step(1, "01", "APPROVED", callA), "PAUSED", "RUNNING")},
			streams: []string{frame(3, step(3, "03", "NOT_REQUIRED", callB)) + endFrame},
		}
		got, err := followRun(t, o, func(e client.Event) string { return fmt.Sprint(e.ID, e.Restarted) })
		if want := "[1 false 3 false"; err != nil || !strings.HasPrefix(fmt.Sprint(got), want) {
			t.Errorf("got %v, %v; want %s", got, err, want)
		}
	})
}

// TestTwins: two approvals that look alike but for their tool calls are two,
// across a hole in the ids, though the stored events lag.
func TestTwins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &odd{
			stored:  []string{step(2, "01", "PENDING", callA)},
			streams: []string{frame(2, step(2, "01", "PENDING", callA)) + frame(4, step(4, "01", "PENDING", callB)) + endFrame},
		}
		got, err := followRun(t, o, func(e client.Event) string { return fmt.Sprint(e.ID) })
		if want := "[2 4"; err != nil || !strings.HasPrefix(fmt.Sprint(got), want) {
			t.Errorf("got %v, %v; want %s", got, err, want)
		}
	})
}

// TestRefusals: a single refusal does not end the events, repeated ones do.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		stored      []string
		kind        client.Kind // "" where the run is followed to its end
		least, most time.Duration
	}{
		"a proxy's hiccup":       {[]string{step(1, "01", "", ""), "404", "403", "500", step(1, "01", "", "")}, "", 0, time.Minute},
		"a store that lags":      {[]string{"404", step(1, "01", "", "")}, "", 0, 2 * time.Second},
		"an unknown run":         {[]string{"404"}, client.NotFound, 200 * time.Millisecond, 2 * time.Second},
		"a run that is gone":     {[]string{step(1, "01", "", ""), "404"}, client.NotFound, 20 * time.Second, time.Minute},
		"a wrong key":            {[]string{"401"}, client.Unauthorized, 0, 0},
		"a key that was revoked": {[]string{step(1, "01", "", ""), "401"}, client.Unauthorized, 20 * time.Second, time.Minute},
		"a strange refusal":      {[]string{"431", "400", step(1, "01", "", "")}, "", 0, time.Minute},
		"refusals apart":         {[]string{"404", "404", "500", "404", "404", "500", "404", step(1, "01", "", "")}, "", 0, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &odd{stored: tt.stored, streams: []string{endFrame}}
			// The stream is refused as well, until the run has been read often enough.
			c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/sse") && int(o.reads.Load()) < len(tt.stored) || tt.kind != "" && strings.HasSuffix(r.URL.Path, "/sse") {
					w.WriteHeader(503)
					return
				}
				o.ServeHTTP(w, r)
			}))
			var end error
			start := time.Now()
			for _, err := range follow.Events(t.Context(), c, caller, testRun, 0) {
				end = err
			}
			if took := time.Since(start); client.KindOf(end) != tt.kind || took < tt.least || took > tt.most {
				t.Errorf("%s: ended with %v after %v, want %v to %v", name, end, took, tt.least, tt.most)
			}
		})
	}
}

// TestOwnRefusals: a request that the client itself refuses ends the events at
// once.
func TestOwnRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
		start := time.Now()
		for kind, of := range map[client.Kind]struct {
			caller client.Caller
			runID  client.RunID
		}{client.InvalidArgument: {caller, "x"}, client.Unauthorized: {client.Caller{}, testRun}} {
			var end error
			for _, err := range follow.Events(t.Context(), c, of.caller, of.runID, 0) {
				end = err
			}
			if client.KindOf(end) != kind || time.Since(start) != 0 {
				t.Errorf("%s: %v after %v", kind, end, time.Since(start))
			}
		}
	})
}

// panicking is a network that panics when the stream is asked for.
type panicking struct{ http.RoundTripper }

func (p panicking) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/sse") {
		panic("of the network")
	}
	return p.RoundTripper.RoundTrip(r)
}

// TestPanicOfTheStream reaches the goroutine of the reader, which may recover it.
func TestPanicOfTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := client.New(client.Options{URL: "http://localhost", Transport: panicking{inmem.Transport(&odd{stored: []string{""}})}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if r := recover(); r != "of the network" {
				t.Errorf("recovered %v", r)
			}
		}()
		for range follow.Events(t.Context(), c, caller, testRun, 0) {
		}
	})
}

// TestLateHeaders: a stream whose headers come with its first heartbeat hides
// nothing that can be read.
func TestLateHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &odd{stored: []string{step(1, "01", "PENDING", links)}, streams: []string{endFrame}, headers: 20 * time.Second}
		start := time.Now()
		var first time.Duration
		_, err := followRun(t, o, func(client.Event) string {
			if first == 0 {
				first = time.Since(start)
			}
			return ""
		})
		if err != nil || first > 2*time.Second {
			t.Errorf("the first event came after %v, %v", first, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		o := &odd{stored: []string{"<html>"}, streams: []string{frame(8, bare(8)) + endFrame}, headers: 20 * time.Second}
		if got, err := followRun(t, o, func(e client.Event) string { return fmt.Sprint(e.ID) }); err != nil || fmt.Sprint(got) != "[8 9]" {
			t.Errorf("nothing can be read: got %v, %v", got, err)
		}
	})
}

// bare is a stored event without id and name.
func bare(n int) string {
	return fmt.Sprintf(`{"timestamp":"2026-01-01T00:00:%02dZ","runStatus":"RUNNING","step":{"text":"event %d"}}`, n, n)
}

// TestFirstEventBehindAHole: where positions are the cursors, the first event of
// a stream may be the next position or a later one. The stored events tell; where
// they do not, it is the next, and some may be missing.
func TestFirstEventBehindAHole(t *testing.T) {
	two := bare(1) + "," + bare(2)
	for name, tt := range map[string]struct {
		stored, first, want string
		missing             int64
	}{
		"left out by the stream": {two + "," + bare(3) + "," + bare(4), frame(4, bare(4)), "[1 2 3 4", 0},
		"numbered by connection": {two + "," + bare(3), frame(1, bare(3)), "[1 2 3", 0},
		"not stored yet":         {two, frame(4, bare(4)), "[1 2 3", -1},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &odd{stored: []string{two, tt.stored}, streams: []string{tt.first + endFrame}}
			got, err := followRun(t, o, func(e client.Event) string {
				if e.Restarted || e.ID < 4 && e.Type != client.EventEnd && e.Missing != 0 && (e.ID != 3 || e.Missing != tt.missing) {
					t.Errorf("%s: event %d: missing %d, restarted %t", name, e.ID, e.Missing, e.Restarted)
				}
				return fmt.Sprint(e.ID)
			})
			if err != nil || !strings.HasPrefix(fmt.Sprint(got), tt.want) || len(got) != strings.Count(tt.want, " ")+2 {
				t.Errorf("%s: got %v, %v; want %s and the end", name, got, err, tt.want)
			}
		})
	}
}

// TestOneMoment: events of one moment are told apart where the stored ones say
// neither id nor name, and known again where they are told in whole seconds.
func TestOneMoment(t *testing.T) {
	const start = `{"timestamp":"2026-01-01T00:00:01.000Z","runStatus":"RUNNING"}`
	at := func(ms int, text string) string {
		return fmt.Sprintf(`{"timestamp":"2026-01-01T00:00:%02d.%03dZ","runStatus":"RUNNING","step":{"text":%q,"approval":"NOT_REQUIRED"}}`, ms/1000, ms%1000, text)
	}
	event := func(name, payload string) string { return "event: " + name + "\ndata: " + payload + "\n\n" }
	flat := `{"timestamp":"2026-01-01T00:00:01.000Z","runStatus":"RUNNING","text":"a","approval":"NOT_REQUIRED"}`
	for name, tt := range map[string]struct {
		stored, stream string
		want           int // events and the end
	}{
		"a step at the time of the start": {start, event("step", at(1000, "a")), 3},
		"an action within the second":     {start + "," + at(1500, "a"), event("action", strings.ReplaceAll(start, ":01", ":02")), 4},
		"whole seconds":                   {start + "," + at(2000, "a"), event("start", start) + event("step", at(1600, "a")), 3},
		"a flat step":                     {start + "," + flat, event("start", start) + event("step", at(1000, "a")), 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &odd{stored: []string{tt.stored}, streams: []string{tt.stream + event("end", `{"runStatus":"SUCCESS"}`)}}
			got, err := followRun(t, o, func(e client.Event) string { return fmt.Sprint(e.ID, e.Type) })
			if err != nil || len(got) != tt.want {
				t.Errorf("%s: got %v, %v; want %d", name, got, err, tt.want)
			}
		})
	}
}

// TestEndIsRepeated: the end was read among stored events without names before
// the stream told it. The stream stays open, and nothing waits for more.
func TestEndIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const end = `{"timestamp":"2026-01-01T00:00:04Z","runStatus":"SUCCESS"}`
		o := &odd{
			stored:  []string{bare(1), bare(1) + "," + bare(2) + "," + bare(3) + "," + end},
			streams: []string{frame(1, bare(1)) + frame(3, bare(3)) + "id: 4\nevent: end\ndata: " + end + "\n\n"},
		}
		start := time.Now()
		got, err := followRun(t, o, func(e client.Event) string { return fmt.Sprint(e.ID) })
		if took := time.Since(start); err != nil || fmt.Sprint(got) != "[1 2 3 4]" || took > time.Second {
			t.Errorf("got %v, %v after %v", got, err, took)
		}
	})
}

// TestSpoiltReads: what happens between two connections only the stored events
// tell. They are asked for again when the answer breaks off or is a proxy's page,
// and the stream is followed without them only where they are never readable.
func TestSpoiltReads(t *testing.T) {
	cut := func(w http.ResponseWriter, answer []byte) {
		w.Write(answer[:len(answer)/2])
		panic(http.ErrAbortHandler)
	}
	page := func(w http.ResponseWriter, _ []byte) { io.WriteString(w, `{"message":"refused"}`) }
	for name, u := range map[string]*upstream{
		"cut, one in two":                 {whole: 2, spoilt: cut},
		"cut, longer than a connection":   {whole: 5, spoilt: cut},
		"a page, one in two":              {whole: 2, spoilt: page},
		"a page, for ever, with a replay": {whole: 1 << 30, spoilt: page, replay: true, honour: true},
	} {
		t.Run(name, func(t *testing.T) {
			u.count, u.cut, u.unnumber = 50, 7, !u.honour
			synctest.Test(t, func(t *testing.T) { followAll(t, u) })
			if u.honour && u.reads > u.streams+2 {
				t.Errorf("what is never readable was asked for %d times on %d connections", u.reads, u.streams)
			}
		})
	}
}

// TestEndedWithoutEvents: the events of a run that has ended without any end soon,
// whatever the stream does. Events that the stream brings in time are yielded.
func TestEndedWithoutEvents(t *testing.T) {
	hold := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	frames := func(after time.Duration, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(after)
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			io.WriteString(w, text)
			hold(w, r)
		}
	}
	for name, tt := range map[string]struct {
		stream http.HandlerFunc
		events int
		within time.Duration
	}{
		"no headers":     {hold, 0, 3 * time.Second},
		"nothing":        {frames(0, ""), 0, 2 * time.Second},
		"a replay":       {frames(0, endFrame), 1, 0},
		"a late replay":  {frames(2500*time.Millisecond, endFrame), 1, 2500 * time.Millisecond},
		"not the end":    {frames(0, frame(1, bare(1))), 1, 2 * time.Second},
		"no such stream": {http.NotFound, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/sse") {
					tt.stream(w, r)
					return
				}
				fmt.Fprintf(w, `{"runId":%q,"status":"SUCCESS","events":null}`, testRun)
			}))
			start, got := time.Now(), 0
			for _, err := range follow.Events(t.Context(), c, caller, testRun, 0) {
				if err != nil {
					t.Fatal(err)
				}
				got++
			}
			if took := time.Since(start); took > tt.within || got != tt.events {
				t.Errorf("%s: %d events after %v; want %d within %v", name, got, took, tt.events, tt.within)
			}
		})
	}
}

// TestLongRuns follows more events than a connection brings, whose stored ids
// are missing or whose frames are unnumbered: no repetition is taken for new.
func TestLongRuns(t *testing.T) {
	for _, u := range []*upstream{
		{count: 300, cut: 280, replay: true, bare: true, hole: 50},
		{count: 300, cut: 280, replay: true, unnumber: true},
	} {
		synctest.Test(t, func(t *testing.T) { followAll(t, u) })
	}
}

// TestNewEventsOfAVeryLongRun: where more was stored without ids than is
// remembered, what the stream says next is new all the same, and what it repeats is not.
func TestNewEventsOfAVeryLongRun(t *testing.T) {
	const stored, built = 100_100, 70_000 // of which so many are read
	payload := func(i int) string { return fmt.Sprintf(`{"runStatus":"RUNNING","step":{"text":"event %d"}}`, i) }
	synctest.Test(t, func(t *testing.T) {
		events := make([]string, stored)
		for i := range events {
			events[i] = payload(i + 1)
		}
		var frames string
		for _, i := range []int{1, 2, stored, stored + 1, stored + 2, stored + 3} {
			frames += frame(i, payload(i))
		}
		o := &odd{stored: []string{strings.Join(events, ",")}, streams: []string{frames + strings.Replace(endFrame, "id: 9", fmt.Sprint("id: ", stored+4), 1)}}
		got, err := followRun(t, o, func(e client.Event) string {
			if want := map[int64]int64{stored - built + 1: stored - built}[e.ID]; e.Missing != want {
				t.Errorf("%d missing before %d, want %d", e.Missing, e.ID, want)
			}
			return fmt.Sprint(e.ID)
		})
		if err != nil || len(got) != built+4 || got[len(got)-1] != fmt.Sprint(stored+4) || o.reads.Load() > 3 {
			t.Errorf("%d events, %d reads, %v", len(got), o.reads.Load(), err)
		}
	})
}
