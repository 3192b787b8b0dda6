package canary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// panickingTransport is a RoundTripper that panics with the headers and the body of
// the request.
type panickingTransport struct{ value func(dump string) any }

func (p panickingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	var dump bytes.Buffer
	r.Header.Write(&dump)
	if r.Body != nil {
		io.Copy(&dump, r.Body)
	}
	panic(p.value(dump.String()))
}

// TestCanariesInPanics holds that the value of a handler's panic reaches neither the
// client nor the log.
func TestCanariesInPanics(t *testing.T) {
	c := &canarySet{}
	values := map[string]func(string) any{
		"text":   func(dump string) any { return dump },
		"error":  func(dump string) any { return fmt.Errorf("it broke: %w", errors.New(dump)) },
		"struct": func(dump string) any { return struct{ Dump []string }{[]string{dump}} },
	}
	standard := &testbed.Buffer{} // net/http and mcp-go write to it
	log.SetOutput(standard)
	defer log.SetOutput(os.Stderr)
	for name, value := range values {
		key := client.Key(c.canaryFor("key of " + name))
		bed := testbed.New(t, func(o *tools.Options) {
			o.AllowPassThrough = true
			o.ExcludeTools = []string{"approve"} // it watches the run, and a panic there ends only the watching
			broken, err := client.New(client.Options{URL: "http://127.0.0.1:1", Transport: panickingTransport{value}})
			if err != nil {
				t.Fatal(err)
			}
			o.API, o.Decider = broken, nil // New makes a Decider of the new client
		}, nil)
		bed.Caller.Key = key
		s := bed.Connect(testbed.Newest, nil)
		own, err := s.ListTools(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		bed.MCP.AddTool(mcp.NewTool("foreign"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			panic(value(c.canaryFor("a panic of a foreign tool")))
		})
		out := &testbed.Buffer{}
		item := passThroughData(c, "caller", "okta")
		item["customerIntegrationId"] = "okta"
		for _, tool := range own.Tools {
			args := testbed.RequiredArguments(tool, "123e4567-e89b-12d3-a456-426614174000")
			if tool.Name == "create_run" {
				args["passThrough"] = []any{item}
			}
			text, failed := testbed.Raw(t, s, tool.Name, args)
			if !failed || !strings.HasPrefix(text, "internal: ") {
				t.Errorf("%s did not panic: %s", tool.Name, text)
			}
			io.WriteString(out, text)
		}
		_, foreign := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "foreign"})
		_, read := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://123e4567-e89b-12d3-a456-426614174000"})
		_, list := s.ListResources(t.Context(), nil)
		fmt.Fprintln(out, foreign, read, list)
		scan := newScanner(c)
		scan.requireNone(t, "what the client gets", out.String())
		scan.requireNone(t, "the log", bed.Log.String()+standard.String())
		if n := strings.Count(bed.Log.String(), "a tool panicked"); n != len(own.Tools) || foreign == nil || read == nil || list == nil {
			t.Errorf("%s: %d of %d tools panicked; %v, %v, %v; log %s", name, n, len(own.Tools), foreign, read, list, bed.Log.String())
		}
	}
}
