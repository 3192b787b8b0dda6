package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/testbed"
)

// TestWhoCanAsk: an empty capability means forms alone, and nobody is asked in
// a mode that their client did not declare.
func TestWhoCanAsk(t *testing.T) {
	events := map[string]string{
		"PAUSED":        `[{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=abcdefghijk"}]}]`,
		"AUTH_REQUIRED": `[{"id":1,"event":"authentication","runStatus":"AUTH_REQUIRED","auth":{"status":"required","url":"https://auth.test/","integrationName":"Jira"}}]`,
	}
	beds := map[string]*testbed.Bed{}
	for status, e := range events {
		beds[status] = testbed.New(t, human, func(box http.Handler) http.Handler { return scripted(status, e)(box) })
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
			call := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_run","arguments":{"runId":%q,"waitSeconds":1},"_meta":{`+
				`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":%s}}}`, unknownRun, tt.capabilities)
			answer, err := json.Marshal(beds[status].MCP.HandleMessage(client.WithCaller(t.Context(), beds[status].Caller), json.RawMessage(call)))
			if err != nil || strings.Contains(string(answer), `"input_required"`) != want || !strings.Contains(string(answer), `"result"`) {
				t.Errorf("%s: %s: asked, want %t: %s, %v", tt.capabilities, status, want, answer, err)
			}
		}
	}
}
