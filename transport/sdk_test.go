package transport

import (
	"context"
	"io"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// TestOfficialClient lets a client that nobody here wrote do the round.
func TestOfficialClient(t *testing.T) {
	for _, version := range []string{"2024-11-05", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			f := newFixture()
			close(f.release)
			serverIn, clientOut := io.Pipe()
			clientIn, serverOut := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				ended <- ServeStdio(t.Context(), f.srv, serverIn, serverOut, Options{})
				serverOut.Close()
			}()
			official(t, version, &sdk.IOTransport{Reader: clientIn, Writer: clientOut})
			clientOut.Close()
			if err := receive(t, ended); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func official(t *testing.T, version string, transport sdk.Transport) {
	progress := make(chan float64, 100)
	client := sdk.NewClient(&sdk.Implementation{Name: "official", Version: "1"}, &sdk.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { progress <- r.Params.Progress },
		ElicitationHandler: func(context.Context, *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			return &sdk.ElicitResult{Action: "accept", Content: map[string]any{}}, nil
		},
	})
	session, err := client.Connect(t.Context(), transport, &sdk.ClientSessionOptions{ProtocolVersion: version})
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
		if got := receive(t, progress); got != float64(want+1) {
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
