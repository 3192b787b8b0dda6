package approval

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"runs-mcp-server/internal/redact"
)

// Bounds of what is shown of a text.
const (
	columns     = 80      // of a line: clients cut what is longer
	maxSearched = 1 << 20 // bytes of a text that are searched for secrets; a secret is far shorter
	maxBlanks   = 3       // white space in a row that is shown as it is
	maxEscapes  = 8       // invisible characters in a row that are shown one by one
	maxMarks    = 3       // combining marks on one letter
	minShare    = 40      // bytes that a value has at least, if it is shown at all
)

// Quote returns a text for a person in quotes that it cannot end, in about limit
// bytes. What cannot be seen is escaped, or counted outside the quotes, and so is
// what is cut. Of secrets only the given ones are hidden.
func Quote(secrets *redact.Set, text string, limit int) string {
	return (&writer{secrets: secrets}).quote(text, limit)
}

// writer puts what a run says into words for a person.
type writer struct {
	secrets *redact.Set
	hidden  int  // secrets that were taken out
	cut     bool // something was left out
}

// quote is [Quote].
func (w *writer) quote(s string, limit int) string {
	dropped, left := 0, 0
	if _, n := w.secrets.Text(s[:min(len(s), maxSearched)]); n > 0 {
		// A secret is found among visible characters alone: the others are counted.
		dropped = utf8.RuneCountInString(s) - utf8.RuneCountInString(redact.Visible(s))
		s, left = w.secrets.Cut(s, limit)
		s, n = w.secrets.Text(s)
		w.hidden += n
	}
	var b strings.Builder
	b.WriteByte('"')
	before := rune(0)
	for s != "" {
		if b.Len() > limit && len(s) > minShare {
			left += len(s)
			break
		}
		n := leading(s, before, &b)
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
	quoted := strings.ReplaceAll(b.String(), ` ""`, "") // after a count at the end
	if strings.ContainsFunc(quoted, isRightToLeft) {
		return "\u2066" + quoted + "\u2069" // isolated: it does not reorder its neighbours
	}
	return quoted
}

// leading writes how a text begins: one character, or a row of them that is
// counted. It returns how many bytes of the text that is.
func leading(s string, before rune, b *strings.Builder) int {
	r, size := utf8.DecodeRuneInString(s)
	for _, row := range [...]struct {
		of   func(rune) bool
		most int
		name string
	}{{unicode.IsSpace, maxBlanks, "blanks"}, {isInvisible, maxEscapes, "invisible characters"}, {isMark, maxMarks, "combining marks"}} {
		if !row.of(r) {
			continue
		}
		if n, length := countRow(s, row.of); n > row.most {
			fmt.Fprintf(b, `" [%d %s] "`, n, row.name)
			return length
		}
		break
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

// countRow returns how many characters of a kind a text begins with, and their
// bytes.
func countRow(s string, of func(rune) bool) (n, length int) {
	for i, r := range s {
		if !of(r) {
			return n, i
		}
		n++
	}
	return n, len(s)
}

func writeEscape(b *strings.Builder, r rune) {
	q := strconv.QuoteRuneToASCII(r)
	b.WriteString(q[1 : len(q)-1])
}

// isInvisible reports whether a character shows nothing, changes how others are
// read, or is a blank of another width than a space.
func isInvisible(r rune) bool {
	if r >= ' ' && r <= '~' {
		return false
	}
	return !isMark(r) && !strconv.IsPrint(r) || redact.Visible(string(r)) != string(r)
}

// isMark reports whether a character is drawn onto the one before it.
func isMark(r rune) bool {
	return r > '~' && unicode.Is(unicode.M, r) && redact.Visible(string(r)) == string(r)
}

// joins reports whether a mark may stand behind a character: behind a letter or
// another mark, unless it is one that strikes or frames it.
func joins(before, mark rune) bool {
	strikes := mark >= 0x334 && mark <= 0x338 || mark >= 0x20d0 && mark <= 0x20ff || unicode.Is(unicode.Me, mark)
	return !strikes && (unicode.IsLetter(before) || isMark(before))
}

func isRightToLeft(r rune) bool {
	return r >= 0x590 && r <= 0x8ff || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfeff || r >= 0x10800 && r <= 0x10fff || r >= 0x1e800 && r <= 0x1efff
}

// value returns a compact JSON value on one line, in about limit bytes. Small
// fields stand before large ones.
func (w *writer) value(v []byte, level, limit int) string {
	switch {
	case v[0] == '"':
		return w.quote(unquote(v), limit)
	case v[0] != '{' && v[0] != '[':
		return w.number(v, limit)
	case level == maxLevels/2:
		w.cut = true
		return fmt.Sprintf("[%d bytes cut: too deep]", len(v))
	}
	all := members(v)
	if v[0] == '{' {
		slices.SortStableFunc(all, func(a, b member) int { return a.size() - b.size() })
	}
	var b strings.Builder
	b.WriteByte(v[0])
	for i, m := range all {
		left := limit - b.Len()
		if left <= 0 {
			w.cut = true
			bytes := 0
			for _, m := range all[i:] {
				bytes += m.size()
			}
			fmt.Fprintf(&b, " [%d more, %d bytes cut]", len(all)-i, bytes)
			break
		}
		if i > 0 {
			b.WriteString(map[byte]string{'{': ",", '[': ", "}[v[0]])
		}
		share, began := max(left/(len(all)-i), minShare), b.Len()
		if v[0] == '{' {
			b.WriteString(w.quote(unquote([]byte(m.name)), share) + ":")
		}
		b.WriteString(w.value(m.value, level+1, max(share-(b.Len()-began), minShare)))
	}
	b.WriteByte(v[0] + 2) // the closing bracket
	return b.String()
}

// number returns a number, or a word of JSON, as it is written.
func (w *writer) number(v []byte, limit int) string {
	s, n := w.secrets.Text(string(v))
	w.hidden += n
	if len(s) <= limit+minShare {
		return s
	}
	w.cut = true
	return fmt.Sprintf("%s [%d digits cut]", s[:limit], len(s)-limit)
}
