// Package view gives what leaves its shape and size: the known fields of runs,
// events, plans and integrations. No type in it has a field for an approval link,
// a token, a key or pass-through data. What texts may hold of them is taken out
// by internal/redact, with the secrets of one reading.
package view

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"runs-mcp-server/internal/redact"
)

// View renders the values of one reading, for models, notifications and logs;
// what a person is asked is internal/approval's. A View is small, is made for the
// reading and does not change; it is safe for concurrent use.
type View struct{ secrets *redact.Set }

// New returns the View that takes out the secrets of a set, and what the patterns
// of internal/redact match.
func New(secrets *redact.Set) View { return View{secrets} }

// Overfull reports whether all texts are withheld, for the set has too many
// secrets to search for.
func (v View) Overfull() bool { return v.secrets.Overfull() }

// redacted returns visible text without secrets.
func (v View) redacted(text string) string {
	text, _ = v.secrets.ForModel(text)
	return text
}

// markSize is what the mark of a cut takes, in bytes. A text that is no more
// than that too long is not cut: the mark would take as much, and hide it.
const markSize = len("… [1234567 bytes left out]")

// Text returns s fit to show: visible characters only, secrets taken out, and
// at most limit bytes and a mark where it was cut.
func (v View) Text(s string, limit int) string {
	shown, _ := v.text(s, 0, limit)
	return shown
}

// text returns what Text does for a text that begins with head and goes on for
// more bytes, and whether that is the whole of it.
func (v View) text(head string, more, limit int) (shown string, whole bool) {
	shown, left := v.secrets.Cut(head, limit+markSize)
	if left > 0 || more > 0 {
		shown, left = v.secrets.Cut(head, limit)
	}
	if more > 0 && left == 0 { // hardly any of it is visible, and it may end inside a secret
		shown, left = "", len(head)
	}
	left += more
	shown = v.redacted(shown)
	if len(shown) > limit+markSize { // marks may be longer than what they stand for
		cut := runeStart(shown, limit)
		left += len(shown) - cut
		shown = shown[:cut]
	}
	if left == 0 {
		return shown, true
	}
	return fmt.Sprintf("%s… [%d bytes left out]", shown, left), false
}

// runeStart returns the last rune's border in s that is not after at.
func runeStart(s string, at int) int {
	for at > 0 && at < len(s) && !utf8.RuneStart(s[at]) {
		at--
	}
	return at
}

// Line returns s as Text does, on one line.
func (v View) Line(s string, limit int) string {
	shown := v.Text(s, limit)
	line := strings.Join(strings.Fields(shown), " ")
	if line == shown {
		return line
	}
	return v.redacted(line) // a secret may have had more white space in it
}

// Quote returns a shown line in quotes that it cannot end, so that it cannot
// pass for the words around it.
func Quote(shown string) string { return strconv.Quote(plainQuotes(shown)) }

// plainQuotes makes single quotes of what looks like a double one.
func plainQuotes(s string) string {
	return strings.Map(func(r rune) rune {
		if redact.LikeQuote(r) {
			return '\''
		}
		return r
	}, s)
}
