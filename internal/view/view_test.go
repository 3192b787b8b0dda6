package view

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"runs-mcp-server/client"
)

func TestText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "hello\n\tworld", "hello\n\tworld"},
		{"bidi", "a\u202Eb\u2066c", "abc"},
		{"zero width", "pay\u200Bload\uFEFF", "payload"},
		{"tags", "hi\U000E0041\U000E0042", "hi"},
		{"variation selectors", "x\uFE0F\U000E0101y", "xy"},
		{"control", "a\x00b\x1b[31mc\r\n", "ab[31mc\n"},
		{"invalid UTF-8", "a\xffb", "a\uFFFDb"},
		{"fillers", "a\u3164\u115Fb", "ab"},
		{"approval link", "go to https://x.test/v1/runs/approval?token=abcdef now", "go to [approval link removed] now"},
		{"escaped slashes", `https:\/\/x.test\/v1\/runs\/approval?token=abcdef`, linkRemoved},
		{"encoded link", "r=https%3A%2F%2Fx.test%2Fv1%2Fruns%2Fapproval%3Ftoken%3Dabcdef end", linkRemoved + " end"},
		{"link broken by zero width", "https://x.test/v1/runs/appr\u200Boval?token=abc", linkRemoved},
		{"token parameter", "see ?token=abcdef&x=1", "see ?token=[removed]&x=1"},
		{"authorization", "Authorization: Bearer abc.def", "Authorization: [removed]"},
		{"bearer", "use bearer abcdefghijklmnop1234", "use Bearer [removed]"},
		{"quoted header", `{"x-api-key":"abcdef"}`, `{"x-api-key":"[removed]"}`},
		{"private key", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", removed},
		{"ordinary words", "a basic authorization failed; the token expired", "a basic authorization failed; the token expired"},
	}
	for _, tt := range tests {
		if got := New().Text(tt.in, 1000); got != tt.want {
			t.Errorf("%s: Text(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestTextIsCutAtARune(t *testing.T) {
	got := New().Text(strings.Repeat("ä", 100), 11)
	if want := "äääää… [190 bytes left out]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// A secret that straddles the limit is gone, not halved.
	v := New()
	v.Hide("SECRET-0123456789")
	if got := v.Text("abcde SECRET-0123456789 tail", 12); strings.Contains(got, "SECRET") {
		t.Errorf("half a secret is left: %q", got)
	}
}

func TestValue(t *testing.T) {
	v := New()
	v.Hide("hunter2hunter2")
	tests := []struct{ name, in, want string }{
		{"null", `null`, `null`},
		{"numbers stay as they are", `[1.50,9007199254740993]`, `[1.50,9007199254740993]`},
		{"secret fields", `{"Authorization":"x","api_key":1,"password":{"a":1},"ok":true}`,
			`{"Authorization":"[removed]","api_key":"[removed]","ok":true,"password":"[removed]"}`},
		{"secret in a name", `{"hunter2hunter2":1}`, `{"[removed]":1}`},
		{"deep", strings.Repeat("[", 20) + strings.Repeat("]", 20), strings.Repeat("[", 16) + `"[1 items left out: too deep]"` + strings.Repeat("]", 16)},
	}
	for _, tt := range tests {
		got, err := json.Marshal(v.Value(json.RawMessage(tt.in), 1000))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
	if got := v.Value(json.RawMessage(`{broken`), 100); got != nil {
		t.Errorf("broken JSON gave %v", got)
	}
}

func TestValueKeepsItsLimit(t *testing.T) {
	var many []string
	for i := range 10_000 {
		many = append(many, fmt.Sprintf("item %d", i))
	}
	raw, _ := json.Marshal(map[string]any{"a": many, "b": strings.Repeat("x", 100_000), "c": many})
	got, err := json.Marshal(New().Value(raw, 2000))
	if err != nil || len(got) > 2400 {
		t.Errorf("%d bytes for a limit of 2000, %v", len(got), err)
	}
	if !bytes.Contains(got, []byte("more items left out")) || !bytes.Contains(got, []byte("more fields")) {
		t.Errorf("nothing says that something is left out: %s", got[len(got)-200:])
	}
}

func TestLearnedSecretsAreBounded(t *testing.T) {
	v := New()
	v.Hide("operator-secret")
	for i := range maxLearned + 10 {
		v.Learn(fmt.Sprintf("learned-secret-%06d", i))
	}
	if n := len(v.secrets.known); n != maxLearned+1 {
		t.Errorf("%d secrets are known, want %d", n, maxLearned+1)
	}
	text := fmt.Sprintf("learned-secret-%06d learned-secret-%06d operator-secret", 0, maxLearned)
	if got, want := v.Text(text, 1000), "learned-secret-000000 [removed] [removed]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	v.Learn("word")
	if got := v.Text("a word", 100); got != "a word" {
		t.Errorf("a short word was learned as a secret: %q", got)
	}
}

func TestAuthorizationLink(t *testing.T) {
	tests := []struct {
		url string
		ok  bool
	}{
		{"https://auth.test/go?state=1", true},
		{"http://localhost:8080/x", true},
		{"http://127.0.0.1/x", true},
		{"http://auth.test/x", false},
		{"javascript:alert(1)", false},
		{"https://user:pass@auth.test/", false},
		{"https://x.test/v1/runs/approval?token=1", false},
		{"https:///nohost", false},
		{"not a url\x00", false},
	}
	for _, tt := range tests {
		got := New().AuthorizationLink(&client.Auth{URL: tt.url})
		if (got != "") != tt.ok {
			t.Errorf("AuthorizationLink(%q) = %q", tt.url, got)
		}
	}
}

func TestLogHandler(t *testing.T) {
	v := New()
	v.Hide("hunter2hunter2")
	var out bytes.Buffer
	log := slog.New(v.LogHandler(slog.NewTextHandler(&out, nil))).With("key", "hunter2hunter2").WithGroup("g")
	log.Info("hunter2hunter2", "err", errors.New("at https://x/v1/runs/approval?token=abc"), slog.Group("sub", "p", "hunter2hunter2"), "password", "p")
	for _, secret := range []string{"hunter2", "token=abc", "password=p"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, out.String())
		}
	}
}

// canary is looked for in everything that leaves.
const canary = "CaNaRy7f3a+9c/1e=5b~2d"

// forms are the shapes in which a canary must not leave.
func canaryForms() []string {
	b := []byte(canary)
	return []string{
		canary, url.QueryEscape(canary), url.PathEscape(canary), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
		strings.TrimRight(base64.StdEncoding.EncodeToString(b), "=")[:27], base64.RawURLEncoding.EncodeToString(b)[:27],
	}
}

// FuzzCanary hides an approval token in every shape and place of a run and its
// events: it leaves by no way.
func FuzzCanary(f *testing.F) {
	f.Add("before ", " after", "key", uint8(0))
	f.Add("https://x.test/v1/runs/approval?token=", "&x=1", "url", uint8(1))
	f.Add("\u200b", "\u202e", "approvalActions", uint8(2))
	f.Add("{\"token\":\"", "\"}", "deep", uint8(3))
	f.Add("a", "b", "Authorization", uint8(4))
	f.Add("x%25", "%", "text", uint8(5))
	f.Fuzz(func(t *testing.T, before, after, key string, shape uint8) {
		v := New()
		link := "https://api.test/v1/runs/approval?token=" + url.QueryEscape(canary)
		whole := []byte(canary)
		forms := append(canaryForms()[:5], base64.StdEncoding.EncodeToString(whole), base64.RawURLEncoding.EncodeToString(whole), base64.StdEncoding.EncodeToString([]byte(before+canary+after)), link, url.QueryEscape(link), url.QueryEscape(url.QueryEscape(link)))
		text := before + forms[int(shape)%len(forms)] + after
		payload, err := json.Marshal(map[string]any{
			key: text, "nested": []any{map[string]any{key: map[string]any{text: text}}}, "approvalActions": []any{map[string]string{"action": "approve", "url": link}},
			"step": map[string]any{"text": text, "reason": text, "toolCalls": []any{map[string]any{"toolName": text, "toolParameters": map[string]any{key: text}, "toolResult": text}}},
			"auth": map[string]any{"status": text, "integrationName": text, "url": link}, "runStatus": text, "timestamp": text,
		})
		if err != nil {
			t.Skip("not JSON")
		}
		runJSON, _ := json.Marshal(map[string]any{"runId": text, "status": text, "intent": text, "context": text, "result": json.RawMessage(payload), "createdAt": text, "repeatKey": text,
			"plan": map[string]any{"plan": map[string]any{"title": text, "description": text, "steps": []any{map[string]any{"id": text, "description": text}}}}, "events": []any{json.RawMessage(payload)}})
		var run client.Run
		if err := json.Unmarshal(runJSON, &run); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		event := run.Events[0]
		shown := []any{v.Event(event, true), v.Describe(event), v.RunWithContext(&run), v.Plan(run.Plan), v.Value(payload, 10_000), v.Text(text, 10_000), v.AuthorizationLink(event.Auth)}
		slog.New(v.LogHandler(slog.NewJSONHandler(&log, nil))).Error(text, key, text, "any", run.Raw)
		shown = append(shown, log.String())
		for i, s := range shown {
			out, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, form := range canaryForms() {
				quoted, _ := json.Marshal(form)
				if bytes.Contains(out, quoted[1:len(quoted)-1]) {
					t.Fatalf("way %d lets %q through: %s", i, form, out)
				}
			}
		}
	})
}

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
