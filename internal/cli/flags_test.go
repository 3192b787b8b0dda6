package cli_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/tools"
)

// TestWhatFlagsAsk lets a run wait for approval and another for authorisation,
// with a client that can ask for both, and its person declines.
func TestWhatFlagsAsk(t *testing.T) {
	form, url := []string{""}, []string{"url"}
	for _, tt := range []struct {
		flags     string
		approval  []string // modes in which the person is asked
		authorise []string
		link      bool // in the result, for who is asked declines
	}{
		{"", form, url, true},
		{"--ask-while-waiting", form, url, true},
		{"--no-ask-while-waiting", nil, nil, true},
		{"--no-ask-while-waiting --auth-links=off", nil, nil, false},
		{"--approvals=agent", nil, url, true},
		{"--approvals=agent --ask-while-waiting", form, url, true},
		{"--approvals=off --ask-while-waiting", nil, url, true},
	} {
		t.Run(tt.flags, func(t *testing.T) {
			t.Parallel()
			flags := strings.Fields("--sandbox --approval-strategy=ON_START " + tt.flags)
			asked, got := waits(t, flags, "")
			if !slices.Equal(asked, tt.approval) || got.Status != "PAUSED" || got.ApprovalStrategy != "ON_START" {
				t.Errorf("approval: asked %q, want %q: %+v", asked, tt.approval, got)
			}
			asked, got = waits(t, slices.DeleteFunc(flags, func(f string) bool { return strings.HasPrefix(f, "--approval-strategy") }), "auth=required auth_ms=60000")
			if !slices.Equal(asked, tt.authorise) || got.Status != "AUTH_REQUIRED" || (got.Authorization.URL != "") != tt.link {
				t.Errorf("authorisation: asked %q, want %q: %+v", asked, tt.authorise, got)
			}
		})
	}
}

// waits serves with flags, and creates a run and waits for it. It returns the
// modes in which the person was asked, who declined.
func waits(t *testing.T, flags []string, behaviour string) (asked []string, got tools.RunResult) {
	t.Helper()
	in, out, ended := program.ServeStdio(t, flags...)
	send := func(format string, args ...any) {
		if _, err := fmt.Fprintf(in, format+"\n", args...); err != nil {
			t.Error(err)
		}
	}
	send(`{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"form":{},"url":{}}},"clientInfo":{"name":"raw","version":"1"}}}`)
	out.Scan()
	send(`{"jsonrpc":"2.0","id":"create","method":"tools/call","params":{"name":"create_run","arguments":{"intent":"x","context":"sandbox: step_ms=1 steps=1 %s","waitSeconds":30}}}`, behaviour)
	for out.Scan() {
		var m struct {
			ID     string
			Method string
			Params struct{ Mode string }
			Result struct{ StructuredContent tools.RunResult }
		}
		if err := json.Unmarshal(out.Bytes(), &m); err != nil {
			t.Fatalf("%v: %s", err, out.Bytes())
		}
		if m.ID == "create" {
			got = m.Result.StructuredContent
			break
		}
		if m.Method == "elicitation/create" {
			asked = append(asked, m.Params.Mode)
			send(`{"jsonrpc":"2.0","id":%q,"result":{"action":"decline"}}`, m.ID)
		}
	}
	in.Close()
	for out.Scan() {
	}
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
	return asked, got
}
