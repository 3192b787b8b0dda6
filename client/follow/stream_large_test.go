package follow_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client/follow"
)

// lines writes so many data lines of so many bytes each.
func lines(w io.Writer, count, size int) {
	line := "data: " + strings.Repeat("x", size) + "\n"
	for range count {
		if _, err := io.WriteString(w, line); err != nil {
			return
		}
	}
}

// TestLargeRecords: a record too large for the stream is taken from the run,
// once and in its place, and the stream goes on; one without an end does not
// hide what comes after it.
func TestLargeRecords(t *testing.T) {
	const endUnnumbered = "event: end\ndata: {\"runStatus\":\"SUCCESS\"}\n\n"
	const end = "id: 3\n" + endUnnumbered
	send := func(parts ...any) func(http.ResponseWriter, *http.Request, int) {
		return func(w http.ResponseWriter, r *http.Request, _ int) {
			for _, part := range parts {
				switch part := part.(type) {
				case string:
					io.WriteString(w, part)
				case func(http.ResponseWriter, *http.Request):
					part(w, r)
				}
			}
			<-r.Context().Done()
		}
	}
	tooLarge := func(w http.ResponseWriter, _ *http.Request) { lines(w, 1, 4<<20) }
	manyLines := func(w http.ResponseWriter, _ *http.Request) { lines(w, 20_000, 100) }
	fits := "data: {\"step\":{\"text\":\"event 2\"},\"pad\":[0\n" + strings.Repeat("data:,1\n", 20_000) + "data:]}\n"
	// Of a run that is read again: with the second event, with the first
	// alone, not at all.
	knows := func(w http.ResponseWriter, read int) bool {
		if read > 1 {
			fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[%s,%s]}`, testRun, stored(1), stored(2))
		}
		return read > 1
	}
	lags := func(http.ResponseWriter, int) bool { return false }
	strange := func(w http.ResponseWriter, read int) bool {
		if read > 1 {
			io.WriteString(w, "<html>")
		}
		return read > 1
	}
	var again atomic.Bool
	for _, tt := range []struct {
		name   string
		stream func(http.ResponseWriter, *http.Request, int)
		stored func(http.ResponseWriter, int) bool
		want   string // cursor and Missing of each event
		reads  int    // of the run, at most
		opened int
		after  time.Duration // when the second event comes, or up to 20 s later
	}{
		{"an event of 4 MiB", send("id: 2\n", tooLarge, "\n", end), knows, "1:0 2:0 3:0", 2, 1, 0},
		{"its id comes last", send(tooLarge, "id: 2\n\n", end), knows, "1:0 2:0 3:0", 2, 1, 0},
		{"no ids", send(tooLarge, "\n", endUnnumbered), knows, "1:0 2:0 3:0", 3, 1, 0},
		{"20,000 data lines", send("id: 2\n", manyLines, "\n", end), knows, "1:0 2:0 3:0", 2, 1, 0},
		{"20,000 data lines that fit", send("id: 2\nevent: step\n", fits, "\n", end), lags, "1:0 2:0 3:0", 1, 1, 0},
		{"the run lacks it", send("id: 2\n", tooLarge, "\n", end), lags, "1:0 3:1", 3, 1, 0},
		{"the run cannot be read", send("id: 2\n", tooLarge, "\n", end), strange, "1:0 3:1", 7, 1, 0},
		{"the run cannot be read, no ids", send(tooLarge, "\n", "data: {\"step\":{}}\n\n", endUnnumbered), strange, "1:0 2:-1 3:0", 4, 1, 0},
		{"the run cannot be read at first", func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 1 {
				tooLarge(w, r)
				return
			}
			again.Store(true)
			io.WriteString(w, endUnnumbered)
		}, func(w http.ResponseWriter, read int) bool {
			return !again.Load() && strange(w, read) || knows(w, read)
		}, "1:0 2:0 3:0", 5, 2, 0},
		{"a busy API", send("id: 2\n", tooLarge, "\n", end), func(w http.ResponseWriter, read int) bool {
			if read >= 2 && read <= 4 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}
			return knows(w, read)
		}, "1:0 2:0 3:0", 5, 1, 0},
		{"a record without an end", send(tooLarge, drip), lags, "1:0 2:0 3:0", 3, 2, 3 * time.Minute},
		{"a record that drips", send("data: ", drip), lags, "1:0 2:0 3:0", 2, 2, 3 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &oddStream{stored: tt.stored, stream: func(w http.ResponseWriter, r *http.Request, n int) {
					w.Header().Set("Content-Type", "text/event-stream")
					w.(http.Flusher).Flush()
					tt.stream(w, r, n)
				}}
				arrivals := f.follow(t)
				var got []string
				for _, a := range arrivals {
					got = append(got, fmt.Sprintf("%d:%d", a.ID, a.Missing))
				}
				if strings.Join(got, " ") != tt.want {
					t.Fatalf("got %q, want %q", got, tt.want)
				}
				if f.reads > tt.reads || len(f.opened) != tt.opened {
					t.Errorf("%d reads over %d connections, want at most %d over %d", f.reads, len(f.opened), tt.reads, tt.opened)
				}
				if after := arrivals[1].after; after < tt.after || after > tt.after+20*time.Second {
					t.Errorf("the second event came after %v, want %v", after, tt.after)
				}
			})
		})
	}
}

// drip writes a byte every 20 s until nobody reads: silence it is not.
func drip(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(20 * time.Second)
	defer tick.Stop()
	for r.Context().Err() == nil {
		io.WriteString(w, "x")
		select {
		case <-tick.C:
		case <-r.Context().Done():
		}
	}
}

// TestNoPoisonLoop: a record too large that every connection begins with,
// whatever Last-Event-ID says, costs two reads of the run for each, at the pace
// of a stream that fails, and the run is followed all the same.
func TestNoPoisonLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &oddStream{stream: func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "id: 2\n")
			lines(w, 1, 2<<20)
			io.WriteString(w, "\n")
		}}
		if got := ids(f.follow(t)); !slices.Equal(got, []int64{1, 2, 3}) {
			t.Errorf("got %v", got)
		}
		if slices.ContainsFunc(f.resumed[1:], func(id string) bool { return id != "2" }) {
			t.Errorf("Last-Event-ID %q, want 2 on all but the first", f.resumed)
		}
		if n := len(f.opened); n < 10 || n > 60 || f.reads > 2*n+1 {
			t.Errorf("%d connections and %d reads in a minute", n, f.reads)
		}
	})
}

// TestSlowReader: the time that its reader takes for an event is no fault of
// the stream's.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &oddStream{stream: func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "id: 2\nevent: step\ndata: "+stored(2)+"\n\n")
			io.WriteString(w, "id: 3\nevent: end\ndata: {}\n\n")
		}}
		for _, err := range follow.Events(t.Context(), newClient(t, f), caller, testRun, 0) {
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		if len(f.opened) != 1 {
			t.Errorf("%d connections, want 1", len(f.opened))
		}
	})
}
