package stdio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

func TestProgressIsWrittenBeforeTheAnswer(t *testing.T) {
	const calls = 1000
	f := fixture.New(session.Hooks())
	w := serve(t, f.MCP, session.Options{})
	w.hello("2025-06-18", `{}`)
	for i := range calls {
		id := strconv.Itoa(i)
		w.send(fixture.Call(id, "slow", id))
	}
	for range calls { // all of them wait at the same time
		fixture.Receive(t, f.Waiting)
	}
	close(f.Release)
	seen := make([]int, calls)
	for range calls * 21 {
		line := w.next()
		var id, n int
		if _, err := fmt.Sscanf(line, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":%d,"progressToken":%d}}`, &n, &id); err == nil {
			if seen[id]++; seen[id] != n {
				t.Fatalf("call %d: progress %d came as number %d", id, n, seen[id])
			}
			continue
		}
		if _, err := fmt.Sscanf(line, `{"jsonrpc":"2.0","id":%d,"result":`, &id); err != nil {
			t.Fatalf("unexpected %s", line)
		}
		if seen[id] != 20 {
			t.Fatalf("call %d: answered after %d of 20 notifications", id, seen[id])
		}
	}
	w.in.Close()
	if rest, err := w.finish(); err != nil || len(rest) > 0 {
		t.Fatalf("after the answers: %q, %v", rest, err)
	}
}

func TestIDsAndTokensComeBackUnaltered(t *testing.T) {
	for _, raw := range []string{
		`9007199254740993`, `123456789012345678901234567890`, `-0`, `-7`, `"1"`, `"\u0061<&>"`, `""`, `"\ud800"`,
	} {
		t.Run(raw, func(t *testing.T) {
			f := fixture.New(session.Hooks())
			close(f.Release)
			w := serve(t, f.MCP, session.Options{})
			w.send(fixture.Call(raw, "slow", raw))
			for n := range 20 {
				w.expect(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":` + strconv.Itoa(n+1) + `,"progressToken":` + raw + `}}`)
			}
			w.expect(fixture.TextAnswer(raw, "done"))
		})
	}
}

func TestNotificationAfterTheHandlerReturned(t *testing.T) {
	f := fixture.New(session.Hooks())
	w := serve(t, f.MCP, session.Options{})
	w.send(fixture.Call("1", "linger", ""))
	w.expect(fixture.TextAnswer("1", "gone"))
	close(f.Release)
	if err := fixture.Receive(t, f.Late); err == nil {
		t.Fatal("sends after the end were taken without end")
	}
	w.send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	w.expect(`{"jsonrpc":"2.0","id":2,"result":{}}`)
}

func TestCancel(t *testing.T) {
	f := fixture.New(session.Hooks())
	w := serve(t, f.MCP, session.Options{})
	cancel := func(id string) string {
		return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `,"reason":"test"}}`
	}
	w.send(fixture.Call("7", "wait", ""))
	fixture.Receive(t, f.Waiting)
	w.send(cancel(`"7"`), cancel(`7.0`), cancel(`8`), cancel(`null`), `{"jsonrpc":"2.0","method":"notifications/cancelled"}`, cancel(`7`))
	if cause := fixture.Receive(t, f.Causes); !errors.Is(cause, session.ErrCancelled) {
		t.Fatalf("cause %v", cause)
	}
	// The call is over and gets no answer, so its id is free again.
	w.send(cancel(`7`), fixture.Call("8", "echo", ""), cancel(`8`))
	w.in.Close()
	rest, err := w.finish()
	if err != nil || len(rest) > 1 || len(rest) == 1 && rest[0] != fixture.TextAnswer("8", "") {
		t.Fatalf("got %q, %v", rest, err)
	}
}

func TestIDOfACallInFlight(t *testing.T) {
	f := fixture.New(session.Hooks())
	w := serve(t, f.MCP, session.Options{Grace: time.Millisecond})
	w.send(fixture.Call("1", "wait", ""))
	fixture.Receive(t, f.Waiting)
	w.send(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	w.expect(`{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"invalid request: a call with this id is still in flight. Use a new id for each request."}}`)
	w.send(fixture.Call("1", "echo", ""))
	w.expect(`{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"invalid request: a call with this id is still in flight. Use a new id for each request."}}`)
	w.cancel()
	if rest, err := w.finish(); err != nil || len(rest) != 1 || rest[0] != fixture.TextAnswer("1", "stopped") {
		t.Fatalf("got %q, %v", rest, err)
	}
	if cause := fixture.Receive(t, f.Causes); !errors.Is(cause, session.ErrShutdown) {
		t.Fatalf("cause %v", cause)
	}
}

func TestMaxCalls(t *testing.T) {
	f := fixture.New(session.Hooks())
	w := serve(t, f.MCP, session.Options{MaxCalls: 2})
	w.send(fixture.Call("1", "hold", ""), fixture.Call("2", "hold", ""))
	fixture.Receive(t, f.Waiting)
	fixture.Receive(t, f.Waiting)
	w.send(fixture.Call("3", "echo", ""), `{"jsonrpc":"2.0","id":4,"method":"ping"}`)
	w.expect(`{"jsonrpc":"2.0","id":3,"error":{"code":-32000,"message":"too many calls in flight: the limit is 2. Wait for one to be answered or cancel one, then send this again."}}`)
	w.expect(`{"jsonrpc":"2.0","id":4,"result":{}}`)
	close(f.Release)
	w.in.Close()
	if rest, err := w.finish(); err != nil || len(rest) != 2 {
		t.Fatalf("got %q, %v", rest, err)
	}
}

func TestSlotsComeBack(t *testing.T) {
	f := fixture.New(session.Hooks())
	w := serve(t, f.MCP, session.Options{MaxCalls: 50, Grace: time.Millisecond})
	w.send(fixture.Call("0", "wait", ""))
	fixture.Receive(t, f.Waiting)
	for i := range 100 {
		w.send(fixture.Call("0", "echo", ""))
		if got := w.next(); !strings.Contains(got, "still in flight") {
			t.Fatalf("duplicate %d: %s", i, got)
		}
	}
	for i := range 100 {
		id := strconv.Itoa(i + 1)
		w.send(fixture.Call(id, "echo", ""))
		w.expect(fixture.TextAnswer(id, ""))
	}
}

// TestPanic: for a panic in a handler, in a result and in a notification the
// client gets a generic text, the log the stack, and the next call is served.
func TestPanic(t *testing.T) {
	for place, call := range map[string]string{
		"Server).panics":                fixture.Call("1", "panic", ""),
		"poisonous.MarshalJSON":         fixture.Call("1", "poison", ""),
		"callWriter).writeNotification": fixture.Call("1", "poison", "1"),
	} {
		t.Run(place, func(t *testing.T) {
			var log bytes.Buffer
			f := fixture.New(session.Hooks())
			f.MCP.AddTool(mcp.NewTool("poison"), f.Poison)
			w := serve(t, f.MCP, session.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			w.send(call)
			w.expect(`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error"}}`)
			w.send(fixture.Call("2", "echo", ""))
			w.expect(fixture.TextAnswer("2", ""))
			w.in.Close()
			if _, err := w.finish(); err != nil {
				t.Fatal(err)
			}
			if s := log.String(); !strings.Contains(s, place) || strings.Contains(s, "secret") {
				t.Fatalf("log: %s", s)
			}
		})
	}
}

func TestEndOfInputDrains(t *testing.T) {
	f := fixture.New(session.Hooks())
	w := serve(t, f.MCP, session.Options{})
	w.send(fixture.Call("1", "hold", ""))
	fixture.Receive(t, f.Waiting)
	w.send(fixture.Stateless("9", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`))
	w.expect(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":9},"notifications":{"resourceSubscriptions":["run://there"]}}}`)
	if _, err := w.in.WriteString(fixture.Call("2", "echo", "")); err != nil { // no line end
		t.Fatal(err)
	}
	w.in.Close()
	got := map[string]bool{w.next(): true, w.next(): true}
	if !got[fixture.TextAnswer("2", "")] {
		t.Fatalf("got %v", got)
	}
	close(f.Release)
	rest, err := w.finish()
	if err != nil || len(rest) != 1 || rest[0] != fixture.TextAnswer("1", "held") {
		t.Fatalf("got %q, %v", rest, err)
	}
}

func TestOrderOfPipelinedRequests(t *testing.T) {
	const n = 200
	methods := []string{"ping", "tools/list", "resources/templates/list", "logging/setLevel"}
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{})
	for i := range n {
		w.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{"uri":"run://there"}}`, i, methods[i%len(methods)]))
	}
	for i := range n {
		if got := w.next(); !strings.HasPrefix(got, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,`, i)) {
			t.Fatalf("answer %d is %s", i, got)
		}
	}
}

// TestSlowList: resources/list may be slow, because a hook may ask the API. Other
// requests are answered meanwhile, and it can be cancelled.
func TestSlowList(t *testing.T) {
	f, hooks := fixture.New(session.Hooks()), session.Hooks()
	hooks.AddAfterListResources(func(ctx context.Context, _ any, _ *mcp.ListResourcesRequest, _ *mcp.ListResourcesResult) {
		f.Waiting <- struct{}{}
		<-ctx.Done()
		f.Causes <- context.Cause(ctx)
	})
	server.WithHooks(hooks)(f.MCP)
	w := serve(t, f.MCP, session.Options{})
	w.send(`{"jsonrpc":"2.0","id":1,"method":"resources/list"}`)
	fixture.Receive(t, f.Waiting)
	w.send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	w.expect(`{"jsonrpc":"2.0","id":2,"result":{}}`)
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	if cause := fixture.Receive(t, f.Causes); !errors.Is(cause, session.ErrCancelled) {
		t.Errorf("cause %v", cause)
	}
}

// blockedWriter blocks each Write until it is released.
type blockedWriter struct {
	writes  atomic.Int64
	release chan struct{}
}

func (b *blockedWriter) Write(p []byte) (int, error) {
	b.writes.Add(1)
	<-b.release
	return len(p), nil
}

func TestShutdownWithAClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(session.Hooks())
		in, client := io.Pipe()
		out := &blockedWriter{release: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- Serve(ctx, f.MCP, in, out, session.Options{}) }()
		for i := range 50 {
			if _, err := io.WriteString(client, fixture.Call(strconv.Itoa(i), "echo", "")+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		start := time.Now()
		cancel()
		err := <-ended
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("returned after %s, want the grace of 3 s", took)
		}
		if err == nil || !strings.Contains(err.Error(), "the client did not read for 3s") {
			t.Errorf("error %v", err)
		}
		if out.writes.Load() != 1 {
			t.Errorf("%d writes", out.writes.Load())
		}
		close(out.release)
		client.Close()
		synctest.Wait()
		if out.writes.Load() != 1 {
			t.Errorf("%d writes, some of them after the return", out.writes.Load())
		}
	})
}

// TestInputIsLeftReadable: Serve stops reading, and its input can be read again.
func TestInputIsLeftReadable(t *testing.T) {
	f := fixture.New(session.Hooks())
	in, client, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, f.MCP, in, io.Discard, session.Options{Grace: time.Millisecond}) }()
	io.WriteString(client, fixture.Call("1", "wait", "")+"\n")
	fixture.Receive(t, f.Waiting)
	cancel()
	fixture.Receive(t, ended)
	io.WriteString(client, "later")
	client.Close()
	if rest, err := io.ReadAll(in); string(rest) != "later" || err != nil {
		t.Errorf("read %q, %v", rest, err)
	}
}

func TestShutdownWithACallThatDoesNotEnd(t *testing.T) {
	f := fixture.New(session.Hooks())
	w := serve(t, f.MCP, session.Options{Grace: time.Millisecond})
	w.send(fixture.Call("1", "hold", ""))
	fixture.Receive(t, f.Waiting)
	w.cancel()
	err := fixture.Receive(t, w.ended)
	close(f.Release)
	if err == nil || !strings.Contains(err.Error(), "calls that did not end: 1") {
		t.Fatalf("error %v", err)
	}
}

func TestClientGone(t *testing.T) {
	f := fixture.New(session.Hooks())
	in, client := io.Pipe()
	defer client.Close()
	outR, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Serve(t.Context(), f.MCP, in, out, session.Options{Grace: time.Millisecond}) }()
	io.WriteString(client, fixture.Call("1", "wait", "")+"\n")
	fixture.Receive(t, f.Waiting)
	outR.CloseWithError(os.ErrClosed)
	io.WriteString(client, `{"jsonrpc":"2.0","id":2,"method":"ping"}`+"\n")
	if err := fixture.Receive(t, ended); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("error %v", err)
	}
	if cause := fixture.Receive(t, f.Causes); !errors.Is(cause, session.ErrClientGone) {
		t.Fatalf("cause %v", cause)
	}
}

func TestReadError(t *testing.T) {
	in, client := io.Pipe()
	client.CloseWithError(os.ErrDeadlineExceeded)
	if err := Serve(t.Context(), fixture.New(session.Hooks()).MCP, in, io.Discard, session.Options{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
}

// hugeLine is a line of n bytes, then a ping.
type hugeLine struct{ n int64 }

func (h *hugeLine) Read(p []byte) (int, error) {
	if h.n < 0 {
		return 0, io.EOF
	}
	if h.n == 0 {
		h.n = -1
		return copy(p, "\n"+`{"jsonrpc":"2.0","id":1,"method":"ping"}`), nil
	}
	n := min(int64(len(p)), h.n)
	for i := range p[:n] {
		p[i] = 'x'
	}
	h.n -= n
	return int(n), nil
}

func TestHugeLineInConstantMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var out bytes.Buffer
	if err := Serve(t.Context(), fixture.New(session.Hooks()).MCP, &hugeLine{n: 256 << 20}, &out, session.Options{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	want := `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: a line is longer than 4194304 bytes, the limit for one message"}}` +
		"\n" + `{"jsonrpc":"2.0","id":1,"result":{}}` + "\n"
	if out.String() != want {
		t.Fatalf("got %s", out.String())
	}
	if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 64 {
		t.Fatalf("a line of 256 MiB allocated %d MiB", mib)
	}
}

func TestLineLimit(t *testing.T) {
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	long := `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"invalid request: a line is longer than 40 bytes, the limit for one message"}}`
	if len(ping) != 40 {
		t.Fatal(len(ping))
	}
	for in, want := range map[string]string{
		ping + "\n":                      `{"jsonrpc":"2.0","id":1,"result":{}}`,
		ping + "\r\n":                    `{"jsonrpc":"2.0","id":1,"result":{}}`,
		ping:                             `{"jsonrpc":"2.0","id":1,"result":{}}`,
		"\n \r\n\t\n" + ping:             `{"jsonrpc":"2.0","id":1,"result":{}}`,
		ping + " \n":                     long,
		ping + "  \n":                    long,
		ping + "   ":                     long,
		"\ufeff" + ping + "\r\n":         `{"jsonrpc":"2.0","id":1,"result":{}}`,
		"\ufeff" + ping + " \n":          long,
		strings.Repeat(" ", 1000) + "\n": strings.Replace(long, `"id":1`, `"id":null`, 1),
	} {
		var out bytes.Buffer
		if err := Serve(t.Context(), fixture.New(session.Hooks()).MCP, strings.NewReader(in), &out, session.Options{LineLimit: 40}); err != nil {
			t.Fatal(err)
		}
		if out.String() != want+"\n" {
			t.Errorf("%q: got %s", in, out.String())
		}
	}
}

// lineChecker checks that each Write is one whole line.
type lineChecker struct{ t *testing.T }

func (c lineChecker) Write(p []byte) (int, error) {
	if bytes.Count(p, []byte("\n")) != 1 || p[len(p)-1] != '\n' {
		c.t.Errorf("a Write of %q", p)
	}
	return len(p), nil
}

func TestOneWritePerMessage(t *testing.T) {
	in := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a\nb\u2028"}}}` + "\n" +
		`{"jsonrpc":"2.0","id":2,"method":"tools/list"}` + "\n" + "x\n"
	if err := Serve(t.Context(), fixture.New(session.Hooks()).MCP, strings.NewReader(in), lineChecker{t}, session.Options{}); err != nil {
		t.Fatal(err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if err := Serve(t.Context(), fixture.New(session.Hooks()).MCP, strings.NewReader(""), io.Discard, session.Options{Grace: -1}); err == nil {
		t.Fatal("a negative grace was accepted")
	}
}
