package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

// view returns a View that takes out some secrets.
func view(secrets ...string) View { return New(redact.New(secrets...)) }

func TestText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "hello\n\tworld", "hello\n\tworld"},
		{"bidi", "a\u202Eb\u2066c", "abc"},
		{"zero width", "pay\u200Bload\uFEFF", "payload"},
		{"tags", "hi\U000E0041\U000E0042", "hi"},
		{"variation selectors", "x\uFE0F\U000E0101y", "xy"},
		{"control", "a\x00b\x1b[31mc\r\n", "ab[31mc\n"},
		{"invalid UTF-8", "a\xffb", "a\uFFFDb"},
		{"fillers", "a\u3164\u115F\u2800\U00016FE4b", "ab"},
		{"default ignorable", "a\u00AD\u034F\u2065\uFFF0\uFFF8\U0001BCA0\U0001D173\U000E0FFFb", "ab"},
		{"no characters", "a\uFFFE\uFDD0\U0010FFFFb", "ab"},
		{"line separators", "a\u2028b\u2029c", "a\nb\nc"},
		{"ordinary scripts", "ä Ж 漢字 😀 é", "ä Ж 漢字 😀 é"},
		{"approval link", "go to https://x.test/v1/runs/approval?token=abcdef now", "go to [removed] now"},
		{"escaped slashes", `https:\/\/x.test\/v1\/runs\/approval?token=abcdef`, "[removed]"},
		{"encoded link", "r=https%3A%2F%2Fx.test%2Fv1%2Fruns%2Fapproval%3Ftoken%3Dabcdef end", "[removed] end"},
		{"link broken by zero width", "https://x.test/v1/runs/appr\u200Boval?token=abc", "[removed]"},
		{"authorization", "Authorization: Bearer abc.def", "Authorization: [removed]"},
		{"cookies", `Cookie: a=b; sid=abc.def`, "Cookie: [removed]"},
		{"private key", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", "[removed]"},
		{"ordinary words", "a basic authorization failed; the token expired", "a basic authorization failed; the token expired"},
	}
	for _, tt := range tests {
		if got := view().Text(tt.in, 1000); got != tt.want {
			t.Errorf("%s: Text(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestTextIsCutAtARune(t *testing.T) {
	got := view().Text(strings.Repeat("ä", 100), 11)
	if want := "äääää… [190 bytes left out]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// A secret that straddles the limit is gone, not halved.
	v := view("SECRET-0123456789")
	if got := v.Text("abcde SECRET-0123456789 tail", 12); strings.Contains(got, "SECRET") {
		t.Errorf("half a secret is left: %q", got)
	}
}

func TestValue(t *testing.T) {
	v := view("hunter2hunter2")
	tests := []struct{ name, in, want string }{
		{"null", `null`, `null`},
		{"numbers stay as they are", `[1.50,9007199254740993]`, `[1.50,9007199254740993]`},
		{"headers", `{"Authorization":"x","cookie":1,"Set-Cookie":{"a":1},"PROXY-AUTHORIZATION":[1],"ok":true}`,
			`{"Authorization":"[removed]","PROXY-AUTHORIZATION":"[removed]","Set-Cookie":"[removed]","cookie":"[removed]","ok":true}`},
		{"headers with invisible names", `{"coo\u200bkie":"x"}`, `{"cookie":"[removed]"}`},
		{"other names", `{"api_key":"x","password":"y","token":"z","name":"Authorization","value":"Pay the invoice"}`,
			`{"api_key":"x","name":"Authorization","password":"y","token":"z","value":"Pay the invoice"}`},
		{"numbers no float64 holds", `[1e400,-1e400,1e-400,1e308]`, `["1e400","-1e400",1e-400,1e308]`},
		{"names that look alike", `{"amount":1000,"amo\u200bunt":1,"amo\u2060unt":2}`, `{"amount":1000,"amount [again]":1,"amount [again] [again]":2}`},
		{"names that are cut", `{"` + strings.Repeat("n", 200) + `a":1,"` + strings.Repeat("n", 200) + `b":2}`,
			`{"` + strings.Repeat("n", 128) + `… [73 bytes left out]":1,"` + strings.Repeat("n", 128) + `… [73 bytes left out] [again]":2}`},
		{"secret in a name", `{"hunter2hunter2":1}`, `{"[removed]":1}`},
		{"deep", strings.Repeat("[", 20) + strings.Repeat("]", 20), strings.Repeat("[", 16) + `"[1 items left out: too deep]"` + strings.Repeat("]", 16)},
	}
	for _, tt := range tests {
		got, err := json.Marshal(v.Value(json.RawMessage(tt.in), 1000))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
	if got := v.Value(nil, 100); got != nil {
		t.Errorf("no value gave %v", got)
	}
}

func TestValueKeepsItsLimit(t *testing.T) {
	var many []string
	for i := range 10_000 {
		many = append(many, fmt.Sprintf("item %d", i))
	}
	raw, _ := json.Marshal(map[string]any{"a": many, "b": strings.Repeat("x", 100_000), "c": many})
	got, err := json.Marshal(view().Value(raw, 2000))
	if err != nil || len(got) > 2400 {
		t.Errorf("%d bytes for a limit of 2000, %v", len(got), err)
	}
	for _, mark := range []string{`more items left out]"]`, `bytes left out]"`, `x…`} {
		if !bytes.Contains(got, []byte(mark)) {
			t.Errorf("nothing says %q: %s", mark, got)
		}
	}
}

// TestSmallFieldsStay: where a large field is cut, small ones are shown, wherever
// their names stand.
func TestSmallFieldsStay(t *testing.T) {
	large := strings.Repeat("x", 5000)
	for _, tt := range []struct {
		in    any
		limit int
		want  string
	}{
		{map[string]any{"a": large, "status": "done", "z": 1}, 1000, `{"a":"x+… [N bytes left out]","status":"done","z":1}`},
		{map[string]any{"a": large}, 5010, `{"a":"x+"}`},
		{map[string]any{"query": "what was paid"}, 10, `{"query":"what was paid"}`}, // a mark would take as much
		{map[string]any{"a": strings.Repeat("x", 10+markSize-4)}, 10, `{"a":"… [N bytes left out]"}`},
		{map[string]any{"a": strings.Repeat("x", 10+markSize-3)}, 10, `{"[left out]":"1 more fields"}`},
		{map[string]any{"a": map[string]any{"b": large, "c": large}, "d": 1}, 150, `{"a":{"b":"x+… [N bytes left out]","c":"x+… [N bytes left out]"},"d":1}`},
		{map[string]any{"a": large, "b": large, "c": large, "d": true}, 60, `{"[left out]":"3 more fields","d":true}`},
		{map[string]any{"[left out]": 1, "b": large, "c": large, "d": large}, 60, `{"[left out]":"3 more fields","[left out] [again]":1}`},
	} {
		raw, _ := json.Marshal(tt.in)
		got, err := json.Marshal(view().Value(raw, tt.limit))
		short := regexp.MustCompile(`x+`).ReplaceAllString(string(got), "x+")
		short = regexp.MustCompile(`\[\d+ bytes`).ReplaceAllString(short, "[N bytes")
		if err != nil || short != tt.want || len(got) > tt.limit+150 {
			t.Errorf("in %d bytes: %d bytes %s, %v; want %s", tt.limit, len(got), short, err, tt.want)
		}
	}
	many := map[string]any{}
	for i := range 10_000 {
		many[fmt.Sprint(i)] = i
	}
	raw, _ := json.Marshal(many)
	if got, err := json.Marshal(view().Value(raw, 500)); err != nil || len(got) > 600 || !bytes.Contains(got, []byte(` more fields"`)) {
		t.Errorf("%d bytes: %s, %v", len(got), got, err)
	}
}

// TestFieldKeepsItsLimit: a cut field leaves room for its name and punctuation.
func TestFieldKeepsItsLimit(t *testing.T) {
	raw, _ := json.Marshal(map[string]any{"name": strings.Repeat("x", 5000)})
	for limit := 100; limit < 1000; limit++ {
		if got, err := json.Marshal(view().Value(raw, limit)); err != nil || len(got) > limit || len(got) < limit-10 {
			t.Errorf("in %d bytes: %d bytes, %v", limit, len(got), err)
		}
	}
}

// TestPlanIsBounded: a part of a plan has a maximum size and says how many steps are
// left. The parts show every step once.
func TestPlanIsBounded(t *testing.T) {
	for name, step := range map[string]client.PlanStep{
		"many":  {ID: "1", Description: "go"},
		"long":  {ID: "1", Description: strings.Repeat("lorem ipsum ", 300)},
		"woven": {ID: "1", Description: "go", DependsOnSteps: slices.Repeat([]string{strings.Repeat("d", 100)}, 100)},
	} {
		const steps, limit = 60, 8 << 10
		plan := &client.Plan{Description: "All of it.", Steps: slices.Repeat([]client.PlanStep{step}, steps)}
		for from := 0; from < steps; {
			shown, left := view().Plan(plan, from, limit)
			if n := len(JSON(shown)); n > limit+6<<10 || len(shown.Steps) == 0 || from+len(shown.Steps)+left != steps {
				t.Fatalf("%s: %d bytes, %d steps from %d on, %d left", name, n, len(shown.Steps), from, left)
			}
			from += len(shown.Steps)
		}
	}
	if shown, left := view().Plan(nil, 0, 100); shown != nil || left != 0 {
		t.Errorf("no plan is shown as %+v", shown)
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
		{"https://auth.test/go?next=runs%25252Fapproval", false},
		{"https://auth.test/go?next=tok%252fen-0123456789", false},
		{"https:///nohost", false},
		{"https://:443/x", false},
		{"https://\u0430uth.test/", false}, // the first letter is Cyrillic
		{"https://xn--uth-5cd.test/", true},
		{"https://auth.test/v1/runs/./approval?token=1", false},
		{"https://auth.test/v1//runs//approval?token=1", false},
		{"https://auth.test/go//on/?state=1", true},
		{"https://auth.test/v1/runs%5Capproval?token=1", false},
		{"https://auth.test/v1/runs%252f.%252fapproval?token=1", false},
		{"https://auth.test/authorization?state=1&code=secret", true},
		{"https://auth.test/%zz%41?x=100%", false},
		{"not a url\x00", false},
	}
	for _, tt := range tests {
		v := view("tok/en-0123456789")
		got := v.AuthorizationLink(&client.Auth{URL: tt.url})
		if (got != "") != tt.ok {
			t.Errorf("AuthorizationLink(%q) = %q", tt.url, got)
		}
	}
}

func TestLogHandler(t *testing.T) {
	const words = "hunter2hunter2"
	var out bytes.Buffer
	log := slog.New(LogHandler(redact.New(words), slog.NewTextHandler(&out, nil))).With("key", words).WithGroup("g")
	log.Info(words, "err", errors.New("at https://x/v1/runs/approval?token=abc"), slog.Group("sub", "p", words), "coo\u200bkie", "sid=p", "n", 7, "of", client.Key("a-key-that-nobody-knows"))
	for _, secret := range []string{"hunter2", "token=abc", "sid=p", "nobody"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, out.String())
		}
	}
	if !strings.Contains(out.String(), "g.n=7") || strings.Count(out.String(), redact.Removed) != 5 {
		t.Errorf("log: %s", out.String())
	}
}

// TestLogHasNoWordsOfTheAPI: the log has no text of an API error, however deep the
// error is wrapped.
func TestLogHasNoWordsOfTheAPI(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `{"message":"the words of the API"}`)
	}))
	defer upstream.Close()
	api, err := client.New(client.Options{URL: upstream.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	failed := api.AbortRun(t.Context(), client.Caller{Key: "k"}, "123e4567-e89b-12d3-a456-426614174000")
	var out bytes.Buffer
	log := slog.New(LogHandler(redact.New(), slog.NewTextHandler(&out, nil)))
	log.With("error", failed).Info("x", "error", fmt.Errorf("it failed: %w", failed), slog.Group("deep", "error", errors.Join(failed)))
	if said := out.String(); !strings.Contains(failed.Error(), "words") || strings.Contains(said, "words") || strings.Count(said, "kind=conflict") != 3 || strings.Count(said, "status=409") != 3 {
		t.Errorf("of %v the log says %s", failed, said)
	}
}

// TestCutIsTheSameEachTime: two renderings of a value are equal.
func TestCutIsTheSameEachTime(t *testing.T) {
	large := func(n int) string { return strings.Repeat("x", n) }
	raw, _ := json.Marshal(map[string]any{"headers": map[string]any{"p": large(1600), "q": large(1600), "r": large(100)}, "body": large(3260), "list": []any{large(50), map[string]any{"a": large(3000), "b": 1}}})
	first := string(JSON(view().Value(raw, 3000)))
	for range 200 {
		if again := string(JSON(view().Value(raw, 3000))); again != first {
			t.Fatalf("it differs:\n%s\n%s", first, again)
		}
	}
}
