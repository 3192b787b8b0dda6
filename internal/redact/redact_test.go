package redact

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"time"
)

func TestVisible(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "hello\n\tworld ~", "hello\n\tworld ~"},
		{"bidi", "a\u202Eb\u2066c\u200Ed", "abcd"},
		{"zero width", "pay\u200Bload\uFEFF", "payload"},
		{"tags", "hi\U000E0041\U000E0042", "hi"},
		{"variation selectors", "x\uFE0F\U000E0101\u180By", "xy"},
		{"control", "a\x00b\x1b[31mc\r\n\x7f\u0085", "ab[31mc\n"},
		{"invalid UTF-8", "a\xffb\xc3", "a\uFFFDb\uFFFD"},
		{"fillers", "a\u3164\u115F\uFFA0\u2800\U00016FE4\U0001D159b", "ab"},
		{"default ignorable", "a\u00AD\u034F\u2065\uFFF0\uFFF8\U0001BCA0\U0001D173\U000E0FFFb", "ab"},
		{"no characters", "a\uFFFE\uFDD0\U0010FFFF\uE000b", "ab"},
		{"line separators", "a\u2028b\u2029c", "a\nb\nc"},
		{"ordinary scripts", "ä Ж 漢字 😀 é \uFFFD", "ä Ж 漢字 😀 é \uFFFD"},
	}
	for _, tt := range tests {
		if got := Visible(tt.in); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		for _, s := range []*Set{{}, New("S3cretS3cret")} {
			if got, n := s.Text(tt.in); got != tt.want || n != 0 {
				t.Errorf("%s: got %q, %d; want %q", tt.name, got, n, tt.want)
			}
		}
		if got, left := New().Cut(tt.in+"     ", len(tt.want)); got != tt.want || left < 5 {
			t.Errorf("%s: cut to %q, %d left", tt.name, got, left)
		}
	}
}

func TestWith(t *testing.T) {
	operator := New("operator-secret")
	call := operator.With("key-of-the-caller", "operator-secret")
	run := call.With("token-of-the-run")
	const text = "operator-secret key-of-the-caller token-of-the-run"
	for _, tt := range []struct {
		set  *Set
		want string
	}{
		{operator, "[removed] key-of-the-caller token-of-the-run"},
		{call, "[removed] [removed] token-of-the-run"},
		{run, "[removed] [removed] [removed]"},
		{new(Set).With("token-of-the-run"), "operator-secret key-of-the-caller [removed]"},
	} {
		if got, _ := tt.set.Text(text); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestOverfull(t *testing.T) {
	half := strings.Repeat("x", maxSecretBytes/2)
	tests := []struct {
		name    string
		secrets []string
		want    bool
	}{
		{"as many as it takes", tokens(maxSecrets, 40), false},
		{"one more", tokens(maxSecrets+1, 40), true},
		{"each given twice", append(tokens(maxSecrets, 40), tokens(maxSecrets, 40)...), false},
		{"and short ones", append(tokens(maxSecrets, 40), "1", "22", "333"), false},
		{"as long as it takes", []string{half, half[1:] + "y"}, false},
		{"a byte more", []string{half, half + "y"}, true},
		{"1,400 of one letter", oneLetter(1400), true},
	}
	for _, tt := range tests {
		s := New(tt.secrets...)
		if s.Overfull() != tt.want || s.With("another-secret").With().Overfull() != (tt.want || len(s.secrets) == maxSecrets || len(s.secrets) == 2) {
			t.Errorf("%s: overfull is %t", tt.name, s.Overfull())
		}
		if !tt.want {
			continue
		}
		for _, show := range []func(string) (string, int){s.Text, s.ForModel} {
			if out, n := show("any text"); out != Withheld || n != 1 {
				t.Errorf("%s: got %q, %d", tt.name, out, n)
			}
			if out, n := show(""); out != "" || n != 0 {
				t.Errorf("%s: got %q, %d for nothing", tt.name, out, n)
			}
		}
		if head, left := s.Cut("any text", 3); head != "any" || left != 5 {
			t.Errorf("%s: cut to %q, %d left", tt.name, head, left)
		}
	}
}

// TestCut cuts a text at every byte of a secret: nothing readable of the secret is
// left, and nothing else is lost.
func TestCut(t *testing.T) {
	const before, after = "... , ... ", " , ..."
	forms := map[string][2]string{"plain": {secretA, secretA}}
	for name, form := range escapedForms(secretA) {
		forms[name] = [2]string{form, form}
	}
	maps.Copy(forms, packedForms(secretA))
	s := New(secretA, "another-secret")
	for name, form := range forms {
		text := before + form[0] + after
		whole := strings.Index(text, form[1]) + len(form[1])
		for limit := range len(text) + 1 {
			head, left := s.Cut(text, limit)
			if len(head) > limit || len(head)+left != len(text) || text[:len(head)] != head {
				t.Fatalf("%s: cut at %d to %q, %d left", name, limit, head, left)
			}
			if len(head) < min(limit, len(before)) {
				t.Errorf("%s: cut at %d to %q", name, limit, head)
			}
			if limit >= whole {
				if limit > whole+1 && len(head) < whole { // its last bits may be in the next character
					t.Errorf("%s: cut at %d to %q", name, limit, head)
				}
				continue
			}
			// An escape, or less than one byte of the secret, may be left.
			if got, n := s.ForModel(head); n > 0 || len(strings.TrimPrefix(got, before[:min(limit, len(before))])) > 12 {
				t.Fatalf("%s: cut at %d to %q", name, limit, got)
			}
		}
	}
}

// TestCutKeepsWhole: what may be the first part of a secret may lie inside a whole
// one; here other bits of its base64 read as a t.
func TestCutKeepsWhole(t *testing.T) {
	packed := base64.StdEncoding.EncodeToString([]byte(secretA))
	s := New(secretA)
	if s.find(packed).partial == len(packed) {
		t.Fatal("the text does not end in a beginning")
	}
	if head, left := s.Cut(packed+"....", len(packed)); head != packed || left != 4 {
		t.Errorf("cut to %q, %d left", head, left)
	}
}

func TestCutInvisible(t *testing.T) {
	s := New("S3cretS3cret")
	hidden := strings.Repeat("\u200b", 5000)
	broken := strings.Join(strings.Split("S3cretS3cret", ""), hidden)
	tests := []struct {
		in    string
		limit int
		head  string
		left  int
	}{
		{hidden + "abc" + hidden + "def", 6, "abcdef", 0},
		{hidden + "abc" + hidden + "def", 5, "abcde", 1},
		{"ab" + broken + "cd", 10, "ab", 8 + 4 + 3*len(hidden) + 2},
		{"ab" + broken + "cd", 15, "abS3cretS3cretc", 1},
		{"äöü", 5, "äö", 2},
		{"a\xff", 2, "a", 1},
		{"abc", -1, "", 3},
		{"", 0, "", 0},
	}
	for _, tt := range tests {
		if head, left := s.Cut(tt.in, tt.limit); head != tt.head || left != tt.left {
			t.Errorf("cut at %d: got %q, %d; want %q, %d", tt.limit, head, left, tt.head, tt.left)
		}
	}
}

// TestLinear makes the text and the secrets eight times as large. Linear time is 8
// times as long; quadratic time would be 64 times.
func TestLinear(t *testing.T) {
	const small = 10 << 10
	run := func(secrets []string, text string) time.Duration {
		start := time.Now()
		New(secrets...).ForModel(text)
		return time.Since(start)
	}
	for name, text := range texts() {
		for kind, secrets := range map[string][2][]string{
			"one letter": {oneLetter(120), oneLetter(350)},
			"prefix":     {sharedPrefix(85, 180), sharedPrefix(680, 180)},
			"long":       {{strings.Repeat("a", 4<<10) + "b"}, {strings.Repeat("a", 32<<10) + "b"}},
		} {
			once, eight := time.Hour, time.Hour
			for tries := 0; tries < 50 && (tries < 3 || eight > 24*once); tries++ {
				once = min(once, run(secrets[0], text[:small]))
				eight = min(eight, run(secrets[1], text[:8*small]))
			}
			if eight > 24*once {
				t.Errorf("%s, %s: %v for a text, %v for one eight times as large", kind, name, once, eight)
			}
		}
	}
}

// TestMemory measures a Set for each byte of its secrets.
func TestMemory(t *testing.T) {
	for name, tt := range map[string]struct {
		secrets []string
		most    int
	}{
		"random": {tokens(2000, 128), 13}, "prefix": {sharedPrefix(1400, 180), 13}, "one letter": {oneLetter(700), 13},
		"one": {[]string{token(1, maxSecretBytes)}, 17}, "odd": {[]string{strings.Repeat("%41\\ \u200b", 10_000)}, 34},
	} {
		s := New(tt.secrets...)
		size := len(strings.Join(s.secrets, ""))
		nodes := cap(s.index.char)
		if held := nodes + 4*(3*nodes+1) + 4*cap(s.index.levels); held > tt.most*size+4<<10 || s.Overfull() {
			t.Errorf("%s: %d bytes for %d bytes of secrets", name, held, size)
		}
	}
}

func TestAllocs(t *testing.T) {
	five := tokens(5, 43)
	s := New(five...)
	text := fill(prose, 2000)
	overlapping, letters := New("aaaaaaaa"), fill("a", 2000)
	for _, tt := range []struct {
		name string
		do   func()
		most float64
	}{
		{"New", func() { New(five...) }, 10},
		{"Text", func() { s.Text(text) }, 1},
		{"Cut of a text that fits", func() { s.Cut(text, len(text)) }, 0},
		{"a secret at every byte", func() { overlapping.Text(letters) }, 4},
	} {
		if got := testing.AllocsPerRun(100, tt.do); got > tt.most {
			t.Errorf("%s: %v allocations, want %v at most", tt.name, got, tt.most)
		}
	}
}

// FuzzText appends a secret to any text: it is found.
func FuzzText(f *testing.F) {
	f.Add("before ", " after", "tok_S3cret-0123456789")
	f.Add("%", "%", "41bc/3456789abcdef")
	f.Add(`\u00`, `"}`, `a"b\c/d%e f+g`)
	f.Add("[removed", "removed]", "]abcdefgh[")
	f.Add("\u200b", "\u202e", "ab\u200bcdefgh\xff")
	f.Add("https://x.test/runs/approval?token=", "&a=b", "Authorization: x")
	f.Fuzz(func(t *testing.T, before, after, secret string) {
		s := New(secret, "another-secret", before)
		patterns := patternsOf(s.secrets)
		packed := base64.StdEncoding.EncodeToString([]byte(secret))
		for _, form := range []string{secret, packed, escapedForms(secret)["query"]} {
			text := before + form + after
			for _, show := range []func(string) (string, int){s.Text, s.ForModel} {
				out, n := show(text)
				if s.Overfull() {
					return
				}
				for _, p := range patterns {
					if strings.Contains(folder.Replace(out), p) {
						t.Fatalf("%q of %q is left in %q", p, text, out)
					}
				}
				if n == 0 && out != Visible(text) || n > 0 && !strings.Contains(out, Removed) {
					t.Fatalf("%d hidden in %q: %q", n, text, out)
				}
			}
			head, left := s.Cut(text, len(before))
			if left < 0 || len(head) > len(before) || !strings.HasPrefix(Visible(text), head) {
				t.Fatalf("%q is cut to %q, %d left", text, head, left)
			}
		}
	})
}

// TestLikeQuote: characters that look like a double quote, but not the quote itself.
func TestLikeQuote(t *testing.T) {
	for r, want := range map[rune]bool{'"': false, '\'': false, '\u2019': false, 'a': false, '\u201c': true, '\u201d': true, '\uff02': true, '\u3003': true} {
		if LikeQuote(r) != want {
			t.Errorf("%q: %t", r, !want)
		}
	}
}
