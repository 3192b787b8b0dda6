package setting

import (
	"strings"
	"testing"
	"unicode/utf16"
)

func TestProblem(t *testing.T) {
	for value, want := range map[string]string{
		"": "", "user@example.com": "", "https://api.example.com/%41": "", "it's": "", "100%": "", "a$": "", "cost: $5": "",
		"${TR_API_URL}": "variable", "x ${input:key} y": "variable", "{env:KEY}": "variable", "{file:a}": "variable", "$TR_USER_ID": "variable",
		"$env:USER": "variable", "%USER%": "variable",
		`"quoted"`: "quotes", "'quoted'": "quotes", "`quoted`": "quotes", "“quoted”": "quotes", "'first": "quotes", "last'": "quotes",
		"'it's'": "quotes", "a'b": "", "'": "quotes", "'a'b": "",
	} {
		got := Problem(value)
		if want == "" && got != "" || !strings.Contains(got, want) || value != "" && len(value) > 6 && strings.Contains(got, value) {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}

func TestKeyProblem(t *testing.T) {
	for key, want := range map[string]string{
		"k-0123456789": "", "sk_live_$dollar$9": "", "abc=": "", "YWJjZA==": "", "a{b}c": "", "api-key-0123": "", "xx-17": "", "api-key-z": "", "api-key-0": "", "api-key-9": "",
		"TR_API_KEY=k-0123": "name and a value", "export TR_API_KEY=k": "name and a value", "$env:KEY=k-0": "name and a value", "myToken = k": "name and a value",
		"x-api-key: k-0123": "header", "Authorization: Bearer k": "header", "Bearer k-0123": "header",
		"${TR_API_KEY}": "variable", "$TR_API_KEY": "variable", "%TR_API_KEY%": "variable", "{{key}}": "variable", "pre${x}": "variable",
		"op://vault/item": "address", `"k-0123"`: "quotes", "'k-0123'": "quotes",
		"your-api-key": "placeholder", "YOUR_API_KEY_HERE": "placeholder", "<key>": "placeholder", "sk-...": "placeholder", "key…": "placeholder", "changeme": "placeholder",
		"xxxxx": "placeholder", "insert your toolregistry api key here": "placeholder",
		"two words": "whitespace", "line\nbreak": "whitespace", "nul\x00": "whitespace", "bad\xff": "whitespace", "\u200b": "placeholder",
	} {
		got := KeyProblem(key)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
		if len(key) > 8 && strings.Contains(got, key) {
			t.Errorf("%q: the text quotes the key: %q", key, got)
		}
	}
}

func TestTrimKey(t *testing.T) {
	utf16LE := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(" kéy\r\n")) {
		utf16LE = append(utf16LE, byte(unit), byte(unit>>8))
	}
	for text, want := range map[string]string{
		"": "", " \r\n": "", "key": "key", " \tkey\r\n": "key", "\ufeffkey\n": "key", "k e y": "k e y", "\xff": "\xff",
		string(utf16LE): "kéy", string(append(utf16LE, 'x')): "kéy", "\xff\xfe": "",
	} {
		if got := TrimKey(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
