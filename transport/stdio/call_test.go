package stdio

import (
	"context"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

func TestListenBeginsWithItsAcknowledgement(t *testing.T) {
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{Watch: func(_ context.Context, _ string, changed func(map[string]any)) (func(), error) {
		changed(nil) // before mcp-go acknowledges
		return nil, nil
	}})
	w.send(fixture.Stateless(`9007199254740993`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://early"]}`))
	w.expect(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":9007199254740993},"notifications":{"resourceSubscriptions":["run://early"]}}}`)
	w.expect(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":9007199254740993},"uri":"run://early"}}`)
	w.cancel()
	rest, err := w.finish()
	if err != nil || len(rest) != 1 || !strings.Contains(rest[0], `"io.modelcontextprotocol/subscriptionId":9007199254740993}`) ||
		!strings.HasPrefix(rest[0], `{"jsonrpc":"2.0","id":9007199254740993,"result":`) {
		t.Fatalf("got %q, %v", rest, err)
	}
}

func TestCancelledListenGetsNoAnswer(t *testing.T) {
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{})
	w.send(fixture.Stateless(`"l"`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`))
	w.next()
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"l"}}`)
	w.in.Close()
	if rest, err := w.finish(); err != nil || len(rest) > 0 {
		t.Fatalf("got %q, %v", rest, err)
	}
}

func TestCancelledCallFallsSilent(t *testing.T) {
	f := fixture.New(session.Hooks())
	f.MCP.AddTool(mcp.NewTool("chatter"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		f.Waiting <- struct{}{}
		<-ctx.Done()
		late := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION}
		late.Method = mcp.MethodNotificationResourceUpdated
		for range 3 {
			server.ClientSessionFromContext(ctx).NotificationChannel() <- late
		}
		return mcp.NewToolResultText(""), nil
	})
	w := serve(t, f.MCP, session.Options{})
	w.send(fixture.Call("1", "chatter", ""))
	fixture.Receive(t, f.Waiting)
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	w.in.Close()
	if rest, err := w.finish(); err != nil || len(rest) > 0 {
		t.Fatalf("got %q, %v", rest, err)
	}
}

func TestElicitationAfterTheHandlerReturned(t *testing.T) {
	f := fixture.New(session.Hooks())
	f.MCP.AddTool(mcp.NewTool("stray"), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		go func() {
			<-f.Release
			_, err := f.Ask(context.WithoutCancel(ctx), r)
			f.Late <- err
		}()
		return mcp.NewToolResultText(""), nil
	})
	w := serve(t, f.MCP, session.Options{})
	w.hello("2025-06-18", `{"elicitation":{}}`)
	w.send(fixture.Call("1", "stray", ""))
	w.expect(fixture.TextAnswer("1", ""))
	close(f.Release)
	w.next() // the question, which nobody answers
	w.in.Close()
	w.expect(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"reason":"the answer is no longer needed","requestId":"server-1"}}`)
	if got := fixture.Receive(t, f.Asked); got != "withdrawn" {
		t.Fatal(got)
	}
}

// TestElicitationThatOutlivesItsHandler: its answer still arrives.
func TestElicitationThatOutlivesItsHandler(t *testing.T) {
	f := fixture.New(session.Hooks())
	f.MCP.AddTool(mcp.NewTool("stray"), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		go func() {
			_, err := f.Ask(context.WithoutCancel(ctx), r)
			f.Late <- err
		}()
		<-f.Release
		return mcp.NewToolResultText(""), nil
	})
	w := serve(t, f.MCP, session.Options{})
	w.hello("2025-06-18", `{"elicitation":{}}`)
	w.send(fixture.Call("1", "stray", ""))
	w.next() // the question
	close(f.Release)
	w.expect(fixture.TextAnswer("1", ""))
	w.send(`{"jsonrpc":"2.0","id":"server-1","result":{"action":"decline"}}`, `{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept"}}`)
	if got := fixture.Receive(t, f.Asked); got != "decline" {
		t.Fatal(got)
	}
	if err := fixture.Receive(t, f.Late); err != nil {
		t.Fatal(err)
	}
}

func TestBatchAnswersTogether(t *testing.T) {
	f := fixture.New(session.Hooks())
	w := serve(t, f.MCP, session.Options{})
	w.hello("2025-03-26", `{}`)
	w.send("[" + fixture.Call("1", "slow", "1") + "," + fixture.Call("2", "wait", "") + `,{"jsonrpc":"2.0","id":3,"method":"ping"}]`)
	fixture.Receive(t, f.Waiting)
	fixture.Receive(t, f.Waiting)
	w.send(`{"jsonrpc":"2.0","id":4,"method":"ping"}`) // other messages do not wait for a batch
	w.expect(`{"jsonrpc":"2.0","id":4,"result":{}}`)
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`)
	fixture.Receive(t, f.Causes)
	close(f.Release)
	for range 20 { // progress does not wait for the other answers
		if got := w.next(); !strings.Contains(got, "notifications/progress") {
			t.Fatal(got)
		}
	}
	w.expect("[" + `{"jsonrpc":"2.0","id":3,"result":{}},` + fixture.TextAnswer("1", "done") + "]")
}

func TestResultThatIsNoJSON(t *testing.T) {
	f := fixture.New(session.Hooks())
	f.MCP.AddTool(mcp.NewTool("bad"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{StructuredContent: func() {}}, nil
	})
	w := serve(t, f.MCP, session.Options{})
	w.send(fixture.Call("1", "bad", ""))
	w.expect(`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error"}}`)
}

// TestLateCancellation: some clients send notifications/cancelled after every
// answered call. It gets no error and does not touch a later call with that id.
func TestLateCancellation(t *testing.T) {
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"AbortError: This operation was aborted"}}`
	f := fixture.New(session.Hooks())
	w := serve(t, f.MCP, session.Options{})
	w.hello("2025-11-25", `{}`)
	for range 3 {
		w.send(fixture.Call("1", "echo", ""))
		w.expect(fixture.TextAnswer("1", ""))
		w.send(cancel)
	}
	w.send(fixture.Call("1", "hold", ""))
	fixture.Receive(t, f.Waiting)
	close(f.Release)
	w.expect(fixture.TextAnswer("1", "held"))
	w.send(cancel)
	w.in.Close()
	if rest, err := w.finish(); err != nil || len(rest) > 0 {
		t.Fatalf("got %q, %v", rest, err)
	}
}
