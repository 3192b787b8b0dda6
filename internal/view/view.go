// Package view is the one way out: whatever a run, an event or an error holds
// passes through it before a model, a notification or a log may see it. Known
// fields are kept, approval links and known secrets are taken out of every
// string, invisible characters are removed, and sizes are capped.
package view

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"runs-mcp-server/client"
)

// View renders values safe to show. It is safe for concurrent use.
type View struct {
	secrets *secretSet
	person  bool // see ForPerson
	hid     bool // see Hid
}

// New returns a View that knows no secrets yet.
func New() *View { return &View{secrets: &secretSet{}} }

// ForPerson returns the view of somebody who decides, for one question. It leaves
// out the secrets of the operator and the API, but of what calls bring and runs
// say only what looks like one: a model could else make the words disappear that
// a person is asked about, by calling them tokens beforehand. It is not safe
// for concurrent use.
func (v *View) ForPerson() *View { return &View{secrets: v.secrets, person: true} }

// Hid reports whether the view of somebody who decides left out what is no
// secret of the operator's or the API's: they must be told.
func (v *View) Hid() bool { return v.hid }

// hides reports whether a known secret is left out. secrets.mu is held.
func (v *View) hides(secret string) bool {
	if !v.person || v.secrets.known[secret] <= trusted {
		return true
	}
	if !looksRandom(secret) {
		return false
	}
	v.hid = true
	return true
}

// looksRandom reports whether nobody would read a text as words, a name or a
// number: among its characters upper case, lower case, digits and others take
// turns. Words, addresses and account numbers have runs of one kind.
func looksRandom(s string) bool {
	kind := func(c byte) int {
		switch {
		case 'a' <= c && c <= 'z':
			return 0
		case 'A' <= c && c <= 'Z':
			return 1
		case '0' <= c && c <= '9':
			return 2
		}
		return 3
	}
	turns := 0
	for i := 1; i < len(s); i++ {
		if kind(s[i]) != kind(s[i-1]) {
			turns++
		}
	}
	return len(s) >= 16 && turns*100 >= 35*(len(s)-1)
}

// Hide makes every later rendering leave out the given secrets, in plain,
// base64, hex and URL form. Secrets shorter than [minSecret] bytes are not
// told apart from ordinary text and are passed over. Hidden secrets are kept
// for good: they are the operator's, and few.
func (v *View) Hide(secrets ...string) {
	for _, s := range secrets {
		v.secrets.add(s, hidden)
	}
}

// Learn makes every later rendering leave out an approval token that the API
// gave. The newest 4,096 are remembered. Shorter ones than [minLearned] bytes
// are passed over, so that a run cannot make ordinary words disappear by
// calling them tokens, and so are longer ones than [maxLearned].
func (v *View) Learn(token string) { v.secrets.add(token, tokens) }

// LearnGiven does for a secret that a call brought what Learn does for a token,
// but not for the person who decides (see ForPerson).
func (v *View) LearnGiven(secret string) { v.secrets.add(secret, given) }

// LearnKey does for a caller's key that the API accepted what Learn does for a
// token. The keys of the 4,096 callers who were served last are remembered, and
// no token pushes them out. It implements [client.Learner].
func (v *View) LearnKey(key client.Key) { v.secrets.add(string(key), keys) }

// maxShrink bounds how much text beyond the limit is cleaned to fill it up.
const maxShrink = 12 << 10

// markSize is what the mark of a cut takes, in bytes. A text that is no more
// than that too long is not cut: the mark would take as much, and hide it.
const markSize = len("… [1234567 bytes left out]")

// Text returns s fit to show: visible characters only, secrets taken out, and
// at most limit bytes and a mark where it was cut.
func (v *View) Text(s string, limit int) string {
	shown, _ := v.text(s, limit)
	return shown
}

// text returns what Text does, and whether that is the whole of s.
func (v *View) text(s string, limit int) (shown string, whole bool) {
	// Far beyond the limit nothing is shown; cleaning it would only cost. What
	// stands right before that early cut may be half a secret, which nobody
	// would know for one, and cleaning may pull it below the limit: it goes.
	total, tail := len(s), v.secrets.tail()
	early := limit + tail + min(maxShrink, 8*limit)
	if total <= early {
		s = visible(s)
	} else {
		s = visible(s[:early])
		s = s[:runeStart(s, max(0, len(s)-tail))]
	}
	s = v.scrub(s)
	if total <= early && len(s) <= limit+markSize {
		return s, true
	}
	cut := runeStart(s, min(limit, len(s)))
	return fmt.Sprintf("%s… [%d bytes left out]", s[:cut], max(total, len(s))-cut), false
}

// runeStart returns the last rune's border in s that is not after at.
func runeStart(s string, at int) int {
	for at > 0 && at < len(s) && !utf8.RuneStart(s[at]) {
		at--
	}
	return at
}

// Line returns s as Text does, on one line.
func (v *View) Line(s string, limit int) string {
	return strings.Join(strings.Fields(v.Text(s, limit)), " ")
}

// Quote returns a shown line in quotes that it cannot end, so that it cannot
// pass for the words around it.
func Quote(shown string) string { return strconv.Quote(plainQuotes(shown)) }

// Inline returns a shown value as JSON that cannot pass for the words around it:
// on one line, without room for lines of its own, and with no quotes but JSON's.
func Inline(shown any) string {
	return strings.Join(strings.Fields(plainQuotes(string(JSON(shown)))), " ")
}

// plainQuotes makes single quotes of what looks like a double one.
func plainQuotes(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("\u02ba\u02dd\u02ee\u05f4\u201c\u201d\u201e\u201f\u2033\u2036\u275d\u275e\u3003\u301d\u301e\u301f\uff02", r) {
			return '\''
		}
		return r
	}, s)
}

// visible removes what a reader cannot see but a model reads: control, bidi,
// zero-width, tag and other format characters, variation selectors, fillers,
// whatever else Unicode tells fonts to ignore, and what is no character at all.
func visible(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7F }) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r >= ' ' && r < 0x7F:
			return r
		case r == '\u2028' || r == '\u2029':
			return '\n'
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point):
			return -1
		case strings.ContainsRune("\u2800\U00016FE4\U0001D159", r): // drawn as nothing
			return -1
		case r >= 0xE0000 && r <= 0xE0FFF: // tags and their unassigned neighbours
			return -1
		}
		return r
	}, s)
}
