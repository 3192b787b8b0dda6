package view

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

func BenchmarkText(b *testing.B) {
	var tokens []string
	for i := range 1000 {
		tokens = append(tokens, fmt.Sprintf("learned-secret-%06d", i))
	}
	v := New(redact.New(tokens...))
	text := strings.Repeat("The run looked up 12 invoices in Salesforce. ", 40)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		v.Text(text, maxText)
	}
}

// BenchmarkEvent renders the 500 step events of a page.
func BenchmarkEvent(b *testing.B) {
	var items []string
	for i := range 500 {
		items = append(items, fmt.Sprintf(`{"id":%d,"event":"step","runStatus":"RUNNING","timestamp":"2026-01-01T00:00:00Z","step":{"approval":"NOT_REQUIRED","approvalActions":[],"reason":"The token budget allows it","text":"Look up invoice %d of 500 in Salesforce & compare","toolCalls":[{"toolCallId":"call-%[1]d","toolName":"salesforce_query","toolParameters":{"query":"SELECT Id, Amount FROM Invoice WHERE Due < TODAY","limit":100},"toolResult":{"records":[{"id":"inv-%[1]d","amount":12.5,"account":"Acme"}]}}]}}`, i+1, i+1))
	}
	var run client.Run
	if err := json.Unmarshal([]byte(`{"runId":"r","status":"RUNNING","events":[`+strings.Join(items, ",")+`]}`), &run); err != nil {
		b.Fatal(err)
	}
	v := New(redact.New("token-of-an-approval"))
	for b.Loop() {
		for _, e := range run.Events {
			v.Event(e)
		}
	}
}
