package view

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"runs-mcp-server/client"
)

// canary is looked for in everything that leaves.
const canary = "CaNaRy7f3a+9c/1e=5b~2d"

// canaryForms are the shapes in which a canary must not leave.
func canaryForms() []string {
	b := []byte(canary)
	return append([]string{
		canary, url.QueryEscape(canary), url.PathEscape(canary), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
		strings.TrimRight(base64.StdEncoding.EncodeToString(b), "=")[:27], base64.RawURLEncoding.EncodeToString(b)[:27],
	}, encodings(canary)...)
}

// encodings are the shapes that a secret is recognised in by decoding.
func encodings(s string) []string {
	once := url.QueryEscape(s)
	twice := url.QueryEscape(once)
	each := func(format string) string {
		var out strings.Builder
		for _, c := range []byte(s) {
			if c >= '0' {
				out.WriteByte(c)
			} else {
				fmt.Fprintf(&out, format, c)
			}
		}
		return out.String()
	}
	return []string{
		each("%%%02x"), each("%%25%02x"), twice, url.QueryEscape(twice),
		strings.ReplaceAll(s, "/", `\/`), each(`\u%04x`), each(`\\u%04x`), each("&#x%x;"), each("&#%d;"), each("&amp;#%d;"), html.EscapeString(each("%%%02x")) + "&amp;",
	}
}

func TestEncodedSecrets(t *testing.T) {
	const token = "tok/en+S3cret.0123456789"
	v := New()
	v.Learn(token)
	for _, form := range encodings(token) {
		if got := v.Text("see ("+form+") there", 1000); got != "see [removed] there" {
			t.Errorf("%q is shown as %q", form, got)
		}
	}
	// An escape that is not closed may eat what the secret begins with.
	eaten := New()
	eaten.Learn("41bc/3456789abcdef")
	for _, text := range []string{"%41bc%2f3456789abcdef", `\u41bc\/3456789abcdef`, "&#x41bc&#x2f;3456789abcdef", "%25" + "41bc%252f3456789abcdef"} {
		if got := eaten.Text(text, 1000); got != removed {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
	for _, text := range []string{"100% of R&D", `C:\users\x`, "a%20b", "Q&amp;A", `{"a":"\u003cb\u003e"}`} {
		if got := v.Text(text, 1000); got != text {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
}

// canaryRun returns a run, and the payload of its one event, that say text in
// every place, and give link for an approval and an authorisation.
func canaryRun(t *testing.T, key, text, link string) (client.Run, []byte) {
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
	return run, payload
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
	for shape := range uint8(32) {
		f.Add("{\"a\":\"", "\"}", "text", shape)
		f.Add("%4", "&#", "data", shape)
	}
	f.Fuzz(func(t *testing.T, before, after, key string, shape uint8) {
		v := New()
		link := "https://api.test/v1/runs/approval?token=" + url.QueryEscape(canary)
		whole := []byte(canary)
		forms := append(canaryForms()[:5], base64.StdEncoding.EncodeToString(whole), base64.RawURLEncoding.EncodeToString(whole), base64.StdEncoding.EncodeToString([]byte(before+canary+after)), link, url.QueryEscape(link), url.QueryEscape(url.QueryEscape(link)))
		forms = append(append(forms, encodings(canary)...), encodings(link)...)
		text := before + forms[int(shape)%len(forms)] + after
		run, payload := canaryRun(t, key, text, link)
		var log bytes.Buffer
		event := run.Events[0]
		shown := []any{v.Event(event), v.Describe(event), v.Run(&run), v.Text(run.Context, 10_000), v.Value(run.Result, 10_000), plan(v, run.Plan), v.Value(payload, 10_000), v.Text(text, 10_000), v.AuthorizationLink(event.Auth), json.RawMessage(v.ResultRange(&run, 0, 1<<20).Text)}
		shown = append(shown, v.Integration(client.Integration{CustomerIntegrationID: text, IntegrationID: text, Name: text, Description: text, Host: text, AuthType: text, Raw: payload}), v.ToolCallsWithin(event.Step.ToolCalls, 100))
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

func plan(v *View, p *client.Plan) *Plan {
	shown, _ := v.Plan(p, 0, 10_000)
	return shown
}
