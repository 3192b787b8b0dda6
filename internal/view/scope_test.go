package view

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/race"
	"runs-mcp-server/internal/redact"
)

// TestForModel: texts for a model lack only the exact secrets of the reading and what
// the patterns match.
func TestForModel(t *testing.T) {
	v := view("token-of-the-run", "key-of-a-caller")
	for _, tt := range []struct{ in, want string }{
		{"use token-of-the-run or key-of-a-caller", "use [removed] or [removed]"},
		{"Authorization: someone@example.com", "Authorization: [removed]"},
		{"Cookie: sid=of-the-day", "Cookie: [removed]"},
		{"open https://x.test/v1/runs/approval?token=no-token-of-this-run", "open [removed]"},
		{"https://shop.test/runs/approval", "https://shop.test/runs/approval"},
		{"https://shop.test/runs/approval?item=1&sig=abcdef", "https://shop.test/runs/approval?item=1&sig=abcdef"},
		{"pay DE89370400440532013000", "pay DE89370400440532013000"},
	} {
		if got := v.Text(tt.in, 1000); got != tt.want {
			t.Errorf("a model is shown %q", got)
		}
	}
}

// TestLine: a secret that is complete only after white space was joined is not shown.
func TestLine(t *testing.T) {
	if got := view("correct horse battery").Line("it is correct \n horse  battery", 100); got != "it is [removed]" {
		t.Errorf("got %q", got)
	}
}

// TestMarksKeepTheLimit holds that the marks of secrets, each a byte longer than its
// secret, do not make a text longer than its limit, and that cut marks are counted.
func TestMarksKeepTheLimit(t *testing.T) {
	for words, end := range map[int]string{
		200: "[removed] ", 202: "[removed] ", 203: "… [30 bytes left out]", 210: "… [100 bytes left out]",
		250: "… [472 bytes left out]", 10_000: "… [88222 bytes left out]",
	} {
		got := view("12345678").Text(strings.Repeat("12345678 ", words), 2000)
		if len(got) > 2000+2*markSize || !strings.HasSuffix(got, end) || strings.Contains(got, "1234") {
			t.Errorf("%d words are shown in %d bytes: …%s", words, len(got), got[len(got)-60:])
		}
	}
}

// TestNotCaught holds what docs/security.md says is not taken out. If a change
// catches more, that page changes, too.
func TestNotCaught(t *testing.T) {
	const token = "tok_0123456789abcdef"
	v := view(token)
	twice := base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(token))))
	for name, said := range map[string]string{
		"broken by white space":      token[:10] + " " + token[10:],
		"broken over lines":          token[:10] + "\n    " + token[10:],
		"half of it":                 token[:16],
		"in other letter case":       strings.ToUpper(token),
		"in HTML entities":           "&#x74;" + token[1:],
		"in base64 twice":            twice,
		"reversed":                   "fedcba9876543210_kot",
		"of another reading":         "tok_of_another_run",
		"a parameter with a name":    "https://x.test/?sig=abcdefghijklmnop&api_key=qrstuvwxyz012345",
		"a bearer without a header":  "sent with the bearer abcdefghijklmnop1234",
		"a link in HTML entities":    html.EscapeString("https://x.test/v1/runs&#x2f;approval?token=abcdefgh"),
		"a link with another path":   "https://x.test/decide?token=abcdefghijklmnop",
		"a link in base64":           base64.StdEncoding.EncodeToString([]byte("https://x.test/v1/runs/approval?token=abcdefghijklmnop")),
		"a header in words of a key": "x-api-key: abcdefghijklmnop",
	} {
		if got := v.Text(said, 1000); got != said {
			t.Errorf("%s: %q is shown as %q", name, said, got)
		}
	}
	for _, raw := range []string{`{"password":"hunter2hunter2"}`, `[{"name":"Authorization","value":"Basic abcdefghijkl"}]`} {
		if got := string(JSON(v.Value(json.RawMessage(raw), 1000))); got != raw {
			t.Errorf("%s is shown as %s", raw, got)
		}
	}
	if got := view("1234567").Text("it is 1234567", 100); got != "it is 1234567" {
		t.Errorf("a short secret is shown as %q", got)
	}
}

// TestWithheld: with too many secrets to search for no text is shown, but the run's
// id and status are.
func TestWithheld(t *testing.T) {
	var tokens []string
	for i := range 2001 {
		tokens = append(tokens, fmt.Sprintf("token-%06d", i))
	}
	const id = "123e4567-e89b-12d3-a456-426614174000"
	v := view(tokens...)
	if !v.Overfull() || view(tokens[:2000]...).Overfull() {
		t.Error("it does not tell what is too many")
	}
	run := v.Run(&client.Run{RunID: id, Status: client.Running, Intent: "an intent"})
	if run.RunID != id || run.Status != "RUNNING" || run.Intent != redact.Withheld || run.CreatedAt != "" {
		t.Errorf("got %+v", run)
	}
	shown := string(JSON(v.Value(json.RawMessage(`{"a text":["b",1]}`), 1000))) + v.ResultRange(&client.Run{Result: json.RawMessage(`{"a text":["b",1]}`)}, 0, 1000).Text
	if strings.Contains(shown, "a text") || strings.Contains(shown, `"b"`) {
		t.Errorf("shown: %s", shown)
	}
}

// TestManyTokensAreCheap: 1,400 tokens of one letter, and a result of 200 KB of that
// letter.
func TestManyTokensAreCheap(t *testing.T) {
	if race.Enabled() {
		t.Skip("the race detector takes many times the time")
	}
	var tokens []string
	for i := range 1400 {
		tokens = append(tokens, strings.Repeat("a", 40+i/40)+"b"+strings.Repeat("a", 40+i%40))
	}
	run := &client.Run{Result: json.RawMessage(`"` + strings.Repeat("a", 200<<10) + `"`)}
	best := time.Hour
	// Other work on the machine is not ours to count.
	for until := time.Now().Add(5 * time.Second); best > 50*time.Millisecond && time.Now().Before(until); {
		began := time.Now()
		if view(tokens...).ResultRange(run, 0, 1000).Total != 200<<10+2 {
			t.Fatal("something was hidden")
		}
		best = min(best, time.Since(began))
	}
	t.Logf("it took %v", best)
	if best > 50*time.Millisecond {
		t.Errorf("it took %v", best)
	}
}
