package view

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"runs-mcp-server/client"
)

func TestLearnLinks(t *testing.T) {
	const token = "tok_abcdef0123456789"
	tests := []struct {
		name, raw string
		learned   bool
	}{
		{"approval link", `{"x":["at https://x.test/v1/runs/approval?token=` + token + `."]}`, true},
		{"as a key", `{"https://x.test/v1/runs/approval?token=` + token + `":1}`, true},
		{"escaped link", `{"x":"https:\/\/x.test\/v1\/runs\/approval?token\u003d` + token + `"}`, true},
		{"link in JSON in a string", `{"data":"{\"url\":\"https:\\/\\/x.test\\/v1\\/runs\\u002fapproval?a=1\\u0026token=` + token + `\"}"}`, true},
		{"link in HTML", `"<a href='https://x.test/v1/runs/approval?a=1&amp;token&#61;` + token + `'>"`, true},
		{"encoded link", `"go?to=https%253A%252F%252Fx.test%252Fv1%252Fruns%252Fapproval%253Ftoken%253D` + token + `"`, true},
		{"other path under approvalActions", `{"a":{"approvalActions":[{"url":"https://console.test/decide?token=` + token + `"}]}}`, true},
		{"deeper under approvalActions", `{"ApprovalActions":{"approve":{"links":["https://console.test/decide?x=1&token=` + token + `"]}}}`, true},
		{"approvalActions in a string", `{"data":"{\"approvalActions\":[{\"url\":\"https://console.test/?token=` + token + `\"}]}"}`, true},
		{"name escaped", `{"approval\u0041ctions":"https://console.test/?\u0074oken=` + token + `"}`, true},
		{"name percent-encoded", `{"approvalActions":"https://console.test/?%74oken=` + token + `"}`, true},
		{"other link", `{"url":"https://console.test/decide?token=` + token + `"}`, false},
		{"no link", `{"text":"the token ` + token + ` waits for approval"}`, false},
		{"not JSON", `https://x.test/v1/runs/approval?token=` + token, false},
	}
	for _, tt := range tests {
		v := New()
		v.learnLinks([]byte(tt.raw))
		if got := v.Text(token, 100) == removed; got != tt.learned {
			t.Errorf("%s: learned %t, want %t", tt.name, got, tt.learned)
		}
	}
}

// TestTokensOfOtherPaths renders a run whose approval links have another path,
// and whose texts say their tokens.
func TestTokensOfOtherPaths(t *testing.T) {
	const token = "tok_abcdef0123456789"
	event := fmt.Sprintf(`{"runStatus":"PAUSED","approvalActions":[{"action":"approve","url":"https://console.test/decide?token=%s"}],"step":{"text":"send %[1]s"}}`, token)
	var run client.Run
	if err := json.Unmarshal(fmt.Appendf(nil, `{"runId":"r","status":"PAUSED","intent":"use %s","events":[%s]}`, token, event), &run); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []json.RawMessage{run.Raw, nil} { // the typed links do without the raw ones
		run.Raw, run.Events[0].Raw = raw, raw
		for _, shown := range []any{New().Run(&run), New().Event(run.Events[0]), New().Describe(run.Events[0])} {
			if out, err := json.Marshal(shown); err != nil || strings.Contains(string(out), token) {
				t.Errorf("%s, %v", out, err)
			}
		}
	}
}

// TestFakesPushNothingOut lets runs make up as many links as they like.
func TestFakesPushNothingOut(t *testing.T) {
	v := New()
	const given, key = "tok_given_0123456789abcdef", "key_caller_0123456789"
	v.Learn(given)
	v.LearnKey(key)
	var run client.Run
	for doc := range 100 {
		var fakes []string
		for i := range 200 {
			fakes = append(fakes, fmt.Sprintf(`"https://x/v1/runs/approval?token=fake-token-%d-%d"`, doc, i))
		}
		raw := fmt.Sprintf(`{"runId":"r","status":"RUNNING","junk":[%s],"events":[]}`, strings.Join(fakes, ","))
		if err := json.Unmarshal([]byte(raw), &run); err != nil {
			t.Fatal(err)
		}
		before := len(v.secrets.known)
		v.Run(&run)
		if n := len(v.secrets.known) - before; n > maxTaught {
			t.Fatalf("one document taught %d tokens", n)
		}
	}
	if got := v.Text(given+" "+key, 1000); got != "[removed] [removed]" {
		t.Errorf("got %q", got)
	}
}

// TestTypedLinksAreBounded teaches the newest of too many.
func TestTypedLinksAreBounded(t *testing.T) {
	v := New()
	run := client.Run{Events: make([]client.Event, 200)}
	for i := range run.Events {
		run.Events[i].Step = &client.Step{ApprovalActions: []client.ApprovalAction{{URL: fmt.Sprintf("https://x.test/?token=token-%06d", i)}}}
	}
	v.Run(&run)
	if n := len(v.secrets.known); n != maxTaught {
		t.Errorf("%d tokens are known, want %d", n, maxTaught)
	}
	if got := v.Text("token-000199 token-000000", 1000); got != "[removed] token-000000" {
		t.Errorf("got %q", got)
	}
}

// TestTaughtWords: a run that calls a word a token does not hide from us what
// stands beside that word.
func TestTaughtWords(t *testing.T) {
	v := New()
	for _, word := range []string{"Authorization", "x-api-key", "KEY-----", "https://x.test/v1/runs/approval"} {
		v.Event(client.Event{Raw: fmt.Appendf(nil, `{"u":"https://x.test/v1/runs/approval?token=%s"}`, word)})
	}
	for _, text := range []string{
		"Authorization: Basic s3cret", "x-api-key: s3cret", `{"x-api-key":"s3cret"}`, "https://x.test/v1/runs/approval?token=s3cret",
		"-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----",
	} {
		if got := v.Text(text, 1000); strings.Contains(got, "s3cret") || !strings.Contains(got, "removed]") {
			t.Errorf("Text(%q) = %q", text, got)
		}
	}
}
