package stdio

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// TestInvalidParams: a handler's error that wraps mcp.ErrInvalidParams gets the
// protocol's code, for every kind of handler, stateful and stateless.
func TestInvalidParams(t *testing.T) {
	f := fixture.New(session.Hooks(), server.WithCompletions(), server.WithPromptCompletionProvider(wrong{}), server.WithPromptCapabilities(false))
	f.MCP.AddPrompt(mcp.NewPrompt("wrong"), func(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) { return nil, errWrong })
	f.MCP.AddResource(mcp.NewResource("x://wrong", "wrong"), func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) { return nil, errWrong })
	watch := func(context.Context, string, func(map[string]any)) (func(), error) { return nil, errWrong }
	w := serve(t, f.MCP, session.Options{Watch: watch})
	w.hello("2025-06-18", `{}`)
	const want = `"error":{"code":-32602,"message":"invalid params: n must be 1"}}`
	requests := []struct{ method, params string }{
		{"prompts/get", `"name":"wrong"`}, {"resources/read", `"uri":"x://wrong"`},
		{"completion/complete", `"ref":{"type":"ref/prompt","name":"wrong"},"argument":{"name":"a","value":""}`},
	}
	for _, r := range requests {
		w.send(fixture.Stateless("1", r.method, r.params))
		w.expect(`{"jsonrpc":"2.0","id":1,` + want)
	}
	for _, r := range append(requests, struct{ method, params string }{"resources/subscribe", `"uri":"x://wrong"`}) {
		w.send(`{"jsonrpc":"2.0","id":1,"method":"` + r.method + `","params":{` + r.params + `}}`)
		if got := w.next(); !strings.HasSuffix(got, want) {
			t.Errorf("%s: got %s", r.method, got)
		}
	}
}

// TestParamsOfWrongTypes: the answer names what is wrong, and no Go types.
func TestParamsOfWrongTypes(t *testing.T) {
	f := fixture.New(session.Hooks(), server.WithPromptCapabilities(false))
	w := serve(t, f.MCP, session.Options{})
	w.hello("2025-06-18", `{}`)
	for _, r := range []struct{ method, params, says string }{
		{"prompts/get", `"name":"x","arguments":{"a":5}`, "params.arguments takes no number"},
		{"prompts/get", `"name":["x"]`, "params.name takes no array"},
		{"resources/read", `"uri":{"x":1}`, "params.uri takes no object"},
	} {
		want := `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid params: ` + r.says + `"}}`
		w.send(`{"jsonrpc":"2.0","id":1,"method":"` + r.method + `","params":{` + r.params + `}}`)
		w.expect(want)
		w.send(fixture.Stateless("1", r.method, r.params))
		w.expect(want)
	}
}

// TestUnknownNames: the answer says where the known ones are.
func TestUnknownNames(t *testing.T) {
	w := serve(t, fixture.New(session.Hooks(), server.WithPromptCapabilities(false)).MCP, session.Options{})
	w.hello("2025-06-18", `{}`)
	for _, r := range []struct{ method, params, says string }{
		{"tools/call", `"name":"x"`, "there is no tool of that name; tools/list has those there are"},
		{"prompts/get", `"name":"x"`, "there is no prompt of that name; prompts/list has those there are"},
		{"tools/list", `"cursor":"abc"`, "the cursor is none of this server's: begin without one"},
	} {
		want := `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"` + r.says + `"}}`
		w.send(`{"jsonrpc":"2.0","id":1,"method":"` + r.method + `","params":{` + r.params + `}}`)
		w.expect(want)
		w.send(fixture.Stateless("1", r.method, r.params))
		w.expect(want)
	}
}

var errWrong = fmt.Errorf("%w: n must be 1", mcp.ErrInvalidParams)

type wrong struct{}

func (wrong) CompletePromptArgument(context.Context, string, mcp.CompleteArgument, mcp.CompleteContext) (*mcp.Completion, error) {
	return nil, errWrong
}
