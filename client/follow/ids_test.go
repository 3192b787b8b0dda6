package follow_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
)

// said is an event as it is told at a second, with a text.
func said(second int, text string) string {
	return fmt.Sprintf(`"timestamp":"2026-01-01T00:00:%02d.120Z","runStatus":"RUNNING","step":{"text":%q}`, second, text)
}

// storedAt and frameAt tell it under an id, as it is stored and streamed.
func storedAt(id, second int) string {
	return fmt.Sprintf(`{"id":%d,"event":"step",%s}`, id, said(second, fmt.Sprint("e", second)))
}

func frameAt(id, second int) string {
	return frame(id, "{"+said(second, fmt.Sprint("e", second))+"}")
}

// TestOddNumbering: ids that jump once, lists that are short, late, unordered or
// partly without ids, times and names that differ a little: each event comes
// once and in order, and the cursors grow.
func TestOddNumbering(t *testing.T) {
	list := func(items ...string) string { return strings.Join(items, ",") }
	const end = "event: end\ndata: {\"runStatus\":\"SUCCESS\"}\n\n"
	for name, tt := range map[string]struct {
		o    *odd
		want string
	}{
		"one id jumps while the stored ones lag": {
			&odd{stored: []string{storedAt(1, 1)}, streams: []string{frameAt(2, 2) + frameAt(1000, 3) + frameAt(4, 4) + frameAt(5, 5) + "id: 6\n" + end}},
			"1:e1 2:e2 1000:e3 1001:e4 1002:e5 1003:",
		},
		"what comes after a jump is stored alone": {
			&odd{stored: []string{storedAt(1, 1), storedAt(1, 1), list(storedAt(1, 1), storedAt(2, 2), storedAt(3, 3), storedAt(4, 4))}, streams: []string{frameAt(1000, 2) + "id: x\nevent: step\n", "id: 5\n" + end}},
			"1:e1 1000:e2 1001:e3 1002:e4 1003:",
		},
		"it jumps by one, and many follow": {
			&odd{stored: []string{storedAt(1, 1), storedAt(1, 1), list(storedAt(1, 1), storedAt(2, 2), storedAt(3, 3), storedAt(4, 4), storedAt(5, 5))}, streams: []string{frameAt(3, 2) + "id: x\nevent: step\n", "id: 6\n" + end}},
			"1:e1 3:e2 4:e3 5:e4 6:e5 7:",
		},
		"a hole is filled late": {
			&odd{stored: []string{storedAt(1, 1), storedAt(1, 1), list(storedAt(1, 1), storedAt(2, 2), storedAt(3, 3))}, streams: []string{frameAt(3, 3) + "id: x\nevent: step\n", "id: 4\n" + end}},
			"1:e1 3:e3 4:e2 5:",
		},
		"times are stored alone": {
			&odd{stored: []string{"", list(storedAt(1, 1), storedAt(2, 3))}, streams: []string{
				frame(1, `{"runStatus":"RUNNING","step":{"text":"e1"}}`) + frame(2, `{"runStatus":"RUNNING","step":{"text":"e2"}}`) + "id: x\nevent: step\n", "id: 3\n" + end}},
			"1:e1 2:e2 1:e1(restarted) 2:e3 3:",
		},
		"the newest of one second are stored alone, without ids": {
			&odd{
				stored:  []string{strings.ReplaceAll("{"+said(1, "a")+"},{"+said(1, "b")+"}", ".120Z", "Z"), strings.ReplaceAll("{"+said(1, "b")+"},{"+said(1, "c")+"}", ".120Z", "Z")},
				streams: []string{"id: x\n", "id: x\n" + end},
			},
			"1:a 2:b 3:c 4:",
		},
		"the newest are stored alone, without ids": {
			&odd{stored: []string{"{" + said(8, "e8") + "},{" + said(9, "e9") + "}"}, streams: []string{frameAt(9, 9) + frameAt(10, 10) + "id: 11\n" + end}},
			"1:e8 2:e9 3:e10 4:",
		},
		"the newest are stored first": {
			&odd{stored: []string{list(storedAt(3, 3), storedAt(2, 2), storedAt(1, 1))}, streams: []string{frameAt(4, 4) + "id: 5\n" + end}},
			"1:e1 2:e2 3:e3 4:e4 5:",
		},
		"one is stored without an id": {
			&odd{stored: []string{list(storedAt(10, 1), "{"+said(2, "e2")+"}", storedAt(20, 3))}, streams: []string{frameAt(30, 4) + "id: 40\n" + end}},
			"10:e1 11:e2 20:e3 30:e4 40:",
		},
		"the stream stamps for itself": {
			&odd{
				stored:  []string{list(storedAt(1, 1), storedAt(2, 2))},
				streams: []string{strings.ReplaceAll(frameAt(1, 1)+frameAt(2, 2), ".120Z", ".121Z") + frameAt(3, 3) + "id: 4\n" + end},
			},
			"1:e1 2:e2 3:e3 4:",
		},
		"the stream calls it otherwise": {
			&odd{
				stored:  []string{list(storedAt(1, 1), storedAt(2, 2))},
				streams: []string{strings.ReplaceAll(frameAt(1, 1)+frameAt(2, 2), "event: step", "event: run.step") + frameAt(3, 3) + "id: 4\n" + end},
			},
			"1:e1 2:e2 3:e3 4:",
		},
		"the stream tells more text": {
			&odd{
				stored:  []string{list(storedAt(1, 1), storedAt(2, 2))},
				streams: []string{strings.ReplaceAll(frameAt(1, 1)+frameAt(2, 2), `"text":"`, `"text":"so `) + frameAt(3, 3) + "id: 4\n" + end},
			},
			"1:e1 2:e2 3:e3 4:",
		},
		"stored as text": {
			&odd{stored: []string{fmt.Sprintf(`{"id":1,"event":"step","payload":%q}`, "{"+said(1, "e1")+"}")}, streams: []string{frameAt(1, 1) + frameAt(2, 2) + "id: 3\n" + end}},
			"1:e1 2:e2 3:",
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			got, err := followRun(t, tt.o, func(e client.Event) string {
				text := ""
				if e.Step != nil {
					text = e.Step.Text
				}
				if e.Restarted {
					text += "(restarted)"
				}
				return fmt.Sprintf("%d:%s", e.ID, text)
			})
			if all := strings.Join(got, " "); err != nil || all != tt.want {
				t.Errorf("%s: got %s, %v; want %s", name, all, err, tt.want)
			}
		})
	}
}

// TestQuietStreamIsReadAgain: the run is read again behind a stream that only
// brings heartbeats, because the stream may have left out the end.
func TestQuietStreamIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/sse") {
				status := "RUNNING"
				if time.Since(start) > time.Minute {
					status = "SUCCESS"
				}
				fmt.Fprintf(w, `{"runId":%q,"status":%q,"events":[%s]}`, testRun, status, storedAt(1, 1))
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			for r.Context().Err() == nil {
				fmt.Fprint(w, "event: keepalive\ndata: null\n\n")
				w.(http.Flusher).Flush()
				select {
				case <-time.After(20 * time.Second):
				case <-r.Context().Done():
				}
			}
		}))
		for _, err := range follow.Events(t.Context(), c, caller, testRun, 0) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 4*time.Minute || took > 6*time.Minute {
			t.Errorf("the end was found after %v", took)
		}
	})
}

// TestReadsOfAConnectionArePaced: where every event gives cause to read the run,
// the first read is at once, and those that bring nothing new are up to 5 s apart.
// Nothing comes later than that.
func TestReadsOfAConnectionArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var reads []time.Duration
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/sse") {
				reads = append(reads, time.Since(start))
				fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[]}`, testRun)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 300 { // a hole before each
				fmt.Fprint(w, frame(2*i+2, fmt.Sprintf(`{"runStatus":"RUNNING","step":{"text":"e%d"}}`, i)))
				w.(http.Flusher).Flush()
				time.Sleep(100 * time.Millisecond)
			}
			fmt.Fprint(w, "id: 1000\nevent: end\ndata: {\"runStatus\":\"SUCCESS\"}\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}))
		events := 0
		for e, err := range follow.Events(t.Context(), c, caller, testRun, 0) {
			if late := time.Since(start) - time.Duration(events)*100*time.Millisecond; err != nil || e.Missing == 0 || late > 5*time.Second {
				t.Fatalf("event %d came %v late, %d missing, %v", e.ID, late, e.Missing, err)
			}
			events++
		}
		if want := "[0s 0s 1s 3s 7s 12s 17s 22s 27s 32s]"; events != 301 || fmt.Sprint(reads) != want {
			t.Errorf("%d events, reads at %v, want %s", events, reads, want)
		}
	})
}
