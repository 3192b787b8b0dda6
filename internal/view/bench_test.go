package view

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"runs-mcp-server/client"
)

func BenchmarkText(b *testing.B) {
	v := New()
	for i := range 1000 {
		v.Learn(fmt.Sprintf("learned-secret-%06d", i))
	}
	text := strings.Repeat("The run looked up 12 invoices in Salesforce. ", 40)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		v.Text(text, maxText)
	}
}

// BenchmarkManyTokens searches texts made to be slow for as many tokens as are
// remembered, all of one kind.
func BenchmarkManyTokens(b *testing.B) {
	const head = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
	jwt, crowd := New(), New()
	for i := range maxKept {
		sum := sha256.Sum256(fmt.Append(nil, i))
		jwt.Learn(head + base64.RawURLEncoding.EncodeToString(sum[:]))
		crowd.secrets.add(strings.Repeat("a", 40+i/64)+"b"+strings.Repeat("a", 40+i%64), found)
	}
	texts := []struct {
		name string
		view *View
		text string
	}{
		{"words", jwt, strings.Repeat("The run looked up 12 invoices. ", 600)},
		{"heads", jwt, strings.Repeat(head, 500)},
		{"encoded", jwt, strings.Repeat("%2525"+`\u005c`+"&amp;", 1100)},
		{"crowd", crowd, strings.Repeat("a", 18<<10)},
	}
	for _, tt := range texts {
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(len(tt.text)))
			for b.Loop() {
				tt.view.Text(tt.text, maxText)
			}
		})
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
	v := New()
	for i := range 100 {
		v.Learn(fmt.Sprintf("learned-secret-%06d", i))
	}
	for b.Loop() {
		for _, e := range run.Events {
			v.Event(e)
		}
	}
}
