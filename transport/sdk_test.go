package transport_test

import (
	"net"
	"net/http"

	"github.com/mark3labs/mcp-go/server"
	"go.uber.org/goleak"

	"context"
	"io"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestOfficialClient: the official Go client, which nobody here wrote, can do
// everything over stdio.
func TestOfficialClient(t *testing.T) {
	for _, version := range []string{"2024-11-05", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			f := fixture.New(transport.Hooks())
			close(f.Release)
			serverIn, clientOut := io.Pipe()
			clientIn, serverOut := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				ended <- transport.ServeStdio(t.Context(), f.MCP, serverIn, serverOut, transport.Options{})
				serverOut.Close()
			}()
			runOfficialClient(t, version, &sdk.IOTransport{Reader: clientIn, Writer: clientOut})
			clientOut.Close()
			if err := fixture.Receive(t, ended); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// runOfficialClient lists, calls, asks and reads.
func runOfficialClient(t *testing.T, version string, carrier sdk.Transport) {
	progress := make(chan float64, 100)
	client := sdk.NewClient(&sdk.Implementation{Name: "official", Version: "1"}, &sdk.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { progress <- r.Params.Progress },
		ElicitationHandler: func(context.Context, *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			return &sdk.ElicitResult{Action: "accept", Content: map[string]any{}}, nil
		},
	})
	session, err := client.Connect(t.Context(), carrier, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if got := session.InitializeResult().ProtocolVersion; got != version {
		t.Fatalf("negotiated %s", got)
	}
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) != 8 {
		t.Fatalf("tools %v, %v", tools, err)
	}
	params := &sdk.CallToolParams{Name: "slow"}
	params.SetProgressToken("token")
	result, err := session.CallTool(t.Context(), params)
	if err != nil || result.Content[0].(*sdk.TextContent).Text != "done" {
		t.Fatalf("result %v, %v", result, err)
	}
	for want := range 20 {
		if got := fixture.Receive(t, progress); got != float64(want+1) {
			t.Fatalf("progress %v, want %d", got, want+1)
		}
	}
	if version < "2026-07-28" {
		result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "ask"})
		if err != nil || result.Content[0].(*sdk.TextContent).Text != "accept" {
			t.Fatalf("elicitation %v, %v", result, err)
		}
	}
	if _, err := session.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://gone"}); err == nil || !strings.Contains(strings.ToLower(err.Error()), "resource not found") {
		t.Fatalf("read: %v", err)
	}
}

// TestOfficialClientOverHTTP does the same over HTTP.
func TestOfficialClientOverHTTP(t *testing.T) {
	for _, version := range []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			f := fixture.New(transport.Hooks())
			close(f.Release)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				ended <- transport.ServeHTTP(ctx, l, transport.HTTPOptions{Server: func(*http.Request) *server.MCPServer { return f.MCP }})
			}()
			client := &http.Client{Transport: &http.Transport{}}
			runOfficialClient(t, version, &sdk.StreamableClientTransport{Endpoint: "http://" + l.Addr().String() + "/mcp", HTTPClient: client})
			client.CloseIdleConnections()
			stop()
			if err := fixture.Receive(t, ended); err != nil {
				t.Fatal(err)
			}
		})
	}
}
