// Package agents replays what real MCP clients send, as it was recorded with the
// programs that the transcripts name, against the whole server.
package agents

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/server"
	"golang.org/x/tools/txtar"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

// patience is how long a message may take to come.
const patience = 20 * time.Second

// link carries messages to a server and back.
type link interface {
	send(line string)
	lines() <-chan string // closed at the end
	end()                 // of the input
}

// TestReplay plays each transcript over stdio and over HTTP.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		talk := string(txtar.Parse(data).Files[0].Data)
		for name, connect := range map[string]func(*testing.T, *testbed.Bed) link{"stdio": overStdio, "http": overHTTP} {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+name, func(t *testing.T) {
				bed := testbed.New(t, func(o *tools.Options) { o.Approvals, o.AskApprovals = tools.ApprovalsHuman, true }, nil)
				play(t, connect(t, bed), talk)
			})
		}
	}
}

// play plays one transcript. A line that begins with > is sent, with $RUN for the
// run that was named last and $ASKED for the id of the server's last request; one
// with < waits for a message that matches; one with ! matches none so far; "= eof"
// ends the input, and the server must end.
func play(t *testing.T, l link, talk string) {
	run, asked := "", ""
	var seen []string
	named, request := regexp.MustCompile(`"runId":"([0-9a-f-]{36})"`), regexp.MustCompile(`"id":"(server-\d+)","method"`)
	await := func(want *regexp.Regexp) {
		for i := 0; ; i++ {
			for i == len(seen) {
				select {
				case line, more := <-l.lines():
					if !more {
						t.Fatalf("the server ended before %s; it said\n%s", want, strings.Join(seen, "\n"))
					}
					seen = append(seen, line)
					if m := named.FindStringSubmatch(line); m != nil && m[1] != unknownRun {
						run = m[1]
					}
					if m := request.FindStringSubmatch(line); m != nil {
						asked = m[1]
					}
				case <-time.After(patience):
					t.Fatalf("no message matches %s; the server said\n%s", want, strings.Join(seen, "\n"))
				}
			}
			if want.MatchString(seen[i]) {
				return
			}
		}
	}
	for line := range strings.Lines(talk) {
		mark, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.NewReplacer("$RUN", run, "$ASKED", asked).Replace(rest)
		switch mark {
		case ">":
			l.send(rest)
		case "<":
			await(regexp.MustCompile(rest))
		case "!":
			for _, said := range seen {
				if regexp.MustCompile(rest).MatchString(said) {
					t.Errorf("%s matches %s", rest, said)
				}
			}
		case "=":
			l.end()
			for range l.lines() {
			}
		default:
			t.Fatalf("no line of a transcript: %s", line)
		}
	}
}

const unknownRun = "123e4567-e89b-12d3-a456-426614174000"

// stdio is a link over pipes.
type stdio struct {
	t   *testing.T
	in  *io.PipeWriter
	out chan string
}

func overStdio(t *testing.T, bed *testbed.Bed) link {
	serverIn, in := io.Pipe()
	out, serverOut := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- transport.ServeStdio(client.WithCaller(context.Background(), bed.Caller), bed.MCP, serverIn, serverOut, transport.Options{Watch: bed.Watch})
		serverOut.Close()
	}()
	l := &stdio{t, in, make(chan string, 1000)}
	go scan(out, func(line string) { l.out <- line }, func() { close(l.out) })
	t.Cleanup(func() {
		in.Close()
		if err := <-served; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	return l
}

func (l *stdio) send(line string) {
	if _, err := io.WriteString(l.in, line+"\n"); err != nil {
		l.t.Error(err)
	}
}
func (l *stdio) lines() <-chan string { return l.out }
func (l *stdio) end()                 { l.in.Close() }

// scan reads lines, or the data of server-sent events.
func scan(from io.Reader, each func(string), end func()) {
	defer end()
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		each(lines.Text())
	}
}

// streamable is a link over HTTP: each message is a POST of its own. Like Gemini
// CLI it sends no MCP-Protocol-Version in the older protocols.
type streamable struct {
	t    *testing.T
	url  string
	out  chan string
	open sync.WaitGroup

	mu      sync.Mutex // guards session
	session string
}

func overHTTP(t *testing.T, bed *testbed.Bed) link {
	endpoint := httptest.NewUnstartedServer(nil)
	l := endpoint.Listener
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- transport.ServeHTTP(ctx, l, transport.HTTPOptions{
			Options: transport.Options{Watch: bed.Watch},
			Server:  func(*http.Request) *server.MCPServer { return bed.MCP },
			Identify: func(*http.Request) (string, context.Context, error) {
				return "caller", client.WithCaller(context.Background(), bed.Caller), nil
			},
		})
	}()
	s := &streamable{t: t, url: "http://" + l.Addr().String() + "/mcp", out: make(chan string, 1000)}
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	return s
}

func (s *streamable) send(line string) {
	req, err := http.NewRequest(http.MethodPost, s.url, strings.NewReader(line))
	if err != nil {
		s.t.Fatal(err)
	}
	var message struct {
		Method string
		Params struct {
			Name string
			Meta map[string]any `json:"_meta"`
		}
	}
	if err := json.Unmarshal([]byte(line), &message); err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if version, ok := message.Params.Meta["io.modelcontextprotocol/protocolVersion"].(string); ok {
		req.Header.Set("MCP-Protocol-Version", version)
		req.Header.Set("Mcp-Method", message.Method)
		if message.Params.Name != "" {
			req.Header.Set("Mcp-Name", message.Params.Name)
		}
	}
	s.mu.Lock()
	if s.session != "" {
		req.Header.Set("Mcp-Session-Id", s.session)
	}
	s.mu.Unlock()
	answered := make(chan struct{})
	s.open.Go(func() { s.exchange(req, answered) })
	if message.Method == "initialize" || message.Method == "notifications/initialized" || message.Method == "notifications/cancelled" {
		<-answered // what a client waits for before it goes on
	}
}

// exchange sends a request and hands on what comes back; answered is closed once
// the header is there.
func (s *streamable) exchange(req *http.Request, answered chan<- struct{}) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		close(answered)
		s.t.Error(err)
		return
	}
	defer resp.Body.Close()
	s.mu.Lock()
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		s.session = id
	}
	s.mu.Unlock()
	close(answered)
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		scan(resp.Body, func(line string) {
			if data, ok := strings.CutPrefix(line, "data: "); ok && data != "" {
				s.out <- data
			}
		}, func() {})
		return
	}
	var body bytes.Buffer
	if _, err := io.Copy(&body, resp.Body); err != nil {
		s.t.Error(err)
	}
	if body.Len() > 0 {
		s.out <- body.String()
	}
	if resp.StatusCode >= 300 {
		s.t.Errorf("%s answered %d: %s", req.Header.Get("Mcp-Method"), resp.StatusCode, fmt.Sprint(&body))
	}
}

func (s *streamable) lines() <-chan string { return s.out }

func (s *streamable) end() {
	s.open.Wait()
	close(s.out)
}
