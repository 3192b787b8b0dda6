package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
)

// TestOfficialClient holds that the official Go client can create, approve and follow
// a run over both transports, in stateful and stateless revisions.
func TestOfficialClient(t *testing.T) {
	url := program.ServeHTTP(t, io.Discard, nil, "--sandbox", "--approvals=agent")
	overHTTP := func(*testing.T) sdk.Transport {
		return &sdk.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: program.Headers{"x-api-key": sandbox.DefaultKey}}}
	}
	overStdio := func(t *testing.T) sdk.Transport {
		return &sdk.CommandTransport{Command: exec.Command(program.Executable(t), "--sandbox", "--approvals=agent")}
	}
	for _, tt := range []struct {
		name      string
		transport func(*testing.T) sdk.Transport
		versions  []string
	}{
		{"stdio", overStdio, []string{testbed.Oldest, testbed.Newest}},
		{"HTTP", overHTTP, []string{"2025-03-26", "2025-11-25", testbed.Newest}},
	} {
		for _, version := range tt.versions {
			t.Run(tt.name+" "+version, func(t *testing.T) {
				progress := make(chan string, 100)
				c := sdk.NewClient(&sdk.Implementation{Name: "official", Version: "1"}, &sdk.ClientOptions{
					ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { progress <- r.Params.Message },
				})
				s, err := c.Connect(t.Context(), tt.transport(t), &sdk.ClientSessionOptions{ProtocolVersion: version})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if got := s.InitializeResult().ProtocolVersion; got != version {
					t.Fatalf("negotiated %s", got)
				}
				ended := completeRun(t, s)
				requireProgress(t, progress, ended)
				requireResources(t, s, ended)
			})
		}
	}
}

// completeRun creates a run, approves it and waits for its end.
func completeRun(t *testing.T, s *sdk.ClientSession) tools.RunResult {
	t.Helper()
	run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{
		"intent": "Find overdue invoices", "context": "sandbox: steps=2 step_ms=5", "approvalStrategy": "ON_START", "waitSeconds": 30,
	})
	testbed.Call[tools.RunResult](t, s, "approve", map[string]any{"runId": run.RunID, "decision": "approve", "approvalId": run.PendingApprovals[0].ApprovalID})
	ended := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": run.RunID, "afterEventId": run.LastEventID, "waitSeconds": 30})
	if ended.Status != "SUCCESS" || ended.Result == nil {
		t.Fatalf("got %+v", ended)
	}
	return ended
}

// requireProgress fails the test unless progress reported the creation and then every
// event of the run in order.
func requireProgress(t *testing.T, progress <-chan string, run tools.RunResult) {
	t.Helper()
	if message := <-progress; message != "run "+string(run.RunID)+" was created" {
		t.Errorf("the first progress is %q", message)
	}
	for id := range run.LastEventID {
		if message := <-progress; !strings.HasPrefix(message, fmt.Sprintf("%d: ", id+1)) {
			t.Errorf("the progress is %q, want event %d", message, id+1)
		}
	}
}

// requireResources fails the test unless the run's events can be read as a resource
// and an unknown run cannot.
func requireResources(t *testing.T, s *sdk.ClientSession, run tools.RunResult) {
	t.Helper()
	for query, want := range map[string]string{"?limit=2": `"lastEventId":2,"more":true`, "?afterEventId=1&limit=2": `"lastEventId":3,"more":true`} {
		read, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://" + string(run.RunID) + "/events" + query})
		if err != nil || !strings.Contains(read.Contents[0].Text, want) {
			t.Errorf("%s: read %+v, %v", query, read, err)
		}
	}
	_, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://" + unknownRun})
	if err == nil || !strings.Contains(strings.ToLower(err.Error()), "resource not found") {
		t.Errorf("reading an unknown run: %v", err)
	}
}
