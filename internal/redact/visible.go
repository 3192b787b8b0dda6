package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

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
