package view

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

// canary is a secret that must be in nothing that leaves.
const canary = "CaNaRy7f3a+9c/1e=5b~2d"

// canaryForms are the forms in which a run may hold a canary, and the part of each
// that must not leave.
func canaryForms() (said, leaks []string) {
	once := url.QueryEscape(canary)
	forms := []string{canary, once, url.PathEscape(canary), url.QueryEscape(once), strings.ReplaceAll(canary, "/", `\/`),
		hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary)))}
	for _, format := range []string{"%%%02x", "%%25%02x", `\u%04x`, `\\u%04x`} {
		var out strings.Builder
		for _, c := range []byte(canary) {
			fmt.Fprintf(&out, format, c)
		}
		forms = append(forms, out.String())
	}
	said, leaks = slices.Clone(forms), forms
	for shift := range 3 {
		for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			whole := alphabet.EncodeToString([]byte("xy"[:shift] + canary + "yz"))
			said, leaks = append(said, whole), append(leaks, whole[4:24])
		}
	}
	return said, leaks
}

// canaryRun returns a run with text in every field, and with a link to authorise.
func canaryRun(t *testing.T, key, text, link string) (client.Run, []byte) {
	payload, err := json.Marshal(map[string]any{
		key: text, "nested": []any{map[string]any{key: map[string]any{text: text}}},
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

// FuzzCanary puts a secret of the reading, in every form, into every field of a run
// and its events. It must not reach a model, a notification, a log or a person.
func FuzzCanary(f *testing.F) {
	f.Add("before ", " after", "key", uint8(0))
	f.Add("\u200b", "\u202e", "approvalActions", uint8(2))
	f.Add("{\"token\":\"", "\"}", "deep", uint8(3))
	shapes, leaks := canaryForms()
	for shape := range uint8(len(shapes)) {
		f.Add("{\"a\":\"", "\"}", "text", shape)
		f.Add("Authorization: ", " x", "Authorization", shape)
		f.Add(strings.Repeat("x", 1990), strings.Repeat("\u200b", 100), "data", shape)
	}
	f.Fuzz(func(t *testing.T, before, after, key string, shape uint8) {
		// An escape that is open beside it may take what it begins with: see the
		// limits of internal/redact.
		if strings.ContainsAny(before[max(0, len(before)-8):], `%\`) || strings.ContainsAny(after[:min(8, len(after))], `%\`) {
			t.Skip("an open escape")
		}
		text := before + " " + shapes[int(shape)%len(shapes)] + " " + after
		run, payload := canaryRun(t, key, text, "https://auth.test/go?state="+url.QueryEscape(canary))
		v := view(canary)
		var log bytes.Buffer
		slog.New(LogHandler(redact.New(canary), slog.NewJSONHandler(&log, nil))).Error(text, key, text, "any", run.Result)
		event := run.Events[0]
		plan, _ := v.Plan(run.Plan, 0, 10_000)
		shown := []any{v.Event(event), v.Describe(event), v.Run(&run), v.Text(run.Context, 10_000), v.Line(text, 100), v.Value(run.Result, 10_000), plan, v.Value(payload, 500), v.Text(text, 10_000), v.AuthorizationLink(event.Auth), v.ResultRange(&run, 0, 1<<20).Text,
			v.Integration(client.Integration{CustomerIntegrationID: text, IntegrationID: text, Name: text, Description: text, Host: text, AuthType: text}), v.ToolCallsWithin(event.Step.ToolCalls, 100), log.String()}
		for i, s := range shown {
			out := JSON(s)
			for _, form := range leaks {
				quoted := JSON(form)
				if bytes.Contains(out, quoted[1:len(quoted)-1]) {
					t.Fatalf("way %d lets %q through: %.300s", i, form, out)
				}
			}
		}
	})
}
