package transport

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// fixture is a small server whose tools do what transports get wrong.
type fixture struct {
	srv     *server.MCPServer
	waiting chan struct{} // one value per wait tool that waits
	causes  chan error    // why it stopped
	asked   chan string   // the action an elicitation came back with, or how it failed
	late    chan error    // how a send after the handler's return ended
	release chan struct{} // closed to let the hold tool go
}

func newFixture(opts ...server.ServerOption) *fixture {
	f := &fixture{
		waiting: make(chan struct{}, 5000),
		causes:  make(chan error, 5000),
		asked:   make(chan string, 1),
		late:    make(chan error, 1),
		release: make(chan struct{}),
	}
	opts = append([]server.ServerOption{
		server.WithHooks(Hooks()), server.WithResourceCapabilities(true, false), server.WithLogging(),
		server.WithToolCapabilities(false),
	}, opts...)
	f.srv = server.NewMCPServer("fixture", "1", opts...)
	f.srv.AddTool(mcp.NewTool("echo", mcp.WithString("text")), f.echo)
	f.srv.AddTool(mcp.NewTool("slow"), f.slow)
	f.srv.AddTool(mcp.NewTool("wait"), f.wait)
	f.srv.AddTool(mcp.NewTool("hold"), f.hold)
	f.srv.AddTool(mcp.NewTool("panic"), f.panics)
	f.srv.AddTool(mcp.NewTool("ask"), f.ask)
	f.srv.AddTool(mcp.NewTool("linger"), f.linger)
	f.srv.AddTool(mcp.NewTool("who"), f.who)
	f.srv.AddResourceTemplate(mcp.NewResourceTemplate("run://{id}", "run"), f.resource)
	return f
}

func (f *fixture) echo(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(r.GetString("text", "")), nil
}

// progress sends one notification the way handlers do.
func progress(ctx context.Context, token any, n int) error {
	note := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION}
	note.Method = "notifications/progress"
	note.Params.AdditionalFields = map[string]any{"progressToken": token, "progress": n}
	select {
	case server.ClientSessionFromContext(ctx).NotificationChannel() <- note:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// slow sends 20 notifications in one burst, then returns.
func (f *fixture) slow(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	f.waiting <- struct{}{}
	select {
	case <-f.release:
	case <-ctx.Done():
	}
	for n := range 20 {
		if err := progress(ctx, r.Params.Meta.ProgressToken, n+1); err != nil {
			return nil, err
		}
	}
	return mcp.NewToolResultText("done"), nil
}

func (f *fixture) wait(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	f.waiting <- struct{}{}
	<-ctx.Done()
	f.causes <- context.Cause(ctx)
	return mcp.NewToolResultText("stopped"), nil
}

// hold does not mind its context.
func (f *fixture) hold(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	f.waiting <- struct{}{}
	<-f.release
	return mcp.NewToolResultText("held"), nil
}

func (f *fixture) panics(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	panic("the secret of the panic")
}

// poisonous panics when it is written as JSON.
type poisonous struct{}

func (poisonous) MarshalJSON() ([]byte, error) { panic("the secret of the panic") }

// poison panics in the goroutine that writes for the call, not in the handler's.
func (f *fixture) poison(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if r.Params.Meta == nil {
		return &mcp.CallToolResult{StructuredContent: poisonous{}}, nil
	}
	note := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION}
	note.Method = "notifications/message"
	note.Params.AdditionalFields = map[string]any{"data": poisonous{}}
	server.ClientSessionFromContext(ctx).NotificationChannel() <- note
	<-ctx.Done()
	return nil, ctx.Err()
}

func (f *fixture) ask(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var ask mcp.ElicitationRequest
	ask.Params.Message = "May I?"
	ask.Params.RequestedSchema = map[string]any{"type": "object", "properties": map[string]any{}}
	got, err := f.srv.RequestElicitation(ctx, ask)
	came := "unasked"
	switch {
	case err == nil:
		came = string(got.Action)
	case errors.Is(err, context.DeadlineExceeded):
		came = "late"
	case errors.Is(err, context.Canceled):
		came = "withdrawn"
	}
	f.asked <- came
	return mcp.NewToolResultText(came), nil
}

// linger goes on sending when its handler has returned.
func (f *fixture) linger(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	go func() {
		<-f.release
		var err error
		for n := 0; err == nil && n < 10*notesBuffered; n++ {
			err = progress(ctx, "late", n)
		}
		f.late <- err
	}()
	return mcp.NewToolResultText("gone"), nil
}

// who says whom the session takes the client for.
func (f *fixture) who(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	s := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo)
	return mcp.NewToolResultText(fmt.Sprintf("%s %q", s.GetClientInfo().Name, server.RequestProtocolVersion(ctx))), nil
}

func (f *fixture) resource(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	switch r.Params.URI {
	case "run://there":
		return []mcp.ResourceContents{mcp.TextResourceContents{URI: r.Params.URI, Text: "here"}}, nil
	case "run://broken":
		return nil, errors.New("broken")
	}
	return nil, fmt.Errorf("upstream said 404 to %s: %w", r.Params.URI, server.ErrResourceNotFound)
}

// wire is the client's end of a served pair of pipes.
type wire struct {
	t      *testing.T
	in     *os.File // the client writes here
	lines  chan string
	ended  chan error // what ServeStdio returned
	cancel context.CancelFunc
}

// serve runs ServeStdio over real pipes; at the end of the test all is over.
func serve(t *testing.T, srv *server.MCPServer, opts Options) *wire {
	t.Helper()
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := &wire{t: t, in: inW, lines: make(chan string, 100_000), ended: make(chan error, 1), cancel: cancel}
	go func() {
		err := ServeStdio(ctx, srv, inR, outW, opts)
		outW.Close()
		w.ended <- err
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(w.lines)
		s := bufio.NewScanner(outR)
		s.Buffer(nil, 64<<20)
		for s.Scan() {
			w.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		cancel()
		inW.Close()
		<-read
		inR.Close()
		outR.Close()
	})
	return w
}

// send writes lines as the client.
func (w *wire) send(lines ...string) {
	w.t.Helper()
	if _, err := w.in.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		w.t.Fatal(err)
	}
}

// next is the server's next line.
func (w *wire) next() string {
	w.t.Helper()
	select {
	case line, ok := <-w.lines:
		if !ok {
			w.t.Fatal("the output ended")
		}
		return line
	case <-time.After(patience):
		w.t.Fatal("nothing came")
	}
	return ""
}

// expect checks the server's next line.
func (w *wire) expect(want string) {
	w.t.Helper()
	if got := w.next(); got != want {
		w.t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// finish waits for ServeStdio to return and gives what came since.
func (w *wire) finish() (rest []string, err error) {
	w.t.Helper()
	err = receive(w.t, w.ended)
	for line := range w.lines {
		rest = append(rest, line)
	}
	return rest, err
}

// receive waits for a value.
func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("not reached")
	}
}

// hello shakes hands in a revision of the old era.
func (w *wire) hello(version, capabilities string) {
	w.t.Helper()
	w.send(`{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"` + version +
		`","capabilities":` + capabilities + `,"clientInfo":{"name":"old","version":"1"}}}`)
	var got struct {
		Result struct{ ProtocolVersion string }
	}
	if err := json.Unmarshal([]byte(w.next()), &got); err != nil || got.Result.ProtocolVersion != version {
		w.t.Fatalf("negotiated %q, %v; want %q", got.Result.ProtocolVersion, err, version)
	}
	w.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// toolCall is a tools/call line; id and token are raw JSON.
func toolCall(id, tool, token string) string {
	meta := ""
	if token != "" {
		meta = `,"_meta":{"progressToken":` + token + `}`
	}
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + tool + `"` + meta + `}}`
}

// textAnswer is the answer of a tool that returned a text.
func textAnswer(id, text string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"result":{"content":[{"type":"text","text":"` + text + `"}]}}`
}
