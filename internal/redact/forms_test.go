package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

const (
	secretA = "tok/en+S3cret~.0123456789=="
	secretB = `pass word "with\back" Ünï & 50%` + "\nline 2"
)

func quoted(s string) string {
	out, _ := json.Marshal(s)
	return string(out[1 : len(out)-1])
}

// each writes every nth byte in a format and the others as they are.
func each(s, format string, nth int) string {
	var b strings.Builder
	for i := range len(s) {
		if i%nth == 0 {
			fmt.Fprintf(&b, format, s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// escapedForms returns a secret as encoders that escape write it.
func escapedForms(s string) map[string]string {
	forms := map[string]string{
		"JSON": quoted(s), "JSON in JSON": quoted(quoted(s)), "JSON four times": quoted(quoted(quoted(quoted(s)))),
		"escaped slashes": strings.ReplaceAll(quoted(s), "/", `\/`), "escaped slashes in JSON": quoted(strings.ReplaceAll(quoted(s), "/", `\/`)),
		"query": url.QueryEscape(s), "path": url.PathEscape(s), "lower-case query": lowerEscapes(url.QueryEscape(s)),
		"query twice": url.QueryEscape(url.QueryEscape(s)), "query of JSON": url.QueryEscape(quoted(s)), "JSON of query": quoted(url.QueryEscape(s)),
		"percent": each(s, "%%%02X", 1), "lower-case percent": each(s, "%%%02x", 1), "percent twice": each(s, "%%25%02X", 1),
	}
	// Half a character would be no text, and half of \r\n an invisible character.
	if !strings.ContainsFunc(s, func(r rune) bool { return r > '~' || r == '\r' }) {
		forms["percent here and there"] = each(s, "%%%02x", 3)
		forms["percent four times"] = each(s, "%%252525%02X", 2)
		forms["percent and then JSON"] = each(each(s, "%%%02x", 2), `\u%04x`, 3)
		forms["unicode escapes"] = each(s, `\u%04x`, 1)
		forms["upper-case unicode escapes"] = each(s, `\u%04X`, 1)
		forms["unicode escapes in JSON"] = each(s, `\\u%04x`, 2)
		forms["unicode escapes of percent"] = each(each(s, "%%%02x", 1), `\u%04x`, 2)
	}
	return forms
}

func lowerEscapes(s string) string {
	out := []byte(s)
	for i, c := range out {
		if i > 0 && s[i-1] == '%' || i > 1 && s[i-2] == '%' {
			out[i] = strings.ToLower(string(c))[0]
		}
	}
	return string(out)
}

// packedForms returns a secret in base64 and hex, and the part of each that does not
// depend on the characters beside the secret.
func packedForms(s string) map[string][2]string {
	forms := map[string][2]string{"hex": {hex.EncodeToString([]byte(s)), hex.EncodeToString([]byte(s))}}
	forms["upper-case hex"] = [2]string{strings.ToUpper(forms["hex"][0]), strings.ToUpper(forms["hex"][0])}
	forms["hex inside hex"] = [2]string{hex.EncodeToString([]byte("<" + s + ">")), forms["hex"][0]}
	for name, enc := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "base64url": base64.URLEncoding} {
		for shift := range 3 {
			whole := enc.EncodeToString([]byte("?~!"[:shift] + s + "!~?"))
			inner := whole[(shift*8+5)/6 : (shift+len(s))*8/6]
			forms[fmt.Sprint(name, " at alignment ", shift)] = [2]string{whole, inner}
			end := enc.EncodeToString([]byte("?~!"[:shift] + s))
			forms[fmt.Sprint(name, " at alignment ", shift, ", at the end")] = [2]string{end, inner}
			forms[fmt.Sprint(name, " at alignment ", shift, ", no padding")] = [2]string{strings.TrimRight(end, "="), inner}
		}
	}
	return forms
}

// TestForms: each form of a secret is found at the start, in the middle and at the
// end of a text, inside a word, and twice side by side.
func TestForms(t *testing.T) {
	for _, secret := range []string{secretA, secretB, "12345678", "4b%41%2fabcdefgh", `C:\users\new\token`, "zero\u200bwidth-secret", "tab\tseparated\tsecret", "-----BEGIN KEY-----\r\nMIIabc\r\n"} {
		s := New("another-secret", secret, "yet another one")
		forms := escapedForms(secret)
		forms["plain"], forms["zero width"] = secret, strings.ReplaceAll(secret, "e", "e\u200b")
		for name, form := range forms {
			for _, around := range [][2]string{{"", ""}, {"", " end"}, {"start ", " end"}, {"start ", ""}, {"word_", "_word"}, {`{\"a\":\"`, `\",\"b\":1}`}} {
				want := around[0] + Removed + around[1]
				if got, n := s.Text(around[0] + form + around[1]); got != want || n != 1 {
					t.Errorf("%s of %q: got %q, %d; want %q", name, secret, got, n, want)
				}
			}
			if got, n := s.Text("(" + form + form + ")"); got != "("+Removed+")" || n != 1 {
				t.Errorf("%s of %q, twice: got %q, %d", name, secret, got, n)
			}
		}
		if secret != Visible(secret) {
			continue // its packed forms are of the secret as it is
		}
		for name, form := range packedForms(secret) {
			for _, around := range [][2]string{{"", ""}, {"a ", " b"}, {"abc", "def"}, {"ab", "cd0"}, {"0", "=="}, {"%", ""}, {`\u00`, ""}} {
				text := around[0] + form[0] + around[1]
				got, n := s.Text(text)
				if n != 1 || strings.Contains(got, form[1]) || !strings.HasPrefix(got, around[0]) || !strings.HasSuffix(got, around[1]) {
					t.Errorf("%s of %q: got %q, %d", name, secret, got, n)
				}
				if left := len(got) - len(Removed) - len(around[0]) - len(around[1]); left > 9 {
					t.Errorf("%s of %q: %d bytes around it are left of %q: %q", name, secret, left, text, got)
				}
			}
		}
	}
}

// TestPackedAndEscaped: base64 and hex are found in escaped text.
func TestPackedAndEscaped(t *testing.T) {
	s := New(secretA, "~~~???>>>~~~???>>>")
	for _, secret := range s.secrets {
		b64 := base64.StdEncoding.EncodeToString([]byte(secret))
		for _, form := range []string{url.QueryEscape(b64), strings.ReplaceAll(b64, "/", `\/`), each(b64, `\u%04x`, 1), url.QueryEscape(url.QueryEscape(b64)), each(hex.EncodeToString([]byte(secret)), "%%%02x", 1)} {
			if got, n := s.Text("x=" + form); n != 1 || strings.Trim(strings.TrimPrefix(got, "x="+Removed), "=%3D25") != "" {
				t.Errorf("%s: got %q, %d", form, got, n)
			}
		}
	}
}

func TestOverlapping(t *testing.T) {
	tests := []struct {
		name     string
		secrets  []string
		in, want string
		hidden   int
	}{
		{"one inside another", []string{"abcdefgh-1234", "bcdefgh-"}, "(abcdefgh-1234) bcdefgh-", "([removed]) [removed]", 2},
		{"one after another", []string{"abcdefgh-1234", "1234-stuvwxyz"}, "(abcdefgh-1234-stuvwxyz)", "([removed])", 1},
		{"a chain", []string{"aaaabbbb", "bbbbcccc", "ccccdddd"}, "aaaabbbbccccdddd", "[removed]", 1},
		{"with itself", []string{"abababab"}, "xababababababy", "x[removed]y", 1},
		{"side by side", []string{"abcdefgh", "ijklmnop"}, "abcdefghijklmnop", "[removed]", 1},
		{"the longer one", []string{"abcdefgh", "abcdefghijkl"}, "abcdefghijkl abcdefghijk", "[removed] [removed]ijk", 2},
		{"the shorter one inside a miss", []string{"abcdefghijklmnop", "cdefghij"}, "abcdefghijklmnoX", "ab[removed]klmnoX", 1},
		{"plain over escaped", []string{"abcdefgh/", "efgh%2Fijkl"}, "abcdefgh%2Fijkl", "[removed]", 1},
		{"plain beside escaped", []string{"abcdefgh", "ijkl/mnop"}, "abcdefghijkl%2Fmnop", "[removed]", 1},
		{"plain beside hex", []string{"abcdefgh", "ijklmnop"}, "abcdefgh" + hex.EncodeToString([]byte("ijklmnop")) + " abcdefgh", "[removed] [removed]", 2},
		{"bits before the first character", []string{"012345678"}, "w" + base64.StdEncoding.EncodeToString([]byte("12345678!")), "wMTIzNDU2Nzgh", 0},
		{"a part", []string{"abcdefghij"}, "abcdefghi bcdefghij", "abcdefghi bcdefghij", 0},
		{"none", nil, "abcdefgh", "abcdefgh", 0},
		{"nothing", []string{"abcdefgh"}, "", "", 0},
	}
	for _, tt := range tests {
		if got, n := New(tt.secrets...).Text(tt.in); got != tt.want || n != tt.hidden {
			t.Errorf("%s: got %q, %d; want %q, %d", tt.name, got, n, tt.want, tt.hidden)
		}
	}
}

// TestMark: a mark and its neighbours do not form a secret, and a mark is not a
// secret.
func TestMark(t *testing.T) {
	tests := []struct {
		secret, in, want string
	}{
		{"]abcdefgh", "S3cretS3cretabcdefgh", "[removed][removed]"},
		{"]abcdefgh", "x]abcdefgh", "x][removed]"},
		{"abcdefghijkl[", "abcdefghijklS3cretS3cret", "[removed]"},
		{"ed]]]abcdefgh[[re", "ed]]]abcdefgh[[re", "ed]]][removed][[re"},
		{"[removed]", "[removed]", "[removed]"},
		{"[removed", "[removed]", "[removed]"},
		{"removed]", "S3cretS3cret", "[removed]"},
		{"Bearer [removed]", "Bearer [removed]", "Bearer [removed]"},
		{"abcd[removed]efgh", "abcdS3cretS3cretefgh", "abcd[removed]efgh"},
		{"%5Bremoved%5Dabcdefgh", "S3cretS3cretabcdefgh", "[removed]abcdefgh"},
	}
	for _, tt := range tests {
		s := New("S3cretS3cret", tt.secret)
		got, _ := s.Text(tt.in)
		got = strings.ReplaceAll(got, Removed+Removed, Removed)
		if want := strings.ReplaceAll(tt.want, Removed+Removed, Removed); got != want {
			t.Errorf("with %q: got %q, want %q", tt.secret, got, want)
		}
		if again, _ := s.Text(got); again != got {
			t.Errorf("with %q: %q becomes %q", tt.secret, got, again)
		}
	}
}

// TestNotFound holds the limits that the package documentation names.
func TestNotFound(t *testing.T) {
	const secret = "tok_S3cret-0123456789"
	b64 := base64.StdEncoding.EncodeToString([]byte(secret))
	tests := []struct{ name, secret, in string }{
		{"short", "1234567", "1234567"},
		{"short without brackets", "]123456[", "]123456["},
		{"short when visible", "1234\u200b\u200b567", "1234567"},
		{"holds the mark", "Basic [removed]", "Basic [removed]"},
		{"white space", secret, "tok_S3cret- 0123456789"},
		{"broken over lines", secret, "tok_S3cret-\n0123456789"},
		{"base64 in lines", secret, b64[:12] + "\n" + b64[12:]},
		{"hex with colons", secret, strings.ReplaceAll(fmt.Sprintf("% x", secret), " ", ":")},
		{"a part", secret, secret[1:]},
		{"other letter case", secret, strings.ToUpper(secret)},
		{"reversed", secret, "9876543210-terc3S_kot"},
		{"HTML entities", secret, each(secret, "&#x%x;", 1)},
		{`\x escapes`, secret, each(secret, `\x%02x`, 1)},
		{"quoted-printable", secret, each(secret, "=%02X", 1)},
		{"UTF-16", secret, hex.EncodeToString([]byte(each(secret, "%c\x00", 1)))},
		{"surrogates", "secret-\U0001F511-key", `secret-\ud83d\udd11-key`},
		{"escaped invisible characters", secret, secret[:5] + `\u200b` + secret[5:]},
		{"base64 of base64", secret, base64.StdEncoding.EncodeToString([]byte(b64))},
		{"base64 of JSON escapes", `say "hello" and go`, base64.StdEncoding.EncodeToString([]byte(quoted(`say "hello" and go`)))},
		{"behind an open escape", "41b/cdefgh", "%41b%2Fcdefgh"},
		{"before what completes an escape", "abcdefgh/%", "abcdefgh%2F%41"},
		{"echo of another call", "", secret},
	}
	for _, tt := range tests {
		if got, n := New(tt.secret).Text(tt.in); got != tt.in || n != 0 {
			t.Errorf("%s: the documentation is out of date, for %q is shown as %q", tt.name, tt.in, got)
		}
	}
}
