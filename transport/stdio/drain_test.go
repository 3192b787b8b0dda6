package stdio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// TestDrainOfStdio: at the end of the input and at a shutdown, calls that wait
// are answered at once, and a call that creates something when it is done.
func TestDrainOfStdio(t *testing.T) {
	for name, begin := range map[string]func(*testClient){
		"end of input": func(w *testClient) { w.in.Close() },
		"shutdown":     func(w *testClient) { w.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture.New(session.Hooks())
			f.AddDrainTools()
			ws := fixture.NewWatching()
			w := serve(t, f.MCP, session.Options{Watch: ws.Watch, Grace: fixture.Timeout})
			w.hello("2025-11-25", `{"elicitation":{}}`)
			w.send(fixture.Stateless("9", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`))
			w.next()
			w.send(fixture.Call("1", "create", ""), fixture.Call("2", "drain", ""), fixture.Call("3", "drain", ""))
			for range 3 {
				fixture.Receive(t, f.Waiting)
			}
			w.send(fixture.Call("4", "ask", ""))
			w.next() // the question
			begin(w)
			got := map[string]bool{}
			for range 5 {
				got[w.next()] = true
			}
			for _, want := range []string{
				fixture.TextAnswer("2", "time_up"), fixture.TextAnswer("3", "time_up"), fixture.TextAnswer("4", "withdrawn"),
				`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"reason":"the answer is no longer needed","requestId":"server-1"}}`,
				`{"jsonrpc":"2.0","id":9,"result":{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fixture","version":"1"},"io.modelcontextprotocol/subscriptionId":9},"resultType":"complete"}}`,
			} {
				if !got[want] {
					t.Errorf("no %s among %v", want, got)
				}
			}
			close(f.Release)
			if rest, err := w.finish(); err != nil || len(rest) != 1 || rest[0] != fixture.TextAnswer("1", "created") {
				t.Fatalf("got %q, %v", rest, err)
			}
		})
	}
}

// TestMessagesDuringTheShutdown: new calls are refused; cancellations and pings
// still count.
func TestMessagesDuringTheShutdown(t *testing.T) {
	f := fixture.New(session.Hooks())
	f.AddDrainTools()
	w := serve(t, f.MCP, session.Options{Grace: fixture.Timeout})
	w.send(fixture.Call("1", "create", ""), fixture.Call("2", "create", ""), fixture.Call("3", "drain", ""))
	for range 3 {
		fixture.Receive(t, f.Waiting)
	}
	w.cancel()
	w.expect(fixture.TextAnswer("3", "time_up"))
	refused := func(id string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-32000,"message":"the server is shutting down: start it again, then send this again"}}`
	}
	w.send(fixture.Call("4", "echo", ""))
	w.expect(refused("4"))
	w.send(`{"jsonrpc":"2.0","id":5,"method":"tools/list"}`)
	w.expect(refused("5"))
	w.send(fixture.Ping)
	w.expect(`{"jsonrpc":"2.0","id":"p","result":{}}`)
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`, fixture.Call("6", "echo", ""))
	w.expect(refused("6"))
	close(f.Release)
	if rest, err := w.finish(); err != nil || len(rest) != 1 || rest[0] != fixture.TextAnswer("1", "created") {
		t.Fatalf("got %q, %v", rest, err)
	}
}

// TestQuestionsDuringADrain: no question is asked, because nobody would wait for
// the answer.
func TestQuestionsDuringADrain(t *testing.T) {
	f := fixture.New(session.Hooks())
	f.MCP.AddTool(mcp.NewTool("ask later"), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		f.Waiting <- struct{}{}
		<-f.Release
		return f.Ask(ctx, r)
	})
	w := serve(t, f.MCP, session.Options{Grace: fixture.Timeout})
	w.hello("2025-11-25", `{"elicitation":{}}`)
	w.send(fixture.Call("1", "ask later", ""))
	fixture.Receive(t, f.Waiting)
	w.send(fixture.Stateless("9", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`))
	w.next()
	w.in.Close()
	w.next() // the end of the listen: the drain has begun
	close(f.Release)
	w.expect(fixture.TextAnswer("1", "withdrawn"))
	if rest, err := w.finish(); err != nil || len(rest) > 0 {
		t.Fatalf("got %q, %v", rest, err)
	}
}

// TestLastLines: lines right before the end of the input count.
func TestLastLines(t *testing.T) {
	for range 30 { // whether the reader is ahead of the dispatcher is random
		f := fixture.New(session.Hooks())
		w := serve(t, f.MCP, session.Options{})
		w.hello("2025-11-25", `{"elicitation":{}}`)
		w.send(fixture.Stateless("9", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`))
		w.next()
		w.send(fixture.Call("1", "ask", ""))
		w.next() // the question
		w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}`,
			`{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept","content":{}}}`)
		w.in.Close()
		if rest, err := w.finish(); err != nil || len(rest) != 1 || rest[0] != fixture.TextAnswer("1", "accept") {
			t.Fatalf("got %q, %v", rest, err)
		}
	}
}

// timed is a run of Serve in a bubble of synctest.
type timed struct {
	*fixture.Server
	client *io.PipeWriter
	cancel context.CancelFunc
	ended  chan error
	start  time.Time
}

// serveTimed starts a run and calls tools, with the ids 1, 2, …
func serveTimed(t *testing.T, out io.Writer, tools ...string) *timed {
	f := fixture.New(session.Hooks())
	f.AddDrainTools()
	in, client := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	s := &timed{Server: f, client: client, cancel: cancel, ended: make(chan error, 1), start: time.Now()}
	go func() { s.ended <- Serve(ctx, f.MCP, in, out, session.Options{}) }()
	for i, tool := range tools {
		if _, err := io.WriteString(client, fixture.Call(string(rune('1'+i)), tool, "")+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	return s
}

// expect checks when and how the run ends.
func (s *timed) expect(t *testing.T, after time.Duration, text string) {
	t.Helper()
	err := <-s.ended
	if took := time.Since(s.start); took != after {
		t.Errorf("it took %s, want %s", took, after)
	}
	if text == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %q", err, text)
	}
	s.client.Close()
}

// TestGrace: calls that go on are cancelled after 10 s, and left behind a second
// later, whatever started the drain.
func TestGrace(t *testing.T) {
	for name, c := range map[string]struct {
		start func(*timed)
		cause error
	}{
		"end of input": {func(s *timed) { s.client.Close() }, session.ErrClientGone},
		"shutdown":     {func(s *timed) { s.cancel() }, session.ErrShutdown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				s := serveTimed(t, &out, "create", "drain")
				c.start(s)
				<-time.After(9 * time.Second)
				close(s.Release)
				s.expect(t, 9*time.Second, "")
				if want := fixture.TextAnswer("2", "time_up") + "\n" + fixture.TextAnswer("1", "created") + "\n"; out.String() != want {
					t.Errorf("got %s", out.String())
				}
			})
			synctest.Test(t, func(t *testing.T) {
				s := serveTimed(t, io.Discard, "wait", "drain")
				c.start(s)
				s.expect(t, 10*time.Second, "")
				if cause := <-s.Causes; !errors.Is(cause, c.cause) {
					t.Errorf("cause %v", cause)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				s := serveTimed(t, io.Discard, "hold", "hold", "wait")
				c.start(s)
				s.expect(t, 11*time.Second, "calls that did not end: 2")
				close(s.Release)
			})
		})
	}
}

// TestDrainWithAClientThatDoesNotRead: writes wait for it no longer than 3 s, but
// a call that creates something goes on.
func TestDrainWithAClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &blockedWriter{release: make(chan struct{})}
		s := serveTimed(t, out, "echo", "echo", "create")
		s.cancel()
		s.expect(t, 10*time.Second, "the client did not read for 3s")
		close(out.release)
	})
	synctest.Test(t, func(t *testing.T) {
		out := &blockedWriter{release: make(chan struct{})}
		s := serveTimed(t, out, "echo", "echo", "create")
		s.cancel()
		<-time.After(5 * time.Second)
		close(s.Release)
		s.expect(t, 5*time.Second, "the client did not read for 3s")
		close(out.release)
	})
}

// TestDrainWhenTheClientIsGone: the drain is the same as at the end of the input.
func TestDrainWhenTheClientIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, out := io.Pipe()
		reader.Close()
		s := serveTimed(t, out, "create", "drain", "echo")
		<-time.After(5 * time.Second)
		close(s.Release)
		s.expect(t, 5*time.Second, "closed pipe")
	})
}
