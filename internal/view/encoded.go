package view

import (
	"html"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxRounds is how often a word is decoded: a URL in a URL in a JSON text.
const maxRounds = 3

// findEncoded cuts out every word that holds a known secret or an approval
// link once it is decoded. The whole word goes: where in it the secret stood
// cannot be told after several rounds.
func (v *View) findEncoded(h *holes) {
	if !strings.ContainsAny(h.text, `%\&`) {
		return
	}
	for at, word := range words(h.text) {
		if v.encodes(word) {
			h.cut(at, at+len(word), removed)
		}
	}
}

// encodes reports whether a secret or an approval link comes out of a word
// when it is decoded.
func (v *View) encodes(word string) bool {
	for plain := range decodings(word) {
		if v.secrets.in(plain, v.hides) || hasLink(plain) {
			return true
		}
	}
	return false
}

// decodings yields what a word becomes, step by step, when its percent signs,
// JSON escapes and HTML entities are decoded again and again.
func decodings(word string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !strings.ContainsAny(word, `%\&`) {
			return
		}
		for range maxRounds {
			before := word
			for _, decode := range [...]func(string) string{unpercent, unescape, html.UnescapeString} {
				plain := decode(word)
				if plain == word {
					continue
				}
				if word = plain; !yield(word) {
					return
				}
			}
			if word == before {
				return
			}
		}
	}
}

// unpercent decodes what is percent-encoded and leaves what is not, where
// [net/url] would give up on the whole.
func unpercent(s string) string {
	return decodeAfter(s, '%', func(out []byte, s string) ([]byte, int) {
		if n, ok := hexDigits(s, 1, 2); ok {
			return append(out, byte(n)), 3
		}
		return out, 0
	})
}

// unescape decodes the backslash escapes with which JSON and its relatives
// write what is visible.
func unescape(s string) string {
	return decodeAfter(s, '\\', func(out []byte, s string) ([]byte, int) {
		digits := 0
		switch {
		case len(s) < 2:
		case strings.IndexByte(`/\"'`, s[1]) >= 0:
			return append(out, s[1]), 2
		case s[1] == 'u':
			digits = 4
		case s[1] == 'x':
			digits = 2
		}
		if n, ok := hexDigits(s, 2, digits); ok {
			return utf8.AppendRune(out, rune(n)), 2 + digits
		}
		return out, 0
	})
}

// decodeAfter hands every part of s that begins with mark to decode, which
// appends what it stands for and returns its length, 0 when it is plain text.
func decodeAfter(s string, mark byte, decode func(out []byte, s string) ([]byte, int)) string {
	i := strings.IndexByte(s, mark)
	if i < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:i]...)
	for i < len(s) {
		if s[i] == mark {
			var n int
			if out, n = decode(out, s[i:]); n > 0 {
				i += n
				continue
			}
		}
		out = append(out, s[i])
		i++
	}
	return string(out)
}

// hexDigits reads n digits of s.
func hexDigits(s string, from, n int) (uint64, bool) {
	if n == 0 || len(s) < from+n {
		return 0, false
	}
	value, err := strconv.ParseUint(s[from:from+n], 16, 32)
	return value, err == nil
}
