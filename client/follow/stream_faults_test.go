package follow_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
)

// oddStream is a run of three events that ends after a minute, with a stream that
// a test writes out itself, connection by connection, and gives up afterwards.
type oddStream struct {
	stream func(w http.ResponseWriter, r *http.Request, connection int) // from 1
	stored func(w http.ResponseWriter, read int) bool                   // writes another answer than the run's, if it likes

	mu      sync.Mutex
	start   time.Time
	opened  []time.Time
	resumed []string // Last-Event-ID of each connection
	reads   int
}

func (f *oddStream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if f.start.IsZero() {
		f.start = time.Now()
	}
	over := time.Since(f.start) >= time.Minute
	if strings.HasSuffix(r.URL.Path, "/sse") {
		f.opened = append(f.opened, time.Now())
		f.resumed = append(f.resumed, r.Header.Get("Last-Event-ID"))
		n := len(f.opened)
		f.mu.Unlock()
		f.stream(w, r, n)
		return
	}
	f.reads++
	n := f.reads
	f.mu.Unlock()
	switch {
	case f.stored != nil && f.stored(w, n):
	case over:
		fmt.Fprintf(w, `{"runId":%q,"status":"SUCCESS","events":[%s,%s,{"id":3,"event":"end","runStatus":"SUCCESS"}]}`, testRun, stored(1), stored(2))
	default:
		fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[%s]}`, testRun, stored(1))
	}
}

func stored(id int) string {
	return fmt.Sprintf(`{"id":%d,"event":"step","runStatus":"RUNNING","timestamp":"2026-01-01T00:00:0%dZ","step":{"text":"event %d"}}`, id, id, id)
}

// arrival is an event, and how long after the first request it came.
type arrival struct {
	client.Event
	after time.Duration
}

func (f *oddStream) follow(t *testing.T) (arrivals []arrival) {
	t.Helper()
	for e, err := range follow.Events(t.Context(), newClient(t, f), caller, testRun, 0) {
		if err != nil {
			t.Fatal(err)
		}
		arrivals = append(arrivals, arrival{e, time.Since(f.start)})
	}
	return arrivals
}

func ids(arrivals []arrival) (ids []int64) {
	for _, a := range arrivals {
		ids = append(ids, a.ID)
	}
	return ids
}

// pauses returns the shortest and the longest time between two connections.
func (f *oddStream) pauses() (shortest, longest time.Duration) {
	shortest = time.Hour
	for i := range f.opened[1:] {
		pause := f.opened[i+1].Sub(f.opened[i])
		shortest, longest = min(shortest, pause), max(longest, pause)
	}
	return shortest, longest
}

// TestStreamRequest: request-accept and request-cache-control, and no
// compression, which would hold events back.
func TestStreamRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got http.Header
		f := &oddStream{stream: func(w http.ResponseWriter, r *http.Request, _ int) {
			got = r.Header
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "event: end\ndata: {}\n\n")
		}}
		f.follow(t)
		for name, want := range map[string]string{
			"Accept": "text/event-stream", "Cache-Control": "no-cache", "Accept-Encoding": "identity", "Last-Event-Id": "", "X-Api-Key": string(caller.Key),
		} {
			if got.Get(name) != want {
				t.Errorf("%s: %q, want %q", name, got.Get(name), want)
			}
		}
	})
}

// TestRetryField: what a stream asks for is the least wait, up to 5 s while the
// run can be read; what is no number asks for nothing.
func TestRetryField(t *testing.T) {
	const floor, jitter = 100 * time.Millisecond, 5 * time.Second
	for retry, asked := range map[string]time.Duration{
		"0": 0, "-1": 0, "+5": 0, "5x": 0, "": 0, "1.5": 0,
		"1": time.Millisecond, "3000": 3 * time.Second, "5001": 5 * time.Second,
		"9223372036854775808": 5 * time.Second, "18446744073709551617": 5 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &oddStream{stream: func(w http.ResponseWriter, _ *http.Request, _ int) {
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprintf(w, "retry: %s\n\n", retry)
			}}
			if got := ids(f.follow(t)); !slices.Equal(got, []int64{1, 2, 3}) {
				t.Errorf("retry %q: got %v", retry, got)
			}
			shortest, longest := f.pauses()
			if shortest < asked+floor || longest > asked+floor+jitter {
				t.Errorf("retry %q: waits from %v to %v, want from %v to %v", retry, shortest, longest, asked+floor, asked+floor+jitter)
			}
		})
	}
}

// TestRetryFieldOfAnUnreadableRun: up to 30 s, then.
func TestRetryFieldOfAnUnreadableRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &oddStream{
			stream: func(w http.ResponseWriter, _ *http.Request, _ int) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, "retry: 3600000\n\n")
			},
			stored: func(w http.ResponseWriter, read int) bool {
				if read > 1 && read < 10 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return read > 1 && read < 10
			},
		}
		f.follow(t)
		if _, longest := f.pauses(); longest < 30*time.Second || longest > 70*time.Second {
			t.Errorf("the longest wait is %v", longest)
		}
	})
}

// TestStreamAnswers: only a plain 200 of text/event-stream is one. Everything
// else is passed over without being read or followed, the run is read instead,
// and the stream is asked for again at the pace the API asks for.
func TestStreamAnswers(t *testing.T) {
	const frames = "id: 2\nevent: step\ndata: "
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	mediaType := func(value string) http.Header { return header("Content-Type", value) }
	type wait struct{ least, most time.Duration }
	usual := wait{100 * time.Millisecond, 5100 * time.Millisecond}
	endless := wait{25 * time.Second, 32 * time.Second}
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
		wait   wait // between two connections; zero where the stream is one
	}{
		{"as the contract says", 200, mediaType("text/event-stream"), wait{}},
		{"with a charset, which means nothing", 200, mediaType("text/event-stream;charset=windows-1252"), wait{}},
		{"format-mime-trailing-semicolon", 200, mediaType("text/event-stream;"), wait{}},
		{"format-mime-bogus", 200, mediaType("text/event-stream;bogus"), wait{}},
		{"in capitals", 200, mediaType("Text/Event-Stream"), wait{}},
		{"not encoded", 200, http.Header{"Content-Type": {"text/event-stream"}, "Content-Encoding": {"identity"}}, wait{}},

		{"format-mime-valid-bogus", 200, mediaType("text/x-bogus"), usual},
		{"format-mime-bogus, without a type", 200, mediaType(" ;bogus"), usual},
		{"a page", 200, mediaType("text/html"), usual},
		{"JSON", 200, mediaType("application/json"), usual},
		{"no type", 200, http.Header{}, usual},
		{"compressed", 200, http.Header{"Content-Type": {"text/event-stream"}, "Content-Encoding": {"gzip"}}, usual},
		{"compressed in another way", 200, http.Header{"Content-Type": {"text/event-stream"}, "Content-Encoding": {"br"}}, usual},
		{"request-status-error", 204, mediaType("text/event-stream"), usual},
		{"request-status-error", 205, mediaType("text/event-stream"), usual},
		{"request-status-error", 210, mediaType("text/event-stream"), usual},
		{"request-status-error", 299, mediaType("text/event-stream"), usual},
		{"moved", 301, header("Location", "http://localhost/elsewhere/sse"), usual},
		{"moved, nowhere", 307, http.Header{}, usual},
		{"refused", 401, mediaType("text/event-stream"), usual},
		{"hidden", 403, mediaType("text/event-stream"), usual},
		{"unknown", 404, mediaType("text/event-stream"), usual},
		{"gone", 410, mediaType("text/event-stream"), usual},
		{"too many", 429, header("Retry-After", "9"), wait{9 * time.Second, 15 * time.Second}},
		{"broken", 500, mediaType("text/html"), usual},
		{"busy", 503, http.Header{}, usual},
		{"refused, without an end", 403, http.Header{}, endless},
		{"broken, without an end", 502, mediaType("text/event-stream"), endless},
		{"busy for a while", 503, header("Retry-After", "7"), wait{7 * time.Second, 13 * time.Second}},
		{"busy for a day", 503, header("Retry-After", "86400"), wait{time.Minute, 66 * time.Second}},
	} {
		t.Run(fmt.Sprint(tt.status, " ", tt.name), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &oddStream{stream: func(w http.ResponseWriter, r *http.Request, _ int) {
					if strings.Contains(r.URL.Path, "elsewhere") {
						t.Error("a redirect was followed")
					}
					for name, values := range tt.header {
						w.Header()[name] = values
					}
					w.WriteHeader(tt.status)
					io.WriteString(w, frames+stored(2)+"\n\n")
					if tt.status == http.StatusOK || tt.wait == endless {
						<-r.Context().Done()
					}
				}}
				got := f.follow(t)
				if !slices.Equal(ids(got), []int64{1, 2, 3}) {
					t.Fatalf("got %v", ids(got))
				}
				if streamed := got[1].after < time.Minute; streamed != (tt.wait == wait{}) {
					t.Errorf("the stream's event came after %v", got[1].after)
				}
				if tt.wait == (wait{}) {
					return
				}
				if shortest, longest := f.pauses(); shortest < tt.wait.least || longest > tt.wait.most {
					t.Errorf("waits from %v to %v, want %v", shortest, longest, tt.wait)
				}
			})
		})
	}
}

// TestStreamIDs: whatever the ids are, each event comes once and in order, and
// only what a header can carry is sent as Last-Event-ID.
func TestStreamIDs(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, tt := range []struct {
		name   string
		first  string // what stands before the data of the stream's only event
		second string // Last-Event-ID of the second connection
	}{
		{"as the contract says", "id: 2\n", "2"},
		{"none", "", ""},
		{"none, after one", "id: 1\nevent: step\ndata: " + stored(1) + "\n\n", "1"},
		{"empty", "id\n", ""},
		{"NUL", "id: 2\x00\n", ""},
		{"NUL after one", "id: 2\nid: \x00\n", "2"},
		{"a jump", "id: 77\n", "77"},
		{"back", "id: 1\n", "1"},
		{"zero", "id: 0\n", "0"},
		{"negative", "id: -5\n", "-5"},
		{"2^63", "id: 9223372036854775808\n", "9223372036854775808"},
		{"text", "id: a b…\n", "a b…"},
		{"a control character", "id: 2\x01\n", ""},
		{"DEL", "id: 2\x7f\n", ""},
		{"invalid UTF-8", "id: 2\xff\n", "2\uFFFD"},
		{"as long as may be", "id: " + long[:1024] + "\n", long[:1024]},
		{"too long for a header", "id: " + long[:1025] + "\n", ""},
		{"too long for an event", "id: " + strings.Repeat(long, 1000) + "\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &oddStream{stream: func(w http.ResponseWriter, r *http.Request, n int) {
					w.Header().Set("Content-Type", "text/event-stream")
					w.(http.Flusher).Flush()
					if n == 1 {
						fmt.Fprintf(w, "%sevent: step\ndata: %s\n\n", tt.first, stored(2))
						return
					}
					<-r.Context().Done()
				}}
				var texts []string
				for _, a := range f.follow(t) {
					if a.Step != nil {
						texts = append(texts, a.Step.Text)
					}
				}
				if want := []string{"event 1", "event 2"}; !slices.Equal(texts, want) {
					t.Errorf("got %q, want %q", texts, want)
				}
				if f.resumed[1] != tt.second {
					t.Errorf("Last-Event-ID %.40q, want %q", f.resumed[1], tt.second)
				}
			})
		})
	}
}
