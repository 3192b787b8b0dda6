// Package redact takes secrets out of text. It knows nothing of runs.
//
// A [Set] holds the exact secrets of one reading. It is immutable: nothing is learned
// from text. [Set.Text] takes out these secrets only, for a person. [Set.ForModel] also
// takes out what a few patterns match, for models, notifications and logs.
//
// The files, from the top down:
//
//	redact.go  Set, what it does with a text, the Collector of secrets, and the
//	           removal of invisible characters
//	find.go    searches a text: as it is, decoded, in base64 and hex, and by the
//	           patterns for models; many byte strings in one pass
//	decode.go  undoes percent-encoding and JSON escapes
//
// # What is found
//
// Invisible characters are removed from the text first (see [Visible]). Then a secret
// of at least 8 bytes is found everywhere, also inside a word or overlapping another
// secret, in each of these forms:
//
//   - as it is
//   - with JSON escapes (\" \\ \/ \n \t \r \u002f), escaped any number of times
//   - percent-encoded, in part or whole, in either letter case, any number of
//     times, with + or %20 for a space; both kinds of escapes may be mixed
//   - in base64 or base64url, alone or inside a longer encoded text, at any
//     alignment, with or without padding
//   - in hex, in either letter case
//   - in base64 or hex that is then escaped as above
//
// Patterns, for models only:
//
//   - URLs with a path that ends in /runs/approval and a token in the query, in plain,
//     JSON-escaped and percent-encoded spelling
//   - the values of Authorization, Proxy-Authorization, Cookie and Set-Cookie after a
//     colon or an equals sign, also as one JSON string
//   - PEM private keys
//
// # What is not found
//
//   - a secret shorter than 8 bytes, with or without invisible characters. Brackets
//     and letters at its ends that could join with the mark "[removed]" do not count,
//     and stay
//   - a secret that contains the mark: it was redacted before
//   - a part of a secret, or a secret with white space or other visible characters in
//     it, such as base64 in lines or hex with colons
//   - a secret in other letter case, reversed, compressed or encrypted
//   - other encodings: HTML entities, \x2f, quoted-printable, UTF-16, base64
//     twice, \u escapes of characters beyond U+FFFF, and escapes of invisible
//     characters inside a secret
//   - base64 or hex of a text in which the secret is escaped
//   - an escaped secret whose first or last characters complete an escape beside it:
//     %41b%2F… is decoded to Ab/…, not to a percent sign and 41b/…. Only in this case
//     redacting again may find what was not found before
//   - what the Set does not hold, such as secrets of an earlier call
//   - by patterns: a link with another spelling of its path, or a header whose name and
//     value stand in different fields or are percent-encoded
//
// The mark separates its neighbours, so that they form no new secret. Redacting a
// redacted text changes nothing.
//
// # Cost
//
// Time is linear in the text and does not depend on the secrets: one pass over the text
// as it is, and one over the decoded text if it has escapes. A Set takes 13 to 17 bytes
// for each byte of its secrets, and at most twice that for secrets with escapes or
// invisible characters.
package redact

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// minSecret is the shortest secret that is searched for, in bytes. Shorter ones
	// are as common as ordinary words.
	minSecret = 8
	// maxSecrets and maxSecretBytes bound a Set: building it takes less than about
	// 20 ms. A run has few tokens.
	maxSecrets     = 2000
	maxSecretBytes = 256 << 10

	// Removed is the mark that stands for a secret.
	Removed = "[removed]"
	// Withheld stands for every text of an overfull Set.
	Withheld = "[withheld: there are too many secrets to search for]"
)

// Set holds the secrets of one reading. It is immutable and safe for concurrent use.
// The zero value holds none.
type Set struct {
	secrets  []string // sorted, without duplicates
	overfull bool
	index    automaton
}

// New returns a Set of the given secrets. Those under 8 bytes are ignored.
func New(secrets ...string) *Set { return new(Set).With(secrets...) }

// With returns a Set of the secrets of s and the given ones.
func (s *Set) With(secrets ...string) *Set {
	if s.overfull {
		return s
	}
	all := make([]string, 0, len(s.secrets)+len(secrets))
	all = append(all, s.secrets...)
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			all = append(all, secret)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) == len(s.secrets) {
		return s
	}
	size := 0
	for _, secret := range all {
		size += len(secret)
	}
	if len(all) > maxSecrets || size > maxSecretBytes {
		return &Set{overfull: true}
	}
	return &Set{secrets: all, index: newAutomaton(patternsOf(all))}
}

// Overfull reports whether there are more than 2,000 secrets, or more than 256 KiB of
// them. [Set.Text] and [Set.ForModel] then return [Withheld] for any text.
func (s *Set) Overfull() bool { return s.overfull }

// Text returns the visible text without the secrets, and the number of marks in their
// place.
func (s *Set) Text(text string) (out string, hidden int) {
	if s.overfull && text != "" {
		return Withheld, 1
	}
	if text = Visible(text); len(text) < minSecret {
		return text, 0
	}
	return replaceSpans(text, s.find(text).spans)
}

// ForModel returns what [Set.Text] does, and takes out what the patterns match.
func (s *Set) ForModel(text string) (out string, hidden int) {
	if s.overfull && text != "" {
		return Withheld, 1
	}
	if text = Visible(text); len(text) < minSecret {
		return text, 0 // patterns match no less, either
	}
	// Patterns search the text with its secrets: a mark could hide what they look for.
	out, hidden = replaceSpans(text, append(s.find(text).spans, findPatterns(text)...))
	if hidden > 0 {
		// A secret in a header's value may have had white space in it, at which the
		// pattern ended. Its mark has none.
		out, _ = replaceSpans(out, findPatterns(out))
	}
	return out, hidden
}

// Cut returns the first limit bytes of the visible text at most, and the number of bytes
// that are left out after them. If they end with the first part of a secret, or what
// may be one, that is left out, too. The result still has its secrets: cut a long text
// first, then redact it, because redaction takes time for each byte.
func (s *Set) Cut(text string, limit int) (head string, left int) {
	head, rest := visiblePrefix(text, limit)
	if rest == "" {
		return head, 0
	}
	found := s.find(head)
	end := found.partial
	for _, s := range byStart(found.spans) {
		if s.from < end && end < s.to {
			end = s.to // do not cut a whole secret
		}
	}
	return head[:end], len(head) - end + len(rest)
}

// patternsOf returns the byte strings to search for, sorted: each secret as it is, for
// base64 and hex, and each secret visible and decoded, for texts. For most secrets the
// two are the same.
func patternsOf(secrets []string) []string {
	patterns := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		patterns = appendPattern(patterns, secret)
		plain := Visible(secret)
		if hasEscapes(plain) {
			plain = decode(plain).text
		}
		if plain != secret {
			patterns = appendPattern(patterns, plain)
		}
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}

// appendPattern appends a folded secret if it is long enough. It first cuts off what
// could join with a mark beside it: "[rem", "oved]" and the like.
func appendPattern(patterns []string, p string) []string {
	for n := 1; n < len(Removed) && p != ""; n++ {
		tail, head := Removed[len(Removed)-n:], Removed[:n]
		if strings.HasPrefix(p, tail) || strings.HasSuffix(p, head) {
			p = strings.TrimSuffix(strings.TrimPrefix(p, tail), head)
			n = 0
		}
	}
	if len(p) < minSecret || strings.Contains(p, Removed) {
		return patterns
	}
	return append(patterns, folder.Replace(p))
}

// Collector gathers secrets for a [Set]. It keeps as many as a Set may hold, and one
// more, which makes the Set overfull. The zero value is empty. It is not safe for
// concurrent use.
type Collector struct {
	known map[string]struct{}
	list  []string
	size  int // bytes of list
}

// Add keeps the secrets that are new, and reports whether there were any.
func (c *Collector) Add(secrets ...string) (grown bool) {
	for _, secret := range secrets {
		if _, known := c.known[secret]; known || len(secret) < minSecret {
			continue
		}
		if len(c.list) > maxSecrets || c.size > maxSecretBytes {
			return grown
		}
		if c.known == nil {
			c.known = map[string]struct{}{}
		}
		c.known[secret] = struct{}{}
		c.list, c.size = append(c.list, secret), c.size+len(secret)
		grown = true
	}
	return grown
}

// Secrets returns the secrets in the order they were added. Later additions do not
// change the returned slice.
func (c *Collector) Secrets() []string { return c.list[:len(c.list):len(c.list)] }

// Visible removes the characters that a person cannot see but a model reads: control,
// bidi, zero-width, tag and other format characters, variation selectors, fillers,
// others that Unicode tells fonts to ignore, and noncharacters. Each invalid byte becomes
// U+FFFD; line and paragraph separators become line breaks.
func Visible(s string) string {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return strings.Map(visibleRune, s)
		}
	}
	return s
}

// LikeQuote reports whether a character looks like a double quote but is not one.
func LikeQuote(r rune) bool {
	return strings.ContainsRune("\u02ba\u02dd\u02ee\u05f4\u201c\u201d\u201e\u201f\u2033\u2036\u275d\u275e\u3003\u301d\u301e\u301f\uff02", r)
}

// visiblePrefix returns the first limit bytes of the visible text at most, and the rest
// of s.
func visiblePrefix(s string, limit int) (head, rest string) {
	if len(s) <= limit {
		if head = Visible(s); len(head) <= limit { // U+FFFD takes three bytes
			return head, ""
		}
	}
	var out strings.Builder
	for i, r := range s {
		r = visibleRune(r)
		if r < 0 {
			continue
		}
		if out.Len()+utf8.RuneLen(r) > limit {
			return out.String(), s[i:]
		}
		out.WriteRune(r)
	}
	return out.String(), ""
}

// visibleRune returns the character that is shown for r, -1 for none.
func visibleRune(r rune) rune {
	switch {
	case r == '\n' || r == '\t' || r >= ' ' && r <= '~':
		return r
	case r == '\u2028' || r == '\u2029':
		return '\n'
	case r == '\u2800' || r == '\U00016FE4' || r == '\U0001D159': // they look like a blank
		return -1
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Variation_Selector,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point):
		return -1
	}
	return r
}
