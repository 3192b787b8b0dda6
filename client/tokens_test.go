package client_test

import (
	"encoding/json"
	"slices"
	"testing"

	"runs-mcp-server/client"
)

// TestApprovalTokens: tokens are read at the two places of the contract, and
// nowhere else.
func TestApprovalTokens(t *testing.T) {
	const link = `[{"action":"approve","url":"https://x.test/v1/runs/approval?token=`
	for name, tt := range map[string]struct {
		events string
		want   []string
	}{
		"of a run and of a step":   {`{"approvalActions":` + link + `a%2Fb"}]},{"step":{"approvalActions":` + link + `c"},{"action":"deny","url":"https://y.test/?x=1&token=d"}]}}`, []string{"a/b", "c", "d"}},
		"at both places of one":    {`{"approvalActions":` + link + `a"}],"step":{"approvalActions":` + link + `b"}]}}`, []string{"a", "b"}},
		"nested payload":           {`{"id":1,"event":"step","data":{"step":{"approvalActions":` + link + `a"}]}}}`, []string{"a"}},
		"links without one":        {`{"approvalActions":[{"action":"approve","url":"https://x.test/decide"},{"action":"deny","url":"%"},{"action":"deny"}]}`, nil},
		"a text, another field":    {`{"step":{"text":"https://x.test/v1/runs/approval?token=a"},"nested":{"approvalActions":` + link + `b"}]}}`, nil},
		"a tool call's parameters": {`{"step":{"toolCalls":[{"toolName":"x","toolParameters":{"approvalActions":` + link + `a"}]}}]}}`, nil},
		"no events":                {``, nil},
	} {
		var run client.Run
		raw := `{"runId":"r","repeatKey":"{\"approvalActions\":[{\"url\":\"https://x.test/v1/runs/approval?token=e\"}]}","events":[` + tt.events + `]}`
		if err := json.Unmarshal([]byte(raw), &run); err != nil {
			t.Fatal(err)
		}
		if got := run.ApprovalTokens(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
