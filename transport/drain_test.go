package transport

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
	"github.com/mark3labs/mcp-go/server"
)

// addDrain adds a tool that waits until it is told to stop waiting, and one that
// creates something: it goes on until it is released, and tells whether its
// context lived on.
func (f *fixture) addDrain() {
	f.srv.AddTool(mcp.NewTool("drain"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		draining := server.ClientSessionFromContext(ctx).(interface{ Draining() <-chan struct{} }).Draining()
		f.waiting <- struct{}{}
		select {
		case <-draining:
			return mcp.NewToolResultText(alive(ctx, "time_up")), nil
		case <-ctx.Done():
			return mcp.NewToolResultText(alive(ctx, "")), nil
		}
	})
	f.srv.AddTool(mcp.NewTool("create"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		f.waiting <- struct{}{}
		select {
		case <-f.release:
			return mcp.NewToolResultText(alive(ctx, "created")), nil
		case <-ctx.Done():
			return mcp.NewToolResultText(alive(ctx, "")), nil
		}
	})
}

// alive is a text, or why the context is done.
func alive(ctx context.Context, text string) string {
	if ctx.Err() != nil {
		return context.Cause(ctx).Error()
	}
	return text
}

// TestDrainOfStdio: at the end of the input and at a shutdown, what only waits is
// answered at once, and what creates something when it is done.
func TestDrainOfStdio(t *testing.T) {
	for name, begin := range map[string]func(*wire){
		"end of input": func(w *wire) { w.in.Close() },
		"shutdown":     func(w *wire) { w.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			f.addDrain()
			ws := newWatching()
			w := serve(t, f.srv, Options{Watch: ws.watch, Grace: patience})
			w.hello("2025-11-25", `{"elicitation":{}}`)
			w.send(modern("9", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`))
			w.next()
			w.send(toolCall("1", "create", ""), toolCall("2", "drain", ""), toolCall("3", "drain", ""))
			for range 3 {
				receive(t, f.waiting)
			}
			w.send(toolCall("4", "ask", ""))
			w.next() // the question
			begin(w)
			got := map[string]bool{}
			for range 5 {
				got[w.next()] = true
			}
			for _, want := range []string{
				textAnswer("2", "time_up"), textAnswer("3", "time_up"), textAnswer("4", "withdrawn"),
				`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"reason":"the answer is no longer needed","requestId":"server-1"}}`,
				`{"jsonrpc":"2.0","id":9,"result":{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fixture","version":"1"},"io.modelcontextprotocol/subscriptionId":9},"resultType":"complete"}}`,
			} {
				if !got[want] {
					t.Errorf("no %s among %v", want, got)
				}
			}
			close(f.release)
			if rest, err := w.finish(); err != nil || len(rest) != 1 || rest[0] != textAnswer("1", "created") {
				t.Fatalf("got %q, %v", rest, err)
			}
		})
	}
}

// TestMessagesDuringTheShutdown: new calls are refused, and what matters to calls
// under way still counts.
func TestMessagesDuringTheShutdown(t *testing.T) {
	f := newFixture()
	f.addDrain()
	w := serve(t, f.srv, Options{Grace: patience})
	w.send(toolCall("1", "create", ""), toolCall("2", "create", ""), toolCall("3", "drain", ""))
	for range 3 {
		receive(t, f.waiting)
	}
	w.cancel()
	w.expect(textAnswer("3", "time_up"))
	refused := func(id string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-32000,"message":"the server is shutting down: start it again, then send this again"}}`
	}
	w.send(toolCall("4", "echo", ""))
	w.expect(refused("4"))
	w.send(`{"jsonrpc":"2.0","id":5,"method":"tools/list"}`)
	w.expect(refused("5"))
	w.send(ping)
	w.expect(`{"jsonrpc":"2.0","id":"p","result":{}}`)
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`, toolCall("6", "echo", ""))
	w.expect(refused("6"))
	close(f.release)
	if rest, err := w.finish(); err != nil || len(rest) != 1 || rest[0] != textAnswer("1", "created") {
		t.Fatalf("got %q, %v", rest, err)
	}
}

// TestQuestionsDuringADrain are not asked: nobody would wait for the answer.
func TestQuestionsDuringADrain(t *testing.T) {
	f := newFixture()
	f.srv.AddTool(mcp.NewTool("ask later"), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		f.waiting <- struct{}{}
		<-f.release
		return f.ask(ctx, r)
	})
	w := serve(t, f.srv, Options{Grace: patience})
	w.hello("2025-11-25", `{"elicitation":{}}`)
	w.send(toolCall("1", "ask later", ""))
	receive(t, f.waiting)
	w.send(modern("9", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`))
	w.next()
	w.in.Close()
	w.next() // the end of the listen: the drain has begun
	close(f.release)
	w.expect(textAnswer("1", "withdrawn"))
	if rest, err := w.finish(); err != nil || len(rest) > 0 {
		t.Fatalf("got %q, %v", rest, err)
	}
}

// TestLastLines count as any, although the input ends right after them.
func TestLastLines(t *testing.T) {
	for range 30 { // the reader may be ahead of the dispatcher, or not
		f := newFixture()
		w := serve(t, f.srv, Options{})
		w.hello("2025-11-25", `{"elicitation":{}}`)
		w.send(modern("9", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`))
		w.next()
		w.send(toolCall("1", "ask", ""))
		w.next() // the question
		w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}`,
			`{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept","content":{}}}`)
		w.in.Close()
		if rest, err := w.finish(); err != nil || len(rest) != 1 || rest[0] != textAnswer("1", "accept") {
			t.Fatalf("got %q, %v", rest, err)
		}
	}
}

// timed is ServeStdio in a bubble of synctest.
type timed struct {
	*fixture
	client *io.PipeWriter
	cancel context.CancelFunc
	ended  chan error
	began  time.Time
}

// serveTimed serves calls of a tool that wait.
func serveTimed(t *testing.T, out io.Writer, tools ...string) *timed {
	f := newFixture()
	f.addDrain()
	in, client := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	s := &timed{fixture: f, client: client, cancel: cancel, ended: make(chan error, 1), began: time.Now()}
	go func() { s.ended <- ServeStdio(ctx, f.srv, in, out, Options{}) }()
	for i, tool := range tools {
		if _, err := io.WriteString(client, toolCall(string(rune('1'+i)), tool, "")+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	return s
}

// expect checks when serving ends, and how.
func (s *timed) expect(t *testing.T, after time.Duration, text string) {
	t.Helper()
	err := <-s.ended
	if took := time.Since(s.began); took != after {
		t.Errorf("it took %s, want %s", took, after)
	}
	if text == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %q", err, text)
	}
	s.client.Close()
}

// TestGrace: calls that go on are cancelled after 10 s, and left behind a second
// later, however it began.
func TestGrace(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(*timed)
		cause error
	}{
		"end of input": {func(s *timed) { s.client.Close() }, ErrClientGone},
		"shutdown":     {func(s *timed) { s.cancel() }, ErrShutdown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				s := serveTimed(t, &out, "create", "drain")
				c.begin(s)
				<-time.After(9 * time.Second)
				close(s.release)
				s.expect(t, 9*time.Second, "")
				if want := textAnswer("2", "time_up") + "\n" + textAnswer("1", "created") + "\n"; out.String() != want {
					t.Errorf("got %s", out.String())
				}
			})
			synctest.Test(t, func(t *testing.T) {
				s := serveTimed(t, io.Discard, "wait", "drain")
				c.begin(s)
				s.expect(t, 10*time.Second, "")
				if cause := <-s.causes; !errors.Is(cause, c.cause) {
					t.Errorf("cause %v", cause)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				s := serveTimed(t, io.Discard, "hold", "hold", "wait")
				c.begin(s)
				s.expect(t, 11*time.Second, "calls that did not end: 2")
				close(s.release)
			})
		})
	}
}

// TestDrainWithAClientThatDoesNotRead: it is waited for no longer than 3 s, but
// what creates something goes on.
func TestDrainWithAClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &mute{release: make(chan struct{})}
		s := serveTimed(t, out, "echo", "echo", "create")
		s.cancel()
		s.expect(t, 10*time.Second, "the client did not read for 3s")
		close(out.release)
	})
	synctest.Test(t, func(t *testing.T) {
		out := &mute{release: make(chan struct{})}
		s := serveTimed(t, out, "echo", "echo", "create")
		s.cancel()
		<-time.After(5 * time.Second)
		close(s.release)
		s.expect(t, 5*time.Second, "the client did not read for 3s")
		close(out.release)
	})
}

// TestDrainWhenTheClientIsGone is the same as at the end of the input.
func TestDrainWhenTheClientIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, out := io.Pipe()
		reader.Close()
		s := serveTimed(t, out, "create", "drain", "echo")
		<-time.After(5 * time.Second)
		close(s.release)
		s.expect(t, 5*time.Second, "closed pipe")
	})
}
