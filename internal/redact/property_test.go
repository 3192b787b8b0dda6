package redact

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var (
	// Secrets without brackets and escapes, and any text around them.
	tidySecret = rapid.StringOfN(rapid.SampledFrom([]rune("abcdefABCDEF0123456789+/=_.~-\" {üß漢")), 8, 40, -1)
	anyRunes   = rapid.SampledFrom([]rune(`abcdefu0123456789%\[]removd"/+ ` + "\n\u200b\u202eäß漢😀"))
	anyText    = rapid.StringOfN(anyRunes, 0, 30, -1)
	// Secrets of any kind.
	anySecret = rapid.OneOf(tidySecret, rapid.StringOfN(anyRunes, 1, 20, -1), rapid.SampledFrom([]string{Removed, "]abcdefgh", "abcdefgh[", "[removed]x"}))
)

// pick returns one of the forms of a secret.
func pick(t *rapid.T, forms map[string]string) string {
	names := make([]string, 0, len(forms))
	for name := range forms {
		names = append(names, name)
	}
	slices.Sort(names)
	return forms[rapid.SampledFrom(names).Draw(t, "form")]
}

// TestNoFormIsLeft puts forms of secrets side by side in any text: none is left, and
// redacting again changes nothing.
func TestNoFormIsLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(tidySecret, 1, 5).Draw(t, "secrets")
		s := New(secrets...)
		var text strings.Builder
		var left []string // what must not be
		for range rapid.IntRange(1, 4).Draw(t, "pieces") {
			text.WriteString(anyText.Draw(t, "text"))
			secret := rapid.SampledFrom(secrets).Draw(t, "secret")
			packed := map[string]string{}
			for name, form := range packedForms(secret) {
				packed[name] = form[0]
				left = append(left, form[1])
			}
			left = append(left, secret)
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				text.WriteString(secret)
			case 1:
				text.WriteString(pick(t, packed))
			case 2: // see the package's documentation for what needs the space
				form := pick(t, escapedForms(secret))
				text.WriteString(" " + form)
				left = append(left, form)
			}
		}
		text.WriteString(anyText.Draw(t, "text"))
		for _, show := range []func(string) (string, int){s.Text, s.ForModel} {
			out, n := show(text.String())
			if n == 0 {
				t.Fatalf("nothing is hidden in %q", out)
			}
			for _, form := range left {
				if strings.Contains(out, form) {
					t.Fatalf("%q is left in %q", form, out)
				}
			}
			if again, _ := show(out); again != out {
				t.Fatalf("%q becomes %q", out, again)
			}
		}
	})
}

// TestPatternsTwice: redacting again changes nothing, whatever secrets are in what
// the patterns match.
func TestPatternsTwice(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"Authorization", "cookie", ": ", "=", `":"`, `\":\"`, "Bearer ", "a=b", `a="b"`, "; ", ", ", "\n", "'", "[", "]", Removed, `\`, " ",
		"/runs/approval", "?", "token=", "https://x", "-----BEGIN PRIVATE KEY-----", "MII", "-----END PRIVATE KEY-----", "two words", "a;b=c,d", "x\n\"=yz[",
	})
	rapid.Check(t, func(t *rapid.T) {
		s := New("two words", "a;b=c,d ", "x\n\"=yz[ab", "Bearer a=b", "PRIVATE KEY")
		text := strings.Join(rapid.SliceOfN(piece, 1, 20).Draw(t, "text"), "")
		out, _ := s.ForModel(text)
		if again, _ := s.ForModel(out); again != out {
			t.Fatalf("%q becomes %q", out, again)
		}
	})
}

// TestAnySecrets: of any secrets, none that is searched for is left.
func TestAnySecrets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(anySecret, 0, 6).Draw(t, "secrets")
		s := New(secrets...)
		var text string
		for range rapid.IntRange(1, 5).Draw(t, "pieces") {
			text += anyText.Draw(t, "text")
			if len(secrets) > 0 {
				text += rapid.SampledFrom(secrets).Draw(t, "secret")
			}
		}
		out, _ := s.Text(text)
		for _, p := range patternsOf(s.secrets) {
			if strings.Contains(folder.Replace(out), p) {
				t.Fatalf("%q is left in %q", p, out)
			}
		}
	})
}

// TestOtherTextStays: a text without secrets only loses its invisible characters.
func TestOtherTextStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOf(rapid.StringMatching(`[ghijk]{8,30}`)).Draw(t, "secrets")
		text := rapid.OneOf(anyText, rapid.String()).Draw(t, "text")
		if strings.ContainsAny(text, "ghijk") {
			t.Skip("there may be a secret")
		}
		if out, n := New(secrets...).Text(text); out != Visible(text) || n != 0 {
			t.Fatalf("%q becomes %q, %d hidden", text, out, n)
		}
	})
}

// TestCutAnywhere: a cut does not go through a secret, except through an escape or
// some bits at its start, and leaves out only what may be a secret's first part.
func TestCutAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(rapid.OneOf(tidySecret, rapid.StringMatching(`[ab]{8,12}`)), 1, 5).Draw(t, "secrets")
		s := New(secrets...)
		var text string
		for range rapid.IntRange(1, 4).Draw(t, "pieces") {
			secret := rapid.SampledFrom(secrets).Draw(t, "secret")
			forms := escapedForms(secret)
			for name, form := range packedForms(secret) {
				forms[name] = form[0]
			}
			forms["plain"] = secret
			text += anyText.Draw(t, "text") + " " + pick(t, forms)
		}
		text = Visible(text)
		limit := rapid.IntRange(0, len(text)).Draw(t, "limit")
		head, left := s.Cut(text, limit)
		if len(head) > limit || len(head)+left != len(text) {
			t.Fatalf("%d bytes of %d, %d left", len(head), len(text), left)
		}
		for _, h := range byStart(s.find(text).spans) {
			if h.from+20 < len(head) && len(head) < h.to {
				t.Fatalf("%q is cut to %q", text[h.from:h.to], text[h.from:len(head)])
			}
		}
		longest := 0
		for _, secret := range secrets {
			longest = max(longest, len(secret))
		}
		if len(head) < limit-20*longest {
			t.Fatalf("cut at %d instead of %d", len(head), limit)
		}
	})
}
