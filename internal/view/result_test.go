package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

const secret = "12345678"

// document returns a random JSON value.
func document(depth int) *rapid.Generator[any] {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", "漢字 😀 ä", "a\u200bb\u202e", `"quoted" \ <b>&amp;</b>`, "key " + secret, "https://x.test/v1/runs/approval?token=abcdefgh", "Bearer abcdefghijklmnop1234",
	}))
	leaf := rapid.OneOf(rapid.Map(text, func(s string) any { return s }), rapid.Map(rapid.Int(), func(n int) any { return n }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.SampledFrom([]any{nil, true, false, json.Number(secret), json.Number("-" + secret), json.Number("1e400")}))
	if depth == 0 {
		return leaf
	}
	name := rapid.OneOf(text, rapid.SampledFrom([]string{"token", "Author\u200bization", "cookie", "note"}))
	return rapid.OneOf(leaf, rapid.Map(rapid.SliceOfN(document(depth-1), 0, 4), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(name, document(depth-1), 0, 4), func(m map[string]any) any { return m }))
}

// cleaned is a second implementation of what the whole of a result must be.
func cleaned(v View, d *json.Decoder) string {
	token, err := d.Token()
	if err != nil {
		panic(err)
	}
	switch token := token.(type) {
	case json.Delim:
		var members []string
		for d.More() {
			member, secret := "", false
			if token == '{' {
				name, _ := d.Token()
				secret = secretField(name.(string))
				member = string(JSON(v.Text(name.(string), 1<<20))) + ":"
			}
			value := cleaned(v, d)
			if secret {
				value = `"[removed]"`
			}
			members = append(members, member+value)
		}
		closing, _ := d.Token()
		return fmt.Sprint(token) + strings.Join(members, ",") + fmt.Sprint(closing)
	case string:
		return string(JSON(v.Text(token, 1<<20)))
	case json.Number:
		if strings.Contains(token.String(), secret) {
			return string(JSON(strings.ReplaceAll(token.String(), secret, redact.Removed)))
		}
		return token.String()
	case nil:
		return "null"
	default:
		return fmt.Sprint(token)
	}
}

// TestResultRanges: parts of any size, joined, are the whole cleaned result.
func TestResultRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := view(secret)
		value := document(4).Draw(t, "result")
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "spaces") {
			var spaced bytes.Buffer
			_ = json.Indent(&spaced, raw, " ", "\t")
			raw = spaced.Bytes()
		}
		run := &client.Run{Result: raw}
		want := ""
		if value != nil {
			d := json.NewDecoder(bytes.NewReader(raw))
			d.UseNumber()
			want = cleaned(v, d)
		}
		whole := v.ResultRange(run, 0, 1<<20)
		if whole.Text != want || whole.Total != len([]rune(want)) || want != "" && !json.Valid([]byte(want)) {
			t.Fatalf("%s\nis shown as (%d) %s\nand should be  (%d) %s", raw, whole.Total, whole.Text, len([]rune(want)), want)
		}
		joined := ""
		for offset := 0; offset < whole.Total; {
			limit := rapid.IntRange(1, max(whole.Total/3, 2)).Draw(t, "limit")
			part := v.ResultRange(run, offset, limit)
			if part.Total != whole.Total || part.Digest != whole.Digest || part.Offset != offset || len([]rune(part.Text)) != min(limit, whole.Total-offset) {
				t.Fatalf("the part of %d from %d is %+v of %+v", limit, offset, part, whole)
			}
			joined += part.Text
			offset += limit
		}
		if joined != whole.Text {
			t.Fatalf("joined %s\nwhole  %s", joined, whole.Text)
		}
	})
}

func TestResultRange(t *testing.T) {
	v := view("supersecret")
	tests := []struct {
		name, raw     string
		offset, limit int
		text          string
		total         int
	}{
		{"none", "", 0, 10, "", 0},
		{"null", " null ", 0, 10, "", 0},
		{"a text", `"ä\u00e4\/"`, 1, 2, "ää", 5},
		{"beyond the end", `{"a":1}`, 7, 2, "", 7},
		{"far beyond the end", `{"a":1}`, 1 << 40, 2, "", 7},
		{"a secret is cut as a whole", `["supersecret"]`, 0, 6, `["[rem`, 13},
		{"empty string", `""`, 0, 10, `""`, 2},
		{"headers", `{"Cookie":{"a":["}"]},"x":{"authorization":"\"","token":-1,"z":0}}`, 0, 100, `{"Cookie":"[removed]","x":{"authorization":"[removed]","token":-1,"z":0}}`, 73},
		{"fields stay in order", `{"z":1,"a":2,"z":3}`, 0, 100, `{"z":1,"a":2,"z":3}`, 19},
		{"a long text stays whole", `"` + strings.Repeat("x", 100_000) + `"`, 99_990, 100, strings.Repeat("x", 11) + `"`, 100_002},
		{"deep stays whole", strings.Repeat("[", 50) + strings.Repeat("]", 50), 0, 100, strings.Repeat("[", 50) + strings.Repeat("]", 50), 100},
	}
	for _, tt := range tests {
		got := v.ResultRange(&client.Run{Result: json.RawMessage(tt.raw)}, tt.offset, tt.limit)
		if got.Text != tt.text || got.Total != tt.total || got.Offset != tt.offset {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
	one, other := v.ResultRange(&client.Run{Result: json.RawMessage(`[1]`)}, 0, 1), v.ResultRange(&client.Run{Result: json.RawMessage(`[2]`)}, 0, 1)
	if one.Text != other.Text || one.Digest == other.Digest {
		t.Errorf("results cannot be told apart: %+v, %+v", one, other)
	}
}

// BenchmarkResultRange reads a part of 1 MiB, and of 16 MiB of the worst kind.
func BenchmarkResultRange(b *testing.B) {
	words := `"` + strings.Repeat("The run looked up 12 invoices in Salesforce. ", 10) + `",`
	for _, c := range []struct {
		name, item string
		size       int
	}{{"words", words, 1 << 20}, {"huge", words, 16 << 20}, {"numbers", "0,", 16 << 20}, {"links", `"runs/approval",`, 16 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			run := &client.Run{Result: slices.Concat([]byte("["), bytes.Repeat([]byte(c.item), c.size/len(c.item)), []byte("0]"))}
			v := view("supersecret")
			b.SetBytes(int64(len(run.Result)))
			b.ReportAllocs()
			for b.Loop() {
				v.ResultRange(run, 1000, 16<<10)
			}
		})
	}
}
