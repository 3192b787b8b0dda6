package approval

import (
	"cmp"
	"strings"
	"unicode"
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

// breakLines breaks a text into lines of 80 columns.
func breakLines(text string) string {
	var b strings.Builder
	for column := 0; ; column = len(indent) {
		end := lineEnd(text, column)
		b.WriteString(text[:end] + "\n")
		if text = text[end:]; text == "" {
			return b.String()
		}
		b.WriteString(indent)
	}
}

// lineEnd returns where the first line of a text ends that starts at a column: in its
// second half after the last comma or space; else beside the last character that is no
// part of a word; else anywhere. A broken number could be read as another one.
func lineEnd(text string, column int) int {
	afterSpace, besideWord := 0, 0
	before := rune(0)
	for i, r := range text {
		mayBreak := !(inWord(before) && inWord(r)) && !isMark(r) && r != ' '
		if mayBreak && column > columns/2 {
			besideWord = i
			if before == ' ' || before == ',' {
				afterSpace = i
			}
		}
		if column += width(r); column > columns {
			return cmp.Or(afterSpace, besideWord, i)
		}
		before = r
	}
	return len(text)
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
