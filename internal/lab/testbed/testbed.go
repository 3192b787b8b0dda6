// Package testbed sets up the whole server for tests: between the official MCP client
// and the sandbox, whose requests and responses are checked against the Run API's
// contract. Start with New, connect with Bed.Connect and call tools with Call.
package testbed

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	mcpserver "github.com/mark3labs/mcp-go/server"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/lab/contracttest"
	"runs-mcp-server/internal/lab/inmem"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/server"
	"runs-mcp-server/internal/view"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

// Bed is one server with its sandbox and its clients. It is closed with the test.
type Bed struct {
	Sandbox *sandbox.Sandbox
	API     *client.Client
	MCP     *mcpserver.MCPServer
	Watch   transport.Watch
	Tasks   transport.Tasks
	Caller  client.Caller
	URL     string  // of the sandbox, or of what stands before it
	Log     *Buffer // what the server logged, at debug level
	// AskTime is how long a person may take to answer; 0 leaves the default.
	AskTime time.Duration

	t   testing.TB
	log *slog.Logger
}

// Newest and Oldest are the revisions of MCP to test with.
const (
	Newest = "2026-07-28"
	Oldest = "2024-11-05"
)

// New sets up a server. The defaults are agent approvals and all integrations; change,
// if not nil, changes the options. The handler of front, if not nil, gets the requests
// instead of the sandbox; the contract is not checked then.
func New(t testing.TB, change func(*tools.Options), front func(sandbox http.Handler) http.Handler) *Bed {
	t.Helper()
	box, base := sandbox.New(sandbox.Options{}), &http.Transport{}
	handler, rt := http.Handler(box), http.RoundTripper(nil) // nil: the client's own, as in the product
	if front != nil {
		handler = front(handler)
	} else {
		rt = contracttest.Transport(t, base)
	}
	upstream := httptest.NewServer(handler)
	t.Cleanup(func() {
		upstream.Close()
		base.CloseIdleConnections()
	})
	return newBed(t, box, upstream.URL, rt, change)
}

// NewReplica sets up another server with the sandbox of b, as a restart or a second
// replica would.
func NewReplica(t testing.TB, b *Bed, change func(*tools.Options)) *Bed {
	return newBed(t, b.Sandbox, b.URL, nil, change)
}

// NewInBubble sets up a server as New does, without a network, for a testing/synctest
// bubble, where the clock is fake.
func NewInBubble(t testing.TB, change func(*tools.Options), front func(sandbox http.Handler) http.Handler) *Bed {
	t.Helper()
	box := sandbox.New(sandbox.Options{})
	handler := http.Handler(box)
	if front != nil {
		handler = front(handler)
	}
	return newBed(t, box, "http://localhost", inmem.Transport(handler), change)
}

func newBed(t testing.TB, box *sandbox.Sandbox, url string, rt http.RoundTripper, change func(*tools.Options)) *Bed {
	b := &Bed{t: t, Sandbox: box, URL: url, Caller: client.Caller{Key: sandbox.DefaultKey, UserID: "user-1"}, Log: &Buffer{}}
	var err error
	if b.API, err = client.New(client.Options{URL: url, Transport: rt}); err != nil {
		t.Fatal(err)
	}
	secrets := redact.New(string(b.Caller.Key))
	log := slog.New(view.LogHandler(secrets, slog.NewTextHandler(b.Log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	b.log = log
	o := tools.Options{API: b.API, Decider: approval.NewDecider(b.API), Secrets: secrets, Log: log, Integrations: []string{"*"}, Approvals: tools.ApprovalsAgent, AuthLinks: true}
	if change != nil {
		change(&o)
	}
	// People in tests answer at once, and that is no automatic answer.
	wired := server.New(o, feed.Options{}, attend.Options{ReadingTime: 1})
	b.MCP, b.Watch, b.Tasks = wired.MCP("test", "1"), wired.Watch(), wired.Tasks("test", "1")
	t.Cleanup(func() {
		wired.Close()
		box.Close()
	})
	return b
}

// Connect connects the official client with a revision of MCP. onProgress, if not
// nil, receives the progress messages.
func (b *Bed) Connect(version string, onProgress func(token any, message string)) *sdk.ClientSession {
	b.t.Helper()
	return b.ConnectWith(version, &sdk.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) {
			if onProgress != nil {
				onProgress(r.Params.ProgressToken, r.Params.Message)
			}
		},
	})
}

// options are the options of the transport.
func (b *Bed) options() transport.Options {
	return transport.Options{Logger: b.log, Watch: b.Watch, Tasks: b.Tasks, ElicitationTimeout: b.AskTime}
}

// serve serves one client over pipes, which are its ends. ended gets the result.
func (b *Bed) serve() (in io.ReadCloser, out io.WriteCloser, ended chan error) {
	serverIn, clientOut := io.Pipe()
	clientIn, serverOut := io.Pipe()
	ended = make(chan error, 1)
	go func() {
		ended <- transport.ServeStdio(client.WithCaller(context.Background(), b.Caller), b.MCP, serverIn, serverOut, b.options())
		serverOut.Close()
	}()
	return clientIn, clientOut, ended
}

// ConnectWith connects the official client with these options.
func (b *Bed) ConnectWith(version string, o *sdk.ClientOptions) *sdk.ClientSession {
	b.t.Helper()
	clientIn, clientOut, ended := b.serve()
	c := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, o)
	session, err := c.Connect(b.t.Context(), &sdk.IOTransport{Reader: clientIn, Writer: clientOut}, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		session.Close()
		clientOut.Close()
		clientIn.Close()
		if err := <-ended; err != nil && !strings.Contains(err.Error(), "closed pipe") {
			b.t.Errorf("serving ended with %v", err)
		}
	})
	return session
}

// Call calls a tool and decodes its result as R. An error result fails the test.
func Call[R any](t testing.TB, session *sdk.ClientSession, tool string, args map[string]any) R {
	t.Helper()
	text, failed := Raw(t, session, tool, args)
	if failed {
		t.Fatalf("%s failed: %s", tool, text)
	}
	return decode[R](t, text)
}

// Fail calls a tool that must answer an error result, and returns the failure in its
// _meta. It checks that the text says the same to a model, and is no JSON.
func Fail(t testing.TB, session *sdk.ClientSession, tool string, args map[string]any) tools.Failure {
	t.Helper()
	result := call(t, session, tool, args)
	text := textOf(t, tool, result)
	if !result.IsError {
		t.Fatalf("%s succeeded: %s", tool, text)
	}
	meta, err := json.Marshal(result.Meta[tools.FailureMeta])
	if err != nil {
		t.Fatal(err)
	}
	f := decode[tools.Failure](t, string(meta))
	if !strings.HasPrefix(text, f.Code+": "+f.Message) || !strings.HasSuffix(text, f.NextStep) || f.Code == "" || f.NextStep == "" || len(text) > 512 {
		t.Fatalf("%s failed with the text %q and with %+v for programs", tool, text, f)
	}
	if json.Valid([]byte(text)) {
		t.Fatalf("%s failed with JSON: %s", tool, text)
	}
	return f
}

// Raw calls a tool and returns its one text. It checks that a successful text and the
// structured content are the same JSON.
func Raw(t testing.TB, session *sdk.ClientSession, tool string, args map[string]any) (text string, failed bool) {
	t.Helper()
	result := call(t, session, tool, args)
	text = textOf(t, tool, result)
	switch {
	case result.IsError && result.StructuredContent != nil:
		t.Fatalf("%s: an error result has structured content", tool)
	case !result.IsError:
		structured, err := json.Marshal(result.StructuredContent)
		if err != nil || !sameJSON(t, string(structured), text) {
			t.Fatalf("%s: structured content and text differ: %s and %s", tool, structured, text)
		}
	}
	return text, result.IsError
}

// RequiredArguments returns values for the arguments that a tool requires: runID, the
// first value of an enum, or "x".
func RequiredArguments(tool *sdk.Tool, runID string) map[string]any {
	schema, _ := tool.InputSchema.(map[string]any)
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	args := map[string]any{}
	for _, name := range required {
		name, _ := name.(string)
		property, _ := properties[name].(map[string]any)
		enum, _ := property["enum"].([]any)
		switch {
		case name == "runId":
			args[name] = runID
		case len(enum) > 0:
			args[name] = enum[0]
		default:
			args[name] = "x"
		}
	}
	return args
}

func call(t testing.TB, session *sdk.ClientSession, tool string, args map[string]any) *sdk.CallToolResult {
	t.Helper()
	params := &sdk.CallToolParams{Name: tool, Arguments: args}
	params.SetProgressToken(tool)
	result, err := session.CallTool(t.Context(), params)
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	return result
}

// textOf returns the one text of a result.
func textOf(t testing.TB, tool string, result *sdk.CallToolResult) string {
	t.Helper()
	if len(result.Content) != 1 {
		t.Fatalf("%s answered %d content blocks, want 1", tool, len(result.Content))
	}
	return result.Content[0].(*sdk.TextContent).Text
}

func sameJSON(t testing.TB, a, b string) bool {
	x, _ := json.Marshal(decode[any](t, a))
	y, _ := json.Marshal(decode[any](t, b))
	return string(x) == string(y)
}

func decode[R any](t testing.TB, text string) R {
	t.Helper()
	var r R
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("not JSON: %v: %s", err, text)
	}
	return r
}

// Buffer is text that goroutines write and a test reads. It is safe for concurrent
// use.
type Buffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

// Write appends to the text.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns the text so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
