// Package view renders runs, events, plans and integrations for models, notifications
// and logs: their known fields, each bounded in size. No type in it has a field for an
// approval link, a token, a key or pass-through data. Secrets that texts may hold are
// taken out by internal/redact.
//
// The files:
//
//	view.go         View, and its rendering of texts
//	value.go        JSON values, cut to a size, and the fields of an object
//	run.go          runs, plans and events; integration.go has integrations
//	result.go       a part of a run's result
//	link.go         the link to authorise an integration
//	log.go          a slog.Handler that renders what is logged
package view

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"runs-mcp-server/internal/rawjson"
	"runs-mcp-server/internal/redact"
)

// View renders the values of one reading. It is small and immutable, made for the
// reading, and safe for concurrent use. What a person is asked is not rendered here
// but by internal/approval.
type View struct{ secrets *redact.Set }

// New returns a View that takes out the secrets of a set and what the patterns of
// internal/redact match.
func New(secrets *redact.Set) View { return View{secrets} }

// Overfull reports whether all texts are withheld, because there are too many secrets
// to search for.
func (v View) Overfull() bool { return v.secrets.Overfull() }

// redacted returns visible text without secrets.
func (v View) redacted(text string) string {
	text, _ = v.secrets.ForModel(text)
	return text
}

// markSize is the length of the mark of a cut, in bytes. A text that exceeds its limit
// by less is not cut: the mark would be as long as what it replaces.
const markSize = len("… [1234567 bytes left out]")

// Text returns the visible characters of s without secrets: at most limit bytes, and
// a mark if it was cut.
func (v View) Text(s string, limit int) string {
	shown, _ := v.text(s, 0, limit)
	return shown
}

// text returns what Text does for a text that starts with head and has more bytes
// after it, and whether that is the whole text.
func (v View) text(head string, more, limit int) (shown string, whole bool) {
	shown, left := v.secrets.Cut(head, limit+markSize)
	if left > 0 || more > 0 {
		shown, left = v.secrets.Cut(head, limit)
	}
	if more > 0 && left == 0 { // little of head is visible, and it may end inside a secret
		shown, left = "", len(head)
	}
	left += more
	shown = v.redacted(shown)
	if len(shown) > limit+markSize { // the marks of secrets may be longer than the secrets
		cut := runeStart(shown, limit)
		left += len(shown) - cut
		shown = shown[:cut]
	}
	if left == 0 {
		return shown, true
	}
	return fmt.Sprintf("%s… [%d bytes left out]", shown, left), false
}

// runeStart returns the start of the rune at a byte of s.
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
	return v.redacted(line) // without the other white space, a secret may have appeared
}

// Quote returns a rendered line in quotes that it cannot end: it cannot look like the
// words around it.
func Quote(shown string) string { return strconv.Quote(plainQuotes(shown)) }

// plainQuotes replaces characters that look like a double quote by single quotes.
func plainQuotes(s string) string {
	return strings.Map(func(r rune) rune {
		if redact.LikeQuote(r) {
			return '\''
		}
		return r
	}, s)
}

// JSON returns a value of this program's types as compact JSON (see
// [rawjson.Marshal]). It panics if JSON cannot hold the value.
func JSON(value any) []byte {
	text, err := rawjson.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}
