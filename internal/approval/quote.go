package approval

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"runs-mcp-server/internal/redact"
)

// Bounds of what is shown of a text.
const (
	maxSearched = 1 << 20 // bytes of a text that are searched for secrets; more is never shown
	maxBlanks   = 3       // white space in a row that is shown as it is
	maxEscapes  = 8       // invisible characters in a row that are shown one by one
	maxMarks    = 3       // combining marks on one letter
	minTail     = 40      // bytes at the end of a text that are not cut: a note of the cut is as long
)

// Quote returns a text for a person in quotes that it cannot end, in about limit bytes.
// Invisible characters are escaped. Long rows of them, and what is cut, are counted
// outside the quotes. Only the given secrets are hidden.
func Quote(secrets *redact.Set, text string, limit int) string {
	return (&writer{secrets: secrets}).quote(text, limit)
}

// writer writes what a run says for a person.
type writer struct {
	secrets *redact.Set
	lines   strings.Builder
	hidden  int  // secrets that were taken out
	cut     bool // something was left out
}

// quote returns what [Quote] does.
func (w *writer) quote(s string, limit int) string {
	dropped, left := 0, 0 // invisible characters, bytes
	if _, n := w.secrets.Text(s[:min(len(s), maxSearched)]); n > 0 {
		// Taking secrets out drops the invisible characters: they are counted.
		dropped = utf8.RuneCountInString(s) - utf8.RuneCountInString(redact.Visible(s))
		s, left = w.secrets.Cut(s, limit)
		s, n = w.secrets.Text(s)
		w.hidden += n
	}
	var b strings.Builder
	b.WriteByte('"')
	before := rune(0)
	for s != "" {
		if b.Len() > limit && len(s) > minTail {
			left += len(s)
			break
		}
		n := writeNext(&b, s, before)
		before, _ = utf8.DecodeLastRuneInString(s[:n])
		s = s[n:]
	}
	b.WriteByte('"')
	if dropped > 0 {
		fmt.Fprintf(&b, " [%d invisible characters]", dropped)
	}
	if left > 0 {
		w.cut = true
		fmt.Fprintf(&b, " [%d bytes cut]", left)
	}
	quoted := strings.ReplaceAll(b.String(), ` ""`, "") // opened behind a count, with nothing in it
	if strings.ContainsFunc(quoted, isRightToLeft) {
		return "\u2066" + quoted + "\u2069" // bidi isolates: the text cannot reorder what stands beside it
	}
	return quoted
}

// writeNext writes the first character of a text, or counts a long row of characters
// that show little. It returns how many bytes of the text that is.
func writeNext(b *strings.Builder, s string, before rune) int {
	r, size := utf8.DecodeRuneInString(s)
	if n, length, name := longRow(s, r); n > 0 {
		fmt.Fprintf(b, `" [%d %s] "`, n, name)
		return length
	}
	switch {
	case r == utf8.RuneError && size == 1:
		fmt.Fprintf(b, `\x%02x`, s[0])
	case isInvisible(r), isMark(r) && !joins(before, r), redact.LikeQuote(r):
		writeEscape(b, r)
	case r == '"' || r == '\\':
		b.WriteByte('\\')
		b.WriteRune(r)
	default:
		b.WriteRune(r)
	}
	return size
}

// longRow returns how many characters of the kind of r, the first one, a text begins
// with, their bytes and their name; 0 where they are few enough to be shown.
func longRow(s string, r rune) (n, length int, name string) {
	var is func(rune) bool
	most := 0
	switch {
	case unicode.IsSpace(r):
		is, most, name = unicode.IsSpace, maxBlanks, "blanks"
	case isInvisible(r):
		is, most, name = isInvisible, maxEscapes, "invisible characters"
	case isMark(r):
		is, most, name = isMark, maxMarks, "combining marks"
	default:
		return 0, 0, ""
	}
	if n, length = countRow(s, is); n <= most {
		return 0, 0, ""
	}
	return n, length, name
}

// countRow returns how many characters of a kind a text begins with, and their bytes.
func countRow(s string, is func(rune) bool) (n, length int) {
	for i, r := range s {
		if !is(r) {
			return n, i
		}
		n++
	}
	return n, len(s)
}

// writeEscape writes a character as Go escapes it, such as \u202e.
func writeEscape(b *strings.Builder, r rune) {
	q := strconv.QuoteRuneToASCII(r)
	b.WriteString(q[1 : len(q)-1])
}

// isInvisible reports whether a character shows nothing, changes how others are
// shown, or is a blank of another width than a space.
func isInvisible(r rune) bool {
	return !isMark(r) && !strconv.IsPrint(r) || redact.Visible(string(r)) != string(r)
}

// isMark reports whether a character is drawn onto the one before it.
func isMark(r rune) bool {
	return unicode.Is(unicode.M, r) && redact.Visible(string(r)) == string(r)
}

// joins reports whether a mark is shown as it is behind a character: behind a letter
// or another mark, unless it strikes that through or frames it.
func joins(before, mark rune) bool {
	strikes := mark >= 0x334 && mark <= 0x338 || mark >= 0x20d0 && mark <= 0x20ff || unicode.Is(unicode.Me, mark)
	return !strikes && (unicode.IsLetter(before) || isMark(before))
}

// isRightToLeft reports whether a character is of a script that is written from right
// to left.
func isRightToLeft(r rune) bool {
	return r >= 0x590 && r <= 0x8ff || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfeff || r >= 0x10800 && r <= 0x10fff || r >= 0x1e800 && r <= 0x1efff
}
