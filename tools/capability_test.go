package tools_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// TestWhoCanAsk: an empty capability means forms alone, and nobody is asked in
// a mode that their client did not declare.
func TestWhoCanAsk(t *testing.T) {
	events := map[string]string{
		"PAUSED":        `[{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=abcdefghijk"}]}]`,
		"AUTH_REQUIRED": `[{"id":1,"event":"authentication","runStatus":"AUTH_REQUIRED","auth":{"status":"required","url":"https://auth.test/","integrationName":"Jira"}}]`,
	}
	for _, tt := range []struct {
		capabilities string
		form, url    bool
	}{
		{`{}`, false, false},
		{`{"elicitation":null}`, false, false},
		{`{"elicitation":{}}`, true, false},
		{`{"elicitation":{"form":{}}}`, true, false},
		{`{"elicitation":{"url":{}}}`, false, true},
		{`{"elicitation":{"form":{},"url":{}}}`, true, true},
		{`{"elicitation":{"form":null,"url":null}}`, true, false},
		{`{"sampling":{}}`, false, false},
	} {
		for status, want := range map[string]bool{"PAUSED": tt.form, "AUTH_REQUIRED": tt.url} {
			bed := testbed.New(t, human, scripted(status, events[status]))
			call := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_run","arguments":{"runId":%q,"waitSeconds":1},"_meta":{`+
				`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":%s}}}`, unknownRun, tt.capabilities)
			answer, err := json.Marshal(bed.MCP.HandleMessage(client.WithCaller(t.Context(), bed.Caller), json.RawMessage(call)))
			if err != nil || strings.Contains(string(answer), `"input_required"`) != want || !strings.Contains(string(answer), `"result"`) {
				t.Errorf("%s: %s: asked, want %t: %s, %v", tt.capabilities, status, want, answer, err)
			}
		}
	}
}

// TestWhoIsAskedWhileWaiting: a waiting call asks nobody where the operator
// does not have it so, though the client can.
func TestWhoIsAskedWhileWaiting(t *testing.T) {
	for _, tt := range []struct {
		name      string
		change    func(*tools.Options)
		questions int
		nextStep  string
	}{
		{"human", human, 1, "Do not ask again"},
		{"human, not while waiting", func(o *tools.Options) { o.Approvals = tools.ApprovalsHuman }, 0, "Call approve with runId: the user is asked"},
		{"agent", nil, 0, "Judge what would happen"},
		{"agent, while waiting", func(o *tools.Options) { o.AskApprovals = true }, 1, "Do not ask again"},
		{"off", func(o *tools.Options) { human(o); o.Approvals = tools.ApprovalsOff }, 0, "Tell the user to decide in the vendor's console"},
		{"read-only", func(o *tools.Options) { human(o); o.ReadOnly = true }, 0, "Tell the user to decide in the vendor's console"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachAskingRevision(t, func(t *testing.T, version string) {
				bed := testbed.New(t, tt.change, scripted("PAUSED", "["+twin(1)+"]"))
				who := &person{answers: []answer{does("decline")}}
				got := testbed.Call[tools.RunResult](t, bed.ConnectWith(version, who.options()), "get_run", map[string]any{"runId": unknownRun, "waitSeconds": 30})
				if len(who.questions()) != tt.questions || got.WaitEnded != "needs_person" || !strings.HasPrefix(got.NextStep, tt.nextStep) {
					t.Errorf("%d questions, want %d; %s, %q", len(who.questions()), tt.questions, got.WaitEnded, got.NextStep)
				}
			})
		})
	}
}

// TestApproveOnTheWire says who decides; it is not there where nobody does. Nothing
// makes a client confirm the call: headless ones would refuse it outright.
func TestApproveOnTheWire(t *testing.T) {
	for mode, says := range map[tools.Approvals]string{
		tools.ApprovalsHuman: "The user decides, never the model",
		tools.ApprovalsAgent: "The operator lets the model decide",
		tools.ApprovalsOff:   "",
	} {
		eachAskingRevision(t, func(t *testing.T, version string) {
			bed := testbed.New(t, func(o *tools.Options) { o.Approvals = mode }, nil)
			list, err := bed.Connect(version, nil).ListTools(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(list.Tools, func(tool *sdk.Tool) bool { return tool.Name == "approve" })
			switch {
			case says == "" && i < 0:
			case i < 0 || !strings.Contains(list.Tools[i].Description, says) || len(list.Tools[i].Meta) > 0:
				t.Errorf("%s: got %+v", mode, list.Tools)
			}
		})
	}
}
