package rawjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// walked says what a value holds, as this package walks it.
func walked(value []byte) any {
	switch value[0] {
	case '[':
		out := []any{}
		for item := range Items(value) {
			out = append(out, walked(item))
		}
		return out
	case '{':
		out := map[string]any{}
		for name, field := range Members(value) {
			s, _ := String(name)
			out[s] = walked(field)
		}
		return out
	case '"':
		s, _ := String(value)
		return s
	case 'n':
		return nil
	case 't', 'f':
		return value[0] == 't'
	}
	return json.Number(value)
}

// text draws JSON text, some of it as no encoder writes it.
func text(depth int) *rapid.Generator[string] {
	pieces := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "[", "]", "{", "}", ",", ":", " ", `\"`, `\\`, `\n`, `\/`, `\b`, `\f`, `\r`, `\t`, `\u00e4`, `\ud83d\ude00`, `\ud83d`, `\ude00`, "\xff", "漢", "\u2028", `\u005c`}), 0, 6)
	quoted := rapid.Map(pieces, func(p []string) string { return `"` + strings.Join(p, "") + `"` })
	leaf := rapid.OneOf(quoted, rapid.SampledFrom([]string{"0", "-1.5e+7", "true", "false", "null", `""`}))
	if depth == 0 {
		return leaf
	}
	blank := rapid.SampledFrom([]string{"", " ", "\n\t", "\r"})
	list := rapid.Custom(func(t *rapid.T) string {
		opening, closing := "[", "]"
		object := rapid.Bool().Draw(t, "object")
		if object {
			opening, closing = "{", "}"
		}
		b := func() string { return blank.Draw(t, "blank") }
		var items []string
		for range rapid.IntRange(0, 4).Draw(t, "items") {
			name := ""
			if object {
				name = quoted.Draw(t, "name") + b() + ":"
			}
			items = append(items, b()+name+b()+text(depth-1).Draw(t, "item")+b())
		}
		return opening + b() + strings.Join(items, ",") + closing
	})
	return rapid.OneOf(leaf, list)
}

// TestWalk: walking valid text finds what encoding/json decodes.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := text(4).Draw(t, "text")
		d := json.NewDecoder(strings.NewReader(raw))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if got := fmt.Sprintf("%#v", walked([]byte(raw))); got != fmt.Sprintf("%#v", want) {
			t.Fatalf("%q is walked as\n%s, and says\n%#v", raw, got, want)
		}
		var tokens, compact bytes.Buffer
		for from, end := Token([]byte(raw), 0); from < end; from, end = Token([]byte(raw), end) {
			tokens.WriteString(raw[from:end])
		}
		if json.Compact(&compact, []byte(raw)) != nil || tokens.String() != compact.String() {
			t.Fatalf("the tokens of %q are %q", raw, tokens.String())
		}
		if s, ok := want.(string); ok {
			checkString(t, raw, s)
		}
	})
}

func checkString(t *rapid.T, raw, want string) {
	if n := Len([]byte(raw)); n != len(want) {
		t.Fatalf("%q has %d bytes, not %d", raw, n, len(want))
	}
	head, left := Prefix([]byte(raw), rapid.IntRange(0, len(raw)).Draw(t, "most"))
	if !strings.HasPrefix(want, head) || len(head)+left != len(want) {
		t.Fatalf("%q begins with %q, and %d bytes follow; it says %q", raw, head, left, want)
	}
}

func TestString(t *testing.T) {
	for _, tt := range []struct {
		raw, text string
		ok        bool
	}{{`""`, "", true}, {`"a"`, "a", true}, {`"`, "", false}, {`[]`, "", false}, {``, "", false}} {
		if text, ok := String([]byte(tt.raw)); text != tt.text || ok != tt.ok {
			t.Errorf("%s: %q %v, want %q %v", tt.raw, text, ok, tt.text, tt.ok)
		}
	}
}

func TestName(t *testing.T) {
	known := []string{"runId", "status", "k"}
	for quoted, want := range map[string]string{
		`"runId"`: "runId", `"RUNID"`: "runId", `"run\u0049d"`: "runId", `"runIds"`: "", `""`: "", `"ſtatus"`: "status", `"\u212a"`: "k", `"`: "",
	} {
		if got := Name([]byte(quoted), known); got != want {
			t.Errorf("%s is %q, not %q", quoted, got, want)
		}
	}
}

// FuzzWalk: whatever the bytes are, the walk ends and does not panic.
func FuzzWalk(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"b\"",{}]}`, `{"a"`, `[,]`, `[:]`, `{"a":}`, `"\u12`, `["\`, `{"a":1 2}`, `[}`, `[1}]`, ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for value := range Items(raw) {
			String(value)
			Prefix(value, 3)
		}
		for name, value := range Members(raw) {
			Name(name, []string{"a"})
			Len(value)
			Count(value)
		}
		for from, end := Token(raw, 0); from < end; from, end = Token(raw, end) {
		}
	})
}
