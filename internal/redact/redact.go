// Package redact takes secrets out of text. It knows nothing of runs.
//
// A [Set] holds the exact secrets of one reading. It is made once and never
// changes; nothing is learned from text, and nothing is kept but the Set.
// [Set.Text] takes out exact secrets alone, for a person. [Set.ForModel] also
// takes out what a few patterns match, for models, notifications and logs.
//
// # What is found
//
// Invisible characters are removed from the text first (see [Visible]). Then a
// secret of at least 8 bytes is found wherever it stands, also inside a word or
// across another secret, in each of these forms:
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
// Patterns, for models only: URLs whose path ends in /runs/approval and that
// have a token query, in plain, JSON-escaped and percent-encoded spelling; the
// values of Authorization, Proxy-Authorization, Cookie and Set-Cookie behind a
// colon or an equals sign, also as one JSON string; PEM private keys.
//
// # What is not found
//
//   - a secret shorter than 8 bytes, as it is or without invisible characters;
//     brackets and letters at its ends that could join with the mark
//     "[removed]" do not count, and are not hidden
//   - a secret that contains the mark: it was redacted before
//   - a part of a secret, and one broken by white space or other visible
//     characters, such as base64 in lines or hex with colons
//   - a secret in other letter case, reversed, compressed or encrypted
//   - other encodings: HTML entities, \x2f, quoted-printable, UTF-16, base64
//     twice, \u escapes of characters beyond U+FFFF, and escapes of invisible
//     characters that stand inside a secret
//   - base64 or hex of a text in which the secret is escaped
//   - an escaped secret whose first or last characters complete an escape that
//     is open beside it: %41b%2F… reads Ab/…, not 41b/… behind a percent sign;
//     only then, redacting again may find what was not found before
//   - what the Set does not hold, such as later echoes of another call's secrets
//   - by patterns: a link whose path is spelled otherwise, or a header whose
//     name and value stand in different fields, or are percent-encoded
//
// The mark keeps its neighbours apart, so that they form no new secret.
// Redacting what was redacted changes nothing.
//
// # Cost
//
// Time is linear in the text, whatever the secrets are: one pass over the text
// as it stands, and one over the decoded text if it has escapes. A Set takes
// 13 to 17 bytes for each byte of its secrets, and at most twice that for
// secrets with escapes or invisible characters.
package redact

import (
	"slices"
	"strings"
)

const (
	// minSecret is the shortest secret that is searched for, in bytes. A
	// shorter one cannot be told from ordinary text.
	minSecret = 8
	// maxSecrets and maxSecretBytes bound a Set. A run of the API has a few
	// tokens; both bounds keep building a Set below some 20 ms.
	maxSecrets     = 2000
	maxSecretBytes = 256 << 10

	// Removed is the mark that stands for a secret.
	Removed = "[removed]"
	// Withheld stands for every text of an overfull Set.
	Withheld = "[withheld: there are too many secrets to search for]"
)

// Set holds the secrets of one reading. It is immutable and safe for
// concurrent use. The zero value holds none.
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

// Overfull reports whether there are more than 2,000 secrets, or more than 256
// KiB of them. [Set.Text] and [Set.ForModel] then return [Withheld] for any
// text, and the caller says so.
func (s *Set) Overfull() bool { return s.overfull }

// Text returns the visible text without the secrets, and the number of marks
// put in their place.
func (s *Set) Text(text string) (out string, hidden int) {
	if s.overfull && text != "" {
		return Withheld, 1
	}
	if text = Visible(text); len(text) < minSecret {
		return text, 0
	}
	return replace(text, s.find(text).holes)
}

// ForModel returns what [Set.Text] does, and takes out what the patterns match.
func (s *Set) ForModel(text string) (out string, hidden int) {
	if s.overfull && text != "" {
		return Withheld, 1
	}
	if text = Visible(text); len(text) < minSecret {
		return text, 0 // nor does a pattern match less
	}
	// Patterns read the text as it came: a secret must not hide their cue.
	out, hidden = replace(text, append(s.find(text).holes, findPatterns(text)...))
	if hidden > 0 {
		// A value with white space in it has become one word.
		out, _ = replace(out, findPatterns(out))
	}
	return out, hidden
}

// Cut returns the beginning of the visible text, at most limit bytes, and the
// number of bytes left out behind it. The beginning does not end inside a
// secret: what may be the first part of one is left out. It is not redacted
// yet. Cut a long text first, then redact it; redaction costs time per byte.
func (s *Set) Cut(text string, limit int) (head string, left int) {
	head, rest := visiblePrefix(text, limit)
	if rest == "" {
		return head, 0
	}
	found := s.find(head)
	end := found.partial
	for _, h := range byStart(found.holes) {
		if h.from < end && end < h.to {
			end = h.to // a secret that is whole stays so
		}
	}
	return head[:end], len(head) - end + len(rest)
}

// patternsOf returns the byte strings to search for, sorted: each secret as it
// is, for base64 and hex, and as it reads once it is visible and decoded. For
// most secrets these are the same.
func patternsOf(secrets []string) []string {
	patterns := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		patterns = appendPattern(patterns, secret)
		if decoded := decode(Visible(secret)).text; decoded != secret {
			patterns = appendPattern(patterns, decoded)
		}
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}

// appendPattern appends a folded secret, without what could join with a mark
// beside it, if enough is left.
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
