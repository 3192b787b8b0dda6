package approval

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// columns is the length of a line: clients cut longer ones.
	columns = 80
	// indent starts a line that continues the one before. The question's own lines
	// never start with it.
	indent = "  "
)

// writeLine writes a text as a paragraph of the question.
func (w *writer) writeLine(text string) { w.lines.WriteString(breakLines(text)) }

// breakLines breaks a text into lines of 80 columns, in their second half: after a
// comma or a space; else beside a character that is no part of a word; else anywhere.
// A broken number could be read as another one.
func breakLines(text string) string {
	var b strings.Builder
	from, column := 0, 0
	values, words := 0, 0 // where the line may be broken
	before := rune(0)
	for i, r := range text {
		mayBreak := !(inWord(before) && inWord(r)) && !isMark(r) && r != ' '
		if mayBreak && column > columns/2 {
			words = i
			if before == ' ' || before == ',' {
				values = i
			}
		}
		if column += width(r); column > columns {
			at := i
			if words > from {
				at = words
			}
			if values > from {
				at = values
			}
			b.WriteString(text[from:at] + "\n" + indent)
			from, column = at, len(indent)+widthOf(text[at:i+utf8.RuneLen(r)])
		}
		before = r
	}
	b.WriteString(text[from:] + "\n")
	return b.String()
}

// inWord reports whether a character may be a part of a word, a number, an address or
// an escape.
func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || isMark(r) || strings.ContainsRune(`.,:/@+-_=%\`, r)
}

// width returns how many columns a character takes at most.
func width(r rune) int {
	switch {
	case isMark(r):
		return 0
	case r >= 0x1100:
		return 2
	}
	return 1
}

// widthOf returns how many columns a text takes at most.
func widthOf(s string) (n int) {
	for _, r := range s {
		n += width(r)
	}
	return n
}
