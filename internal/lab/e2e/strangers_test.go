package e2e

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// mostOfStrangers is what strangers together may cost, in bytes of resident memory.
const mostOfStrangers = 64 << 20

// manyAtOnce is how many strangers attack at once: more than there are places for.
// Those that send a megabyte each are a hundred: three fill the bytes of strangers.
const manyAtOnce, manyLarge = 600, 100

// attacks are what strangers send, each of many at once. They leave what they opened
// open until the end.
var attacks = map[string]func(*stranger, int){
	"arrays in sessions":        func(s *stranger, i int) { s.sendArrays(fmt.Sprint("stranger-", i), 1) },
	"arrays of one stranger":    func(s *stranger, _ int) { s.sendArrays("one-stranger", 1) },
	"answers that are not read": func(s *stranger, i int) { s.leaveUnread(fmt.Sprint("stranger-", i)) },
	"large initializes": func(s *stranger, i int) {
		s.initialize(fmt.Sprint("stranger-", i), `{"experimental":{"x":{"y":"`+strings.Repeat("z", 900<<10)+`"}}}`)
	},
	"many values in initialize": func(s *stranger, i int) {
		s.initialize(fmt.Sprint("stranger-", i), `{"experimental":{"x":{"y":[`+strings.Repeat("0,", 9_990)+`0]}}}`)
	},
	"bodies without an end": func(s *stranger, i int) {
		s.open(fmt.Sprint("stranger-", i), "POST", fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", 1<<20), strings.Repeat(" ", 1<<20-1))
	},
	"headers without an end": func(s *stranger, i int) {
		s.open(fmt.Sprint("stranger-", i), "POST", "X-Long: "+strings.Repeat("x", 27<<10), "")
	},
	"idle connections": func(s *stranger, _ int) { s.dial() },
	"streams of GET": func(s *stranger, i int) {
		key := fmt.Sprint("stranger-", i)
		s.open(key, "GET", "Accept: text/event-stream\r\nMcp-Session-Id: "+s.initialize(key, `{}`)+"\r\n", "")
	},
	"arguments of a megabyte": func(s *stranger, i int) {
		s.call(fmt.Sprint("stranger-", i), program.ToolCall("create_run", map[string]any{"intent": strings.Repeat("x", 1<<20-400)}))
	},
	"arguments of many values": func(s *stranger, i int) {
		s.call(fmt.Sprint("stranger-", i), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_run","arguments":{"intent":[`+strings.Repeat("0,", 400<<10)+`0]}}}`)
	},
	"ids of 900 KB": func(s *stranger, i int) {
		s.call(fmt.Sprint("stranger-", i), `{"jsonrpc":"2.0","id":"`+strings.Repeat("x", 900<<10)+`","method":"tools/call","params":{"name":"get_run","arguments":{}}}`)
	},
}

// largeAttacks are those that send a megabyte each.
var largeAttacks = []string{"large initializes", "arguments of a megabyte", "arguments of many values", "ids of 900 KB"}

// TestStrangers holds that callers whose key the API has not accepted cost at most 64
// MiB together, whatever they send, and that a caller whom the API knows is served
// meanwhile and afterwards.
func TestStrangers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is read from /proc, which only Linux has")
	}
	if raceEnabled() {
		t.Skip("the race detector takes many times the memory")
	}
	box := startSandbox(t)
	var all []func(*stranger, int)
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		all = append(all, attacks[name])
	}
	attacks["all at once"] = func(s *stranger, i int) { all[i%len(all)](s, i) }
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			process, url := program.StartHTTP(t, "", "--api-url", box.URL(), "--user-id", "u", "--integrations", "*")
			defer program.WaitExit(t, process)
			defer process.Process.Kill()
			good := program.NewTenant(t, url, sandbox.DefaultKey)
			listRuns := func(when string) {
				if status, answer, _ := good.Send(t, good.Session, program.ToolCall("list_runs", map[string]any{}), nil); status != http.StatusOK || !strings.Contains(answer, `"runs"`) {
					t.Errorf("a good caller %s: %d %.300s", when, status, answer)
				}
			}
			listRuns("before")
			before := readUsage(t, process)
			s := newStranger(t, url)
			var sending sync.WaitGroup
			n := manyAtOnce
			if slices.Contains(largeAttacks, name) {
				n = manyLarge
			}
			for i := range n {
				sending.Go(func() { attack(s, i) })
				if i%50 == 49 {
					listRuns("meanwhile")
				}
			}
			sending.Wait()
			listRuns("afterwards")
			after := readUsage(t, process)
			t.Logf("%d MiB at most, %d MiB at the end", (after.peak-before.now)>>20, (after.now-before.now)>>20)
			if cost := after.peak - before.now; cost > mostOfStrangers {
				t.Errorf("strangers cost %d MiB", cost>>20)
			}
		})
	}
}

// stranger sends what it likes. All that it opens is closed with the test.
type stranger struct {
	t    *testing.T
	url  string
	host string

	client *http.Client

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
}

func newStranger(t *testing.T, target string) *stranger {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxConnsPerHost: 200, MaxIdleConnsPerHost: 200}
	s := &stranger{t: t, url: target, host: u.Host, client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.conns {
			c.Close()
		}
	})
	return s
}

// post sends a message and returns the session id of the response, "" for none. A
// stranger takes what it gets, errors included.
func (s *stranger) post(key, sessionID, body string) string {
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		return ""
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("x-api-key", key)
	if sessionID != "" {
		r.Header.Set("Mcp-Session-Id", sessionID)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get("Mcp-Session-Id")
}

// initialize returns the id of a new session of 2025-03-26.
func (s *stranger) initialize(key, capabilities string) string {
	return s.post(key, "", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":`+capabilities+`,"clientInfo":{"name":"x","version":"1"}}}`)
}

// array is 12 KB, and each of its elements is answered with many.
var array = "[" + strings.Repeat(`{"jsonrpc":"2.0","id":1,"method":"tools/list"},`, 255) + `{"jsonrpc":"2.0","id":1,"method":"tools/list"}]`

func (s *stranger) sendArrays(key string, n int) {
	id := s.initialize(key, `{}`)
	for range n {
		s.post(key, id, array)
	}
}

// leaveUnread sends arrays and reads no answer.
func (s *stranger) leaveUnread(key string) {
	id := s.initialize(key, `{}`)
	s.open(key, "POST", fmt.Sprintf("Content-Type: application/json\r\nMcp-Session-Id: %s\r\nContent-Length: %d\r\n", id, len(array)), array)
}

func (s *stranger) call(key, message string) { s.post(key, s.initialize(key, `{}`), message) }

// dial opens a connection, nil if it is refused.
func (s *stranger) dial() net.Conn {
	c, err := net.Dial("tcp", s.host)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
	return c
}

// open sends a request over a connection of its own and reads nothing. headers end
// with a line end if there are no more.
func (s *stranger) open(key, method, headers, body string) {
	c := s.dial()
	if c == nil {
		return
	}
	head := fmt.Sprintf("%s /mcp HTTP/1.1\r\nHost: localhost\r\nx-api-key: %s\r\n%s", method, key, headers)
	if strings.HasSuffix(headers, "\r\n") {
		head += "\r\n"
	}
	_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(c, head+body)
}
