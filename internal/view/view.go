// Package view is the one way out: whatever a run, an event or an error holds
// passes through it before a model, a notification or a log may see it. Known
// fields are kept, approval links and known secrets are taken out of every
// string, invisible characters are removed, and sizes are capped.
package view

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// View renders values safe to show. It is safe for concurrent use.
type View struct {
	secrets secretSet
}

// New returns a View that knows no secrets yet.
func New() *View { return &View{} }

// Hide makes every later rendering leave out the given secrets, in plain,
// base64, hex and URL form. Secrets shorter than [minSecret] bytes are not
// told apart from ordinary text and are passed over. Hidden secrets are kept
// for good: they are the operator's, and few.
func (v *View) Hide(secrets ...string) {
	for _, s := range secrets {
		v.secrets.add(s, true)
	}
}

// Learn makes every later rendering leave out a secret that came from outside
// (a caller's key, an approval token). The newest [maxLearned] are remembered.
// Shorter ones than [minLearned] bytes are passed over, so that a run cannot
// make ordinary words disappear by calling them tokens.
func (v *View) Learn(secret string) {
	if len(secret) >= minLearned {
		v.secrets.add(secret, false)
	}
}

// Text returns s fit to show: visible characters only, secrets taken out, and
// at most limit bytes with a mark where it was cut.
func (v *View) Text(s string, limit int) string {
	// Far beyond the limit nothing is shown; cleaning it would only cost. The
	// margin keeps a secret that straddles the limit whole until it is found.
	const margin = 16 << 10
	total := len(s)
	if len(s) > limit+margin {
		s = s[:limit+margin]
	}
	return shorten(v.scrub(visible(s)), limit, total)
}

// shorten cuts s to limit bytes at a rune's border; total is the length to
// name in the mark when it is larger than s.
func shorten(s string, limit, total int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… [%d bytes left out]", s[:cut], max(total, len(s))-cut)
}

// Line returns s as Text does, on one line.
func (v *View) Line(s string, limit int) string {
	return strings.Join(strings.Fields(v.Text(s, limit)), " ")
}

// visible removes what a reader cannot see but a model reads: control, bidi,
// zero-width, tag and other format characters, variation selectors, fillers.
func visible(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case r == '\u2028' || r == '\u2029':
			return '\n'
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co), unicode.Is(unicode.Variation_Selector, r):
			return -1
		case strings.ContainsRune("\u034F\u115F\u1160\u17B4\u17B5\u2800\u3164\uFFA0", r):
			return -1
		case r >= 0xE0000 && r <= 0xE0FFF: // tags and their unassigned neighbours
			return -1
		}
		return r
	}, s)
}
